package train

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

// rate is the learning rate of each step.
type rate struct {
	first float64
	steps int // after which it is 0; 0 if it stays
}

func constant(value float64) rate { return rate{first: value} }

func cosine(first float64, steps int) rate { return rate{first, steps} }

// set makes the next step's learning rate, which the optimiser reads from the store. For
// step i of n that is half of first·(1 + cos(π·i/n)).
func (r rate) set(scope *model.Scope, g *Graph, dtype dtypes.DType) {
	if r.steps == 0 {
		return
	}
	step := ConvertDType(optimizer.GetGlobalStepVar(scope).NodeValue(g), dtypes.Float64)
	done := Mul(step, Const(g, 1/float64(r.steps)))
	done = Min(done, Const(g, 1.0))
	value := Mul(Add(Cos(Mul(done, Const(g, math.Pi))), Const(g, 1.0)), Const(g, r.first/2))
	optimizer.LearningRateVar(scope, dtype, r.first).SetNodeValue(ConvertDType(value, dtype))
}
