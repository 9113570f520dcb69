package schedule

import (
	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Invertible is a [Schedule] that knows in closed form when it has a given ratio of
// noise to signal.
type Invertible interface {
	// TimeOf returns the t with σ(t)/α(t) = sigma/alpha. alpha and sigma have one shape,
	// are not negative and not both 0; for a ratio that no time in [0, 1] has, any value
	// outside will do.
	TimeOf(alpha, sigma *Node) *Node
}

// TimeOf returns the time t in [0, 1] at which s has the signal-to-noise ratio
// (alpha/sigma)², shaped like alpha and sigma, or the nearer end if no time has it. With alpha 1
// and sigma 0.01 it is a time at which a solve may end and take the x0 that is predicted there,
// and 0 if s never has so little noise. For a schedule that isn't [Invertible] it searches,
// to the last digit of the dtype, and needs a σ/α that grows with t. It panics if alpha and
// sigma have different shapes.
func TimeOf(s Schedule, alpha, sigma *Node) *Node {
	if !alpha.Shape().Equal(sigma.Shape()) {
		exceptions.Panicf("schedule.TimeOf: alpha is %s, sigma is %s: both must have one shape and dtype", alpha.Shape(), sigma.Shape())
	}
	if inv, ok := s.(Invertible); ok {
		return MaxScalar(MinScalar(inv.TimeOf(alpha, sigma), 1), 0)
	}
	// Each round divides the interval and goes on in the part that holds the time. 32
	// parts compile several times faster than halving does, for a bit more arithmetic.
	const parts = 32
	cuts := make([]float64, parts-1)
	for k := range cuts {
		cuts[k] = float64(k+1) / parts
	}
	g, dtype := alpha.Graph(), alpha.DType()
	grid := ExpandLeftToRank(ConstAsDType(g, dtype, cuts), alpha.Rank()+1)
	alpha, sigma = InsertAxes(alpha, -1), InsertAxes(sigma, -1)
	t := ZerosLike(alpha)
	for width := 1.0; width > gomlx.Epsilon(dtype)/4; width /= parts {
		at := Add(t, MulScalar(grid, width))
		early := LessThan(Mul(s.Sigma(at), alpha), Mul(sigma, s.Alpha(at)))
		t = Add(t, MulScalar(ReduceAndKeep(ConvertDType(early, dtype), ReduceSum, -1), width/parts))
	}
	return Squeeze(t, -1)
}
