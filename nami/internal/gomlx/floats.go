package gomlx

import (
	"errors"
	"fmt"
	"math"
	"slices"

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
	err = t.ConstFlatData(func(flat any) {
		switch flat := flat.(type) {
		case []float64:
			values = slices.Clone(flat)
		case []float32:
			values = make([]float64, len(flat))
			for i, v := range flat {
				values[i] = float64(v)
			}
		}
	})
	if err != nil {
		return nil, err
	}
	for i, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("value %d of %s, of shape %s, is %v: it must be finite", i, what, t.Shape(), v)
		}
	}
	return values, nil
}
