package interpolant

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// ScoreFromNoise is the score of x_t from the latent noise that a field predicts,
// s = ∇ log p_t(x) = -η/γ with η(x, t) = E[z | x_t = x] (arXiv:2303.08797, section 2.2).
//
// The sign is that of η as a network learns it, by regression on z itself; a network
// that regresses on -z has the other.
type ScoreFromNoise struct {
	// Noise predicts z.
	Noise field.Field

	// Gamma is that of the interpolant. It can't be [Zero], which leaves no noise to tell
	// the score by.
	Gamma Gamma
}

// Validate reports parts that are missing or don't fit.
func (f ScoreFromNoise) Validate() error {
	if _, zero := f.Gamma.(Zero); zero {
		return errors.New("interpolant.ScoreFromNoise: the gamma is Zero: without latent noise there is no score to be had from it; use the interpolant's gamma, for example Brownian")
	}
	return cmp.Or(field.Validate(f.Noise), Validate(f.Gamma))
}

// EventRank implements [field.Field].
func (f ScoreFromNoise) EventRank() int {
	must(f.Validate())
	return f.Noise.EventRank()
}

// Apply implements [field.Field].
func (f ScoreFromNoise) Apply(scope *model.Scope, x, t, c *Node) *Node {
	gamma := shape.Lift(gomlx.AwayFromZero(f.Gamma.Gamma(t)), x)
	return Neg(Div(field.Call(f.Noise, scope, x, t, c), gamma))
}

// Map implements [field.Wrapper].
func (f ScoreFromNoise) Map(inner func(field.Field) field.Field) field.Field {
	f.Noise = inner(f.Noise)
	return f
}

// String describes the field on one line.
func (f ScoreFromNoise) String() string {
	return fmt.Sprintf("ScoreFromNoise{%v, %v}", f.Noise, f.Gamma)
}

// DriftFromVelocityScore is the drift of the probability flow, b = E[dx_t/dt | x_t] =
// v - γγ̇·s, of the path's velocity v = E[dI_t/dt | x_t] and the score s of x_t
// (arXiv:2303.08797, section 2.2). Where a field for the noise η was learned, its score is
// [ScoreFromNoise], and the drift v + γ̇·η.
type DriftFromVelocityScore struct {
	// Velocity predicts v, and Score s. Two networks that live in one store need scopes of
	// their own: see [field.Scoped].
	Velocity, Score field.Field

	// Gamma is that of the interpolant.
	Gamma Gamma
}

// Validate reports parts that are missing or don't fit.
func (f DriftFromVelocityScore) Validate() error {
	if err := cmp.Or(field.Validate(f.Velocity), f.mirror().Validate()); err != nil {
		return err
	}
	if v, s := f.Velocity.EventRank(), f.Score.EventRank(); v != s {
		return fmt.Errorf("interpolant.DriftFromVelocityScore: the velocity's events have rank %d, the score's %d: they must be one event", v, s)
	}
	return nil
}

func (f DriftFromVelocityScore) mirror() MirrorVelocityFromScore {
	return MirrorVelocityFromScore{Score: f.Score, Gamma: f.Gamma}
}

// EventRank implements [field.Field].
func (f DriftFromVelocityScore) EventRank() int {
	must(f.Validate())
	return f.Velocity.EventRank()
}

// Apply implements [field.Field].
func (f DriftFromVelocityScore) Apply(scope *model.Scope, x, t, c *Node) *Node {
	return Add(field.Call(f.Velocity, scope, x, t, c), field.Call(f.mirror(), scope, x, t, c))
}

// Map implements [field.Wrapper].
func (f DriftFromVelocityScore) Map(inner func(field.Field) field.Field) field.Field {
	f.Velocity, f.Score = inner(f.Velocity), inner(f.Score)
	return f
}

// String describes the field on one line.
func (f DriftFromVelocityScore) String() string {
	return fmt.Sprintf("DriftFromVelocityScore{%v, %v, %v}", f.Velocity, f.Score, f.Gamma)
}

// MirrorVelocityFromScore is the latent noise's part of the drift, -γγ̇·s = γ̇·η: the drift
// of a mirror interpolant x_t = x0 + γ(t)·z, which begins and ends at the data
// (arXiv:2303.08797, section 3.3).
type MirrorVelocityFromScore struct {
	// Score predicts the score s of x_t.
	Score field.Field

	// Gamma is that of the interpolant.
	Gamma Gamma
}

// Validate reports parts that are missing or out of range.
func (f MirrorVelocityFromScore) Validate() error {
	return cmp.Or(field.Validate(f.Score), Validate(f.Gamma))
}

// EventRank implements [field.Field].
func (f MirrorVelocityFromScore) EventRank() int {
	must(f.Validate())
	return f.Score.EventRank()
}

// Apply implements [field.Field].
func (f MirrorVelocityFromScore) Apply(scope *model.Scope, x, t, c *Node) *Node {
	return Neg(Mul(shape.Lift(f.Gamma.GammaGammaDot(t), x), field.Call(f.Score, scope, x, t, c)))
}

// Map implements [field.Wrapper].
func (f MirrorVelocityFromScore) Map(inner func(field.Field) field.Field) field.Field {
	f.Score = inner(f.Score)
	return f
}

// String describes the field on one line.
func (f MirrorVelocityFromScore) String() string {
	return fmt.Sprintf("MirrorVelocityFromScore{%v, %v}", f.Score, f.Gamma)
}
