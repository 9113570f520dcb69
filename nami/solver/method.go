package solver

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Method makes one step of a solve. A user's own type is a Method as soon as it has these
// four methods; [Check] tests it. An explicit Runge–Kutta method needs no type: it is a
// [Tableau]. Errors name a method by what it prints, so give it a method String.
//
// A method that implements [Embedded] can choose its steps; one that implements
// [NoiseLevels] works for systems with a model only.
type Method interface {
	// Order is the order of convergence in the length of the steps; for a stochastic method
	// the strong order for additive noise, for one that steps by noise levels that of the
	// mean and deviation of its results.
	Order() float64

	// Draws is the number of standard normal numbers that a step needs for each value of
	// the state: 0 for an ordinary equation.
	Draws() int

	// Init builds the method's memory, what it carries from step to step, at the beginning of
	// a solve; nil if it carries nothing. A node may have any shape and dtype; if the method
	// is to choose the steps of each sample, its first axes must be those of the lead.
	Init(s System, y []*Node, t *Node) (carry []*Node)

	// Step builds the graph of a step: y advanced over the interval. The times are those
	// of the system, the model's time: for the models of package nami 0 is data and 1
	// noise. carry is what Init or the step before returned.
	//
	// noise[k][part] is the k-th draw, shaped like the part: independent standard normal
	// numbers. The first is the increment of the Wiener process, ΔW = √|h|·noise[0]; the
	// second, if any, completes its integral over the step,
	// ∫(W(s)-W(t))ds = ½|h|^(3/2)·(noise[0] + noise[1]/√3).
	//
	// A method for ordinary equations asks s.Drift for slopes; one that would rather step
	// in the system's own coordinates asks s.Over(over).
	Step(s System, y, carry []*Node, over Interval, noise [][]*Node) Step
}

// Step is what a method makes of a state.
type Step struct {
	// Y is the state at the end, in the shapes of the one at the beginning.
	Y []*Node

	// Carry is the memory for the next step, in the shapes of Init's.
	Carry []*Node

	// Error estimates the local error of each part of Y; nil without an estimate.
	Error []*Node

	// Between gives the state within the step, if the method has an interpolant of its own;
	// nil if not. It is called only where output is asked for.
	Between func() Interpolant

	// Deviation is the standard deviation of the noise that the step added to each value of
	// the first part of Y, a scalar or shaped like the time, for the Brownian bridge of output
	// within the step; nil if it is that of the system's Diffusion, g·√|h|.
	Deviation *Node
}

// Embedded is a [Method] whose steps have an error estimate.
type Embedded interface {
	Method

	// ErrorOrder is k where the estimate falls as h^k.
	ErrorOrder() int
}

// NoiseLevels is a [Method] that steps from one noise level of a diffusion or flow to the
// next, and needs a system with a [Model].
type NoiseLevels interface {
	Method

	// NeedsNoiseLevels does nothing.
	NeedsNoiseLevels()
}

// DiagonalNoise is a stochastic [Method] that takes a diffusion that depends on the state.
type DiagonalNoise interface {
	Method

	// DiagonalOrder is the strong order there.
	DiagonalOrder() float64
}

// Interval is one step, in the system's time. It runs backwards in time if To is less than
// From. Both are scalars, or have the lead's shape where each sample has its own time.
type Interval struct {
	From, To *Node

	// Last is true in the last step of a solve that ends at the data of a model with time
	// 0: a scalar bool, nil if no step of the solve is.
	Last *Node

	// BeforeLast is true in the step before that one; nil as Last.
	BeforeLast *Node

	// Steps is the number of steps of the solve, a scalar of the times' dtype; nil if it isn't
	// known before.
	Steps *Node
}

// At is the time at a fraction of the step: From at 0 and To at 1, to the bit.
func (s Interval) At(fraction float64) *Node {
	switch fraction {
	case 0:
		return s.From
	case 1:
		return s.To
	}
	return Add(s.From, Mul(s.Width(), ConstAs(s.From, fraction)))
}

// Width is the step's signed length.
func (s Interval) Width() *Node { return Sub(s.To, s.From) }

// checkStep panics unless what a step returned fits the state and the memory.
func checkStep(m Method, y, carry []*Node, step Step) {
	if len(step.Y) != len(y) {
		exceptions.Panicf("solver: the step of %v returned %d parts for a state of %d", m, len(step.Y), len(y))
	}
	for part := range y {
		if !step.Y[part].Shape().Equal(y[part].Shape()) {
			exceptions.Panicf("solver: the step of %v returned %s for part %d of the state, which is %s", m, step.Y[part].Shape(), part, y[part].Shape())
		}
	}
	if len(step.Carry) != len(carry) {
		exceptions.Panicf("solver: the step of %v carries %d nodes on, and Init gave it %d: both must be the same memory", m, len(step.Carry), len(carry))
	}
	for i := range carry {
		if !step.Carry[i].Shape().Equal(carry[i].Shape()) {
			exceptions.Panicf("solver: node %d that the step of %v carries on is %s, and Init made it %s", i, m, step.Carry[i].Shape(), carry[i].Shape())
		}
	}
	if step.Error != nil && len(step.Error) != len(y) {
		exceptions.Panicf("solver: the step of %v estimates the error of %d parts of a state of %d", m, len(step.Error), len(y))
	}
}
