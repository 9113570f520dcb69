package train

import (
	"errors"
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
)

// checkData refuses data and context that can't be trained on.
func checkData(x, context *tensors.Tensor, batchSize int) error {
	if x == nil {
		return errors.New("train: the data is nil")
	}
	if x.Rank() < 1 || x.Size() == 0 {
		return fmt.Errorf("train: the data is %s: expected [n, event...] with at least one event", x.Shape())
	}
	n := x.Shape().Dimensions[0]
	if batchSize > n {
		return fmt.Errorf("train: BatchSize is %d, and the data has %d events: a batch can't be larger than the data", batchSize, n)
	}
	if err := checkFinite("data", x); err != nil {
		return err
	}
	if context == nil {
		return nil
	}
	if context.Rank() != 2 || context.Shape().Dimensions[0] != n || context.DType() != x.DType() {
		return fmt.Errorf("train: the context is %s, the data %s: expected a context of shape [%d, context_dim] with the data's dtype",
			context.Shape(), x.Shape(), n)
	}
	return checkFinite("context", context)
}

// checkFinite refuses values that are NaN or infinite, and dtypes that aren't float.
func checkFinite(what string, x *tensors.Tensor) error {
	if x.DType() != dtypes.Float32 && x.DType() != dtypes.Float64 {
		return fmt.Errorf("train: the %s is %s: expected Float32 or Float64", what, x.Shape())
	}
	bad, first, err := nonFinite(x)
	if err != nil {
		return err
	}
	if bad > 0 {
		row := first / max(1, x.Size()/x.Shape().Dimensions[0])
		return fmt.Errorf("train: %d of %d values of the %s are NaN or infinite, the first in row %d: remove or mend them before training",
			bad, x.Size(), what, row)
	}
	return nil
}

// nonFinite counts the values that are NaN or infinite, and finds the first. It looks
// at Float32 and Float64 only.
func nonFinite(x *tensors.Tensor) (bad, first int, err error) {
	err = x.ConstFlatData(func(flat any) {
		switch values := flat.(type) {
		case []float32:
			bad, first = countNonFinite(values)
		case []float64:
			bad, first = countNonFinite(values)
		}
	})
	return bad, first, err
}

func countNonFinite[T float32 | float64](values []T) (bad, first int) {
	for i, v := range values {
		if v-v != 0 { // true for NaN and ±Inf only
			if bad == 0 {
				first = i
			}
			bad++
		}
	}
	return bad, first
}
