package solver

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Unroll builds the graph of a whole solve from t0 to t1, step by step, and returns
// the last state. Gradients flow through it; each step is a checkpoint, so that the
// backward pass holds one step's intermediate values at a time. The graph, and the
// time to compile it, grow with the number of steps: [github.com/nami-flow/go-nami/nami.Process]
// samples without unrolling. It panics if s has no steps.
func Unroll(s Solver, f Dynamics, y []*Node, t0, t1 float64) []*Node {
	if s.Steps() < 1 {
		exceptions.Panicf("solver.Unroll: %v has %d steps: it needs at least 1", s, s.Steps())
	}
	scalar := func(v float64) *Node { return ConstAsDType(y[0].Graph(), y[0].DType(), v) }
	n := scalar(float64(s.Steps()))
	for i := range s.Steps() {
		start := make([]*Node, len(y))
		for part := range y {
			start[part] = y[part].Checkpoint()
		}
		y = s.Step(f, start, NewInterval(scalar(t0), scalar(t1), scalar(float64(i)), n))
	}
	for part := range y {
		y[part] = y[part].StopCheckpoint()
	}
	return y
}
