package schedule

import (
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Convert turns one prediction into another: value is what a field predicts, of kind
// from, at the point x and the time t of schedule s; the result is of kind to. value and
// x are lead+event of one shape, t is a scalar or lead.
//
// Two equations, x = α·x0 + σ·ε and the one that defines value, are solved for x0 and ε,
// which give the result.
//
// Where α or σ vanishes, some conversions have no limit: pure noise can't tell the data.
// So α, σ and α·σ̇ - α̇·σ are taken to be no smaller than the machine epsilon of the
// dtype, 2⁻²³ in float32 and 2⁻⁵² in float64, below which x holds no digit of the other
// part. Results are always finite, and a conversion that has a limit keeps it. They may
// be large: the error of a field's ε is divided by σ. So a solve in a schedule with
// σ(0) = 0 ends a little before t=0, and goes on to the x0 that is predicted there.
//
// It panics if shapes don't fit, and if from or to isn't a prediction.
func Convert(s Schedule, from, to Prediction, value, x, t *Node) *Node {
	must(from.Validate())
	must(to.Validate())
	if !value.Shape().Equal(x.Shape()) {
		exceptions.Panicf("schedule.Convert: the %s is %s, x is %s: both must have one shape and dtype", from, value.Shape(), x.Shape())
	}
	m := mixtureAt(s, x, t)
	if from == to {
		return value
	}
	return m.predict(to,
		func() *Node { return m.data(from, value) },
		func() *Node { return m.noise(from, value) })
}

// mixture is x = α·x0 + σ·ε at one time; α and σ multiply events.
type mixture struct {
	s            Schedule
	x, t         *Node
	alpha, sigma *Node
}

func mixtureAt(s Schedule, x, t *Node) mixture {
	must(Validate(s))
	if t.DType() != x.DType() {
		exceptions.Panicf("schedule: t is %s, x is %s: both must have one dtype", t.Shape(), x.Shape())
	}
	lift := func(c *Node) *Node { return shape.Lift(gomlx.AwayFromZero(c), x) }
	return mixture{s: s, x: x, t: t, alpha: lift(s.Alpha(t)), sigma: lift(s.Sigma(t))}
}

// derivatives are α̇ and σ̇, and α·σ̇ - α̇·σ, which is positive as σ/α grows.
func (m mixture) derivatives() (alphaDot, sigmaDot, wronskian *Node) {
	alphaDot, sigmaDot = shape.Lift(AlphaDot(m.s, m.t), m.x), shape.Lift(SigmaDot(m.s, m.t), m.x)
	return alphaDot, sigmaDot, gomlx.AwayFromZero(Sub(Mul(m.alpha, sigmaDot), Mul(alphaDot, m.sigma)))
}

// norm2 is α² + σ².
func (m mixture) norm2() *Node { return Add(Square(m.alpha), Square(m.sigma)) }

// data is x0 for a prediction p.
func (m mixture) data(p Prediction, value *Node) *Node {
	switch p {
	case X0:
		return value
	case V:
		return Div(Sub(Mul(m.alpha, m.x), Mul(m.sigma, value)), m.norm2())
	case Velocity:
		_, sigmaDot, wronskian := m.derivatives()
		return Div(Sub(Mul(sigmaDot, m.x), Mul(m.sigma, value)), wronskian)
	default:
		return Div(Sub(m.x, Mul(m.sigma, m.noise(p, value))), m.alpha)
	}
}

// noise is ε for a prediction p.
func (m mixture) noise(p Prediction, value *Node) *Node {
	switch p {
	case Eps:
		return value
	case Score:
		return Neg(Mul(m.sigma, value))
	case V:
		return Div(Add(Mul(m.sigma, m.x), Mul(m.alpha, value)), m.norm2())
	case Velocity:
		alphaDot, _, wronskian := m.derivatives()
		return Div(Sub(Mul(m.alpha, value), Mul(alphaDot, m.x)), wronskian)
	default:
		return Div(Sub(m.x, Mul(m.alpha, m.data(p, value))), m.sigma)
	}
}

// predict is the prediction p of x0 and ε, of which it builds only what it needs.
func (m mixture) predict(p Prediction, x0, eps func() *Node) *Node {
	switch p {
	case Eps:
		return eps()
	case Score:
		return Neg(Div(eps(), m.sigma))
	case X0:
		return x0()
	case V:
		return Sub(Mul(m.alpha, eps()), Mul(m.sigma, x0()))
	default:
		alphaDot, sigmaDot, _ := m.derivatives()
		return Add(Mul(alphaDot, x0()), Mul(sigmaDot, eps()))
	}
}
