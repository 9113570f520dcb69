package solver

import (
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Dynamics is the right-hand side of dy/dt = f(y, t). The state y is a list of parts, so
// that (x, log p) integrates as x alone does; each is lead+event of its own. t is a
// scalar, or has the lead's shape where each sample has a time of its own. One
// derivative comes back for each part, shaped like it.
type Dynamics func(y []*Node, t *Node) []*Node

// System is the equation dy = Drift(y, t) dt + Diffusion(y, t) dW, with independent noise
// on every value of the state, and what else is known of it.
type System struct {
	// Drift is the right-hand side without noise.
	Drift Dynamics

	// Diffusion is g of each part; nil for an ordinary equation. It is shaped like t where
	// it depends on time alone, additive noise, else like the part. Time may run
	// backwards: the noise of a step of length |h| has the variance g²·|h|, and the
	// equation is read as Itô's along the way that the solve goes.
	Diffusion func(y []*Node, t *Node) []*Node

	// Quiet is what the system leaves of the random numbers for a part of the state: of those of
	// a step, shaped like the part, or of several times within it, which add an axis at the
	// front. It keeps noise from padding; nil if all is used.
	Quiet func(part int, z *Node) *Node

	// Coordinates are those in which a step of the system is best taken; nil if they are
	// y and t themselves.
	Coordinates func(over Interval) *Coordinates

	// Model is what can be asked of a system that is a diffusion or a flow between data and
	// noise; nil for any other.
	Model *Model
}

// Model is what a diffusion or a flow says about x_t = α(t)·x0 + σ(t)·ε, the first part of
// the state. Times are the model's.
type Model struct {
	// Schedule gives α and σ.
	Schedule schedule.Schedule

	// Predict returns what the model predicts of that kind at the point x and time t. Where
	// the schedule has no noise or no signal, it is asked where there is a little.
	Predict func(p schedule.Prediction, x, t *Node) *Node

	// NoiseLevels are the coordinates x/α and σ/α of a step.
	NoiseLevels func(over Interval) *Coordinates

	// Data is the time below which there is no noise to speak of, the last one before 0 at
	// which the model is asked; 0 if a solve need not stop there.
	Data float64

	// Grid places the steps of a solver that has none; nil for [Even].
	Grid Grid
}

// Over returns the coordinates in which to take a step: the system's, or y and t.
func (s System) Over(over Interval) *Coordinates {
	if s.Coordinates != nil {
		return s.Coordinates(over)
	}
	return &Coordinates{Slope: s.Drift, Diffusion: s.Diffusion}
}

// Predict returns what the model predicts at x, the first part of a state, and t: its
// data, noise, score, v or velocity. It panics if the system has no model.
func (s System) Predict(p schedule.Prediction, x, t *Node) *Node {
	return s.model("Predict").Predict(p, x, t)
}

// Alpha is α(t), the coefficient of the data, shaped like t. It panics if the system has
// no model, as do the other coefficients.
func (s System) Alpha(t *Node) *Node { return s.model("Alpha").Schedule.Alpha(t) }

// Sigma is σ(t), the coefficient of the noise, shaped like t.
func (s System) Sigma(t *Node) *Node { return s.model("Sigma").Schedule.Sigma(t) }

// LogSNR is log(α²/σ²), shaped like t: infinite where one of them is 0.
func (s System) LogSNR(t *Node) *Node { return Log(schedule.SNR(s.model("LogSNR").Schedule, t)) }

// NoiseLevels returns the coordinates x/α and σ/α of a step. It panics if the system has
// no model.
func (s System) NoiseLevels(over Interval) *Coordinates {
	return s.model("NoiseLevels").NoiseLevels(over)
}

func (s System) model(what string) *Model {
	if s.Model == nil {
		exceptions.Panicf("solver: %s asks for a system's model, and this one has none: a Diffusion has one, and a FlowMatching whose Path is given", what)
	}
	return s.Model
}

// quieten is what the system leaves of random numbers, part by part.
func (s System) quieten(z []*Node) []*Node {
	if s.Quiet == nil {
		return z
	}
	out := make([]*Node, len(z))
	for part := range z {
		out[part] = s.Quiet(part, z[part])
	}
	return out
}

// counted is the system with the shapes of what it returns checked, and each evaluation
// counted in calls.
func (s System) counted(calls *int) System {
	s.Drift = s.Drift.checked(calls)
	within := func(f func(Interval) *Coordinates) func(Interval) *Coordinates {
		if f == nil {
			return nil
		}
		return func(over Interval) *Coordinates {
			c := *f(over)
			c.Slope = c.Slope.checked(calls)
			for i, p := range c.Parts {
				p.validate(i)
			}
			return &c
		}
	}
	s.Coordinates = within(s.Coordinates)
	if s.Model != nil {
		m := *s.Model
		m.NoiseLevels = within(m.NoiseLevels)
		if predict := m.Predict; predict != nil {
			m.Predict = func(p schedule.Prediction, x, t *Node) *Node {
				*calls++
				return predict(p, x, t)
			}
		}
		s.Model = &m
	}
	return s
}

// checked is f with the shapes of what it returns checked, and each call counted.
func (f Dynamics) checked(calls *int) Dynamics {
	return func(y []*Node, t *Node) []*Node {
		if f == nil {
			exceptions.Panicf("solver: the system has no Drift")
		}
		*calls++
		dy := f(y, t)
		if len(dy) != len(y) {
			exceptions.Panicf("solver: the dynamics returned %d derivatives for a state of %d parts: expected one for each", len(dy), len(y))
		}
		for part := range y {
			if !dy[part].Shape().Equal(y[part].Shape()) {
				exceptions.Panicf("solver: the dynamics returned %s for part %d of the state, which is %s: a derivative must have the shape and dtype of its part",
					dy[part].Shape(), part, y[part].Shape())
			}
		}
		return dy
	}
}

// scaled returns y + c·slope, where c is a scalar or has the lead's shape.
func scaled(y, c, slope *Node) *Node {
	return Add(y, Mul(shape.Lift(c, slope), slope))
}

// combine returns Σ weights[i]·slopes[i][part], or nil if all weights are 0.
func combine(weights []float64, slopes [][]*Node, part int) (sum *Node) {
	for i, w := range weights {
		if w == 0 {
			continue
		}
		term := slopes[i][part]
		if w != 1 {
			term = Mul(term, ConstAs(term, w))
		}
		if sum == nil {
			sum = term
		} else {
			sum = Add(sum, term)
		}
	}
	return sum
}

// advance returns y + h·Σ weights[i]·slopes[i], part by part.
func advance(y []*Node, slopes [][]*Node, weights []float64, h *Node) []*Node {
	next := append([]*Node(nil), y...)
	for part := range y {
		if sum := combine(weights, slopes, part); sum != nil {
			next[part] = scaled(y[part], h, sum)
		}
	}
	return next
}
