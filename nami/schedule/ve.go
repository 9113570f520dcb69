package schedule

import (
	"fmt"
	"math"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
)

// VE is the variance-exploding schedule, the continuous limit of SMLD (Song et al.
// 2021, arXiv:2011.13456, eq. 9 and 30): α = 1, f = 0 and a geometric
//
//	σ(t) = SigmaMin·(SigmaMax/SigmaMin)^t, g = σ·√(2·log(SigmaMax/SigmaMin)).
//
// SigmaMax should exceed the largest distance between data. The zero VE is VE{0.01, 50}.
type VE struct {
	// SigmaMin is σ(0), positive.
	SigmaMin float64

	// SigmaMax is σ(1), larger than SigmaMin.
	SigmaMax float64
}

// Validate reports parameters that are out of range.
func (s VE) Validate() error {
	s = s.WithDefaults()
	return checkSigmas("VE", s.SigmaMin, s.SigmaMax)
}

// checkSigmas reports noise levels that are out of range.
func checkSigmas(name string, low, high float64) error {
	if !(0 < low && low < high && high <= math.MaxFloat64) {
		return fmt.Errorf("schedule.%s: SigmaMin is %v and SigmaMax %v: both must be positive and finite, and SigmaMax the larger",
			name, low, high)
	}
	return nil
}

// WithDefaults returns the schedule with the usual values in the place of the zero value.
func (s VE) WithDefaults() VE {
	if s == (VE{}) {
		return VE{SigmaMin: 0.01, SigmaMax: 50}
	}
	return s
}

// Alpha implements [Schedule].
func (s VE) Alpha(t *Node) *Node { return OnesLike(t) }

// Sigma implements [Schedule].
func (s VE) Sigma(t *Node) *Node {
	must(s.Validate())
	return MulScalar(Exp(MulScalar(t, s.logRange())), s.WithDefaults().SigmaMin)
}

// Drift implements [Schedule].
func (s VE) Drift(x, t *Node) *Node { return noDrift(x, t) }

// Diffusion implements [Schedule].
func (s VE) Diffusion(t *Node) *Node { return MulScalar(s.Sigma(t), math.Sqrt(2*s.logRange())) }

// AlphaDot implements [Differentiable].
func (s VE) AlphaDot(t *Node) *Node { return ZerosLike(t) }

// SigmaDot implements [Differentiable].
func (s VE) SigmaDot(t *Node) *Node { return MulScalar(s.Sigma(t), s.logRange()) }

// TimeOf implements [Invertible].
func (s VE) TimeOf(alpha, sigma *Node) *Node {
	must(s.Validate())
	ratio := gomlx.AwayFromZero(Div(sigma, gomlx.AwayFromZero(alpha)))
	return MulScalar(Log(MulScalar(ratio, 1/s.WithDefaults().SigmaMin)), 1/s.logRange())
}

// logRange is log(SigmaMax/SigmaMin).
func (s VE) logRange() float64 {
	s = s.WithDefaults()
	return math.Log(s.SigmaMax / s.SigmaMin)
}

// String describes the schedule, as in "VE{0.01, 50}".
func (s VE) String() string {
	s = s.WithDefaults()
	return fmt.Sprintf("VE{%v, %v}", s.SigmaMin, s.SigmaMax)
}

// noDrift is zero, shaped like x. A t that doesn't fit x panics all the same.
func noDrift(x, t *Node) *Node {
	shape.Lift(t, x)
	return ZerosLike(x)
}
