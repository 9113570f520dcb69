// Package layer holds the layers that networks are made of, with weights that start as this
// library has them.
package layer

import (
	"math"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
	"github.com/gomlx/gomlx/ml/nn"
)

// Dense is h·W + b. W starts uniform on ±gain/√in: with a gain of 1, as PyTorch's layers
// have it, each layer makes a signal smaller, and a flow in the plane needs twice the steps
// for the same divergence from the data. b starts at random, too: where all are zero, the
// units' kinks meet in one point, and a small network on few inputs learns more slowly.
func Dense(scope *model.Scope, h *Node, width int, gain float64) *Node {
	limit := 1 / math.Sqrt(float64(h.Shape().Dim(-1)))
	return Linear(scope, h, width,
		initializer.RandomUniformFn(scope, -gain*limit, gain*limit), initializer.RandomUniformFn(scope, -limit, limit))
}

// Linear is h·W + b with W and b that start as these say.
func Linear(scope *model.Scope, h *Node, width int, startW, startB model.VariableInitializer) *Node {
	scope = scope.In("dense")
	in := h.Shape().Dim(-1)
	weights := scope.WithInitializer(startW).VariableWithShape("weights", shapes.Make(h.DType(), in, width)).NodeValue(h)
	biases := scope.WithInitializer(startB).VariableWithShape("biases", shapes.Make(h.DType(), width)).NodeValue(h)
	if width < narrow && h.Rank() > 1 { // GoMLX can't do it for an event without a lead
		return nn.Dense(h, Transpose(weights, 0, 1), biases, compute.DenseLayoutOutputsInput)
	}
	return nn.Dense(h, weights, biases, compute.DenseLayoutInputOutputs)
}

// Weights are those, [in, out], of the layer that [Dense] or [Linear] has made in scope.
func Weights(scope *model.Scope, like *Node) *Node {
	return scope.At("dense").GetVariable("weights").NodeValue(like)
}

// narrow is the number of values that a processor computes with at once. GoMLX's pure
// Go backend multiplies by a matrix of fewer columns one number at a time, and by its
// transpose does not; XLA makes no difference.
const narrow = 8
