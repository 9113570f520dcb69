package plotting

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
)

// read returns the values of a float tensor and its dimensions.
func read(x *tensors.Tensor) (flat []float64, dims []int, err error) {
	if x == nil {
		return nil, nil, fmt.Errorf("the tensor is nil: was the error of the call that made it looked at?")
	}
	if err := x.CheckValid(); err != nil {
		return nil, nil, fmt.Errorf("the tensor is not valid: %w", err)
	}
	switch dtype := x.Shape().DType; dtype {
	case dtypes.Float64:
		flat, err = tensors.CopyFlatData[float64](x)
	case dtypes.Float32:
		var short []float32
		short, err = tensors.CopyFlatData[float32](x)
		flat = make([]float64, len(short))
		for i, v := range short {
			flat[i] = float64(v)
		}
	default:
		err = fmt.Errorf("the tensor's dtype is %s: convert it to Float32 or Float64", dtype)
	}
	return flat, x.Shape().Dimensions, err
}

// finite tells whether v can be placed on an axis; beyond ±1e300 the arithmetic of
// ranges overflows, so that such values count as infinite.
func finite(v float64) bool { return math.Abs(v) <= 1e300 }
