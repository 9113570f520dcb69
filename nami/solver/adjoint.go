package solver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/loop"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Adjoint differentiates a scalar L of the solution y(T1) of an ordinary equation in
// memory that doesn't grow with the number of steps, by solving from T1 back to T0
//
//	dy/dt = f(y, t, θ)          y(T1) from the solve
//	da/dt = -aᵀ·∂f/∂y           a(T1) = ∂L/∂y(T1)
//	dg/dt = -aᵀ·∂f/∂θ           g(T1) = 0
//
// where a(T0) and g(T0) are the gradients (Chen et al. 2018, arXiv:1806.07366, algorithm
// 1). They are those of the exact solution, up to the error of this second solve: they
// approach those of [Unroll] as steps become shorter. Where trajectories contract
// strongly, solving back for y loses digits: compare [Gradients].Y0 with where the solve
// began.
//
// The solver is one for ordinary equations; one that chooses its steps takes one step size
// for all samples, chosen by y and a alone (Kidger et al. 2021, arXiv:2009.09457). Where
// the system has coordinates, the adjoint is solved in them, too. An Adjoint is safe for
// concurrent use; calls take turns.
type Adjoint struct {
	backend compute.Backend
	store   *model.Store
	solver  Solver
	build   Build

	mu        sync.Mutex
	read      []*model.Variable // those that the system reads
	variables []*model.Variable // the trainable ones among them, which the programs are for
	programs  map[int]*Program  // by the number of parts of y
}

// Gradients are what [Adjoint.Gradient] gives.
type Gradients struct {
	// Y0 is the state at T0, found by solving back.
	Y0 []*tensors.Tensor

	// Y is ∂L/∂y(T0), part by part.
	Y []*tensors.Tensor

	// Variables is ∂L/∂θ by the variable's path, for each trainable one that the system
	// reads.
	Variables map[string]*tensors.Tensor

	// Fixed is ∂L/∂fixed; nil for inputs that aren't of the state's dtype.
	Fixed []*tensors.Tensor

	// Evaluations counts how often the field was evaluated and differentiated.
	Evaluations int
}

// NewAdjoint returns the adjoint of build's system, solved with s, with the variables of
// store. Nothing is compiled yet. It is an error if s is for stochastic equations.
func NewAdjoint(backend compute.Backend, store *model.Store, s Solver, build Build) (*Adjoint, error) {
	if backend == nil || store == nil || build == nil {
		return nil, errors.New("solver: an adjoint needs a backend, a store and the function that builds its system: one of them is nil")
	}
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if s.Stochastic() {
		return nil, fmt.Errorf("solver: %v is for stochastic equations, whose adjoint needs the path of the noise: use Unroll, or a solver for ordinary equations", s)
	}
	return &Adjoint{backend: backend, store: store, solver: s, build: build, programs: map[int]*Program{}}, nil
}

// Gradient returns the gradients of L. y1 is the state at run.T1, as the solve from run.T0
// gave it, and cotangents are ∂L/∂y1, shaped like it; both are consumed, whether it
// succeeds or not. fixed are those of the solve, and only read. Errors are those of
// [Program.Solve]; it is also an error if the solve back fails.
func (a *Adjoint) Gradient(ctx context.Context, y1, cotangents, fixed []*tensors.Tensor, run Run) (*Gradients, error) {
	p, variables, err := a.program(y1, cotangents, fixed)
	if err != nil {
		gomlx.Finalize(slices.Concat(y1, cotangents))
		return nil, err
	}
	state := slices.Concat(y1, cotangents)
	for _, v := range variables {
		state = append(state, tensors.FromShape(v.Shape()))
	}
	for _, x := range fixed {
		if x.DType() == y1[0].DType() {
			state = append(state, tensors.FromShape(x.Shape()))
		}
	}
	run.T0, run.T1, run.Save = run.T1, run.T0, nil
	s, err := p.Solve(ctx, state, fixed, run)
	if err != nil {
		return nil, fmt.Errorf("solver: the adjoint: %w", err)
	}
	if err := s.Err(); err != nil {
		s.Finalize()
		return nil, fmt.Errorf("solver: the adjoint: %w", err)
	}
	k := len(y1)
	out := &Gradients{Y0: s.Y[:k], Y: s.Y[k : 2*k], Variables: map[string]*tensors.Tensor{}, Evaluations: s.Evaluations}
	rest := s.Y[2*k:]
	for i, v := range variables {
		out.Variables[v.Path()] = rest[i]
	}
	rest = rest[len(variables):]
	for _, x := range fixed {
		var g *tensors.Tensor
		if x.DType() == s.Y[0].DType() {
			g, rest = rest[0], rest[1:]
		}
		out.Fixed = append(out.Fixed, g)
	}
	return out, nil
}

// program returns the program for states like y, and the variables that it
// differentiates by.
func (a *Adjoint) program(y, cotangents, fixed []*tensors.Tensor) (*Program, []*model.Variable, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(y) == 0 || len(cotangents) != len(y) {
		return nil, nil, fmt.Errorf("solver: the state has %d parts and there are %d cotangents: give one for each", len(y), len(cotangents))
	}
	for part := range y {
		if y[part] == nil || cotangents[part] == nil {
			return nil, nil, fmt.Errorf("solver: part %d of the state or its cotangent is nil", part)
		}
		if !y[part].Shape().Equal(cotangents[part].Shape()) {
			return nil, nil, fmt.Errorf("solver: the cotangent of part %d must be shaped like the part, %s, and is %s",
				part, y[part].Shape(), cotangents[part].Shape())
		}
	}
	if err := checkFixed(fixed); err != nil {
		return nil, nil, err
	}
	if weights := a.solver.Weights; a.solver.Adaptive() && len(weights) > 0 && len(weights) != len(y) {
		return nil, nil, fmt.Errorf("solver: %v has %d weights for a state of %d parts: give one for each", a.solver, len(weights), len(y))
	}
	if a.read == nil {
		read, err := loop.Variables(a.backend, a.store, func(g *Graph) {
			in := gomlx.Parameters(g, fixed)
			calls := 0
			a.build(a.store.RootScope(), in).Drift.checked(&calls)(gomlx.Parameters(g, y), Parameter(g, "", shapes.Make(y[0].DType())))
		})
		if err != nil {
			return nil, nil, fmt.Errorf("solver: the adjoint: %w", err)
		}
		a.read = append([]*model.Variable{}, read...)
	}
	var by []*model.Variable
	for _, v := range a.read {
		if v.Trainable {
			by = append(by, v)
		}
	}
	if !slices.Equal(by, a.variables) { // some were frozen, or are trained again
		clear(a.programs)
		a.variables = by
	}
	if p := a.programs[len(y)]; p != nil {
		return p, by, nil
	}
	s := a.solver
	if s.Adaptive() {
		s.Shared = true
		s.Weights = adjointWeights(s.Weights, len(y))
	}
	p, err := newProgram(a.backend, a.store, s, a.augmented(len(y), by), true)
	if err != nil {
		return nil, nil, err
	}
	a.programs[len(y)] = p
	return p, by, nil
}

// adjointWeights are those of y for y and a. The parts that follow have none.
func adjointWeights(weights []float64, parts int) []float64 {
	if len(weights) == 0 {
		weights = slices.Repeat([]float64{1}, parts)
	}
	return slices.Concat(weights, weights)
}

// augmented builds the equations of y, a and g, the state in this order, for derivatives by
// those variables.
func (a *Adjoint) augmented(parts int, variables []*model.Variable) Build {
	return func(scope *model.Scope, fixed []*Node) System {
		system := a.build(scope, fixed)
		if system.Diffusion != nil {
			exceptions.Panicf("solver: the adjoint is for ordinary equations, but the system has a Diffusion: leave it nil")
		}
		calls := 0
		out := System{Drift: differentiated(system.Drift.checked(&calls), parts, variables, fixed)}
		in := func(coordinates func(Interval) *Coordinates) func(Interval) *Coordinates {
			if coordinates == nil {
				return nil
			}
			return func(over Interval) *Coordinates {
				c := *coordinates(over)
				var scaled []Part
				for i := range 2 * parts {
					part := c.part(i % parts)
					if i >= parts { // a is a derivative by what the scale multiplies
						part = Part{Power: -part.Power}
					}
					scaled = append(scaled, part)
				}
				c.Parts, c.Slope = scaled, differentiated(c.Slope.checked(&calls), parts, variables, fixed)
				return &c
			}
		}
		out.Coordinates = in(system.Coordinates)
		if system.Model != nil {
			m := *system.Model
			m.NoiseLevels = in(m.NoiseLevels)
			out.Model = &m
		}
		return out
	}
}

// differentiated are f and its products with a: the right-hand side of y, a and g.
func differentiated(f Dynamics, parts int, variables []*model.Variable, fixed []*Node) Dynamics {
	return func(state []*Node, t *Node) []*Node {
		// A stage's y and a were made from the stages before it; the derivative is by this
		// stage's y alone.
		y := make([]*Node, parts)
		for part := range y {
			y[part] = Identity(StopGradient(state[part]))
		}
		by := slices.Clone(y)
		for _, v := range variables {
			by = append(by, v.NodeValue(t.Graph()))
		}
		for _, x := range fixed {
			if x.DType() == t.DType() {
				by = append(by, x)
			}
		}
		dy := f(y, t)
		out := slices.Clone(dy)
		for _, g := range Gradient(contract(dy, state[parts:2*parts]), by...) {
			out = append(out, Neg(g))
		}
		return out
	}
}

// contract is Σ f·a over all parts, with a constant. It is an Einsum, as the gradient of
// a sum over a product can't stand in a loop on the Go backend.
func contract(f, a []*Node) (sum *Node) {
	for part := range f {
		size := f[part].Shape().Size()
		term := Einsum("i,i->", Reshape(f[part], size), Reshape(StopGradient(a[part]), size))
		if sum == nil {
			sum = term
		} else {
			sum = Add(sum, term)
		}
	}
	return sum
}
