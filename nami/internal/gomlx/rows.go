package gomlx

import (
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
)

// Rows copies rows of t, which are on its first axis, in the given order.
func Rows(t *tensors.Tensor, rows []int32) (*tensors.Tensor, error) {
	dims := append([]int{len(rows)}, t.Shape().Dimensions[1:]...)
	out := tensors.FromShape(shapes.Make(t.DType(), dims...))
	size := int(t.ByteSize()) / t.Shape().Dimensions[0]
	err := t.ConstBytes(func(from []byte) {
		out.MutableBytes(func(to []byte) {
			for i, row := range rows {
				copy(to[i*size:(i+1)*size], from[int(row)*size:])
			}
		})
	})
	return out, err
}
