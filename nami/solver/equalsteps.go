package solver

import (
	"context"
	"fmt"
	"slices"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// equalSteps fills the solution with a solve in equal steps. Beside y the state holds how
// many steps each sample was finite after.
func (p *Program) equalSteps(ctx context.Context, s *Solution, dtype dtypes.DType, fixed []*tensors.Tensor, run Run) error {
	own := []*tensors.Tensor{scalar(dtype, run.T0), scalar(dtype, run.T1), scalar(dtype, float64(run.Steps))}
	if p.solver.Traits().Stochastic {
		own = append(own, gomlx.Key(run.Seed, 0), tensors.FromScalar(uint32(run.Offset)))
	}
	defer finalize(own)
	good := tensors.FromFlatDataAndDimensions(make([]int32, len(s.Codes)), len(s.Codes))
	if p.joint {
		good = tensors.FromScalar(int32(0))
	}
	var after func(int, []*tensors.Tensor)
	if run.Progress != nil {
		after = func(done int, _ []*tensors.Tensor) { run.Progress(done, run.Steps) }
	}
	out, _, err := p.steps.Run(ctx, run.Steps, append(slices.Clone(s.Y), good), slices.Concat(own, fixed), after)
	if err != nil {
		return fmt.Errorf("solver: %w", err)
	}
	s.Y, good = out[:len(s.Y)], out[len(s.Y)]
	defer finalize([]*tensors.Tensor{good})
	s.Evaluations = run.Steps * int(p.inStep.Load())
	return readInts(good, func(i int, steps int32) {
		s.Accepted[i] = int(steps)
		if int(steps) < run.Steps {
			s.Codes[i] = NonFinite
			s.Times[i] = run.T0 + (run.T1-run.T0)*float64(steps)/float64(run.Steps)
		}
	})
}

// fixedStep is one step of a solve in equal steps.
func (p *Program) fixedStep(scope *model.Scope, i *Node, state, fixed []*Node) ([]*Node, *Node) {
	y, good := state[:len(state)-1], state[len(state)-1]
	over := NewInterval(fixed[0], fixed[1], ConvertDType(i, y[0].DType()), fixed[2])
	calls := 0
	var next []*Node
	if p.solver.Traits().Stochastic {
		system := p.system(scope, fixed[5:], &calls)
		sde := p.solver.(SDE)
		next = sde.Step(system, y, over, noise(gomlx.NewCounter(fixed[3], fixed[4]), i, sde.Draws(), y))
	} else {
		next = p.solver.(ODE).Step(p.system(scope, fixed[3:], &calls).Drift, y, over)
	}
	p.inStep.Store(int64(calls))
	checkStep(p.solver, y, next)
	// A sample counts a step as long as it has counted all before.
	fine := LogicalAnd(finite(next, len(p.lead(y))), Equal(good, i))
	return append(slices.Clone(next), Add(good, ConvertDType(fine, dtypes.Int32))), nil
}

// checkStep panics unless next is shaped like y.
func checkStep(s Solver, y, next []*Node) {
	if len(next) != len(y) {
		exceptions.Panicf("solver: the step of %v returned %d parts for a state of %d", s, len(next), len(y))
	}
	for part := range y {
		if !next[part].Shape().Equal(y[part].Shape()) {
			exceptions.Panicf("solver: the step of %v returned %s for part %d of the state, which is %s", s, next[part].Shape(), part, y[part].Shape())
		}
	}
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

// noise draws for step i what an [SDE] needs: numbers that depend on the step, the draw,
// the part, the sample's number and the place in its event.
func noise(c *gomlx.Counter, i *Node, draws int, y []*Node) [][]*Node {
	out := make([][]*Node, draws)
	for k := range out {
		for part, x := range y {
			out[k] = append(out[k], c.Fold(i, uint32(k)<<16|uint32(part)).Normal(x.Graph(), x.Shape()))
		}
	}
	return out
}
