package field

import (
	"math"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
	"github.com/gomlx/gomlx/ml/nn"
)

// convolved is the convolution of images h, [n, height, width, channels], with a window of side ×
// side pixels and zeros around, of which it keeps every stride-th row and column. Weights,
// [side, side, channels, out], and biases start as those of [dense].
func convolved(scope *model.Scope, h *Node, out, side, stride int, gain float64) *Node {
	scope = scope.In("conv")
	in := h.Shape().Dim(-1)
	limit := 1 / math.Sqrt(float64(side*side*in))
	weights := scope.WithInitializer(initializer.RandomUniformFn(scope, -gain*limit, gain*limit)).
		VariableWithShape("weights", shapes.Make(h.DType(), side, side, in, out)).NodeValue(h)
	biases := scope.WithInitializer(initializer.RandomUniformFn(scope, -limit, limit)).
		VariableWithShape("biases", shapes.Make(h.DType(), out)).NodeValue(h)
	// As a product with what the window shows at each place: on processors XLA does it in half
	// the time of its convolution, and pure Go in a small part of it.
	return nn.Dense(windows(h, side, stride), Reshape(weights, side*side*in, out), biases, compute.DenseLayoutInputOutputs)
}

// windows are the side × side pixels around each pixel of h, or around every stride-th one, beside
// each other: [n, height/stride, width/stride, side·side·channels].
func windows(h *Node, side, stride int) *Node {
	if side == 1 && stride == 1 {
		return h
	}
	dims := h.Shape().Dimensions
	around := side / 2
	padded := Pad(h, ScalarZero(h.Graph(), h.DType()), PadAxis{}, PadAxis{Start: around, End: around}, PadAxis{Start: around, End: around}, PadAxis{})
	var shifted []*Node
	for i := range side {
		for j := range side {
			shifted = append(shifted, Slice(padded, AxisRange(),
				AxisRange(i, i+dims[1]).Stride(stride), AxisRange(j, j+dims[2]).Stride(stride), AxisRange()))
		}
	}
	return Concatenate(shifted, -1)
}

// groupNormalized has mean 0 and variance 1 over the pixels and channels of each group of channels
// of an image, [n, height, width, channels] (Wu & He 2018, arXiv:1803.08494), and then a scale and
// an offset for each channel.
func groupNormalized(scope *model.Scope, h *Node, groups int) *Node {
	dims := h.Shape().Dimensions
	channels := dims[3]
	g := Reshape(h, dims[0], dims[1]*dims[2], groups, channels/groups)
	g = Sub(g, ReduceAndKeep(g, ReduceMean, 1, 3))
	g = Div(g, Sqrt(AddScalar(ReduceAndKeep(Square(g), ReduceMean, 1, 3), 1e-5)))
	perChannel := func(name string, start model.VariableInitializer) *Node {
		return ExpandLeftToRank(scope.WithInitializer(start).VariableWithShape(name, shapes.Make(h.DType(), channels)).NodeValue(h), 4)
	}
	return Add(Mul(Reshape(g, dims...), perChannel("scale", initializer.One)), perChannel("offset", initializer.Zero))
}

// enlarged repeats each pixel of h twice in each direction.
func enlarged(h *Node) *Node {
	dims := h.Shape().Dimensions
	h = BroadcastToDims(InsertAxes(h, 2, 3), dims[0], dims[1], 2, dims[2], 2, dims[3])
	return Reshape(h, dims[0], 2*dims[1], 2*dims[2], dims[3])
}
