package solver

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// adaptive fills the solution with a solve in chosen steps.
func (p *Program) adaptive(ctx context.Context, s *Solution, dtype dtypes.DType, fixed []*tensors.Tensor, run Run) error {
	// A thousand times finer than the resolution of time at its far end.
	smallest := ulps * epsilon(dtype) * 1e-3 * math.Max(math.Abs(run.T0), math.Abs(run.T1))
	times := []*tensors.Tensor{scalar(dtype, run.T1), scalar(dtype, smallest), scalar(dtype, run.T0)}
	defer finalize(times)
	if err := context.Cause(ctx); err != nil { // before a long compilation
		finalize(s.Y)
		return fmt.Errorf("solver: stopped before the first step: %w", err)
	}
	rest, err := p.begin.Call(s.Y, times, fixed)
	if err != nil {
		finalize(s.Y)
		return fmt.Errorf("solver: %w", err)
	}
	var after func(int, []*tensors.Tensor)
	if run.Progress != nil {
		after = func(_ int, state []*tensors.Tensor) {
			if c, err := readControls(state); err == nil {
				run.Progress(int(1000*c.covered(run)), 1000)
			}
		}
	}
	parts := len(s.Y)
	out, attempts, err := p.steps.Run(ctx, run.Steps, append(slices.Clone(s.Y), rest...), slices.Concat(times[:2], fixed), after)
	if err != nil {
		return fmt.Errorf("solver: %w", err)
	}
	defer finalize(out[parts:])
	c, err := readControls(out)
	if err != nil {
		return err
	}
	s.Y = out[:parts]
	s.Evaluations = int(p.atBegin.Load()) + attempts*int(p.inStep.Load())
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

// adaptiveBegin builds what an adaptive state has beside y. times are t1, the smallest
// step and t0.
func (p *Program) adaptiveBegin(a Adaptive, scope *model.Scope, y, times, fixed []*Node) []*Node {
	calls := 0
	f := p.system(scope, fixed, &calls).Drift
	s := a.begin(f, y, p.controlled(a, y), times[2], times[0], times[1])
	p.atBegin.Store(int64(calls))
	return s.list()[len(y):]
}

// adaptiveStep is one attempt.
func (p *Program) adaptiveStep(a Adaptive, scope *model.Scope, state, fixed []*Node) ([]*Node, *Node) {
	calls := 0
	f := p.system(scope, fixed[2:], &calls).Drift
	next, more := a.attempt(f, adaptiveStateOf(state), fixed[0], fixed[1])
	p.inStep.Store(int64(calls))
	return next.list(), more
}

// controlled is the shape of what has a step size of its own.
func (p *Program) controlled(a Adaptive, y []*Node) []int {
	if a.Shared {
		return nil
	}
	return p.lead(y)
}

// readings are the controls of an adaptive state on the host.
type readings struct {
	t                        []float64
	accepted, rejected, code []int32
}

func readControls(state []*tensors.Tensor) (r readings, err error) {
	c := state[len(state)-controls:]
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
