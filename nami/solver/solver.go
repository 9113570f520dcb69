// Package solver integrates ordinary differential equations. A solver builds the
// graph of one step; what drives it is chosen elsewhere, so that one method serves
// a compiled loop, a loop on the host and an unrolled graph with the same numbers.
package solver

import . "github.com/gomlx/gomlx/core/graph"

// Dynamics is the right-hand side of dy/dt = f(y, t). The state y is a list, so
// that (x, log p) integrates as x alone does; t is a scalar; one derivative comes
// back for each part, shaped like it.
type Dynamics func(y []*Node, t *Node) []*Node

// Solver is a method with a fixed number of steps. A user's own type is a Solver as
// soon as it has these two methods.
type Solver interface {
	// Steps is the number of steps from one end to the other: at least 1.
	Steps() int

	// Step builds the graph of one step: y advanced over the interval.
	Step(f Dynamics, y []*Node, over Interval) []*Node
}

// Interval is one step on the grid t_i = t0 + (t1-t0)·i/n. It runs backwards in
// time if t1 < t0.
type Interval struct {
	t0, t1, i, n *Node
}

// NewInterval returns step i, from 0, of n steps between t0 and t1: scalars of one
// float dtype.
func NewInterval(t0, t1, i, n *Node) Interval {
	return Interval{t0: t0, t1: t1, i: i, n: n}
}

// At is the time at a fraction of the step: 0 at its begin, 1 at its end. Times are
// computed from the step's number and never accumulated, so the last step ends at
// t1 itself when t0 and t1 are 0 and 1.
func (s Interval) At(fraction float64) *Node {
	at := s.i
	if fraction != 0 {
		at = Add(s.i, ConstAs(s.i, fraction))
	}
	return Add(s.t0, Mul(Sub(s.t1, s.t0), Div(at, s.n)))
}

// Width is the step's signed length, (t1-t0)/n.
func (s Interval) Width() *Node {
	return Div(Sub(s.t1, s.t0), s.n)
}
