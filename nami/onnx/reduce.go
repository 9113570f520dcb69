package onnx

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapeinference"
)

// reduce is over the given axes, or over all.
func (f *function) reduce(kind string, v compute.Value, axes []int) (compute.Value, error) {
	x := v.(*value)
	if len(axes) == 0 {
		for axis := range x.shape.Rank() {
			axes = append(axes, axis)
		}
	}
	shape, err := shapeinference.Reduce(x.shape, axes)
	if err != nil {
		return nil, err
	}
	if len(axes) == 0 { // of a scalar
		return x, nil
	}
	dtype, err := computed(x.shape.DType)
	if err != nil {
		return nil, err
	}
	out := f.apply(kind, as(shape, dtype), []*value{f.cast(x, dtype), f.lengths(axes...)}, attribute{"keepdims", int64(0)})
	return f.cast(out, shape.DType), nil
}

// ReduceSum implements [compute.StandardOps], as do the methods below.
func (f *function) ReduceSum(x compute.Value, axes ...int) (compute.Value, error) {
	return f.reduce("ReduceSum", x, axes)
}

func (f *function) ReduceProduct(x compute.Value, axes ...int) (compute.Value, error) {
	return f.reduce("ReduceProd", x, axes)
}

func (f *function) ReduceMax(x compute.Value, axes ...int) (compute.Value, error) {
	return f.reduce("ReduceMax", x, axes)
}

func (f *function) ReduceMin(x compute.Value, axes ...int) (compute.Value, error) {
	return f.reduce("ReduceMin", x, axes)
}

func (f *function) ReduceLogicalOr(x compute.Value, axes ...int) (compute.Value, error) {
	return f.reduce("ReduceMax", x, axes)
}

func (f *function) ReduceLogicalAnd(x compute.Value, axes ...int) (compute.Value, error) {
	return f.reduce("ReduceMin", x, axes)
}

func (f *function) ArgMinMax(v compute.Value, axis int, dtype dtypes.DType, isMin bool) (compute.Value, error) {
	x := v.(*value)
	shape, err := shapeinference.ArgMinMax(x.shape, axis, dtype)
	if err != nil {
		return nil, err
	}
	kind := "ArgMax"
	if isMin {
		kind = "ArgMin"
	}
	inside, err := computed(x.shape.DType)
	if err != nil {
		return nil, err
	}
	at := f.apply(kind, as(shape, dtypes.Int64), []*value{f.cast(x, inside)}, attribute{"axis", int64(axis)}, attribute{"keepdims", int64(0)})
	return f.cast(at, dtype), nil
}
