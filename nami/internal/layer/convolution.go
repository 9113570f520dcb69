package layer

import (
	"math"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
)

// Convolution is the convolution of images h, [n, height, width, channels], with a window of rows ×
// columns of pixels and zeros around, of which it keeps every stride-th row and column. Weights,
// [rows, columns, channels, out], and biases start as those of [Dense].
func Convolution(scope *model.Scope, h *Node, out int, window, stride [2]int, gain float64) *Node {
	scope = scope.In("conv")
	in := window[0] * window[1] * h.Shape().Dim(0)
	limit := 1 / math.Sqrt(float64(in))
	weights := scope.WithInitializer(initializer.RandomUniformFn(scope, -gain*limit, gain*limit)).
		VariableWithShape("weights", shapes.Make(h.DType(), window[0], window[1], h.Shape().Dim(0), out)).NodeValue(h)
	biases := scope.WithInitializer(initializer.RandomUniformFn(scope, -limit, limit)).
		VariableWithShape("biases", shapes.Make(h.DType(), out)).NodeValue(h)
	seen := Concatenate(shifted(h, 2, window[1], stride[1]), 0) // [columns·channels, height, width, n]
	dims := seen.Shape().Dimensions
	products := DotGeneral(Reshape(TransposeAllAxes(weights, 0, 3, 1, 2), window[0]*out, -1), []int{1}, nil, Reshape(seen, dims[0], -1), []int{0}, nil)
	products = Reshape(products, window[0]*out, dims[1], dims[2], dims[3])
	var y *Node
	for i := range window[0] {
		row := shiftedBy(Slice(products, AxisRange(i*out, (i+1)*out)), 1, i, window[0], stride[0])
		if y == nil {
			y = row
		} else {
			y = Add(y, row)
		}
	}
	return Add(y, perChannel(biases, h.Shape().Dim(3)))
}

// Both is a window of so many rows and columns, or a stride along both.
func Both(side int) [2]int { return [2]int{side, side} }

func shifted(h *Node, axis, window, stride int) []*Node {
	var all []*Node
	for i := range window {
		all = append(all, shiftedBy(h, axis, i, window, stride))
	}
	return all
}

func shiftedBy(h *Node, axis, i, window, stride int) *Node {
	if window == 1 && stride == 1 {
		return h
	}
	pads := make([]PadAxis, 4)
	pads[axis] = PadAxis{Start: window / 2, End: window / 2}
	ranges := []SliceAxisSpec{AxisRange(), AxisRange(), AxisRange(), AxisRange()}
	ranges[axis] = AxisRange(i, i+h.Shape().Dim(axis)).Stride(stride)
	return Slice(Pad(h, ScalarZero(h.Graph(), h.DType()), pads...), ranges...)
}

// Enlarged repeats each pixel of h twice in each direction.
func Enlarged(h *Node) *Node {
	dims := h.Shape().Dimensions
	h = BroadcastToDims(InsertAxes(h, 2, 3), dims[0], dims[1], 2, dims[2], 2, dims[3])
	return Reshape(h, dims[0], 2*dims[1], 2*dims[2], dims[3])
}
