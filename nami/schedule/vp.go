package schedule

import (
	"fmt"
	"math"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
)

// VP is the variance-preserving schedule, the continuous limit of DDPM (Song et al.
// 2021, arXiv:2011.13456, eq. 11 and 33): with β(t) = BetaMin + t·(BetaMax - BetaMin)
// and its integral B(t) from 0 to t,
//
//	f = -β/2, g = √β, α = exp(-B/2), σ = √(1 - exp(-B)).
//
// σ(0) is 0, and dσ/dt infinite there. The zero VP is VP{0.1, 20}.
type VP struct {
	// BetaMin is β(0), positive.
	BetaMin float64

	// BetaMax is β(1), larger than BetaMin.
	BetaMax float64
}

// Validate reports parameters that are out of range.
func (s VP) Validate() error {
	if s = s.WithDefaults(); !(0 < s.BetaMin && s.BetaMin < s.BetaMax && s.BetaMax <= math.MaxFloat64) {
		return fmt.Errorf("schedule.VP: BetaMin is %v and BetaMax %v: both must be positive and finite, and BetaMax the larger (0.1 and 20 are usual)",
			s.BetaMin, s.BetaMax)
	}
	return nil
}

// WithDefaults returns the schedule with the usual values in the place of the zero value.
func (s VP) WithDefaults() VP {
	if s == (VP{}) {
		return VP{BetaMin: 0.1, BetaMax: 20}
	}
	return s
}

// Alpha implements [Schedule].
func (s VP) Alpha(t *Node) *Node { return Exp(MulScalar(s.integral(t), -0.5)) }

// Sigma implements [Schedule]. 1 - exp(-B) is 2τ/(1+τ) with τ = tanh(B/2), which loses
// no digits near t=0.
func (s VP) Sigma(t *Node) *Node {
	tau := Tanh(MulScalar(s.integral(t), 0.5))
	return Sqrt(Div(MulScalar(tau, 2), OnePlus(tau)))
}

// Drift implements [Schedule].
func (s VP) Drift(x, t *Node) *Node {
	return Mul(shape.Lift(MulScalar(s.beta(t), -0.5), x), x)
}

// Diffusion implements [Schedule].
func (s VP) Diffusion(t *Node) *Node { return Sqrt(s.beta(t)) }

// AlphaDot implements [Differentiable]: -βα/2.
func (s VP) AlphaDot(t *Node) *Node { return MulScalar(Mul(s.beta(t), s.Alpha(t)), -0.5) }

// SigmaDot implements [Differentiable]: βα²/2σ.
func (s VP) SigmaDot(t *Node) *Node {
	return Div(MulScalar(Mul(s.beta(t), Square(s.Alpha(t))), 0.5), gomlx.AwayFromZero(s.Sigma(t)))
}

// TimeOf implements [Invertible]: B = log(1 + σ²/α²), a quadratic in t.
func (s VP) TimeOf(alpha, sigma *Node) *Node {
	must(s.Validate())
	s = s.WithDefaults()
	b := Log1p(Square(Div(sigma, gomlx.AwayFromZero(alpha))))
	root := Sqrt(AddScalar(MulScalar(b, 2*(s.BetaMax-s.BetaMin)), s.BetaMin*s.BetaMin))
	return Div(MulScalar(b, 2), AddScalar(root, s.BetaMin))
}

// beta is β(t).
func (s VP) beta(t *Node) *Node {
	must(s.Validate())
	s = s.WithDefaults()
	return AddScalar(MulScalar(t, s.BetaMax-s.BetaMin), s.BetaMin)
}

// integral is B(t) = ∫₀ᵗ β.
func (s VP) integral(t *Node) *Node {
	must(s.Validate())
	s = s.WithDefaults()
	return Mul(t, AddScalar(MulScalar(t, 0.5*(s.BetaMax-s.BetaMin)), s.BetaMin))
}

// String describes the schedule, as in "VP{0.1, 20}".
func (s VP) String() string {
	s = s.WithDefaults()
	return fmt.Sprintf("VP{%v, %v}", s.BetaMin, s.BetaMax)
}
