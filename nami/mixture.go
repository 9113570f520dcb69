package nami

import (
	"fmt"
	"math"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Ratios of noise and signal at the ends of time. Below clean there is no noise to speak of:
// 10⁻⁴ of the data's unit, so that data with a spread of a thousandth keep it. Above dirty
// there is no signal to speak of, and a prediction of noise can't tell the data. A schedule
// that has less signal than vanishing is one of pure noise.
const (
	clean     = 1e-4
	dirty     = 1e3
	vanishing = 1e-5
)

// noData is the last time before 0 at which a model is asked whose schedule has noise at 0
// itself: a step to the data goes on from there to no noise at all.
const noData = 1e-7

// mixture is what a field has learned of x = α·x0 + σ·ε.
type mixture struct {
	schedule   schedule.Schedule
	field      field.Field
	prediction schedule.Prediction

	// data is the last time before 0 at which the field is asked, and least σ/α there. noise
	// is the last one at which a prediction of noise tells the data; 1 if it does at 1.
	data, least, noise float64

	pure    bool // there is no signal at 1
	noNoise bool // there is no noise at 0
	sigma   float64
}

// newMixture looks at the ends of a schedule's time, and at σ where a solve begins.
func newMixture(backend compute.Backend, s schedule.Schedule, f field.Field, p schedule.Prediction, from float64) (*mixture, error) {
	const between = 64
	times := []float64{0, 1, from}
	for i := range between {
		times = append(times, (float64(i)+0.5)/between)
	}
	var alpha, sigma, ends []float64
	err := gomlx.Try(func() error {
		out, err := CallOnceN(backend, func(in []*Node) []*Node {
			t, ratios := in[0], in[1]
			return []*Node{s.Alpha(t), s.Sigma(t), schedule.TimeOf(s, OnesLike(ratios), ratios)}
		}, times, []float64{clean, dirty})
		if err != nil {
			return err
		}
		alpha, sigma, ends = tensors.MustCopyFlatData[float64](out[0]), tensors.MustCopyFlatData[float64](out[1]), tensors.MustCopyFlatData[float64](out[2])
		gomlx.Finalize(out)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("nami: the schedule %v: %w", s, err)
	}
	for i := range times {
		if !(alpha[i] >= 0 && sigma[i] >= 0) || math.IsInf(alpha[i]+sigma[i], 0) {
			return nil, fmt.Errorf("nami: the schedule %v has α = %v and σ = %v at t = %v: both must be finite and not negative", s, alpha[i], sigma[i], times[i])
		}
	}
	m := &mixture{
		schedule: s, field: f, prediction: p, data: noData, least: sigma[0] / alpha[0], noise: 1,
		pure: alpha[1] < vanishing*sigma[1], sigma: sigma[2],
	}
	if m.noNoise = sigma[0] < clean*alpha[0]; m.noNoise {
		m.data, m.least = ends[0], clean
	}
	if m.pure {
		m.noise = ends[1]
	}
	return m, nil
}

// grid is that of a solver that has none, for steps from one noise level to the next. Where
// the noise vanishes at 0, even steps of √t did best of the powers of t that were tried, by
// the distance of samples from two narrow modes and from a Gaussian with a spread of 10⁻³.
// Where it doesn't, the schedule has placed its own levels.
func (m *mixture) grid() solver.Grid {
	if m.noNoise {
		return solver.Power{P: 2}
	}
	return nil
}

// asked is the time at which the field is asked for t: it is kept from where there is no
// noise, and a prediction of noise from where there is no signal.
func (m *mixture) asked(t *Node) *Node {
	if m.noNoise {
		t = Max(t, ConstAs(t, m.data))
	}
	if m.prediction == schedule.Eps || m.prediction == schedule.Score {
		t = m.informed(t)
	}
	return t
}

// informed is t, or the last time at which any prediction tells the data.
func (m *mixture) informed(t *Node) *Node {
	if m.pure {
		t = Min(t, ConstAs(t, m.noise))
	}
	return t
}

// predictions are what the field says at x and t, which is asked once, converted to
// whatever is wanted.
type predictions func(to schedule.Prediction) *Node

func (m *mixture) at(scope *model.Scope, in inputs[Node], x, t *Node) predictions {
	if in.mask == nil {
		value := field.Call(m.field, scope, x, t, in.context)
		return func(to schedule.Prediction) *Node { return schedule.Convert(m.schedule, m.prediction, to, value, x, t) }
	}
	value := field.Call(field.Masked(m.field, in.mask), scope, x, t, in.context)
	return func(to schedule.Prediction) *Node { // padding neither moves nor counts in a divergence
		return field.Mask(schedule.Convert(m.schedule, m.prediction, to, value, x, t), in.mask, m.field.EventRank())
	}
}

// withDivergence is [mixture.at] with the divergences of what the field says, where it knows
// its own. A conversion is linear in value and point, so it converts the divergences as
// well, with the number of values in place of the divergence of x.
func (m *mixture) withDivergence(scope *model.Scope, in inputs[Node], x, t *Node, values int) (value, divergence predictions) {
	v, div := field.CallWithDivergence(m.field.(field.Divergent), scope, x, t, in.context)
	return func(to schedule.Prediction) *Node { return schedule.Convert(m.schedule, m.prediction, to, v, x, t) },
		func(to schedule.Prediction) *Node {
			return schedule.Convert(m.schedule, m.prediction, to, div, MulScalar(OnesLike(div), float64(values)), t)
		}
}

// levels are the coordinates x/α and σ/α of a step of the probability flow, in which the
// slope is the noise. Next to pure noise, where these are infinite, they are x/σ and α/σ, in
// which it is the data, and the field is asked where there is a little signal, at the same
// x/σ. Below the time data it is asked as there, at the same x/α, and σ/α goes to 0 in
// proportion to time.
func (m *mixture) levels(over solver.Interval, parts []solver.Part, slope func(c levels) solver.Dynamics) *solver.Coordinates {
	c := levels{mixture: m}
	return c.coordinates(over, parts, slope)
}

// angles are the coordinates x/√(α²+σ²) and atan(σ/α) of a step, in which the slope is
// (α·ε - σ·x0)/√(α²+σ²), the v of Salimans & Ho 2022 (arXiv:2202.00512, section 4 and
// appendix D): finite at both ends of time, and 0 for normal data of variance 1. Below the
// time data all is as in [mixture.levels].
func (m *mixture) angles(over solver.Interval, parts []solver.Part, slope func(c levels) solver.Dynamics) *solver.Coordinates {
	c := levels{mixture: m, angle: true}
	return c.coordinates(over, parts, slope)
}

func (c levels) coordinates(over solver.Interval, parts []solver.Part, slope func(c levels) solver.Dynamics) *solver.Coordinates {
	m := c.mixture
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
	*mixture
	angle bool  // whether they are those of [mixture.angles]
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
