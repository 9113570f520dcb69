package nami

import (
	"errors"
	"fmt"

	"github.com/nami-flow/go-nami/nami/internal/loop"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Computation is graph-building code as a function of tensors: any of the functions of this
// module that take nodes, or one of the user's own made of them, to be called with
// tensors. It is compiled once for each combination of input shapes, of which the sixteen
// most recent ones are kept, and safe for concurrent use: calls take turns.
type Computation struct {
	store  *model.Store
	single *loop.Single
}

// NewComputation returns the one that build's graph computes from its inputs, with the
// weights in store, which it may only read; nil if there are none. Nothing is compiled
// yet.
func NewComputation(backend compute.Backend, store *model.Store, build func(scope *model.Scope, in []*Node) []*Node) (*Computation, error) {
	if backend == nil || build == nil {
		return nil, errors.New("nami: a computation needs a backend and the code that builds its graph: one of them is nil")
	}
	if store == nil {
		store = model.NewStore()
	}
	return &Computation{store: store, single: loop.NewSingle(backend, store, func(scope *model.Scope, in [][]*Node) []*Node {
		known := variables(store)
		out := build(scope, in[0])
		if err := missing(store, known); err != nil {
			panic(err)
		}
		for i, x := range in[0] {
			if x.Shape().Size() == 0 { // which GoMLX's pure Go backend may not survive
				exceptions.Panicf("nami: input %d of the computation is %s: every axis needs at least 1 value", i, x.Shape())
			}
		}
		return out
	})}, nil
}

// Call computes the outputs. It is an error if the graph code panics, if the store lacks
// weights, and if an input is nil or has no values. The inputs are only read; the caller
// owns the outputs.
func (f *Computation) Call(in ...*tensors.Tensor) ([]*tensors.Tensor, error) {
	if len(in) == 0 {
		return nil, errors.New("nami: a computation needs at least one input")
	}
	for i, t := range in {
		if t == nil {
			return nil, fmt.Errorf("nami: input %d of the computation is nil", i)
		}
	}
	return f.single.Call(in)
}
