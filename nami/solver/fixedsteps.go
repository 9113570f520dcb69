package solver

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// timing is where the steps of a solve go: even ones from t0 to t1, or from one node to the
// next. In a graph T is a *Node, on the host a tensor.
type timing[T any] struct {
	last   T // int32: the number of the step that ends in a model's data, -1 if none does
	n      T // how many steps there are
	t0, t1 T // even steps
	nodes  T // others; a vector, filled up at the end
}

func (t timing[T]) list(even bool) []T {
	if even {
		return []T{t.last, t.n, t.t0, t.t1}
	}
	return []T{t.last, t.n, t.nodes}
}

func timingOf[T any](list []T, even bool) (t timing[T], rest []T) {
	if even {
		return timing[T]{last: list[0], n: list[1], t0: list[2], t1: list[3]}, list[4:]
	}
	return timing[T]{last: list[0], n: list[1], nodes: list[2]}, list[3:]
}

// interval is step i, an int32 scalar, of the times in a graph. They are computed from the
// step's number and never accumulated.
func interval(t timing[*Node], i *Node, dtype dtypes.DType) Interval {
	at := func(i *Node) *Node {
		if t.nodes != nil {
			return Reshape(Gather(t.nodes, Reshape(i, 1)))
		}
		return Add(t.t0, Mul(Sub(t.t1, t.t0), Div(ConvertDType(i, dtype), t.n)))
	}
	next := Add(i, ConstAs(i, int32(1)))
	return Interval{From: at(i), To: at(next), Last: Equal(i, t.last), BeforeLast: Equal(next, t.last), Steps: Identity(t.n)}
}

// nodes are where the steps of a run go; nil for even ones.
func (p *Program) nodes(about outline, run Run) (nodes []float64, err error) {
	return p.solver.nodes(Clock{p.backend, about.model}, about.modelled, run)
}

func (s Solver) nodes(clock Clock, modelled bool, run Run) (nodes []float64, err error) {
	grid := s.Grid
	if grid == nil && modelled {
		grid = clock.model.Grid
	}
	if _, even := grid.(Even); grid == nil || even {
		return nil, nil
	}
	if given, ok := grid.(Times); ok && run.Steps != len(given)-1 {
		return nil, fmt.Errorf("solver: Run.Steps is %d, and the grid of %v has its own number of steps: leave Run.Steps at 0", run.Steps, s)
	}
	return nodesOf(s, grid, run.Steps, run.T0, run.T1, clock)
}

// fewestNodes is the length of the shortest vector of nodes.
const fewestNodes = 256

// padded is nodes filled up with the last one, to one of a few lengths: each is a program.
func padded(nodes []float64, dtype dtypes.DType) (*tensors.Tensor, error) {
	if err := distinct(nodes, dtype); err != nil {
		return nil, err
	}
	length := fewestNodes
	for length < len(nodes) {
		length *= 4
	}
	values := slices.Concat(nodes, slices.Repeat(nodes[len(nodes)-1:], length-len(nodes)))
	return gomlx.FromFloats(dtype, values, length), nil
}

// distinct is an error if two nodes are one number in the dtype.
func distinct(nodes []float64, dtype dtypes.DType) error {
	for i, t := range nodes[1:] {
		if dtype == dtypes.Float32 && float32(t) == float32(nodes[i]) {
			return fmt.Errorf("solver: the times %v and %v of steps %d and %d are one number in Float32: take fewer steps, or compute in Float64", nodes[i], t, i, i+1)
		}
	}
	return nil
}

// fixedState is what a solve in fixed steps carries from one to the next.
type fixedState struct {
	y, carry []*Node
	good     *Node // after how many steps each sample was finite, int32
	saved    []*Node
}

func (s fixedState) list() []*Node {
	return slices.Concat(s.y, s.carry, []*Node{s.good}, s.saved)
}

func (l layout) fixedStateOf(list []*Node) (s fixedState) {
	s.y, list = list[:l.parts], list[l.parts:]
	s.carry, list = list[:l.carry], list[l.carry:]
	s.good, s.saved = list[0], list[1:]
	return s
}

// fixedSteps fills the solution with a solve in a number of steps.
func (p *Program) fixedSteps(ctx context.Context, s *Solution, about outline, dtype dtypes.DType, fixed []*tensors.Tensor, run Run) (err error) {
	state := slices.Clone(s.Y)
	own := []*tensors.Tensor{}
	defer func() { gomlx.Finalize(own) }()
	fail := func(err error) error {
		gomlx.Finalize(slices.Concat(state, s.Saved))
		return err
	}
	if err := context.Cause(ctx); err != nil { // before a long compilation
		return fail(fmt.Errorf("solver: stopped before the first step: %w", err))
	}
	nodes, err := p.nodes(about, run)
	if err != nil {
		return fail(err)
	}
	if nodes != nil {
		run.Steps = len(nodes) - 1
	}
	l := layout{parts: len(s.Y), carry: about.carry, even: nodes == nil, saves: len(run.Save) > 0}
	times := timing[*tensors.Tensor]{last: tensors.FromScalar(int32(-1)), n: scalar(dtype, float64(run.Steps))}
	if about.modelled && run.T1 == 0 && !p.joint { // an adjoint goes back the way that it came
		times.last = tensors.FromScalar(int32(run.Steps - 1))
	}
	if l.even {
		times.t0, times.t1 = scalar(dtype, run.T0), scalar(dtype, run.T1)
	} else if times.nodes, err = padded(nodes, dtype); err != nil {
		return fail(err)
	}
	own = times.list(l.even)
	if p.solver.Stochastic() {
		own = append(own, run.random()...)
	}
	if l.saves {
		records, err := p.recording(s.Y, nodes, dtype, run)
		if err != nil {
			return fail(err)
		}
		own = append(own, records...)
	}
	if l.carry > 0 {
		at := scalar(dtype, run.T0)
		own = append(own, at)
		begin := p.begin(l, func(calls *int, scope *model.Scope, in [][]*Node) []*Node {
			return p.solver.Method.Init(p.system(scope, in[2], calls), in[0], in[1][0])
		})
		carry, err := begin.program.Call(s.Y, []*tensors.Tensor{at}, fixed)
		own = own[:len(own)-1]
		at.MustFinalizeAll()
		if err != nil {
			return fail(fmt.Errorf("solver: %w", err))
		}
		state = append(state, carry...)
		s.Evaluations = int(begin.calls.Load())
	}
	good := tensors.FromFlatDataAndDimensions(make([]int32, len(s.Codes)), len(s.Codes))
	if p.joint {
		good = tensors.FromScalar(int32(0))
	}
	state = slices.Concat(state, []*tensors.Tensor{good}, s.Saved)
	var after func(int, []*tensors.Tensor)
	if run.Progress != nil {
		after = func(done int, _ []*tensors.Tensor) { run.Progress(done, run.Steps) }
	}
	steps := p.steps(l, func(calls *int, scope *model.Scope, i *Node, state, fixed []*Node) ([]*Node, *Node) {
		return p.fixedStep(l, calls, scope, i, state, fixed), nil
	})
	out, _, err := steps.program.Run(ctx, run.Steps, state, slices.Concat(own, fixed), after)
	if err != nil {
		return fmt.Errorf("solver: %w", err)
	}
	s.Y, out = out[:l.parts], out[l.parts:]
	gomlx.Finalize(out[:l.carry])
	good, s.Saved = out[l.carry], out[l.carry+1:]
	defer good.MustFinalizeAll()
	s.Evaluations += run.Steps * int(steps.calls.Load())
	return readInts(good, func(i int, steps int32) {
		s.Accepted[i] = int(steps)
		if int(steps) < run.Steps {
			s.Codes[i] = NonFinite
			s.Times[i] = run.T0 + (run.T1-run.T0)*float64(steps)/float64(run.Steps)
			if nodes != nil {
				s.Times[i] = nodes[steps]
			}
		}
	})
}

// fixedStep is one step of a solve in fixed steps.
func (p *Program) fixedStep(l layout, calls *int, scope *model.Scope, i *Node, list, fixed []*Node) []*Node {
	now := l.fixedStateOf(list)
	times, fixed := timingOf(fixed, l.even)
	over := interval(times, i, now.y[0].DType())
	method := p.solver.Method
	var noise [][]*Node
	if p.solver.Stochastic() {
		noise = draw(gomlx.NewCounter(fixed[0], fixed[1]), i, method.Draws(), now.y)
		fixed = fixed[2:]
	}
	var save recording[*Node]
	if l.saves {
		save, fixed = recordingOf(fixed, l.parts, p.solver.Stochastic())
	}
	system := p.solver.within(p.system(scope, fixed, calls), over)
	for k := range noise {
		noise[k] = system.quieten(noise[k])
	}
	if save.bridge != nil {
		save.bridge = system.quieten(save.bridge)
	}
	step := method.Step(system, now.y, now.carry, over, noise)
	checkStep(method, now.y, now.carry, step)
	// A sample counts a step as long as it has counted all before.
	fine := LogicalAnd(finite(step.Y, len(p.lead(now.y))), Equal(now.good, i))
	next := fixedState{y: step.Y, carry: step.Carry, good: Add(now.good, ConvertDType(fine, dtypes.Int32)), saved: now.saved}
	if l.saves {
		next.saved = record(save, p.interpolant(system, now.y, step, over), system, i, now, step, over)
	}
	return next.list()
}

// interpolant is the state within a step.
func (p *Program) interpolant(s System, from []*Node, step Step, over Interval) Interpolant {
	switch {
	case p.solver.Stochastic():
		return straight(from, step.Y)
	case step.Between != nil:
		return step.Between()
	}
	return hermite(s, over, from, step.Y)
}

// finite is true for the elements of a lead of the given rank all of whose values are.
func finite(y []*Node, rank int) (all *Node) {
	for _, x := range y {
		ok := overEvent(IsFinite(x), rank, ReduceLogicalAnd)
		if all == nil {
			all = ok
		} else {
			all = LogicalAnd(all, ok)
		}
	}
	return all
}

// draw is the noise of step i: numbers that depend on the step, the draw, the part, the
// sample's number and the place in its event.
func draw(c *gomlx.Counter, i *Node, draws int, y []*Node) [][]*Node {
	out := make([][]*Node, draws)
	for k := range out {
		for part, x := range y {
			out[k] = append(out[k], c.Fold(i, uint32(k)<<16|uint32(part)).Normal(x.Graph(), x.Shape()))
		}
	}
	return out
}

// timeShape is the shape of a time for a state whose samples have that lead.
func timeShape(y []*Node, lead []int) shapes.Shape { return shapes.Make(y[0].DType(), lead...) }

// locate finds the step in which a time of a run lies, and whether it ends there; -1 for the
// beginning. nodes are as in [Solver.nodes].
func locate(t float64, nodes []float64, run Run) (step int, atEnd bool) {
	// How far along the time is, in steps: a whole number at a node, up to rounding.
	const rounding = 1e-9
	along := (t - run.T0) / (run.T1 - run.T0) * float64(run.Steps)
	if nodes != nil {
		i, _ := slices.BinarySearchFunc(nodes, t, func(node, t float64) int {
			if (t-node)*(run.T1-run.T0) > 0 {
				return -1
			}
			return 1
		})
		i = max(1, min(i, len(nodes)-1)) // the node after t, or at it
		along = float64(i-1) + (t-nodes[i-1])/(nodes[i]-nodes[i-1])
	}
	if near := math.Round(along); math.Abs(along-near) <= rounding*max(1, near*1e-6) {
		if near == 0 && t != run.T0 {
			return 0, false
		}
		return int(near) - 1, true
	}
	return int(along), false
}
