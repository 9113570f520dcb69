package solver

import . "github.com/gomlx/gomlx/core/graph"

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
