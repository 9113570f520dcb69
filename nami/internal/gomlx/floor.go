package gomlx

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// AwayFromZero returns max(x, ε) with the machine epsilon ε of x's dtype, for a
// denominator x that is positive but may vanish. Next to values of order one, what is
// smaller than ε is lost in rounding, so no result that has any digit right changes;
// and 1/ε² is finite, so no quotient is infinite or NaN.
func AwayFromZero(x *Node) *Node { return MaxScalar(x, Epsilon(x.DType())) }

// Epsilon is the distance from 1 to the next larger number of a float dtype.
func Epsilon(dtype dtypes.DType) float64 {
	switch dtype {
	case dtypes.Float64:
		return 0x1p-52
	case dtypes.Float16:
		return 0x1p-10
	case dtypes.BFloat16:
		return 0x1p-7
	default:
		return 0x1p-23
	}
}
