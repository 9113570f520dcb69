package solver

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
)

func scalar(dtype dtypes.DType, v float64) *tensors.Tensor {
	if dtype == dtypes.Float64 {
		return tensors.FromScalar(v)
	}
	return tensors.FromScalar(float32(v))
}

// readInts calls f for each value of t, of int32.
func readInts(t *tensors.Tensor, f func(i int, v int32)) error {
	return t.ConstFlatData(func(flat any) {
		for i, v := range flat.([]int32) {
			f(i, v)
		}
	})
}

// readFloats returns the values of t, of Float32 or Float64.
func readFloats(t *tensors.Tensor) (out []float64, err error) {
	err = t.ConstFlatData(func(flat any) {
		switch values := flat.(type) {
		case []float64:
			out = append(out, values...)
		case []float32:
			for _, v := range values {
				out = append(out, float64(v))
			}
		}
	})
	return out, err
}

func finalize(ts []*tensors.Tensor) {
	for _, t := range ts {
		if t != nil && t.Ok() {
			t.MustFinalizeAll()
		}
	}
}
