package nami

import (
	"errors"
	"fmt"

	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/internal/loop"
	"github.com/nami-flow/go-nami/nami/solver"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// unpack tells a program's inputs apart: which of them there are is the process's.
func (p *Process) unpack(fixed []*Node) (in inputs) {
	take := func() (n *Node) {
		n, fixed = fixed[0], fixed[1:]
		return n
	}
	if p.context != nil {
		in.c = take()
	}
	if p.mask != nil {
		in.mask = take()
	}
	if len(fixed) > 0 {
		in.probes = take()
	}
	return in
}

// key names a program of this process: others of the same binding may have other inputs.
func (p *Process) key(name string) string {
	return fmt.Sprintf("%s, context %t, mask %t", name, p.context != nil, p.mask != nil)
}

// single returns the program of that name that runs once; build must depend on nothing
// but the name, the binding and the shapes.
func (p *Process) single(name string, build func(scope *model.Scope, in [][]*Node) []*Node) *loop.Single {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.singles[p.key(name)]
	if s == nil {
		s = loop.NewSingle(p.backend, p.store, build)
		p.singles[p.key(name)] = s
	}
	return s
}

// program returns the solve of x, or of x and the integral of minus the divergence.
func (p *Process) program(estimator divergence.Estimator) (*solver.Program, error) {
	build := solver.Build(p.deterministic)
	switch {
	case estimator != nil:
		if err := estimator.Check(p.base.EventShape()); err != nil {
			return nil, err
		}
		build = p.withDivergence(estimator)
	case p.reverse != nil:
		build = func(scope *model.Scope, fixed []*Node) solver.System { return p.reverse(scope, p.unpack(fixed)) }
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	key := p.key(describe(estimator))
	if program := p.programs[key]; program != nil {
		return program, nil
	}
	program, err := solver.NewProgram(p.backend, p.store, p.solver, build)
	if err == nil {
		p.programs[key] = program
	}
	return program, err
}

func (p *Process) deterministic(scope *model.Scope, fixed []*Node) solver.System {
	return solver.System{Drift: p.dynamics(scope, p.unpack(fixed), nil)}
}

func (p *Process) withDivergence(estimator divergence.Estimator) solver.Build {
	return func(scope *model.Scope, fixed []*Node) solver.System {
		return solver.System{Drift: p.dynamics(scope, p.unpack(fixed), estimator)}
	}
}

// needsODE is an error if the process's solver can't follow a deterministic flow.
func (p *Process) needsODE(what string) error {
	if p.solver.Traits().Stochastic {
		return fmt.Errorf("nami: %s follows the deterministic flow, and %v solves stochastic equations: bind the model with a solver like solver.Heun(50) for it", what, p.solver)
	}
	return nil
}

// describe names an estimator in a program's key.
func describe(estimator divergence.Estimator) string {
	return fmt.Sprintf("%T %v", estimator, estimator)
}

var errNoEstimator = errors.New("nami: the estimator of the divergence is nil, and the field doesn't know its divergence: use divergence.Exact{} for events of few values, divergence.Hutchinson{} for large ones")
