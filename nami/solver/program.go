package solver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
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

// Build makes the system in the graph of one step. fixed are the inputs that stay the same
// during the solve: a context, a mask, the probes of a trace estimator. It may use no other
// nodes, and change no variables. It must describe the system's model in the same way each
// time.
type Build func(scope *model.Scope, fixed []*Node) System

// Program is a solver compiled for one system: one loop, whose number of steps is an
// input, so that the time to compile doesn't depend on it. What can't stand in a
// compiled loop is driven step by step from the host, with the same numbers. It is
// compiled once for each combination of shapes; the sixteen most recent ones are kept.
//
// A Program is safe for concurrent use; calls take turns on the device.
type Program struct {
	backend compute.Backend
	store   *model.Store
	solver  Solver
	build   Build
	joint   bool // the parts have no lead in common: they are one sample

	mu       sync.Mutex
	outlines map[string]outline
	begins   map[layout]*compiled[loop.Single]  // what comes before the first step
	loops    map[layout]*compiled[loop.Program] // the steps
	bridges  *loop.Single                       // what is saved of a stochastic solve within its steps
}

// compiled is a program and how often it evaluates the field: at all, or in each step.
type compiled[T any] struct {
	program *T
	calls   atomic.Int64
}

// layout says what a program's state and inputs are made of.
type layout struct {
	parts, carry int
	even         bool // steps of equal length, computed rather than given
	saves        bool // output within the solve
}

// Run says from which time to which to solve, and what to record on the way.
type Run struct {
	// T0 and T1 are the times at the beginning and at the end; time runs backwards if
	// T1 < T0.
	T0, T1 float64

	// Steps is the number of steps, for an adaptive solve the most that it attempts; 0
	// takes the solver's.
	Steps int

	// Save are times at which the state is wanted, from T0 to T1 and in this order, both
	// ends included or not. They change nothing about the steps: a state within a step comes
	// from the method's interpolant, or from a cubic polynomial through the step's ends and
	// their slopes; that of a stochastic method from a Brownian bridge between the ends,
	// with noise of its own, which has the right distribution where drift and diffusion
	// change little in a step.
	Save []float64

	// Seed starts the noise of a stochastic equation. The noise of a sample depends on the
	// seed and on the sample's number, and not on the others.
	Seed int64

	// Offset is the number of the first sample. A solve for many samples in chunks gives each
	// chunk its own, and so draws the same noise as one solve for all of them.
	Offset int

	// Sources, if not nil, say for each sample where its noise comes from, in place of Seed and
	// Offset: a solve for several callers at once gives each sample the noise that it would have
	// alone.
	Sources []Source

	// Progress, if not nil, is told about ten times a second how many of the steps are done,
	// or with an adaptive solver how many thousandths of the time the slowest sample has
	// covered.
	Progress func(done, total int)
}

// Source is where the random numbers of a sample come from: those of the sample with that
// number, from 0 to 2³²-1, of a solve with that seed.
type Source struct {
	Seed   int64
	Number int
}

// random are the key and the numbers from which the noise of a solve is drawn.
func (r Run) random() []*tensors.Tensor {
	if r.Sources == nil {
		return []*tensors.Tensor{gomlx.Key(r.Seed, 0), tensors.FromScalar(uint32(r.Offset))}
	}
	seeds, numbers := make([]int64, len(r.Sources)), make([]uint32, len(r.Sources))
	for i, s := range r.Sources {
		seeds[i], numbers[i] = s.Seed, uint32(s.Number)
	}
	return []*tensors.Tensor{gomlx.Keys(seeds, 0), tensors.FromFlatDataAndDimensions(numbers, len(numbers))}
}

// NewProgram returns the program that solves build's system with s, with the variables of
// store. Nothing is compiled yet. It is an error if the solver isn't valid.
func NewProgram(backend compute.Backend, store *model.Store, s Solver, build Build) (*Program, error) {
	return newProgram(backend, store, s, build, false)
}

func newProgram(backend compute.Backend, store *model.Store, s Solver, build Build, joint bool) (*Program, error) {
	if backend == nil || store == nil || build == nil {
		return nil, errors.New("solver: a program needs a backend, a store and the function that builds its system: one of them is nil")
	}
	if err := s.Validate(); err != nil {
		return nil, err
	}
	return &Program{
		backend: backend, store: store, solver: s, build: build, joint: joint,
		outlines: map[string]outline{}, begins: map[layout]*compiled[loop.Single]{}, loops: map[layout]*compiled[loop.Program]{},
		bridges: loop.NewSingle(backend, store, drawBridges),
	}, nil
}

// Solve solves from run.T0 to run.T1. Each part of y is [n, event...]: n samples, the
// same number in all parts, of one float dtype. It consumes y, whether it succeeds or
// not, and reads fixed.
//
// An error is misuse, a failure of the device, or the cause of ctx, which is looked at
// about ten times a second. Samples that fail are not an error here: see [Solution.Err].
func (p *Program) Solve(ctx context.Context, y, fixed []*tensors.Tensor, run Run) (*Solution, error) {
	n, dtype, err := p.samples(y)
	if err == nil {
		err = cmp.Or(run.validate(n), checkFixed(fixed), p.solver.direction(run))
	}
	if err == nil && ctx == nil {
		err = errors.New("solver: the context.Context is nil: give context.Background()")
	}
	var about outline
	if err == nil {
		about, err = p.outline(y, fixed)
	}
	if err != nil {
		gomlx.Finalize(y)
		return nil, err
	}
	if run.Steps == 0 {
		run.Steps = p.solver.limit()
	}
	solution := &Solution{
		Y: y, Codes: make([]Code, n), Times: slices.Repeat([]float64{run.T1}, n),
		Accepted: make([]int, n), Rejected: make([]int, n), t0: run.T0, t1: run.T1,
	}
	if len(run.Save) > 0 {
		if solution.Saved, err = newRecords(y, run); err != nil {
			gomlx.Finalize(y)
			return nil, err
		}
	}
	switch {
	case run.T0 == run.T1:
		return solution, p.noSteps(solution)
	case p.solver.Adaptive():
		err = p.adaptive(ctx, solution, about, dtype, fixed, run)
	default:
		err = p.fixedSteps(ctx, solution, about, dtype, fixed, run)
	}
	if err != nil {
		return nil, err
	}
	return solution, nil
}

// noSteps finds what isn't finite where there is no step that would.
func (p *Program) noSteps(s *Solution) (err error) {
	for _, x := range s.Y {
		err = cmp.Or(err, gomlx.EachFloat(x, func(i int, v float64) {
			if v-v != 0 {
				s.Codes[i/(x.Size()/len(s.Codes))] = NonFinite
			}
		}))
	}
	return err
}

// outline is what the host knows of a system and a method.
type outline struct {
	carry    int
	model    *Model
	modelled bool // steps are taken in the model's way, and end in its data
}

// outline builds the system in a graph that is thrown away, to see what it says of itself
// and what the method carries.
func (p *Program) outline(y, fixed []*tensors.Tensor) (about outline, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := loop.Key(y, fixed)
	if about, ok := p.outlines[key]; ok {
		return about, nil
	}
	calls := 0
	_, err = loop.Variables(p.backend, p.store, func(g *Graph) {
		state := gomlx.Parameters(g, y)
		s := p.system(p.store.RootScope().ResetVisited(), gomlx.Parameters(g, fixed), &calls)
		lead := p.lead(state)
		if !p.solver.Adaptive() || p.solver.Shared {
			lead = nil
		}
		about = outline{model: s.Model, carry: len(p.solver.Method.Init(s, state, Zeros(g, timeShape(state, lead))))}
		_, noise := p.solver.Method.(NoiseLevels)
		if noise && s.Model == nil {
			exceptions.Panicf("solver: %v steps from one noise level to the next, and the system has no model that tells them: use it for a Diffusion, or a FlowMatching whose Path is given, or use solver.Heun(20)", p.solver)
		}
		about.modelled = s.Model != nil && (noise || s.Coordinates != nil)
	})
	if err != nil {
		return about, err
	}
	if len(p.outlines) > 1000 { // of many shapes
		clear(p.outlines)
	}
	p.outlines[key] = about
	return about, nil
}

// begin is what comes before the first step of states of that layout. build counts the
// evaluations of the field in calls.
func (p *Program) begin(l layout, build func(calls *int, scope *model.Scope, in [][]*Node) []*Node) *compiled[loop.Single] {
	l.even, l.saves = false, false // which make no difference yet
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.begins[l] == nil {
		c := &compiled[loop.Single]{}
		c.program = loop.NewSingle(p.backend, p.store, func(scope *model.Scope, in [][]*Node) []*Node {
			calls := 0
			defer func() { c.calls.Store(int64(calls)) }()
			return build(&calls, scope, in)
		})
		p.begins[l] = c
	}
	return p.begins[l]
}

// steps is the loop over steps of states of that layout. body counts the evaluations of the
// field in calls.
func (p *Program) steps(l layout, body func(calls *int, scope *model.Scope, i *Node, state, fixed []*Node) ([]*Node, *Node)) *compiled[loop.Program] {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.loops[l] == nil {
		c := &compiled[loop.Program]{}
		c.program = loop.New(p.backend, p.store, func(scope *model.Scope, i *Node, state, fixed []*Node) ([]*Node, *Node) {
			calls := 0
			defer func() { c.calls.Store(int64(calls)) }()
			return body(&calls, scope, i, state, fixed)
		})
		p.loops[l] = c
	}
	return p.loops[l]
}

func (r Run) validate(samples int) error {
	switch {
	case math.IsNaN(r.T0-r.T1) || math.IsInf(r.T0-r.T1, 0):
		return fmt.Errorf("solver: can't solve from t = %g to %g: both times must be finite", r.T0, r.T1)
	case r.Steps < 0:
		return fmt.Errorf("solver: Run.Steps is %d: give at least 1, or 0 for the solver's own number", r.Steps)
	case r.Steps >= math.MaxInt32:
		return fmt.Errorf("solver: Run.Steps is %d: it must be less than 2³¹-1", r.Steps)
	case r.Offset < 0 || int64(r.Offset) > math.MaxUint32:
		return fmt.Errorf("solver: Run.Offset is %d: it must be from 0 to 2³²-1", r.Offset)
	case r.Sources != nil && len(r.Sources) != samples:
		return fmt.Errorf("solver: Run.Sources has %d elements for %d samples: give one for each, or none", len(r.Sources), samples)
	}
	for i, s := range r.Sources {
		if s.Number < 0 || int64(s.Number) > math.MaxUint32 {
			return fmt.Errorf("solver: Run.Sources[%d] has the number %d: it must be from 0 to 2³²-1", i, s.Number)
		}
	}
	for i, t := range r.Save {
		if !(t >= min(r.T0, r.T1) && t <= max(r.T0, r.T1)) {
			return fmt.Errorf("solver: Run.Save[%d] is %v: it must lie on the way from t = %v to %v", i, t, r.T0, r.T1)
		}
		if i > 0 && !((t-r.Save[i-1])*(r.T1-r.T0) > 0) {
			return fmt.Errorf("solver: Run.Save[%d] is %v and Run.Save[%d] is %v: the times must go strictly the way of the solve, from %v to %v", i-1, r.Save[i-1], i, t, r.T0, r.T1)
		}
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
	if weights := p.solver.Weights; p.solver.Adaptive() && len(weights) > 0 {
		if !p.joint && len(weights) != len(y) {
			return 0, dtype, fmt.Errorf("solver: %v has %d weights for a state of %d parts: give one for each", p.solver, len(weights), len(y))
		}
		if slices.Max(weights) == 0 {
			return 0, dtype, fmt.Errorf("solver: all weights of %v are 0: the error of no part would choose the steps", p.solver)
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

// lead is the shape of what each sample has for itself.
func (p *Program) lead(y []*Node) []int {
	if p.joint {
		return nil
	}
	return y[0].Shape().Dimensions[:1]
}

// system builds the system, which counts its evaluations in calls.
func (p *Program) system(scope *model.Scope, fixed []*Node, calls *int) System {
	return p.solver.prepare(p.build(scope, fixed), calls)
}

// prepare is the system as the solver's method is to see it.
func (s Solver) prepare(system System, calls *int) System {
	if system.Diffusion != nil && !s.Stochastic() {
		exceptions.Panicf("solver: %v is a method for ordinary equations, but the system has a Diffusion: use solver.SRA1(64)", s)
	}
	if s.InTime {
		system.Coordinates = nil
	}
	return system.counted(calls)
}

// direction is an error if a run goes to the noise with a method for the reverse process.
func (s Solver) direction(run Run) error {
	if _, levels := s.Method.(NoiseLevels); levels && s.Stochastic() && run.T0 < run.T1 {
		return fmt.Errorf("solver: %v can't solve from t = %v to t = %v: its noise belongs to the reverse process, which runs from noise at 1 to data at 0; solve from the larger time to the smaller", s, run.T0, run.T1)
	}
	return nil
}

// within is the system in one step: a stochastic method gets the drift and diffusion of
// that step from the system itself, too.
func (s Solver) within(system System, over Interval) System {
	if _, levels := s.Method.(NoiseLevels); s.Stochastic() && !levels && system.Coordinates != nil {
		c := system.Coordinates(over)
		system.Drift, system.Diffusion = c.Slope, c.Diffusion
		system.Coordinates = func(Interval) *Coordinates { return c }
	}
	return system
}
