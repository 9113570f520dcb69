package train_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// uniform number i of sequence s, in [0, 1): an integer hash, the same in any language.
func uniform(s, i uint32) float64 {
	x := i + s*0x9e3779b9
	x ^= x >> 16
	x *= 0x7feb352d
	x ^= x >> 15
	x *= 0x846ca68b
	x ^= x >> 16
	return float64(x>>8) / (1 << 24)
}

func uniforms(s uint32, dims ...int) *tensors.Tensor {
	return filled(func(i uint32) float64 { return uniform(s, i) }, dims...)
}

func gaussians(s uint32, dims ...int) *tensors.Tensor {
	return filled(func(i uint32) float64 {
		return math.Sqrt(-2*math.Log(1-uniform(s, 2*i))) * math.Cos(2*math.Pi*uniform(s, 2*i+1))
	}, dims...)
}

func filled(value func(i uint32) float64, dims ...int) *tensors.Tensor {
	size := 1
	for _, d := range dims {
		size *= d
	}
	flat := make([]float32, size)
	for i := range flat {
		flat[i] = float32(value(uint32(i)))
	}
	return tensors.FromFlatDataAndDimensions(flat, dims...)
}

// fixedNoise is the flow-matching loss of a net of four layers with known weights, on
// known noise and times.
type fixedNoise struct{}

func (fixedNoise) Loss(scope *model.Scope, b loss.Batch) *Node {
	x := b.X
	g := x.Graph()
	source := ConstTensor(g, gaussians(1003, 512, 2))
	t := ConstTensor(g, uniforms(1004, 512, 1))
	h := Concatenate([]*Node{Add(Mul(OneMinus(t), x), Mul(t, source)), t}, -1)
	widths := []int{3, 128, 128, 128, 2}
	for l, in := range widths[:4] {
		out := widths[l+1]
		scale := 1 / math.Sqrt(float64(in))
		start := func(s int) func(uint32) float64 {
			return func(i uint32) float64 { return scale * (2*uniform(uint32(s), i) - 1) }
		}
		w := scope.VariableWithValue(fmt.Sprintf("w%d", l), filled(start(2*l+1), in, out))
		b := scope.VariableWithValue(fmt.Sprintf("b%d", l), filled(start(2*l+2), out))
		h = Add(Dot(h, w.NodeValue(g)).Product(), InsertAxes(b.NodeValue(g), 0))
		if l < 3 {
			h = Mul(h, Sigmoid(h))
		}
	}
	return ReduceAllMean(Square(Sub(h, Sub(source, x))))
}

// PyTorch and JAX, from the same weights, data and noise, give these losses before and
// after ten steps of Adam.
func TestAdamAgreesWithPyTorchAndJAX(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		trainer, err := train.NewTrainer(backend, model.NewStore(), fixedNoise{}, train.LearningRate(1e-3), train.ClipNorm(math.Inf(1)))
		if err != nil {
			t.Fatal(err)
		}
		x := data.Events{X: gaussians(1001, 512, 2)}
		for range 11 {
			if err := trainer.Steps(x, 1); err != nil {
				t.Fatal(err)
			}
		}
		losses, err := trainer.Losses()
		if err != nil {
			t.Fatal(err)
		}
		for step, want := range map[int]float64{0: 1.96576, 10: 1.93389} {
			if math.Abs(losses[step]-want) > 2e-5 {
				t.Errorf("the loss after %d steps is %.6f, expected %.5f", step, losses[step], want)
			}
		}
	})
}
