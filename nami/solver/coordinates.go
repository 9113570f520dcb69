package solver

import (
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Coordinates are those in which a step is taken: z and u in place of the state y and the
// time t. For a part with the power p and the coefficient d,
//
//	y = c(t)^p·z - d·l(t),   dz/du = Slope(z, t),
//
// with a scale c, a shift l and an increasing or decreasing u of t. The probability flow of a
// diffusion is nearly straight where z = x/α and u = σ/α: dz/du is the noise ε, whatever
// the schedule (Song, Meng & Ermon 2021, arXiv:2010.02502, eq. 14; Karras et al. 2022,
// arXiv:2206.00364, eq. 4). A log-density beside x hardly changes at high noise if that of a
// scaled x is taken in its place: l is the logarithm of the scale, and d the number of
// values of x.
//
// The zero values of U, Time, Scale, Shift, Rates and Parts mean that z is y and u is t. Functions
// of t take a scalar or a tensor of times, and return one shaped like it. They belong to
// one step: coordinates may change from step to step.
type Coordinates struct {
	// U is u(t), Time its inverse.
	U, Time func(t *Node) *Node

	// Scale is c(t).
	Scale func(t *Node) *Node

	// Shift is l(t).
	Shift func(t *Node) *Node

	// Rates are d log c/dt, dl/dt and du/dt.
	Rates func(t *Node) (logScale, shift, u *Node)

	// Parts say how each part of the state is scaled.
	Parts []Part

	// Slope is dz/du at z and the time t, which is the system's.
	Slope Dynamics

	// Diffusion is as in [System], where u is t.
	Diffusion func(z []*Node, t *Node) []*Node

	// FirstOrder is true if the step is to be taken by the slope at its beginning alone, as
	// the last one of a diffusion: a scalar bool; nil if none is. A method that goes by the
	// slopes of the steps before ([LMS]) keeps its order.
	FirstOrder *Node

	// Restart is true if the slopes of this step don't go on in the next one's coordinates:
	// a bool shaped like t; nil if they always do.
	Restart *Node
}

// Part says how the coordinates scale a part of the state.
type Part struct {
	// Power is the power of the scale: 1, -1, or 0 for a part that isn't scaled.
	Power int

	// Shift is the coefficient of -l, a scalar or of the lead's shape; nil for 0, which it
	// must be where Power isn't.
	Shift *Node
}

// validate panics if the coordinates of a part aren't among those that there are.
func (p Part) validate(i int) {
	if p.Power < -1 || p.Power > 1 {
		exceptions.Panicf("solver: Coordinates.Parts[%d].Power is %d: it must be -1, 0 or 1", i, p.Power)
	}
	if p.Power != 0 && p.Shift != nil {
		exceptions.Panicf("solver: Coordinates.Parts[%d] has the power %d and a Shift: give one of them", i, p.Power)
	}
}

// part is how part number i is scaled.
func (c *Coordinates) part(i int) Part {
	if c.Scale == nil || i >= len(c.Parts) {
		return Part{}
	}
	return c.Parts[i]
}

// Position is u at time t.
func (c *Coordinates) Position(t *Node) *Node {
	if c.U == nil {
		return t
	}
	return c.U(t)
}

// At is the time at a fraction of the way from one end of a step to the other, as u
// measures it.
func (c *Coordinates) At(over Interval, fraction float64) *Node {
	if c.U == nil || fraction == 0 || fraction == 1 {
		return over.At(fraction)
	}
	u := c.U(over.From)
	return c.Time(Add(u, Mul(Sub(c.U(over.To), u), ConstAs(u, fraction))))
}

// Width is the change of u over a step.
func (c *Coordinates) Width(over Interval) *Node {
	return Sub(c.Position(over.To), c.Position(over.From))
}

// Enter returns z at the state y and the time t.
func (c *Coordinates) Enter(y []*Node, t *Node) []*Node {
	return c.convert(y, t, func(p Part, y *Node, scale *Node) *Node {
		if p.Shift != nil {
			y = Add(y, shape.Lift(perSample(c.Shift(t), p.Shift), y))
		}
		switch p.Power {
		case 1:
			return Div(y, shape.Lift(scale, y))
		case -1:
			return Mul(y, shape.Lift(scale, y))
		}
		return y
	})
}

// Leave returns the state y at z and the time t.
func (c *Coordinates) Leave(z []*Node, t *Node) []*Node {
	return c.convert(z, t, func(p Part, z *Node, scale *Node) *Node {
		z = p.grow(z, scale)
		if p.Shift != nil {
			z = Sub(z, shape.Lift(perSample(c.Shift(t), p.Shift), z))
		}
		return z
	})
}

// grow is z·scale^Power.
func (p Part) grow(z, scale *Node) *Node {
	switch p.Power {
	case 1:
		return Mul(z, shape.Lift(scale, z))
	case -1:
		return Div(z, shape.Lift(scale, z))
	}
	return z
}

// difference is what a small difference of z at time t is in y.
func (c *Coordinates) difference(z []*Node, t *Node) []*Node {
	return c.convert(z, t, Part.grow)
}

func (c *Coordinates) convert(y []*Node, t *Node, f func(p Part, y, scale *Node) *Node) []*Node {
	if c.Scale == nil {
		return y
	}
	scale, out := c.Scale(t), make([]*Node, len(y))
	for i := range y {
		out[i] = f(c.part(i), y[i], scale)
	}
	return out
}

// velocity is dy/dt where the slope is dz/du, at the state y and the time t.
func (c *Coordinates) velocity(slope, y []*Node, t *Node) []*Node {
	if c.U == nil {
		return slope
	}
	logScale, shift, rate := c.Rates(t)
	out := c.difference(slope, t)
	for i := range out {
		out[i] = Mul(out[i], shape.Lift(rate, out[i]))
		if drift := c.part(i).drift(y[i], logScale, shift); drift != nil {
			out[i] = Add(out[i], drift)
		}
	}
	return out
}

// slopeOf is dz/du where dy/dt is the velocity, at the state y and the time t.
func (c *Coordinates) slopeOf(velocity, y []*Node, t *Node) []*Node {
	if c.U == nil {
		return velocity
	}
	logScale, shift, rate := c.Rates(t)
	rest := make([]*Node, len(y))
	for i, v := range velocity {
		if drift := c.part(i).drift(y[i], logScale, shift); drift != nil {
			v = Sub(v, drift)
		}
		rest[i] = Div(v, shape.Lift(rate, v))
	}
	return c.convert(rest, t, func(p Part, k, scale *Node) *Node {
		p.Power = -p.Power
		return p.grow(k, scale)
	})
}

// drift is how y changes because scale and shift do; nil if it doesn't.
func (p Part) drift(y, logScale, shift *Node) *Node {
	switch {
	case p.Power != 0:
		change := Mul(y, shape.Lift(logScale, y))
		if p.Power < 0 {
			return Neg(change)
		}
		return change
	case p.Shift != nil:
		return Neg(shape.Lift(perSample(shift, p.Shift), y))
	}
	return nil
}

// perSample multiplies a function of time by a coefficient of each sample, a scalar or of
// the lead's shape.
func perSample(f, coefficient *Node) *Node {
	if coefficient.IsScalar() || f.IsScalar() {
		return Mul(f, coefficient)
	}
	return Mul(lifted(f, coefficient.Rank()), coefficient)
}

// severally are the coordinates for functions of several times, an axis before the lead's.
func (c *Coordinates) severally() *Coordinates {
	out := *c
	out.Parts = make([]Part, len(c.Parts))
	for i, p := range c.Parts {
		if p.Shift != nil && !p.Shift.IsScalar() {
			p.Shift = InsertAxes(p.Shift, 0)
		}
		out.Parts[i] = p
	}
	return &out
}
