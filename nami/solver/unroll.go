package solver

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Unroll builds the graph of a whole solve from t0 to t1, step by step, and returns
// the last state. Gradients flow through it; each step is a checkpoint, so that the
// backward pass holds one step's intermediate values at a time. The graph, and the
// time to compile it, grow with the number of steps: [Program] solves without
// unrolling, and [Adjoint] differentiates without.
//
// noise returns standard normal numbers shaped like a part of the state, for each step,
// draw (see [Method]) and part, recorded ones or new; nil for an ordinary equation. It
// panics on misuse: if the solver isn't valid or chooses its steps, and if a stochastic
// method gets no noise.
func Unroll(s Solver, system System, y []*Node, t0, t1 float64, noise func(step, draw, part int, like *Node) *Node) []*Node {
	if err := s.Validate(); err != nil {
		panic(err)
	}
	method := s.Method
	switch {
	case s.Adaptive():
		exceptions.Panicf("solver.Unroll: %v chooses its steps, and an unrolled graph needs a fixed number of them: use solver.RK4(64)", s)
	case s.Stochastic() && noise == nil:
		exceptions.Panicf("solver.Unroll: %v is a method for stochastic equations, and there is no noise: use solver.RK4(64) for an ordinary one", s)
	case len(y) == 0:
		exceptions.Panicf("solver.Unroll: the state has no parts")
	}
	run := Run{T0: t0, T1: t1, Steps: s.limit()}
	if err := run.validate(0); err != nil {
		panic(err)
	}
	if err := s.direction(run); err != nil {
		panic(err)
	}
	if t0 == t1 {
		return y
	}
	calls := 0
	system = s.prepare(system, &calls)
	g, dtype := y[0].Graph(), y[0].DType()
	_, needed := method.(NoiseLevels)
	modelled := system.Model != nil && (needed || system.Coordinates != nil)
	nodes, err := s.nodes(Clock{g.Backend(), system.Model}, modelled, run)
	if err != nil {
		panic(err)
	}
	if nodes != nil {
		run.Steps = len(nodes) - 1
	}
	at := func(i int) *Node { return ConstAsDType(g, dtype, run.node(nodes, i)) }
	carry := method.Init(system, y, at(0))
	for i := range run.Steps {
		start, memory := checkpoints(y), checkpoints(carry)
		left := run.Steps - 1 - i
		over := Interval{
			From: at(i), To: at(i + 1), Steps: ConstAsDType(g, dtype, run.Steps),
			Last: Const(g, modelled && t1 == 0 && left == 0), BeforeLast: Const(g, modelled && t1 == 0 && left == 1),
		}
		var draws [][]*Node
		for k := range method.Draws() {
			draws = append(draws, nil)
			for part := range y {
				z := noise(i, k, part, y[part])
				if z == nil || !z.Shape().Equal(y[part].Shape()) {
					exceptions.Panicf("solver.Unroll: the noise of part %d is %v, the part %s: both must have one shape and dtype", part, shapeOf(z), y[part].Shape())
				}
				draws[k] = append(draws[k], z)
			}
			draws[k] = system.quieten(draws[k])
		}
		step := method.Step(s.within(system, over), start, memory, over, draws)
		checkStep(method, start, memory, step)
		y, carry = step.Y, step.Carry
	}
	out := make([]*Node, len(y))
	for part := range y {
		out[part] = y[part].StopCheckpoint()
	}
	return out
}

// checkpoints marks what the backward pass may start from again.
func checkpoints(nodes []*Node) []*Node {
	out := make([]*Node, len(nodes))
	for i, x := range nodes {
		if out[i] = x; x.DType() == dtypes.Float32 || x.DType() == dtypes.Float64 {
			out[i] = x.Checkpoint()
		}
	}
	return out
}

func shapeOf(x *Node) any {
	if x == nil {
		return "nil"
	}
	return x.Shape()
}
