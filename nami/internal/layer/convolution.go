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

// Convolution is the convolution of images h, [n, height, width, channels], with a window of rows ×
// columns of pixels and zeros around, of which it keeps every stride-th row and column. Weights,
// [rows, columns, channels, out], and biases start as those of [Dense].
func Convolution(scope *model.Scope, h *Node, out int, window, stride [2]int, gain float64) *Node {
	scope = scope.In("conv")
	in := window[0] * window[1] * h.Shape().Dim(-1)
	limit := 1 / math.Sqrt(float64(in))
	weights := scope.WithInitializer(initializer.RandomUniformFn(scope, -gain*limit, gain*limit)).
		VariableWithShape("weights", shapes.Make(h.DType(), window[0], window[1], h.Shape().Dim(-1), out)).NodeValue(h)
	biases := scope.WithInitializer(initializer.RandomUniformFn(scope, -limit, limit)).
		VariableWithShape("biases", shapes.Make(h.DType(), out)).NodeValue(h)
	// As a product with what the window shows at each place: on processors that is no slower
	// with XLA than its convolution, and much quicker in pure Go.
	return nn.Dense(windows(h, window, stride), Reshape(weights, in, out), biases, compute.DenseLayoutInputOutputs)
}

// Both is a window of so many rows and columns, or a stride along both.
func Both(side int) [2]int { return [2]int{side, side} }

// windows are the pixels that a window shows around each pixel of h, or around every stride-th
// one, beside each other: [n, height/stride, width/stride, rows·columns·channels].
func windows(h *Node, window, stride [2]int) *Node {
	if window == Both(1) && stride == Both(1) {
		return h
	}
	dims := h.Shape().Dimensions
	around := func(axis int) PadAxis { return PadAxis{Start: window[axis] / 2, End: window[axis] / 2} }
	padded := Pad(h, ScalarZero(h.Graph(), h.DType()), PadAxis{}, around(0), around(1), PadAxis{})
	var shifted []*Node
	for i := range window[0] {
		for j := range window[1] {
			shifted = append(shifted, Slice(padded, AxisRange(),
				AxisRange(i, i+dims[1]).Stride(stride[0]), AxisRange(j, j+dims[2]).Stride(stride[1]), AxisRange()))
		}
	}
	return Concatenate(shifted, -1)
}

// Enlarged repeats each pixel of h twice in each direction.
func Enlarged(h *Node) *Node {
	dims := h.Shape().Dimensions
	h = BroadcastToDims(InsertAxes(h, 2, 3), dims[0], dims[1], 2, dims[2], 2, dims[3])
	return Reshape(h, dims[0], 2*dims[1], 2*dims[2], dims[3])
}
