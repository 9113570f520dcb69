package shape_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/tests/property"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"pgregory.net/rapid"
)

// A tensor's spec describes it, and rejects a tensor with another event or dtype.
func TestSpec(t *testing.T) {
	property.Check(t, func(t *rapid.T) {
		dims := rapid.SliceOfN(rapid.IntRange(1, 4), 0, 5).Draw(t, "dims")
		rank := rapid.IntRange(0, min(3, len(dims))).Draw(t, "rank")
		event := shapes.Make(dtypes.Float32, dims...)
		spec, err := shape.SpecOf(event, rank)
		if err != nil {
			t.Fatal(err)
		}
		if spec.Rank() != rank || spec.Size() != shape.Size(dims[len(dims)-rank:]) || spec.DType != dtypes.Float32 {
			t.Fatalf("SpecOf(%v, %d) is %v", event, rank, spec)
		}
		if err := spec.Validate(event, dims[:len(dims)-rank]); err != nil {
			t.Error(err)
		}
		if rank > 0 {
			longer := slices.Clone(dims)
			longer[len(dims)-1]++
			if err := spec.Validate(shapes.Make(dtypes.Float32, longer...), nil); err == nil {
				t.Errorf("%v accepts events of another shape: %v", spec, longer)
			}
		}
	})
}

func TestSpecMisuse(t *testing.T) {
	spec := shape.Spec{Shape: []int{2}, DType: dtypes.Float32}
	_, short := shape.SpecOf(shapes.Make(dtypes.Float32, 4), 2)
	for want, err := range map[string]error{
		"the dtype is Float64, expected Float32":    spec.Validate(shapes.Make(dtypes.Float64, 4, 2), nil),
		"ends in (3), expected events of shape (2)": spec.Validate(shapes.Make(dtypes.Float32, 4, 3), nil),
		"begins with (4), expected the lead (5)":    spec.Validate(shapes.Make(dtypes.Float32, 4, 2), []int{5}),
		"fewer than the event rank 2":               short,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, expected it to say %q", err, want)
		}
	}
}

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
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, expected it to say %q", err, want)
		}
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

func ExampleSpec() {
	fmt.Println(shape.Spec{Shape: []int{4, 5}, DType: dtypes.Float32})
	// Output: (4, 5) of Float32, 20 values
}
