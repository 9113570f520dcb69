package loss

import (
	"fmt"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/interpolant"
	"github.com/nami-flow/go-nami/nami/schedule"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Interpolant is the loss of a stochastic interpolant x_t = I_t(x0, x1) + γ(t)·z
// (Albergo, Boffi & Vanden-Eijnden 2023, arXiv:2303.08797): its field learns the drift
// b(x, t) = E[dx_t/dt | x_t = x], by which a flow samples. Masks work as in [FM].
type Interpolant struct {
	// Field is the drift that learns.
	Field field.Field

	// Interpolant is the path and the latent noise; linear and Brownian if unset.
	Interpolant interpolant.Interpolant

	// Base draws the source; the standard normal over the data's events if nil.
	Base distribution.Base

	// Times says at which times the loss is taken; uniform on [0, 1) if unset.
	Times Times

	// Reduction makes the loss of the events' losses: [Mean] if unset.
	Reduction Reduction
}

var (
	_ Sourced = Interpolant{}
	_ OfModel = Interpolant{}
)

// Loss implements [Loss], with the latent noise z and -z alike: with u = dI_t/dt and
// x± = I_t ± γz, the mean of
//
//	½ Σ± |b(x±) - u|² ∓ 2γ̇ z·b(x±)
//
// over batch and event. It is the mean of |b - (u + γ̇z)|² without the term |γ̇z|², which no
// field changes, and whose mean is infinite where γ̇ is infinite at the ends of time, as that
// of Brownian is. The two terms with γ̇ enter by their difference, which is finite
// (arXiv:2303.08797, section 6.1). So the loss may be negative, and it is least for the same
// field.
func (l Interpolant) Loss(scope *model.Scope, b Batch) *Node {
	b = sourced(scope, l.Field, l.Base, b)
	t := l.Times.draw(scope, l.Field, b)
	z := distribution.NewStandardNormal(b.X.Shape().Dimensions...).Sample(scope, b.X.Graph(), b.X.DType())
	return l.Reduction.of(l.Times.Weigh(l.Antithetic(scope, b, t, z), t), b)
}

// Antithetic builds the loss of each event from z and -z, as [Interpolant.Loss] says, at
// times t, a scalar or lead: the batch has a source, and z is shaped like its events. The
// result has the shape of the lead. It panics on misuse.
func (l Interpolant) Antithetic(scope *model.Scope, b Batch, t, z *Node) *Node {
	b, z = l.checked(b, t, z)
	in := l.Interpolant
	velocity := orLinear(in.Path).Velocity(b.X, b.Source, t)
	side := func(z *Node) *Node {
		drift := predict(l.Field, scope, in.Point(b.X, b.Source, z, t), t, b)
		latent := Sub(in.Velocity(b.X, b.Source, z, t), velocity)
		return Sub(Square(Sub(drift, velocity)), MulScalar(Mul(latent, drift), 2))
	}
	return perEvent(l.Field, MulScalar(Add(side(z), side(Neg(z))), 0.5), b)
}

// PerEvent builds |b(x_t) - dx_t/dt|² for each event, its mean over the event's values, for
// one given z. Its arguments are those of [Interpolant.Antithetic]. It serves to compare
// fields at given points; over random times its mean is infinite for a Brownian γ.
func (l Interpolant) PerEvent(scope *model.Scope, b Batch, t, z *Node) *Node {
	b, z = l.checked(b, t, z)
	drift := predict(l.Field, scope, l.Interpolant.Point(b.X, b.Source, z, t), t, b)
	return perEvent(l.Field, Square(Sub(drift, l.Interpolant.Velocity(b.X, b.Source, z, t))), b)
}

func (l Interpolant) checked(b Batch, t, z *Node) (Batch, *Node) {
	b = checked(l.Field, b, t)
	sameShape(z, b.X, "latent noise z")
	if l.Interpolant.Gamma != nil {
		if err := interpolant.Validate(l.Interpolant.Gamma); err != nil {
			panic(err)
		}
	}
	return b, clean(l.Field, z, b)
}

// SourceOf implements [Sourced].
func (l Interpolant) SourceOf(event []int) distribution.Base { return orNormal(l.Base, event) }

// LearnedModel implements [OfModel].
func (l Interpolant) LearnedModel(event []int) Learned {
	return Learned{Prediction: schedule.Velocity, Base: l.SourceOf(event)}
}

// LearnedField implements [OfField].
func (l Interpolant) LearnedField() field.Field { return l.Field }

// String describes the loss on one line, the same in every process.
func (l Interpolant) String() string {
	return fmt.Sprintf("Interpolant{%v, %v, base %v, %v, %v}", l.Field, l.Interpolant, l.Base, l.Times, l.Reduction)
}
