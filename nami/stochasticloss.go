package nami

import (
	"fmt"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/interpolant"
	"github.com/nami-flow/go-nami/nami/path"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// StochasticFMLoss is the loss of a stochastic interpolant x_t = I_t(x0, x1) + γ(t)·z
// (Albergo, Boffi & Vanden-Eijnden 2023, arXiv:2303.08797): its field learns the drift
// b(x, t) = E[dx_t/dt | x_t = x], by which [FlowMatching] samples.
type StochasticFMLoss struct {
	// Field is the drift that learns.
	Field field.Field

	// Interpolant is the path and the latent noise; linear and Brownian if unset.
	Interpolant interpolant.Interpolant

	// Base draws the source; the standard normal over the data's events if nil.
	Base distribution.Base

	// Reduction makes the loss of the events' losses: [Mean] if unset.
	Reduction Reduction
}

// Loss builds the loss of a batch, as [FMLoss.Loss] does, from the latent noise z and -z
// alike: with u = dI_t/dt and x± = I_t ± γz, the mean of
//
//	½ Σ± |b(x±) - u|² ∓ 2γ̇ z·b(x±)
//
// over batch and event. It is the mean of |b - (u + γ̇z)|² but for |γ̇z|², which no field
// changes, and whose mean is infinite where γ̇ is at the ends of time: that of Brownian
// is. Of the two terms with γ̇ the difference counts, which is finite (arXiv:2303.08797,
// section 6.1). So the loss may be negative, and is least where the other is.
func (l StochasticFMLoss) Loss(scope *model.Scope, x, c *Node) *Node {
	source, t := draw(scope, l.Field, l.Base, x, c)
	z := distribution.NewStandardNormal(x.Shape().Dimensions...).Sample(scope, x.Graph(), x.DType())
	return l.Reduction.of(l.Antithetic(scope, x, source, z, t, c))
}

// Antithetic builds the loss of each event from z and -z, as [StochasticFMLoss.Loss] says:
// target, source and z are lead+event, t is a scalar or lead, c lead+[context_dim] or nil;
// the result has the shape of the lead. It panics on misuse.
func (l StochasticFMLoss) Antithetic(scope *model.Scope, target, source, z, t, c *Node) *Node {
	l.check(target, source, z, t)
	in := l.Interpolant
	if in.Path == nil {
		in.Path = path.Linear{}
	}
	velocity := in.Path.Velocity(target, source, t)
	side := func(z *Node) *Node {
		b := field.Call(l.Field, scope, in.Point(target, source, z, t), t, c)
		latent := Sub(in.Velocity(target, source, z, t), velocity)
		return Sub(Square(Sub(b, velocity)), MulScalar(Mul(latent, b), 2))
	}
	return perEvent(MulScalar(Add(side(z), side(Neg(z))), 0.5), l.Field.EventRank())
}

// PerEvent builds |b(x_t) - dx_t/dt|² for each event, its mean over the event's values, for
// one given z. Its arguments are those of [StochasticFMLoss.Antithetic]. It is to compare
// fields by at given points; over random times its mean is infinite for a Brownian γ.
func (l StochasticFMLoss) PerEvent(scope *model.Scope, target, source, z, t, c *Node) *Node {
	l.check(target, source, z, t)
	b := field.Call(l.Field, scope, l.Interpolant.Point(target, source, z, t), t, c)
	return perEvent(Square(Sub(b, l.Interpolant.Velocity(target, source, z, t))), l.Field.EventRank())
}

func (l StochasticFMLoss) check(target, source, z, t *Node) {
	checkBatch(l.Field, target, source, "source (noise)", t)
	checkBatch(l.Field, target, z, "latent noise z", t)
	if l.Interpolant.Gamma != nil {
		if err := interpolant.Validate(l.Interpolant.Gamma); err != nil {
			panic(err)
		}
	}
}

// String describes the loss on one line, the same in every process.
func (l StochasticFMLoss) String() string {
	return fmt.Sprintf("StochasticFMLoss{%v, %v, base %v, %v}", l.Field, l.Interpolant, l.Base, l.Reduction)
}
