package solver

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Unroll builds the graph of a whole solve from t0 to t1, step by step, and returns
// the last state. Gradients flow through it; each step is a checkpoint, so that the
// backward pass holds one step's intermediate values at a time. The graph, and the
// time to compile it, grow with the number of steps: [Program] solves without
// unrolling, and [Adjoint] differentiates without. It panics unless s is an [ODE] with at
// least one step, through which gradients flow (see [Traits]).
func Unroll(s Solver, f Dynamics, y []*Node, t0, t1 float64) []*Node {
	ode, ok := s.(ODE)
	if !ok {
		exceptions.Panicf("solver.Unroll: %v is no method for ordinary equations with a fixed number of steps, which an unrolled graph needs: use RK4(64), say", s)
	}
	calls := 0
	f = f.checked(&calls)
	return unroll("Unroll", s, y, t0, t1, func(_ int, y []*Node, over Interval) []*Node {
		return ode.Step(f, y, over)
	})
}

// UnrollSDE is [Unroll] for a stochastic equation. noise returns standard normal numbers
// shaped like a part of the state, for each step, draw (see [SDE]) and part: recorded
// ones, say.
func UnrollSDE(s SDE, system System, y []*Node, t0, t1 float64, noise func(step, draw, part int, like *Node) *Node) []*Node {
	calls := 0
	system.Drift = system.Drift.checked(&calls)
	return unroll("UnrollSDE", s, y, t0, t1, func(i int, y []*Node, over Interval) []*Node {
		draws := make([][]*Node, s.Draws())
		for k := range draws {
			for part := range y {
				z := noise(i, k, part, y[part])
				if !z.Shape().Equal(y[part].Shape()) {
					exceptions.Panicf("solver.UnrollSDE: the noise of part %d is %s, the part %s: both must have one shape and dtype", part, z.Shape(), y[part].Shape())
				}
				draws[k] = append(draws[k], z)
			}
		}
		return s.Step(system, y, over, draws)
	})
}

func unroll(name string, s Solver, y []*Node, t0, t1 float64, step func(i int, y []*Node, over Interval) []*Node) []*Node {
	if s == nil {
		exceptions.Panicf("solver.%s: the solver is nil", name)
	}
	if s.Steps() < 1 {
		exceptions.Panicf("solver.%s: %v has %d steps: it needs at least 1", name, s, s.Steps())
	}
	if !s.Traits().Differentiable {
		exceptions.Panicf("solver.%s: the traits of %v say that gradients don't flow through it: solve with a Program, and differentiate with an Adjoint", name, s)
	}
	if len(y) == 0 {
		exceptions.Panicf("solver.%s: the state has no parts", name)
	}
	if err := (Run{T0: t0, T1: t1}).validate(); err != nil {
		panic(err)
	}
	scalar := func(v float64) *Node { return ConstAsDType(y[0].Graph(), y[0].DType(), v) }
	n := scalar(float64(s.Steps()))
	for i := range s.Steps() {
		start := make([]*Node, len(y))
		for part := range y {
			start[part] = y[part].Checkpoint()
		}
		y = step(i, start, NewInterval(scalar(t0), scalar(t1), scalar(float64(i)), n))
	}
	for part := range y {
		y[part] = y[part].StopCheckpoint()
	}
	return y
}
