package layer

import (
	"math"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
)

// Convolution is the convolution of images h, [channels, height, width, n], with a window of rows ×
// columns of pixels, odd numbers, and zeros around, of which it keeps every stride-th row and
// column. Weights, [rows, columns, channels, out], and biases start as those of [Dense].
//
// The batch is the last axis, so that shifts move long runs of memory and sums over pixels are sums
// of vectors. The columns of the window are beside each other in what goes into one product,
// its rows in what comes out: each is copied as often as a side of the window is long, where a
// product with whole windows copies the image as often as the window has pixels.
func Convolution(scope *model.Scope, h *Node, out int, window, stride [2]int, gain float64) *Node {
	scope = scope.In("conv")
	in := window[0] * window[1] * h.Shape().Dim(0)
	limit := 1 / math.Sqrt(float64(in))
	weights := scope.WithInitializer(initializer.RandomUniformFn(scope, -gain*limit, gain*limit)).
		VariableWithShape("weights", shapes.Make(h.DType(), window[0], window[1], h.Shape().Dim(0), out)).NodeValue(h)
	biases := scope.WithInitializer(initializer.RandomUniformFn(scope, -limit, limit)).
		VariableWithShape("biases", shapes.Make(h.DType(), out)).NodeValue(h)
	var columns []*Node
	for j := range window[1] {
		columns = append(columns, shifted(h, 2, j, window[1], stride[1]))
	}
	seen := Concatenate(columns, 0) // [columns·channels, height, width/stride, n]
	dims := seen.Shape().Dimensions
	products := DotGeneral(Reshape(TransposeAllAxes(weights, 0, 3, 1, 2), window[0]*out, -1), []int{1}, nil, Reshape(seen, dims[0], -1), []int{0}, nil)
	products = Reshape(products, window[0]*out, dims[1], dims[2], dims[3])
	y := shifted(Slice(products, AxisRange(0, out)), 1, 0, window[0], stride[0])
	for i := 1; i < window[0]; i++ {
		y = Add(y, shifted(Slice(products, AxisRange(i*out, (i+1)*out)), 1, i, window[0], stride[0]))
	}
	return Add(y, perChannel(biases, h.Shape().Dim(3)))
}

// Both is a window of so many rows and columns, or a stride along both.
func Both(side int) [2]int { return [2]int{side, side} }

// shifted is what place i of a window along an axis shows of h around each pixel, or around every
// stride-th one.
func shifted(h *Node, axis, i, window, stride int) *Node {
	if window == 1 && stride == 1 {
		return h
	}
	pads := make([]PadAxis, 4)
	pads[axis] = PadAxis{Start: window / 2, End: window / 2}
	ranges := []SliceAxisSpec{AxisRange(), AxisRange(), AxisRange(), AxisRange()}
	ranges[axis] = AxisRange(i, i+h.Shape().Dim(axis)).Stride(stride)
	return Slice(Pad(h, ScalarZero(h.Graph(), h.DType()), pads...), ranges...)
}

// Enlarged repeats each pixel of h, [channels, height, width, n], twice in each direction.
func Enlarged(h *Node) *Node {
	dims := h.Shape().Dimensions
	h = BroadcastToDims(InsertAxes(h, 2, 3), dims[0], dims[1], 2, dims[2], 2, dims[3])
	return Reshape(h, dims[0], 2*dims[1], 2*dims[2], dims[3])
}
