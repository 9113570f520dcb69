package solver

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
)

func scalar(dtype dtypes.DType, v float64) *tensors.Tensor {
	return gomlx.FromFloats(dtype, []float64{v})
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
	err = gomlx.EachFloat(t, func(_ int, v float64) { out = append(out, v) })
	return out, err
}
