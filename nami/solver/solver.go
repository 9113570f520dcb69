// Package solver integrates ordinary and stochastic differential equations. A solver
// builds the graph of one step; what drives it is chosen elsewhere, so that one method
// serves a compiled loop and a loop on the host ([Program]), an unrolled graph that
// gradients flow through ([Unroll]) and a solve backwards in time for gradients in
// constant memory ([Adjoint]), with the same numbers.
//
//	method              order        evaluations in a step
//	Euler               1            1
//	Midpoint, Heun      2            2
//	RK4                 4            4
//	Bosh3               3, adaptive  3
//	Dopri5, Tsit5       5, adaptive  6
//	EulerMaruyama       1, strong    1
//	StochasticHeun      1, strong    2
//	SRA1                1.5, strong  2
//
// The strong orders are those for additive noise, the only kind here: the diffusion of
// a [System] depends on time alone.
package solver

import (
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Dynamics is the right-hand side of dy/dt = f(y, t). The state y is a list of parts, so
// that (x, log p) integrates as x alone does; each is lead+event of its own. t is a
// scalar, or has the lead's shape where each sample has a time of its own. One
// derivative comes back for each part, shaped like it.
type Dynamics func(y []*Node, t *Node) []*Node

// System is the equation dy = Drift(y, t) dt + Diffusion(t) dW, with noise on every
// part of the state.
type System struct {
	// Drift is the right-hand side without noise.
	Drift Dynamics

	// Diffusion is g(t), shaped like t; nil for an ordinary equation. Time may run
	// backwards: the noise of a step of length |h| has the variance g²·|h|.
	Diffusion func(t *Node) *Node
}

// Traits says how a solver is driven: is_sde, requires_steps (not Adaptive) and
// supports_rsample of the Python library.
type Traits struct {
	// Stochastic is true for an [SDE].
	Stochastic bool

	// Adaptive is true if the solver chooses its steps, false if it needs a number of
	// steps.
	Adaptive bool

	// Differentiable is true if gradients flow through [Unroll] or [UnrollSDE].
	Differentiable bool
}

// Solver is a method of integration: an [ODE], an [SDE] or an [Adaptive].
type Solver interface {
	// Traits says how the solver is driven.
	Traits() Traits

	// Steps is the number of steps from one end to the other, at least 1; for an
	// adaptive solver the most that it attempts.
	Steps() int
}

// ODE is a method with equal steps for ordinary equations. A user's own type is one as
// soon as it has these methods; [Check] tests it.
type ODE interface {
	Solver

	// Step builds the graph of one step: y advanced over the interval, a list of the
	// same shapes.
	Step(f Dynamics, y []*Node, over Interval) []*Node
}

// SDE is a method with equal steps for stochastic equations with additive noise. A
// user's own type is one as soon as it has these methods; [Check] tests it.
type SDE interface {
	Solver

	// Draws is the number of standard normal numbers that a step needs for each value
	// of the state.
	Draws() int

	// Step builds the graph of one step. noise[k][part] is the k-th draw, shaped like
	// the part: independent standard normal numbers. The first is the increment of the
	// Wiener process, ΔW = √|h|·noise[0]; the second, if any, completes its integral
	// over the step, ∫(W(s)-W(t))ds = ½|h|^(3/2)·(noise[0] + noise[1]/√3).
	Step(s System, y []*Node, over Interval, noise [][]*Node) []*Node
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
