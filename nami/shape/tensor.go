package shape

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
)

// FlattenTensor is [Flatten] for a tensor: it returns a copy of x whose last rank axes are
// joined into one. It is an error if x has fewer axes.
func FlattenTensor(x *tensors.Tensor, rank int) (*tensors.Tensor, error) {
	if x == nil {
		return nil, errors.New("shape.FlattenTensor: the tensor is nil")
	}
	lead, event, err := Split(x.Shape().Dimensions, rank)
	if err != nil {
		return nil, err
	}
	return reshaped(x, append(slices.Clone(lead), Size(event)))
}

// UnflattenTensor is [Unflatten] for a tensor: a copy of x whose last axis has the
// shape of event. It is an error if the sizes differ.
func UnflattenTensor(x *tensors.Tensor, event []int) (*tensors.Tensor, error) {
	if x == nil {
		return nil, errors.New("shape.UnflattenTensor: the tensor is nil")
	}
	dims, err := unflattened(x.Shape().Dimensions, event)
	if err != nil {
		return nil, fmt.Errorf("shape.UnflattenTensor: %w", err)
	}
	return reshaped(x, dims)
}

// reshaped copies x's values, in row-major order, into a tensor of other dimensions.
func reshaped(x *tensors.Tensor, dims []int) (*tensors.Tensor, error) {
	out := tensors.FromShape(shapes.Make(x.DType(), dims...))
	if out.Size() == 0 {
		return out, nil
	}
	var err error
	if e := x.ConstBytes(func(from []byte) {
		err = out.MutableBytes(func(to []byte) { copy(to, from) })
	}); e != nil {
		err = e
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}
