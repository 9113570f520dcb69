package interpolant

import (
	"cmp"
	"fmt"
	"math"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Bridge is a Schrödinger bridge between data and source: of all processes with both
// distributions at their ends, the one that is closest to a Brownian motion whose variance grows by
// Sigma² in a unit of time. Between the ends it is a mixture of Brownian bridges
//
//	x_t = (1-t)·target + t·source + Sigma·√(t(1-t))·z
//
// over pairs of the plan that coupling.Bridge draws from. Two fields tell it all (Tong et al. 2024,
// arXiv:2307.03672, with t=0 at the data):
//
//	v = E[source - target | x_t]   and   p = ½·Sigma²·∇log p_t(x_t).
//
// A Bridge is a field itself, the velocity v - (1-2t)·p of the probability flow, so that a
// nami.FlowMatching has samples, densities and what else a flow has. As it is [field.Diffusive], a
// stochastic solver moves events by the bridge's own equations,
//
//	dx = (v + 2t·p) dt + Sigma dw       from data to source,
//	dx = (v - 2(1-t)·p) dt + Sigma dw   from source to data.
//
// No term of these is infinite anywhere. loss.Bridge trains both fields, and the same holds with
// pairs of any other plan, whose bridge isn't Schrödinger's then.
type Bridge struct {
	// Velocity predicts v, and Push p. Their variables are in scopes of these names.
	Velocity, Push field.Field

	// Sigma is the standard deviation of the Brownian motion after a unit of time. It is in the
	// units of the model's events.
	Sigma float64
}

var (
	_ field.Wrapper   = Bridge{}
	_ field.Diffusive = Bridge{}
)

// Validate reports parts that are missing or don't fit.
func (b Bridge) Validate() error {
	if !(b.Sigma > 0) || math.IsInf(b.Sigma, 1) {
		return fmt.Errorf("interpolant.Bridge: Sigma is %v: it must be positive and finite; without noise, use loss.FM", b.Sigma)
	}
	if err := cmp.Or(field.Validate(b.Velocity), field.Validate(b.Push)); err != nil {
		return err
	}
	if v, p := b.Velocity.EventRank(), b.Push.EventRank(); v != p {
		return fmt.Errorf("interpolant.Bridge: the velocity's events have rank %d, the push's %d: they must be one event", v, p)
	}
	return nil
}

// Interpolant is x_t.
func (b Bridge) Interpolant() Interpolant {
	return Interpolant{Gamma: ScaledBrownian{Scale: b.Sigma * b.Sigma}}
}

// EventRank implements [field.Field].
func (b Bridge) EventRank() int {
	must(b.Validate())
	return b.Velocity.EventRank()
}

// Parts builds v and p at x, by the rules of [field.Field].
func (b Bridge) Parts(scope *model.Scope, x, t, c *Node) (v, p *Node) {
	must(b.Validate())
	return field.Call(b.Velocity, scope.At("velocity"), x, t, c), field.Call(b.Push, scope.At("push"), x, t, c)
}

// Apply implements [field.Field].
func (b Bridge) Apply(scope *model.Scope, x, t, c *Node) *Node {
	velocity, _ := b.ApplyWithPush(scope, x, t, c)
	return velocity
}

// ApplyWithPush implements [field.Diffusive].
func (b Bridge) ApplyWithPush(scope *model.Scope, x, t, c *Node) (velocity, push *Node) {
	v, p := b.Parts(scope, x, t, c)
	return Sub(v, Mul(shape.Lift(OneMinus(MulScalar(t, 2)), x), p)), p
}

// Diffusion implements [field.Diffusive]: Sigma at all times.
func (b Bridge) Diffusion(t *Node) *Node { return MulScalar(OnesLike(t), b.Sigma) }

// Map implements [field.Wrapper].
func (b Bridge) Map(inner func(field.Field) field.Field) field.Field {
	b.Velocity, b.Push = inner(b.Velocity), inner(b.Push)
	return b
}

// String describes the field on one line.
func (b Bridge) String() string {
	return fmt.Sprintf("Bridge{%v, %v, %v}", b.Velocity, b.Push, b.Sigma)
}
