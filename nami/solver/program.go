package solver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync/atomic"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/loop"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Build makes the system in the graph of one step. fixed are the inputs that don't
// change along the solve: a context, a mask, the probes of a trace estimator. It may use
// no other nodes, and change no variables.
type Build func(scope *model.Scope, fixed []*Node) System

// Program is a solver compiled for one system: one loop, whose number of steps is an
// input, so that the time to compile doesn't depend on it. What can't stand in a
// compiled loop is driven step by step from the host, with the same numbers. It is
// compiled once for each combination of shapes; the sixteen most recent ones are kept.
//
// A Program is safe for concurrent use; calls take turns on the device.
type Program struct {
	solver Solver
	build  Build
	joint  bool // the parts have no lead in common: they are one sample

	begin *loop.Single // an adaptive solve's first slope and step
	steps *loop.Program

	// Evaluations of the field by begin and by one step.
	atBegin, inStep atomic.Int64
}

// Run says from where to where to solve.
type Run struct {
	// T0 and T1 are the times at the begin and at the end; time runs backwards if T1 < T0.
	T0, T1 float64

	// Steps is the number of steps, for an adaptive solver the most that it attempts; 0
	// takes the solver's.
	Steps int

	// Seed starts the noise of a stochastic equation. The noise of a sample depends on the
	// seed and on the sample's number, and not on the others.
	Seed int64

	// Offset is the number of the first sample: who solves for many samples in chunks
	// gives each chunk its own, and draws the same noise as at once.
	Offset int

	// Progress is told about ten times a second, if not nil, how many of the steps are
	// done; with an adaptive solver how many thousandths of the time the slowest sample
	// has covered.
	Progress func(done, total int)
}

// NewProgram returns the program that solves build's system with s, with the variables of
// store. Nothing is compiled yet. It is an error if s is none of [ODE], [SDE] and
// [Adaptive], or says otherwise.
func NewProgram(backend compute.Backend, store *model.Store, s Solver, build Build) (*Program, error) {
	return newProgram(backend, store, s, build, false)
}

func newProgram(backend compute.Backend, store *model.Store, s Solver, build Build, joint bool) (*Program, error) {
	if backend == nil || store == nil || build == nil {
		return nil, errors.New("solver: a program needs a backend, a store and the function that builds its system: one of them is nil")
	}
	if err := Validate(s); err != nil {
		return nil, err
	}
	p := &Program{solver: s, build: build, joint: joint}
	body := p.fixedStep
	if a, ok := s.(Adaptive); ok {
		p.begin = loop.NewSingle(backend, store, func(scope *model.Scope, in [][]*Node) []*Node {
			return p.adaptiveBegin(a, scope, in[0], in[1], in[2])
		})
		body = func(scope *model.Scope, _ *Node, state, fixed []*Node) ([]*Node, *Node) {
			return p.adaptiveStep(a, scope, state, fixed)
		}
	}
	p.steps = loop.New(backend, store, body)
	return p, nil
}

// Validate says what is wrong with a solver: nil, no steps, settings out of range, or
// traits that contradict its methods.
func Validate(s Solver) error {
	if s == nil {
		return errors.New("solver: the solver is nil: use solver.RK4(64), say")
	}
	if a, ok := s.(Adaptive); ok {
		if err := a.validate(); err != nil {
			return err
		}
	}
	if s.Steps() < 1 {
		return fmt.Errorf("solver: %v has %d steps: it needs at least 1", s, s.Steps())
	}
	traits := s.Traits()
	_, ode := s.(ODE)
	_, sde := s.(SDE)
	_, adaptive := s.(Adaptive)
	switch {
	case traits.Adaptive != adaptive:
		return fmt.Errorf("solver: the traits of %v say Adaptive: %t, but it is a %T: only this package's Adaptive chooses its steps", s, traits.Adaptive, s)
	case traits.Stochastic && !sde:
		return fmt.Errorf("solver: the traits of %v say that it is stochastic, but %T lacks the methods Draws and Step of solver.SDE", s, s)
	case !traits.Stochastic && !ode && !adaptive:
		return fmt.Errorf("solver: the traits of %v say that it is for ordinary equations, but %T lacks the method Step of solver.ODE", s, s)
	}
	return nil
}

// Solve solves from run.T0 to run.T1. Each part of y is [n, event...]: n samples, the
// same number in all parts, of one float dtype. It consumes y, whether it succeeds or
// not, and reads fixed.
//
// An error is misuse, a failure of the device, or the cause of ctx, which is looked at
// about ten times a second. Samples that fail are no error here: see [Solution.Err].
func (p *Program) Solve(ctx context.Context, y, fixed []*tensors.Tensor, run Run) (*Solution, error) {
	n, dtype, err := p.samples(y)
	if err == nil {
		err = cmp.Or(run.validate(), checkFixed(fixed))
	}
	if err == nil && ctx == nil {
		err = errors.New("solver: the context.Context is nil: give context.Background(), say")
	}
	if err != nil {
		finalize(y)
		return nil, err
	}
	if run.Steps == 0 {
		run.Steps = p.solver.Steps()
	}
	solution := &Solution{
		Y: y, Codes: make([]Code, n), Times: slices.Repeat([]float64{run.T1}, n),
		Accepted: make([]int, n), Rejected: make([]int, n), t0: run.T0, t1: run.T1,
	}
	if run.T0 == run.T1 { // no step will find what isn't finite
		for _, x := range y {
			err = cmp.Or(err, gomlx.EachFloat(x, func(i int, v float64) {
				if v-v != 0 {
					solution.Codes[i/(x.Size()/n)] = NonFinite
				}
			}))
		}
		return solution, err
	}
	if p.begin != nil {
		err = p.adaptive(ctx, solution, dtype, fixed, run)
	} else {
		err = p.equalSteps(ctx, solution, dtype, fixed, run)
	}
	if err != nil {
		return nil, err
	}
	return solution, nil
}

func (r Run) validate() error {
	switch {
	case math.IsNaN(r.T0-r.T1) || math.IsInf(r.T0-r.T1, 0):
		return fmt.Errorf("solver: can't solve from t = %g to %g: both times must be finite", r.T0, r.T1)
	case r.Steps < 0:
		return fmt.Errorf("solver: Run.Steps is %d: give at least 1, or 0 for the solver's own number", r.Steps)
	case r.Steps >= math.MaxInt32:
		return fmt.Errorf("solver: Run.Steps is %d: it must be less than 2³¹-1", r.Steps)
	case r.Offset < 0 || int64(r.Offset) > math.MaxUint32:
		return fmt.Errorf("solver: Run.Offset is %d: it must be from 0 to 2³²-1", r.Offset)
	}
	return nil
}

// checkFixed refuses inputs that GoMLX may not survive.
func checkFixed(fixed []*tensors.Tensor) error {
	for i, x := range fixed {
		if x == nil {
			return fmt.Errorf("solver: fixed input %d is nil", i)
		}
		if x.Size() == 0 {
			return fmt.Errorf("solver: fixed input %d is %s: every axis needs at least 1 value", i, x.Shape())
		}
	}
	return nil
}

// samples is how many samples the parts of a state have, all in one dtype.
func (p *Program) samples(y []*tensors.Tensor) (n int, dtype dtypes.DType, err error) {
	if len(y) == 0 {
		return 0, dtype, errors.New("solver: the state has no parts")
	}
	if a, ok := p.solver.(Adaptive); ok && len(a.Weights) > 0 {
		if !p.joint && len(a.Weights) != len(y) {
			return 0, dtype, fmt.Errorf("solver: %v has %d weights for a state of %d parts: give one for each", a, len(a.Weights), len(y))
		}
		if slices.Max(a.Weights) == 0 {
			return 0, dtype, fmt.Errorf("solver: all weights of %v are 0: the error of no part would choose the steps", a)
		}
	}
	for part, x := range y {
		if x == nil {
			return 0, dtype, fmt.Errorf("solver: part %d of the state is nil", part)
		}
		s := x.Shape()
		if part == 0 {
			dtype, n = s.DType, 1
			if !p.joint && s.Rank() > 0 {
				n = s.Dimensions[0]
			}
		}
		switch {
		case dtype != dtypes.Float32 && dtype != dtypes.Float64, s.DType != dtype:
			return 0, dtype, fmt.Errorf("solver: part %d of the state is %s, part 0 %s: all must be Float32, or all Float64", part, s, y[0].Shape())
		case s.Size() == 0:
			return 0, dtype, fmt.Errorf("solver: part %d of the state is %s: it has no values", part, s)
		case !p.joint && (s.Rank() == 0 || s.Dimensions[0] != n):
			return 0, dtype, fmt.Errorf("solver: part %d of the state is %s, part 0 %s: the first axis of each must be the samples, as many in all", part, s, y[0].Shape())
		}
	}
	return n, dtype, nil
}

// lead is the shape of what each sample has of its own.
func (p *Program) lead(y []*Node) []int {
	if p.joint {
		return nil
	}
	return y[0].Shape().Dimensions[:1]
}

// system builds the system, which counts its evaluations in calls.
func (p *Program) system(scope *model.Scope, fixed []*Node, calls *int) System {
	s := p.build(scope, fixed)
	if s.Diffusion != nil && !p.solver.Traits().Stochastic {
		exceptions.Panicf("solver: %v is a method for ordinary equations, but the system has a Diffusion: use SRA1(64), say", p.solver)
	}
	s.Drift = s.Drift.checked(calls)
	return s
}
