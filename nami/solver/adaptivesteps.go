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
	"github.com/gomlx/gomlx/support/exceptions"
)

// adaptiveState is what an adaptive solve carries from one attempt to the next. The six
// after carry have the shape of the lead: a value for each sample, or a scalar if they
// share one.
type adaptiveState struct {
	y, carry []*Node
	t, h     *Node // where it is, and the signed length to try next
	previous *Node // the error's norm in the last accepted step
	accepted *Node // int32
	rejected *Node // int32
	code     *Node // int32, a Code
	saved    []*Node
}

// controls is the number of nodes from t to code.
const controls = 6

func (s adaptiveState) list() []*Node {
	return slices.Concat(s.y, s.carry, []*Node{s.t, s.h, s.previous, s.accepted, s.rejected, s.code}, s.saved)
}

func (l layout) adaptiveStateOf(list []*Node) (s adaptiveState) {
	s.y, list = list[:l.parts], list[l.parts:]
	s.carry, list = list[:l.carry], list[l.carry:]
	s.t, s.h, s.previous, s.accepted, s.rejected, s.code = list[0], list[1], list[2], list[3], list[4], list[5]
	s.saved = list[controls:]
	return s
}

// adaptive fills the solution with a solve in chosen steps.
func (p *Program) adaptive(ctx context.Context, s *Solution, about outline, dtype dtypes.DType, fixed []*tensors.Tensor, run Run) error {
	times := []*tensors.Tensor{scalar(dtype, run.T1), scalar(dtype, smallestStep(dtype, run)), scalar(dtype, run.T0)}
	defer gomlx.Finalize(times)
	fail := func(err error) error {
		gomlx.Finalize(slices.Concat(s.Y, s.Saved))
		return err
	}
	if err := context.Cause(ctx); err != nil { // before a long compilation
		return fail(fmt.Errorf("solver: stopped before the first step: %w", err))
	}
	l := layout{parts: len(s.Y), carry: about.carry, saves: len(run.Save) > 0}
	begin := p.begin(l, func(calls *int, scope *model.Scope, in [][]*Node) []*Node {
		return p.adaptiveBegin(calls, scope, in[0], in[1], in[2])
	})
	rest, err := begin.program.Call(s.Y, times, fixed)
	if err != nil {
		return fail(fmt.Errorf("solver: %w", err))
	}
	var after func(int, []*tensors.Tensor)
	if run.Progress != nil {
		after = func(_ int, state []*tensors.Tensor) {
			if c, err := l.readControls(state); err == nil {
				run.Progress(int(1000*c.covered(run)), 1000)
			}
		}
	}
	own := times[:2:2]
	if l.saves {
		at := gomlx.FromFloats(dtype, run.Save, len(run.Save))
		defer at.MustFinalizeAll()
		own = append(own, at)
	}
	steps := p.steps(l, func(calls *int, scope *model.Scope, _ *Node, state, fixed []*Node) ([]*Node, *Node) {
		return p.adaptiveStep(l, calls, scope, state, fixed)
	})
	out, attempts, err := steps.program.Run(ctx, run.Steps, slices.Concat(s.Y, rest, s.Saved), slices.Concat(own, fixed), after)
	if err != nil {
		return fmt.Errorf("solver: %w", err)
	}
	c, err := l.readControls(out)
	if err != nil {
		gomlx.Finalize(out)
		return err
	}
	s.Y, out = out[:l.parts], out[l.parts:]
	gomlx.Finalize(out[:l.carry+controls])
	s.Saved = out[l.carry+controls:]
	s.Evaluations = int(begin.calls.Load()) + attempts*int(steps.calls.Load())
	for i := range s.Codes {
		j := min(i, len(c.t)-1) // there is one for all if they share their steps
		s.Accepted[i], s.Rejected[i] = int(c.accepted[j]), int(c.rejected[j])
		s.Codes[i] = Code(c.code[j])
		if s.Codes[i] == Success && !c.arrived(j, run.T1, dtype) {
			s.Codes[i] = MaxSteps
		}
		if s.Codes[i] != Success {
			s.Times[i] = c.t[j]
		}
	}
	return nil
}

// smallestStep is a thousand times finer than the resolution of time at its far end.
func smallestStep(dtype dtypes.DType, run Run) float64 {
	return ulps * gomlx.Epsilon(dtype) * 1e-3 * math.Max(math.Abs(run.T0), math.Abs(run.T1))
}

// controlled is the shape of what has a step size of its own.
func (p *Program) controlled(y []*Node) []int {
	if p.solver.Shared {
		return nil
	}
	return p.lead(y)
}

// adaptiveBegin builds what an adaptive state has beside y, without what is saved. times
// are t1, the smallest step and t0.
func (p *Program) adaptiveBegin(calls *int, scope *model.Scope, y, times, fixed []*Node) []*Node {
	system, solver, lead := p.system(scope, fixed, calls), p.solver, p.controlled(y)
	t1, smallest, t0 := times[0], times[1], times[2]
	g, dtype := t0.Graph(), t0.DType()
	t := BroadcastToDims(t0, lead...)
	s := adaptiveState{
		carry: solver.Method.Init(system, y, t), t: t,
		previous: BroadcastToDims(ConstAsDType(g, dtype, 1), lead...),
		accepted: Zeros(g, shapes.Make(dtypes.Int32, lead...)),
		rejected: Zeros(g, shapes.Make(dtypes.Int32, lead...)),
	}
	for i, x := range s.carry {
		if dims := x.Shape().Dimensions; len(dims) < len(lead) || !slices.Equal(dims[:len(lead)], lead) {
			exceptions.Panicf("solver: %v carries %s from step to step (node %d of its memory): where each sample has its own steps, it must begin with the axes %v", solver.Method, x.Shape(), i, lead)
		}
	}
	slope := s.carry
	if tableau, ok := solver.Method.(Tableau); !ok || !tableau.firstSameAsLast() {
		slope = system.Drift(y, t)
	}
	s.code = Where(IsFinite(solver.norm(slope, y, y, lead)), ZerosLike(s.accepted), AddScalar(ZerosLike(s.accepted), int(NonFinite)))
	span := Sub(t1, t)
	h := BroadcastToDims(ConstAsDType(g, dtype, solver.FirstStep), lead...)
	if solver.FirstStep == 0 {
		h = solver.firstStep(system.Drift, y, slope, t, lead, span, p.errorOrder())
	}
	s.h = Mul(Min(Max(h, resolution(t, smallest)), Abs(span)), Sign(span))
	return s.list()
}

func (p *Program) errorOrder() float64 { return float64(p.solver.Method.(Embedded).ErrorOrder()) }

// adaptiveStep is one attempt, and says whether any sample needs another.
func (p *Program) adaptiveStep(l layout, calls *int, scope *model.Scope, list, fixed []*Node) ([]*Node, *Node) {
	s := l.adaptiveStateOf(list)
	t1, smallest, given := fixed[0], fixed[1], fixed[2:]
	var saves *Node
	if l.saves {
		saves, given = given[0], given[1:]
	}
	system, solver, lead := p.system(scope, given, calls), p.solver, s.t.Shape().Dimensions

	running := s.unfinished(t1)
	remaining := Sub(t1, s.t)
	last := GreaterOrEqual(Abs(s.h), Abs(remaining))
	over := Interval{From: s.t, To: Where(last, t1, Add(s.t, s.h))} // t1 itself, not what rounding makes of it
	h := Where(last, remaining, s.h)
	step := solver.Method.Step(system, s.y, s.carry, over, nil)
	checkStep(solver.Method, s.y, s.carry, step)
	if step.Error == nil {
		exceptions.Panicf("solver: the step of %v has no error estimate, though its ErrorOrder is %v", solver.Method, p.errorOrder())
	}
	e := solver.norm(step.Error, s.y, step.Y, lead)

	// A norm that is NaN or infinite isn't at most 1, so such a step is rejected.
	finite := IsFinite(e)
	small := LessOrEqual(e, ConstAs(e, 1))
	accept, reject := LogicalAnd(running, small), LogicalAnd(running, LogicalNot(small))
	control := solver.control()
	proposed := Mul(h, Where(finite, control.factor(e, s.previous, small, p.errorOrder()), ConstAs(e, control.Min)))
	stuck := LogicalAnd(reject, LessThan(Abs(proposed), resolution(s.t, smallest)))

	next := adaptiveState{
		y: choose(accept, step.Y, s.y), carry: choose(accept, step.Carry, s.carry),
		t: Where(accept, over.To, s.t), h: Where(running, proposed, s.h),
		previous: Where(accept, Max(e, ConstAs(e, 1e-4)), s.previous),
		accepted: Add(s.accepted, count(accept)), rejected: Add(s.rejected, count(reject)),
		code: Where(stuck, Where(finite, ConstAs(s.code, int32(StepTooSmall)), ConstAs(s.code, int32(NonFinite))),
			s.code),
		saved: s.saved,
	}
	if l.saves {
		next.saved = putWithin(p.interpolant(system, s.y, step, over), over, saves, accept, step.Y, s.saved)
	}
	more := next.unfinished(t1)
	if !more.IsScalar() {
		more = ReduceLogicalOr(more)
	}
	return next.list(), more
}

// unfinished is true for the samples that have neither failed nor reached t1.
func (s adaptiveState) unfinished(t1 *Node) *Node {
	return LogicalAnd(Equal(s.code, ConstAs(s.code, int32(Success))), NotEqual(s.t, t1))
}

// readings are the controls of an adaptive state on the host.
type readings struct {
	t                        []float64
	accepted, rejected, code []int32
}

func (l layout) readControls(state []*tensors.Tensor) (r readings, err error) {
	c := state[l.parts+l.carry:]
	for into, x := range map[*[]int32]*tensors.Tensor{&r.accepted: c[3], &r.rejected: c[4], &r.code: c[5]} {
		if err := readInts(x, func(_ int, v int32) { *into = append(*into, v) }); err != nil {
			return r, err
		}
	}
	r.t, err = readFloats(c[0])
	return r, err
}

// arrived is true if sample i is at t1.
func (r readings) arrived(i int, t1 float64, dtype dtypes.DType) bool {
	if dtype == dtypes.Float32 {
		t1 = float64(float32(t1))
	}
	return r.t[i] == t1
}

// covered is the part of the time that the slowest sample which goes on has covered.
func (r readings) covered(run Run) float64 {
	least := 1.0
	for i, t := range r.t {
		if Code(r.code[i]) == Success {
			least = min(least, (t-run.T0)/(run.T1-run.T0))
		}
	}
	return least
}
