// Package loop drives the steps of a solve. A solver builds the graph of one step;
// here it becomes one compiled loop or a loop on the host, with the same numbers.
package loop

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Body builds the graph of step i, an int32 scalar: it returns the next state,
// shaped like state. fixed doesn't change from step to step. Variables of scope's
// store that it changes go on from step to step as well. A body may use no other
// nodes, and no nested control flow.
type Body func(scope *model.Scope, i *Node, state, fixed []*Node) []*Node

// Steps runs body from step first to step last, exclusive, in one loop of the graph,
// and returns the last state and the step reached. first and last are int32 scalars,
// inputs of the program, so that another count of steps needs no other program.
//
// GoMLX caches scalar constants by graph and not by function, so a graph can hold
// one While only, and nothing else but its parameters (see [Program]).
func Steps(scope *model.Scope, first, last *Node, state, fixed []*Node, body Body) ([]*Node, *Node) {
	g := state[0].Graph()
	read, changed := variablesUsed(scope, state, fixed, body)
	outer, start := values(g, read), values(g, changed) // their parameters must be made in the main function
	init := slices.Concat([]*Node{first, last}, state, start)
	parameters := func() (ps []*Node) {
		for i, s := range init {
			ps = append(ps, Parameter(g, fmt.Sprintf("state_%d", i), s.Shape()))
		}
		return ps
	}
	carried := 2 + len(state) // where the changed variables begin
	more := NewClosure(g, func(g *Graph) []*Node {
		ps := parameters()
		return []*Node{LessThan(ps[0], ps[1])}
	})
	step := NewClosure(g, func(g *Graph) []*Node {
		ps := parameters()
		set(read, localize(outer))
		set(changed, ps[carried:])
		next := body(scope.ResetVisited(), ps[0], ps[2:carried], localize(fixed))
		return slices.Concat([]*Node{Add(ps[0], Const(g, int32(1))), ps[1]}, next, values(g, changed))
	})
	set(read, outer) // unchanged, as far as the graph is concerned
	set(changed, start)
	out := While(more, step, init...)
	set(changed, out[carried:])
	return out[2:carried], out[0]
}

// variablesUsed finds the variables that body only reads and those that it changes, by
// building it once in a graph that is thrown away.
func variablesUsed(scope *model.Scope, state, fixed []*Node, body Body) (read, changed []*model.Variable) {
	g, store := state[0].Graph(), scope.Store()
	scratch := NewGraph(g.Backend(), g.Name()+" (variables)")
	defer scratch.Finalize()
	model.SetStore(scratch, store)
	like := func(ns []*Node) (out []*Node) {
		for _, n := range ns {
			out = append(out, Parameter(scratch, "", n.Shape()))
		}
		return out
	}
	body(scope.ResetVisited(), Parameter(scratch, "", shapes.Make(dtypes.Int32)), like(state), like(fixed))
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
			exceptions.Panicf("the variable %s changes during a step (dropout, batch statistics or random numbers in a field?): a solve needs a field that only reads its variables", v.Path())
		}
	}
}

// localize makes nodes of the main function usable by every operation of a closure:
// some backends refuse them as operands of arithmetic. XLA fuses it away.
func localize(ns []*Node) (local []*Node) {
	for _, n := range ns {
		local = append(local, Where(Const(n.Graph(), true), n, n))
	}
	return local
}
