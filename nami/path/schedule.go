package path

import (
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
)

// ScheduleOf returns the schedule whose α and σ mix data and noise as p does: a velocity that
// was learned along p then tells data and noise, too (see [schedule.Convert]). [Linear],
// [Cosine], [Scheduled] and [Affine] have one; ok is false for any other path.
func ScheduleOf(p Path) (s schedule.Schedule, ok bool) {
	switch p := p.(type) {
	case Linear:
		return schedule.Linear{}, true
	case Cosine:
		return cosine.Schedule, true
	case Scheduled:
		return p.Schedule, p.Schedule != nil
	case Affine:
		return affine{p}, p.Alpha != nil && p.Sigma != nil && p.AlphaDot != nil && p.SigmaDot != nil
	}
	return nil, false
}

// affine is the schedule of an affine path.
type affine struct{ path Affine }

var _ schedule.Differentiable = affine{}

// Alpha implements [schedule.Schedule].
func (s affine) Alpha(t *Node) *Node { return s.path.Alpha(t) }

// Sigma implements [schedule.Schedule].
func (s affine) Sigma(t *Node) *Node { return s.path.Sigma(t) }

// AlphaDot implements [schedule.Differentiable].
func (s affine) AlphaDot(t *Node) *Node { return s.path.AlphaDot(t) }

// SigmaDot implements [schedule.Differentiable].
func (s affine) SigmaDot(t *Node) *Node { return s.path.SigmaDot(t) }

// rate is α̇/α.
func (s affine) rate(t *Node) *Node { return Div(s.AlphaDot(t), gomlx.AwayFromZero(s.Alpha(t))) }

// Drift implements [schedule.Schedule].
func (s affine) Drift(x, t *Node) *Node { return Mul(shape.Lift(s.rate(t), x), x) }

// Diffusion implements [schedule.Schedule]: g² = 2σ·(σ̇ - σ·α̇/α).
func (s affine) Diffusion(t *Node) *Node {
	sigma := s.Sigma(t)
	return Sqrt(MulScalar(Mul(sigma, Sub(s.SigmaDot(t), Mul(sigma, s.rate(t)))), 2))
}

// String names the schedule.
func (affine) String() string { return "Affine" }
