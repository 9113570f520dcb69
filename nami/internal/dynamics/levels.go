package dynamics

import (
	"math"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/nami/solver"

	. "github.com/gomlx/gomlx/core/graph"
)

// levels are the coordinates x/α and σ/α of a step of the probability flow, in which the
// slope is the noise. Next to pure noise, where these are infinite, they are x/σ and α/σ, in
// which it is the data, and the field is asked where there is a little signal, at the same
// x/σ. Below the time data it is asked as there, at the same x/α, and σ/α goes to 0 in
// proportion to time.
func (m *Mixture) levels(over solver.Interval, parts []solver.Part, slope func(c levels) solver.Dynamics) *solver.Coordinates {
	c := levels{Mixture: m}
	return c.coordinates(over, parts, slope)
}

// angles are the coordinates x/√(α²+σ²) and atan(σ/α) of a step, in which the slope is
// (α·ε - σ·x0)/√(α²+σ²), the v of Salimans & Ho 2022 (arXiv:2202.00512, section 4 and
// appendix D): finite at both ends of time, and 0 for normal data of variance 1. Below the
// time data all is as in [Mixture.levels].
func (m *Mixture) angles(over solver.Interval, parts []solver.Part, slope func(c levels) solver.Dynamics) *solver.Coordinates {
	c := levels{Mixture: m, angle: true}
	return c.coordinates(over, parts, slope)
}

func (c levels) coordinates(over solver.Interval, parts []solver.Part, slope func(c levels) solver.Dynamics) *solver.Coordinates {
	m := c.Mixture
	if m.pure && !c.angle {
		late := Max(over.From, over.To)
		c.high = GreaterThan(late, ConstAs(late, m.noise))
	}
	return &solver.Coordinates{
		U: c.position, Time: c.time, Scale: c.scale, Shift: c.shift, Rates: c.rates, Parts: parts,
		Slope: slope(c), FirstOrder: over.Last, Restart: c.high,
	}
}

// levels are the coordinates of one step.
type levels struct {
	*Mixture
	angle bool  // whether they are those of [Mixture.angles]
	high  *Node // whether it is next to pure noise; nil if that makes no difference
}

// lowest is u at the time data.
func (c levels) lowest() float64 {
	if c.angle {
		return math.Atan(c.least)
	}
	return c.least
}

// norm is √(α² + σ²).
func (c levels) norm(t *Node) *Node {
	return Sqrt(Add(Square(c.schedule.Alpha(t)), Square(c.schedule.Sigma(t))))
}

// choose is high where the step is next to pure noise, else usual, of functions of time.
func (c levels) choose(high, usual func() *Node) *Node {
	if c.high == nil {
		return usual()
	}
	a, b := high(), usual()
	is := c.high
	if !is.IsScalar() && is.Rank() < a.Rank() { // several times before the lead
		is = BroadcastToDims(InsertAxes(is, 0), a.Shape().Dimensions...)
	}
	return Where(is, a, b)
}

func (c levels) alpha(t *Node) *Node { return gomlx.AwayFromZero(c.schedule.Alpha(t)) }

func (c levels) noiseAt(t *Node) *Node { return gomlx.AwayFromZero(c.schedule.Sigma(t)) }

// late is t, or the time data where that is later.
func (c levels) late(t *Node) *Node { return Max(t, ConstAs(t, c.data)) }

func (c levels) position(t *Node) *Node {
	return c.choose(
		func() *Node { return Div(c.schedule.Alpha(t), c.noiseAt(t)) },
		func() *Node {
			late := c.late(t)
			ratio := Div(c.schedule.Sigma(late), c.alpha(late))
			if c.angle {
				ratio = Atan2(c.schedule.Sigma(late), c.schedule.Alpha(late))
			}
			return Mul(ratio, Min(Div(t, ConstAs(t, c.data)), ConstAs(t, 1)))
		})
}

func (c levels) time(u *Node) *Node {
	one := func() *Node { return OnesLike(u) }
	self := func() *Node { return u }
	alpha, sigma := c.choose(self, one), c.choose(one, self)
	if c.angle {
		alpha, sigma = MaxScalar(Cos(u), 0), MaxScalar(Sin(u), 0)
	}
	t := c.late(schedule.TimeOf(c.schedule, alpha, sigma))
	return c.choose(
		func() *Node { return t },
		func() *Node {
			return Where(LessThan(u, ConstAs(u, c.lowest())), Mul(u, ConstAs(u, c.data/c.lowest())), t)
		})
}

func (c levels) scale(t *Node) *Node {
	if c.angle {
		return c.norm(t)
	}
	return c.choose(func() *Node { return c.noiseAt(t) }, func() *Node { return c.alpha(t) })
}

// shift is log √(α² + σ²): a log-density in units of that scale hardly changes at high noise.
func (c levels) shift(t *Node) *Node {
	if c.angle {
		return Log(c.scale(t))
	}
	return Add(Log(c.scale(t)), MulScalar(Log1p(Square(c.position(t))), 0.5))
}

// shiftRate is how the shift changes with u at a scale that doesn't.
func (c levels) shiftRate(t *Node) *Node {
	if c.angle {
		return ZerosLike(t)
	}
	u := c.position(t)
	return Div(u, OnePlus(Square(u)))
}

func (c levels) rates(t *Node) (logScale, shift, u *Node) {
	late := c.late(t)
	alpha, sigma := c.alpha(late), c.noiseAt(late)
	alphaDot, sigmaDot := schedule.AlphaDot(c.schedule, late), schedule.SigmaDot(c.schedule, late)
	wronskian := Sub(Mul(alpha, sigmaDot), Mul(alphaDot, sigma))
	if c.angle {
		norm := Square(c.norm(late))
		logScale = Div(Add(Mul(alpha, alphaDot), Mul(sigma, sigmaDot)), norm)
		return logScale, logScale, Where(LessThan(t, ConstAs(t, c.data)), ConstAs(t, c.lowest()/c.data), Div(wronskian, norm))
	}
	logScale = c.choose(func() *Node { return Div(sigmaDot, sigma) }, func() *Node { return Div(alphaDot, alpha) })
	u = c.choose(
		func() *Node { return Neg(Div(wronskian, Square(sigma))) },
		func() *Node {
			return Where(LessThan(t, ConstAs(t, c.data)), ConstAs(t, c.least/c.data), Div(wronskian, Square(alpha)))
		})
	return logScale, Add(logScale, Mul(u, c.shiftRate(t))), u
}

// place is where the field is asked for the slope at z and t, and by what z is multiplied.
func (c levels) place(z, t *Node) (x, at, scale *Node) {
	at = c.informed(c.late(t))
	scale = shape.Lift(c.scale(at), z)
	return Mul(z, scale), at, scale
}

// slope is dz/du, from what the field says at time at: the noise, or the data next to pure
// noise; of angles v.
func (c levels) slope(p predictions, at *Node) *Node {
	if c.angle {
		v := p(schedule.V)
		return Div(v, shape.Lift(c.norm(at), v))
	}
	if c.high == nil {
		return p(schedule.Eps)
	}
	return Where(c.high, p(schedule.X0), p(schedule.Eps))
}
