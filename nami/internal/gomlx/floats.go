package gomlx

import (
	"errors"
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
)

// Floats copies the values of t, in row-major order, as float64. It is an error if t is nil
// or holds anything but Float32 or Float64, or if a value is NaN or infinite. The error
// calls t what.
func Floats(what string, t *tensors.Tensor) (values []float64, err error) {
	if t == nil {
		return nil, errors.New(what + " is nil")
	}
	if t.DType() != dtypes.Float32 && t.DType() != dtypes.Float64 {
		return nil, fmt.Errorf("%s is %s: expected Float32 or Float64 values", what, t.Shape())
	}
	if t.Size() == 0 {
		return nil, nil
	}
	values = make([]float64, t.Size())
	if err := EachFloat(t, func(i int, v float64) { values[i] = v }); err != nil {
		return nil, err
	}
	for i, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("value %d of %s, of shape %s, is %v: it must be finite", i, what, t.Shape(), v)
		}
	}
	return values, nil
}

// EachFloat calls f with the values of t, in row-major order. It does nothing for a tensor
// that holds anything but Float32 or Float64.
func EachFloat(t *tensors.Tensor, f func(i int, v float64)) error {
	return t.ConstFlatData(func(flat any) {
		switch flat := flat.(type) {
		case []float64:
			for i, v := range flat {
				f(i, v)
			}
		case []float32:
			for i, v := range flat {
				f(i, float64(v))
			}
		}
	})
}

// NonFinite counts the values of t that are NaN or infinite, and finds the first.
func NonFinite(t *tensors.Tensor) (bad, first int, err error) {
	err = EachFloat(t, func(i int, v float64) {
		if v-v != 0 { // true for NaN and ±Inf only
			if bad == 0 {
				first = i
			}
			bad++
		}
	})
	return bad, first, err
}

// FromFloats makes a tensor of values in row-major order: of Float64 if dtype says so, and
// of Float32 otherwise.
func FromFloats(dtype dtypes.DType, values []float64, dims ...int) *tensors.Tensor {
	if dtype == dtypes.Float64 {
		return tensors.FromFlatDataAndDimensions(values, dims...)
	}
	single := make([]float32, len(values))
	for i, v := range values {
		single[i] = float32(v)
	}
	return tensors.FromFlatDataAndDimensions(single, dims...)
}
