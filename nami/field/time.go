package field

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Sinusoidal returns n features of the time t, whose shape gets one axis of size n
// more: sin(ω_k t) for k = 0..n/2-1, then cos(ω_k t), with the frequencies ω_k
// spaced geometrically from 1000 to 1000·10⁻⁴ (Vaswani et al. 2017,
// arXiv:1706.03762, section 3.5, with t in [0, 1] scaled by 1000 as in DDPM's code).
// It panics if n is not even and positive, or t has no values.
func Sinusoidal(t *Node, n int) *Node {
	if n < 2 || n%2 != 0 {
		exceptions.Panicf("field.Sinusoidal: n is %d: it must be even and at least 2", n)
	}
	if t.Shape().Size() == 0 { // GoMLX would repeat an axis of 0 to 1
		exceptions.Panicf("field.Sinusoidal: t is %s: every axis needs at least 1 value", t.Shape())
	}
	frequencies := make([]float64, n/2)
	for k := range frequencies {
		frequencies[k] = 1000 * math.Exp(-math.Log(10_000)*float64(k)/float64(n/2))
	}
	angle := Mul(InsertAxes(t, -1), ExpandLeftToRank(ConstAsDType(t.Graph(), t.DType(), frequencies), t.Rank()+1))
	return Concatenate([]*Node{Sin(angle), Cos(angle)}, -1)
}
