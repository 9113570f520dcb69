package gomlx

import (
	"errors"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
)

// Rows copies rows of t, which are on its first axis, in the given order.
func Rows[I int | int32](t *tensors.Tensor, rows []I) (*tensors.Tensor, error) {
	if t == nil || !t.Shape().Ok() { // CheckValid looks at what a program may be changing
		return nil, errors.New("gomlx.Rows: the tensor is nil, or was freed")
	}
	dims := append([]int{len(rows)}, t.Shape().Dimensions[1:]...)
	out := tensors.FromShape(shapes.Make(t.DType(), dims...))
	size := int(t.ByteSize()) / t.Shape().Dimensions[0]
	var writing error
	reading := t.ConstBytes(func(from []byte) {
		writing = out.MutableBytes(func(to []byte) {
			for i, row := range rows {
				copy(to[i*size:(i+1)*size], from[int(row)*size:])
			}
		})
	})
	if err := errors.Join(reading, writing); err != nil {
		return nil, errors.Join(err, out.FinalizeAll())
	}
	return out, nil
}
