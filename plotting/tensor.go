package plotting

import (
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
)

// numbers are the values of a tensor, copied once in the precision they have.
type numbers struct {
	short []float32
	long  []float64
	dims  []int
}

func (n numbers) len() int { return len(n.short) + len(n.long) }

func (n numbers) at(i int) float64 {
	if n.short != nil {
		return float64(n.short[i])
	}
	return n.long[i]
}

// read returns the values of a float tensor and its dimensions.
func read(x *tensors.Tensor) (n numbers, err error) {
	if x == nil {
		return n, fmt.Errorf("the tensor is nil: was the error of the call that made it looked at?")
	}
	if err := x.CheckValid(); err != nil {
		return n, fmt.Errorf("the tensor is not valid: %w", err)
	}
	n.dims = slices.Clone(x.Shape().Dimensions)
	switch dtype := x.Shape().DType; dtype {
	case dtypes.Float64:
		n.long, err = tensors.CopyFlatData[float64](x)
	case dtypes.Float32:
		n.short, err = tensors.CopyFlatData[float32](x)
	default:
		err = fmt.Errorf("the tensor's dtype is %s: convert it to Float32 or Float64", dtype)
	}
	return n, err
}

// readWeights returns the weights of n events; nil if there are none.
func readWeights(w *tensors.Tensor, n int) ([]float64, error) {
	if w == nil {
		return nil, nil
	}
	read, err := read(w)
	if err != nil {
		return nil, fmt.Errorf("the weights: %w", err)
	}
	if read.len() != n {
		return nil, fmt.Errorf("there are %d weights, of shape %s, for %d events: give one for each", read.len(), w.Shape(), n)
	}
	out := make([]float64, n)
	for i := range out {
		out[i] = read.at(i)
	}
	return out, nil
}

// readPlane returns points of the plane: any leading shape + [2].
func readPlane(x *tensors.Tensor) (numbers, error) {
	n, err := read(x)
	if err != nil {
		return n, err
	}
	if rank := len(n.dims); rank == 0 || n.dims[rank-1] != 2 {
		hint := "the last axis must have size 2, as [1000, 2]"
		if rank > 0 && n.dims[rank-1] == 1 || rank == 1 {
			hint += "; draw numbers of one dimension with Histogram or Corner"
		} else if rank > 1 {
			hint += "; draw more dimensions with Corner"
		}
		return n, fmt.Errorf("points have shape %s: %s", x.Shape(), hint)
	}
	return n, nil
}

// finite tells whether v can be placed on an axis; beyond ±1e300 the arithmetic of
// ranges overflows, so that such values count as infinite.
func finite(v float64) bool { return math.Abs(v) <= 1e300 }

// leastOnLog is the least value on a logarithmic axis; less counts as not positive.
const leastOnLog = 1e-300
