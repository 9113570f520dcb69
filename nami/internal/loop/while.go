// Package loop drives the steps of a solve. A solver builds the graph of one step;
// here it becomes one compiled loop or a loop on the host, with the same numbers.
package loop

import (
	"fmt"
	"slices"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Body builds the graph of step i, an int32 scalar: it returns the next state, shaped
// like state, and a scalar bool that says whether more steps are needed; nil if they
// always are. fixed doesn't change from step to step. Variables of scope's store that it
// changes go on from step to step as well. A body may use no other nodes, and no nested
// control flow.
type Body func(scope *model.Scope, i *Node, state, fixed []*Node) (next []*Node, more *Node)

// Steps runs body from step first to step last, exclusive, or until it needs no more,
// in one loop of the graph. It returns the last state, the step reached and whether more
// are needed. first and last are int32 scalars, inputs of the program, so that another
// count of steps needs no other program.
//
// GoMLX caches scalar constants by graph and not by function, so a graph can hold
// one While only, and nothing else but its parameters (see [Program]).
func Steps(scope *model.Scope, first, last *Node, state, fixed []*Node, body Body) (next []*Node, reached, more *Node) {
	g := state[0].Graph()
	read, changed := variablesUsed(scope, state, fixed, body)
	outer, start := values(g, read), values(g, changed) // their parameters must be made in the main function
	init := slices.Concat([]*Node{first, last, Const(g, true)}, state, start)
	parameters := func() (ps []*Node) {
		for i, s := range init {
			ps = append(ps, Parameter(g, fmt.Sprintf("state_%d", i), s.Shape()))
		}
		return ps
	}
	carried := 3 + len(state) // where the changed variables begin
	// A condition may hold no reduction, so whether to go on is part of the state.
	condition := NewClosure(g, func(g *Graph) []*Node {
		ps := parameters()
		return []*Node{LogicalAnd(ps[2], LessThan(ps[0], ps[1]))}
	})
	step := NewClosure(g, func(g *Graph) []*Node {
		ps := parameters()
		set(read, localize(outer))
		set(changed, ps[carried:])
		next, more := body(scope.ResetVisited(), ps[0], ps[3:carried], localize(fixed))
		if more == nil {
			more = ps[2]
		}
		return slices.Concat([]*Node{Add(ps[0], Const(g, int32(1))), ps[1], more}, next, values(g, changed))
	})
	set(read, outer) // unchanged, as far as the graph is concerned
	set(changed, start)
	out := While(condition, step, init...)
	set(changed, out[carried:])
	return out[3:carried], out[0], out[2]
}

// variablesUsed finds the variables that body only reads and those that it changes.
func variablesUsed(scope *model.Scope, state, fixed []*Node, body Body) (read, changed []*model.Variable) {
	g := state[0].Graph()
	return used(g.Backend(), scope.Store(), func(scratch *Graph) {
		i := Parameter(scratch, "", shapes.Make(dtypes.Int32))
		body(scope.ResetVisited(), i, gomlx.Parameters(scratch, state), gomlx.Parameters(scratch, fixed))
	})
}

// Variables finds the variables of store that a graph uses, in the store's order. It is
// an error if it changes one.
func Variables(backend compute.Backend, store *model.Store, build func(g *Graph)) (read []*model.Variable, err error) {
	defer lock(store)()
	err = gomlx.Try(func() error {
		var changed []*model.Variable
		if read, changed = used(backend, store, build); len(changed) > 0 {
			refuse(changed[0])
		}
		return nil
	})
	return read, err
}

// used builds a graph that is thrown away, to see which variables it only reads and which
// it changes.
func used(backend compute.Backend, store *model.Store, build func(g *Graph)) (read, changed []*model.Variable) {
	scratch := NewGraph(backend, "variables")
	defer scratch.Finalize()
	model.SetStore(scratch, store)
	build(scratch)
	for v := range store.IterVariables() {
		switch {
		case v.ChangedInGraph(scratch):
			changed = append(changed, v)
		case v.InUseByGraph(scratch):
			read = append(read, v)
		}
	}
	return read, changed
}

func values(g *Graph, variables []*model.Variable) (ns []*Node) {
	for _, v := range variables {
		ns = append(ns, v.NodeValue(g))
	}
	return ns
}

func set(variables []*model.Variable, ns []*Node) {
	for i, v := range variables {
		v.SetNodeValue(ns[i])
	}
}

// refuseChanges panics if the graph changes a variable of the store.
func refuseChanges(store *model.Store, g *Graph) {
	for v := range store.IterVariables() {
		if v.ChangedInGraph(g) {
			refuse(v)
		}
	}
}

// refuse panics with what a variable that changes means.
func refuse(v *model.Variable) {
	exceptions.Panicf("the variable %s changes during a step (dropout, batch statistics or random numbers in a field?): a solve needs a field that only reads its variables", v.Path())
}

// localize makes nodes of the main function usable by every operation of a closure:
// some backends refuse them as operands of arithmetic. XLA fuses it away.
func localize(ns []*Node) (local []*Node) {
	for _, n := range ns {
		local = append(local, Where(Const(n.Graph(), true), n, n))
	}
	return local
}
