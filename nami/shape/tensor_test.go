package shape_test

import (
	"fmt"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/gomlx/core/tensors"
)

func TestTensorMisuse(t *testing.T) {
	x := tensors.FromValue([][]float32{{1, 2, 3}, {4, 5, 6}})
	flatten := func(x *tensors.Tensor, rank int) error { _, err := shape.FlattenTensor(x, rank); return err }
	unflatten := func(x *tensors.Tensor, ev ...int) error { _, err := shape.UnflattenTensor(x, ev); return err }
	for want, err := range map[string]error{
		"has 2 axes, fewer than the event rank 3":                    flatten(x, 3),
		"event rank is -1":                                           flatten(x, -1),
		"shape.FlattenTensor: the tensor is nil":                     flatten(nil, 1),
		"of shape (2, 3), must hold the 4 values of an event (2, 2)": unflatten(x, 2, 2),
		"shape.UnflattenTensor: the tensor is nil":                   unflatten(nil, 2),
		"of shape (), must hold the 2 values of an event (2)":        unflatten(tensors.FromScalar(float32(1)), 2),
	} {
		gomlxtest.Says(t, want, err, want)
	}
}

func ExampleFlattenTensor() {
	x := tensors.FromScalarAndDimensions(float32(0), 2, 3, 4, 5)
	flat, _ := shape.FlattenTensor(x, 2)
	back, _ := shape.UnflattenTensor(flat, []int{4, 5})
	fmt.Println(shape.Format(flat.Shape().Dimensions), shape.Format(back.Shape().Dimensions))
	// Output: (2, 3, 20) (2, 3, 4, 5)
}

func ExampleValidate() {
	fmt.Println(shape.Validate([]int{2, 3, 4, 5}, []int{4, 5}, []int{2, 3}))
	fmt.Println(shape.Validate([]int{2, 3, 4, 5}, []int{4, 6}, []int{2, 3}) != nil)
	// Output:
	// <nil>
	// true
}
