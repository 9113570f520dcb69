// Package run carries many rows through one model: a call's rows in chunks of one size, the
// inputs and random numbers that belong to each row, and the programs that are compiled once
// for all chunks and calls.
package run

import (
	"reflect"
	"slices"
	"sync"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/loop"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// maxPrograms bounds how many programs of a kind are kept, the most recent ones: as many as
// there are estimators and kinds of inputs.
const maxPrograms = 32

// Programs are those of a model that is bound to its weights. They are safe for concurrent
// use.
type Programs struct {
	backend compute.Backend
	store   *model.Store
	solver  solver.Solver

	mu       sync.Mutex
	solves   kept[*solver.Program]
	adjoints kept[*solver.Adjoint]
	singles  kept[*loop.Single]
}

// NewPrograms returns the programs of a model, none of them compiled, whose equation is
// solved with s.
func NewPrograms(backend compute.Backend, store *model.Store, s solver.Solver) *Programs {
	return &Programs{backend: backend, store: store, solver: s}
}

// Key is what a program depends on beside the model and shapes: others may have other
// inputs.
type Key struct {
	Name      string
	Has       Present
	Estimator divergence.Estimator
}

// kept are values by key, the most recently used one last.
type kept[V any] struct {
	keys   []Key
	values []V
}

// get returns the value of a key, made if there is none. Estimators are the same if they
// are deeply equal, whatever they print.
func (k *kept[V]) get(key Key, make func() (V, error)) (V, error) {
	for i, known := range k.keys {
		if known.Name == key.Name && known.Has == key.Has && reflect.DeepEqual(known.Estimator, key.Estimator) {
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

// Solve is the solve of the equation that build makes of the key's inputs.
func (p *Programs) Solve(key Key, build func(scope *model.Scope, in Inputs[Node]) solver.System) (*solver.Program, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.solves.get(key, func() (*solver.Program, error) {
		return solver.NewProgram(p.backend, p.store, p.solver, key.system(build))
	})
}

// Adjoint is the adjoint of the same solve.
func (p *Programs) Adjoint(key Key, build func(scope *model.Scope, in Inputs[Node]) solver.System) (*solver.Adjoint, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.adjoints.get(key, func() (*solver.Adjoint, error) {
		return solver.NewAdjoint(p.backend, p.store, p.solver, key.system(build))
	})
}

// system is build with the inputs as a solver gives them.
func (k Key) system(build func(scope *model.Scope, in Inputs[Node]) solver.System) solver.Build {
	return func(scope *model.Scope, fixed []*Node) solver.System { return build(scope, InputsOf(k.Has, fixed)) }
}

// single is the program of that key that runs once; build must depend on nothing but the
// key, the model and the shapes.
func (p *Programs) single(key Key, build func(scope *model.Scope, in [][]*Node) []*Node) *loop.Single {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, _ := p.singles.get(key, func() (*loop.Single, error) { return loop.NewSingle(p.backend, p.store, build), nil })
	return s
}

// Draws are what a program that draws is given.
type Draws struct {
	Random distribution.Random // a row for each of the chunk's
	Graph  *Graph
	Rows   int
	Scope  *model.Scope
	X      []*Node // the tensors
	In     Inputs[Node]
}

// Draw runs a program that draws for the rows of a chunk, with the tensors and inputs that it
// is given. part sets its random numbers apart from those of other parts of the call.
func (p *Programs) Draw(key Key, seed Seed, part uint64, c Chunk, x []*tensors.Tensor, in Inputs[tensors.Tensor], f func(d Draws) []*Node) ([]*tensors.Tensor, error) {
	counter := seed.counter(part, c)
	defer gomlx.Finalize(counter)
	key.Has = in.Present()
	return p.single(key, func(scope *model.Scope, groups [][]*Node) []*Node {
		source, numbers := groups[0][0], groups[0][1]
		return f(Draws{
			Random: gomlx.NewCounter(source, numbers), Graph: source.Graph(), Rows: numbers.Shape().Dim(0),
			Scope: scope, X: groups[1], In: InputsOf(key.Has, groups[2]),
		})
	}).Call(counter, x, in.List())
}

// OnRows runs a program on tensors and the inputs of a chunk's rows, without probes.
func (p *Programs) OnRows(name string, c Chunk, in []*tensors.Tensor, f func(scope *model.Scope, in []*Node, given Inputs[Node]) []*Node) ([]*tensors.Tensor, error) {
	given := c.Inputs.Given()
	has := given.Present()
	return p.single(Key{Name: name, Has: has}, func(scope *model.Scope, groups [][]*Node) []*Node {
		return f(scope, groups[0], InputsOf(has, groups[1]))
	}).Call(in, given.List())
}
