// Package loop drives the steps of a solve. A solver builds the graph of one step;
// here it becomes one compiled loop or a loop on the host, with the same numbers.
package loop

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Body builds the graph of step i, an int32 scalar: it returns the next state,
// shaped like state. fixed doesn't change from step to step. A body may use no other
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
	read := variablesRead(scope, state, fixed, body)
	outer := make([]*Node, len(read)) // their parameters must be made in the main function
	for i, v := range read {
		outer[i] = v.NodeValue(g)
	}
	init := append([]*Node{first, last}, state...)
	parameters := func() (ps []*Node) {
		for i, s := range init {
			ps = append(ps, Parameter(g, fmt.Sprintf("state_%d", i), s.Shape()))
		}
		return ps
	}
	more := NewClosure(g, func(g *Graph) []*Node {
		ps := parameters()
		return []*Node{LessThan(ps[0], ps[1])}
	})
	step := NewClosure(g, func(g *Graph) []*Node {
		ps := parameters()
		for i, v := range read {
			v.SetNodeValue(localize(outer[i]))
		}
		local := make([]*Node, len(fixed))
		for i, n := range fixed {
			local[i] = localize(n)
		}
		next := body(scope.ResetVisited(), ps[0], ps[2:], local)
		return append([]*Node{Add(ps[0], Const(g, int32(1))), ps[1]}, next...)
	})
	for i, v := range read { // unchanged, as far as the graph is concerned
		v.SetNodeValue(outer[i])
	}
	out := While(more, step, init...)
	return out[2:], out[0]
}

// variablesRead finds the variables that body uses, by building it once in a graph
// that is thrown away.
func variablesRead(scope *model.Scope, state, fixed []*Node, body Body) (read []*model.Variable) {
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
	refuseChanges(store, scratch)
	for v := range store.IterVariables() {
		if v.InUseByGraph(scratch) {
			read = append(read, v)
		}
	}
	return read
}

// refuseChanges panics if the graph changes a variable of the store.
func refuseChanges(store *model.Store, g *Graph) {
	for v := range store.IterVariables() {
		if v.ChangedInGraph(g) {
			exceptions.Panicf("the variable %s changes during a step (dropout, batch statistics or random numbers in a field?): a solve needs a field that only reads its variables", v.Path())
		}
	}
}

// localize makes a node of the main function usable by every operation of a
// closure: some backends refuse it as an operand of arithmetic. XLA fuses it away.
func localize(n *Node) *Node {
	return Where(Const(n.Graph(), true), n, n)
}
