package schedule

import (
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
)

// Linear is the schedule α = 1-t, σ = t: flow matching's straight path with normal
// noise (Lipman et al. 2023, arXiv:2210.02747, with time reversed and σ_min = 0). With it
// a velocity that flow matching learned converts to score, noise and data, and samples
// by an SDE. It ends in pure noise, α(1) = 0, so
//
//	f = -1/(1-t), g = √(2t/(1-t))
//
// grow without bound towards t=1, where they are cut as [Convert] says.
type Linear struct{}

// Alpha implements [Schedule].
func (Linear) Alpha(t *Node) *Node { return OneMinus(t) }

// Sigma implements [Schedule].
func (Linear) Sigma(t *Node) *Node { return Identity(t) }

// Drift implements [Schedule].
func (Linear) Drift(x, t *Node) *Node {
	return Neg(Div(x, shape.Lift(gomlx.AwayFromZero(OneMinus(t)), x)))
}

// Diffusion implements [Schedule].
func (Linear) Diffusion(t *Node) *Node {
	return Sqrt(Div(MulScalar(t, 2), gomlx.AwayFromZero(OneMinus(t))))
}

// AlphaDot implements [Differentiable].
func (Linear) AlphaDot(t *Node) *Node { return MulScalar(OnesLike(t), -1) }

// SigmaDot implements [Differentiable].
func (Linear) SigmaDot(t *Node) *Node { return OnesLike(t) }

// TimeOf implements [Invertible].
func (Linear) TimeOf(alpha, sigma *Node) *Node { return Div(sigma, Add(alpha, sigma)) }

// String names the schedule.
func (Linear) String() string { return "Linear" }
