package nami

import (
	"reflect"
	"slices"

	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/internal/loop"
	"github.com/nami-flow/go-nami/nami/solver"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// maxPrograms bounds how many programs of a kind a binding keeps, the most recent ones: as
// many as there are estimators and kinds of inputs.
const maxPrograms = 32

// programKey is what a program of a binding depends on: others may have other inputs.
type programKey struct {
	name      string
	has       [3]bool
	estimator divergence.Estimator
}

// keyed are values by key, the most recently used one last.
type keyed[V any] struct {
	keys   []programKey
	values []V
}

// get returns the value of a key, made if there is none. Estimators are the same if they
// are deeply equal, whatever they print.
func (k *keyed[V]) get(key programKey, make func() (V, error)) (V, error) {
	for i, known := range k.keys {
		if known.name == key.name && known.has == key.has && reflect.DeepEqual(known.estimator, key.estimator) {
			value := k.values[i]
			k.keys, k.values = append(slices.Delete(k.keys, i, i+1), known), append(slices.Delete(k.values, i, i+1), value)
			return value, nil
		}
	}
	value, err := make()
	if err != nil {
		return value, err
	}
	k.keys, k.values = append(k.keys, key), append(k.values, value)
	if len(k.keys) > maxPrograms {
		k.keys, k.values = slices.Delete(k.keys, 0, 1), slices.Delete(k.values, 0, 1)
	}
	return value, nil
}

// single returns the program of that key that runs once; build must depend on nothing
// but the key, the binding and the shapes.
func (p *Process) single(key programKey, build func(scope *model.Scope, in [][]*Node) []*Node) *loop.Single {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, _ := p.singles.get(key, func() (*loop.Single, error) { return loop.NewSingle(p.backend, p.store, build), nil })
	return s
}

// program returns the solve of x, or of x and the integral of minus the divergence.
func (p *Process) program(has [3]bool, estimator divergence.Estimator) (*solver.Program, error) {
	if estimator != nil {
		if err := estimator.Check(p.base.EventShape()); err != nil {
			return nil, err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.programs.get(programKey{"solve", has, estimator}, func() (*solver.Program, error) {
		return solver.NewProgram(p.backend, p.store, p.solver, p.build(has, estimator))
	})
}

// adjoint returns the adjoint of the solve with that estimator.
func (p *Process) adjoint(has [3]bool, estimator divergence.Estimator) (*solver.Adjoint, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.adjoints.get(programKey{"adjoint", has, estimator}, func() (*solver.Adjoint, error) {
		return solver.NewAdjoint(p.backend, p.store, p.solver, p.build(has, estimator))
	})
}

// build makes the flow's system from the inputs that there are.
func (p *Process) build(has [3]bool, estimator divergence.Estimator) solver.Build {
	return func(scope *model.Scope, fixed []*Node) solver.System {
		return p.system(scope, inputsOf(has, fixed), estimator)
	}
}
