package loss

import (
	"fmt"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/interpolant"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Bridge is the loss of an [interpolant.Bridge], from which its two fields learn together
// (simulation-free score and flow matching, Tong et al. 2024, arXiv:2307.03672, eq. 12): the mean
// over batch and event of
//
//	|v(x_t) - (source - target)|² + |λ(t)·p(x_t) + z|²   with λ(t) = 2√(t(1-t))/Sigma.
//
// The weight λ, the paper's, makes the score's target the latent noise z. The paper's first term
// learns the velocity of the probability flow, whose target grows as 1/√t towards the ends, so
// that its square has no finite mean; here it learns v, from which that velocity follows, and both
// targets have the variance of the data, of the source and of z.
//
// For a Schrödinger bridge, train with train.Couple and a coupling.Bridge of the same Sigma. Masks
// work as in [FM].
type Bridge struct {
	// Field has the two fields that learn.
	Field interpolant.Bridge

	// Base draws the source; the standard normal over the data's events if nil.
	Base distribution.Base

	// Times says at which times the loss is taken; uniform on [0, 1) if unset.
	Times Times

	// Reduction makes the loss of the events' losses: [Mean] if unset.
	Reduction Reduction
}

var (
	_ Sourced = Bridge{}
	_ OfModel = Bridge{}
)

// Loss implements [Loss]: it draws the source, unless the batch has one, the latent noise, and a
// time for each event.
func (l Bridge) Loss(scope *model.Scope, b Batch) *Node {
	b = sourced(scope, l.Field, l.Base, b)
	t := l.Times.draw(scope, l.Field, b)
	z := distribution.NewStandardNormal(b.X.Shape().Dimensions...).Sample(scope, b.X.Graph(), b.X.DType())
	return l.Reduction.of(l.Times.Weigh(l.PerEvent(scope, b, t, z), t), b)
}

// PerEvent builds the loss of each event, its mean over the event's values, at times t, a scalar or
// lead: the batch has a source, and z is shaped like its events. The result has the shape of the
// lead. It panics on misuse.
func (l Bridge) PerEvent(scope *model.Scope, b Batch, t, z *Node) *Node {
	b = checked(l.Field, b, t)
	sameShape(z, b.X, "latent noise z")
	z = clean(l.Field, z, b)
	f := l.Field
	if b.Mask != nil {
		f = f.Map(func(inner field.Field) field.Field { return field.Masked(inner, b.Mask) }).(interpolant.Bridge)
	}
	x := f.Interpolant().Point(b.X, b.Source, z, t)
	v, p := f.Parts(scope, x, t, b.Context)
	lambda := shape.Lift(MulScalar(Sqrt(Mul(t, OneMinus(t))), 2/f.Sigma), x)
	return perEvent(l.Field, Add(Square(Sub(v, Sub(b.Source, b.X))), Square(Add(Mul(lambda, p), z))), b)
}

// SourceOf implements [Sourced].
func (l Bridge) SourceOf(event []int) distribution.Base { return orNormal(l.Base, event) }

// LearnedModel implements [OfModel].
func (l Bridge) LearnedModel(event []int) Learned {
	return Learned{Prediction: schedule.Velocity, Base: l.SourceOf(event)}
}

// LearnedField implements [OfField].
func (l Bridge) LearnedField() field.Field { return l.Field }

// String describes the loss on one line, the same in every process.
func (l Bridge) String() string {
	return fmt.Sprintf("Bridge{%v, base %v, %v, %v}", l.Field, l.Base, l.Times, l.Reduction)
}
