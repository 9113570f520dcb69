package schedule

import (
	"math"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
)

// Cosine is the schedule α = cos(πt/2), σ = sin(πt/2): that of Nichol & Dhariwal 2021
// (arXiv:2102.09672, eq. 17) without their offset s = 0.008, and the trigonometric one
// of Albergo et al. 2023 (arXiv:2303.08797). It ends in pure noise, α(1) = 0, so
//
//	f = -(π/2)·tan(πt/2), g = √(π·tan(πt/2))
//
// grow without bound towards t=1, where they are cut as [Convert] says.
type Cosine struct{}

// Alpha implements [Schedule]. It is 0 itself at t=1, which the cosine of a rounded π/2
// is not.
func (Cosine) Alpha(t *Node) *Node { return quarterSin(OneMinus(t)) }

// Sigma implements [Schedule].
func (Cosine) Sigma(t *Node) *Node { return quarterSin(t) }

// Drift implements [Schedule].
func (s Cosine) Drift(x, t *Node) *Node {
	return Mul(shape.Lift(MulScalar(s.tan(t), -math.Pi/2), x), x)
}

// Diffusion implements [Schedule].
func (s Cosine) Diffusion(t *Node) *Node { return Sqrt(MulScalar(s.tan(t), math.Pi)) }

// AlphaDot implements [Differentiable].
func (s Cosine) AlphaDot(t *Node) *Node { return MulScalar(s.Sigma(t), -math.Pi/2) }

// SigmaDot implements [Differentiable].
func (s Cosine) SigmaDot(t *Node) *Node { return MulScalar(s.Alpha(t), math.Pi/2) }

// TimeOf implements [Invertible].
func (Cosine) TimeOf(alpha, sigma *Node) *Node {
	return MulScalar(Atan2(sigma, alpha), 2/math.Pi)
}

// tan is tan(πt/2), cut at t=1.
func (s Cosine) tan(t *Node) *Node { return Div(s.Sigma(t), gomlx.AwayFromZero(s.Alpha(t))) }

// String names the schedule.
func (Cosine) String() string { return "Cosine" }

// quarterSin is sin(πt/2).
func quarterSin(t *Node) *Node { return Sin(MulScalar(t, math.Pi/2)) }
