package solver

import (
	"fmt"
	"math"

	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Churn is Heun's method in a diffusion's noise levels with new noise before each step, which
// corrects errors of the steps before: algorithm 2 of Karras et al. 2022 (arXiv:2206.00364).
// Where σ/α lies from Min to Max, it is first raised by the factor 1+γ with
// γ = min(Churn/steps, √2-1), but not beyond that of pure noise at time 1, and the step goes
// from there. Its evaluations are those of [Heun], which it is without churn. It works for a
// Diffusion, and for a FlowMatching whose Path is given.
//
//	s := solver.Solver{Method: solver.Churn{Churn: 40, Min: 0.05, Max: 50, Noise: 1.003}, Steps: 256, Grid: solver.Karras{}}
type Churn struct {
	// Churn is S_churn: how much noise all steps add together.
	Churn float64

	// Min and Max are S_tmin and S_tmax, between which noise is added; all levels if Max is
	// 0.
	Min, Max float64

	// Noise is S_noise, by which the deviation of new noise is multiplied; 1 if 0.
	Noise float64
}

var _ NoiseLevels = Churn{}

// Validate reports parameters out of range.
func (m Churn) Validate() error {
	for _, p := range []struct {
		name  string
		value float64
	}{{"Churn", m.Churn}, {"Min", m.Min}, {"Max", m.Max}, {"Noise", m.Noise}} {
		if !(p.value >= 0) || math.IsInf(p.value, 0) {
			return fmt.Errorf("solver.Churn: %s is %v: it must be at least 0 and finite", p.name, p.value)
		}
	}
	if m.Max != 0 && m.Max < m.Min {
		return fmt.Errorf("solver.Churn: Min is %v and Max %v: noise is added from Min to Max, so Max must not be less, or 0 for no limit", m.Min, m.Max)
	}
	return nil
}

// WithDefaults returns the method with the usual factor of noise where it is 0.
func (m Churn) WithDefaults() Churn {
	m.Noise = orUsual(m.Noise, 1)
	return m
}

// Order implements [Method].
func (Churn) Order() float64 { return 2 }

// Draws implements [Method].
func (m Churn) Draws() int {
	if m.Churn == 0 {
		return 0
	}
	return 1
}

// NeedsNoiseLevels implements [NoiseLevels].
func (Churn) NeedsNoiseLevels() {}

// String names the method with its parameters.
func (m Churn) String() string {
	m = m.WithDefaults()
	return fmt.Sprintf("Churn{%v, %v, %v, %v}", m.Churn, m.Min, m.Max, m.Noise)
}

// Init implements [Method].
func (Churn) Init(System, []*Node, *Node) []*Node { return nil }

// Step implements [Method].
func (m Churn) Step(s System, y, _ []*Node, over Interval, noise [][]*Node) Step {
	s.Coordinates = s.model("Churn").NoiseLevels
	if m.Churn == 0 {
		return HeunTableau.Step(s, y, nil, over, nil)
	}
	if over.Steps == nil {
		exceptions.Panicf("solver: %v adds noise by the number of steps, and the Interval doesn't tell it: give Interval.Steps", m)
	}
	c := s.NoiseLevels(over)
	level := func(v float64) *Node { return ConstAs(over.From, v) }
	from := c.Position(over.From)
	gamma := Min(Div(level(m.Churn), over.Steps), level(math.Sqrt2-1))
	raised := Mul(from, OnePlus(gamma))
	raised = Min(raised, Max(from, c.Position(OnesLike(over.From))))
	wanted := GreaterOrEqual(from, level(m.Min))
	if m.Max > 0 {
		wanted = LogicalAnd(wanted, LessOrEqual(from, level(m.Max)))
	}
	if c.Restart != nil {
		wanted = LogicalAnd(wanted, LogicalNot(c.Restart))
	}
	begin := Where(wanted, c.Time(raised), over.From)
	// The level of that time, so that rounding in the inverse does no harm.
	raised = Where(wanted, c.Position(begin), from)
	deviation := MulScalar(otherSide(raised, from), m.WithDefaults().Noise)

	z := c.Enter(y, over.From)
	z = append([]*Node{Add(z[0], Mul(shape.Lift(deviation, z[0]), noise[0][0]))}, z[1:]...)
	step := HeunTableau.Step(s, c.Leave(z, begin), nil, Interval{From: begin, To: over.To, Last: over.Last, Steps: over.Steps}, nil)
	step.Between = nil
	step.Deviation = deviation
	if c.Scale != nil {
		step.Deviation = c.part(0).grow(deviation, c.Scale(begin))
	}
	return step
}
