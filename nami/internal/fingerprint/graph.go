// Package fingerprint tells graphs apart: whether the code that built a loss is the one of
// a run's checkpoint, and whether a model is the one whose weights a store holds. What it
// compares are the operations, with their shapes, attributes and constants' values, and
// the paths of variables; not names of Go types or functions.
//
// Graphs are built on GoMLX's pure Go backend, so that what is learned on one backend is
// known on another. Those that it can't build are built on the program's own.
package fingerprint

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Graph is a graph in words: the nodes that its outputs depend on, each after its inputs,
// and those of closures. The order is that in which they are found from the outputs, so it
// doesn't depend on the order in which they were made.
type Graph struct {
	Nodes   []Node `json:"nodes"`
	Outputs []int  `json:"outputs"`
}

// Node is one operation.
type Node struct {
	// Text is the operation with its attributes, and Shape that of the result.
	Text  string `json:"text"`
	Shape string `json:"shape"`

	// Inputs are the numbers of the nodes that go in.
	Inputs []int `json:"inputs,omitempty"`
}

// Operation is the node's kind.
func (n Node) Operation() string {
	name, _, _ := strings.Cut(n.Text, "(")
	return name
}

// build builds a graph over store, which is thrown away, and puts it into words. Variables
// that it makes are taken out of the store again: made are their paths. own is the
// program's backend, for graphs that the pure Go backend can't build; nil without one.
func build(own compute.Backend, store *model.Store, outputs func(g *graph.Graph) []*graph.Node) (words Graph, made []string, err error) {
	seen := &observed{}
	backend, err := gomlx.Inspector(seen)
	if err != nil {
		return words, nil, err
	}
	words, made, err = buildOn(backend, seen, store, outputs)
	if err != nil && own != nil { // it lacks an operation, or the code is wrong on any backend
		words, made, err = buildOn(own, nil, store, outputs)
	}
	return words, made, err
}

func buildOn(backend compute.Backend, seen *observed, store *model.Store, outputs func(g *graph.Graph) []*graph.Node) (words Graph, made []string, err error) {
	known := map[*model.Variable]bool{}
	for v := range store.IterVariables() {
		known[v] = true
	}
	err = gomlx.Try(func() error {
		g := graph.NewGraph(backend, "fingerprint")
		defer g.Finalize()
		model.SetStore(g, store)
		d := describer{seen: seen, numbers: map[*graph.Node]int{}}
		out := outputs(g)
		d.readDetails(g)
		for _, n := range out {
			d.words.Outputs = append(d.words.Outputs, d.add(n))
		}
		for _, n := range g.Nodes() {
			if f := n.Function(); f != nil && !f.IsMain() { // the bodies of loops, which no input leads to
				d.add(n)
			}
		}
		words = d.words
		return nil
	})
	for v := range store.IterVariables() {
		if !known[v] {
			made = append(made, v.Path())
		}
	}
	for _, path := range made {
		if deleted := store.DeleteVariable(path); deleted != nil && err == nil {
			err = deleted
		}
	}
	return words, made, err
}

// describer puts nodes into words.
type describer struct {
	seen    *observed
	details map[*graph.Node]string // what an observer saw of a node
	numbers map[*graph.Node]int
	words   Graph
}

// readDetails joins what was observed to the nodes that it was observed of.
func (d *describer) readDetails(g *graph.Graph) {
	d.details = map[*graph.Node]string{}
	if d.seen == nil {
		return
	}
	constants, sorts := d.seen.constants, d.seen.sorts
	for _, n := range g.Nodes() {
		switch {
		case n.Type() == graph.NodeTypeConstant && len(constants) > 0:
			d.details[n], constants = constants[0], constants[1:]
		case n.Type() == graph.NodeTypeSort && len(sorts) > 0:
			d.details[n], sorts = sorts[0], sorts[1:]
		}
	}
}

// add describes a node, after those that it depends on, and returns its number.
func (d *describer) add(n *graph.Node) int {
	if number, ok := d.numbers[n]; ok {
		return number
	}
	var inputs []int
	for _, input := range n.Inputs() {
		inputs = append(inputs, d.add(input))
	}
	number := len(d.words.Nodes)
	d.numbers[n] = number
	d.words.Nodes = append(d.words.Nodes, Node{Text: d.text(n), Shape: lead(n.Shape().String()), Inputs: inputs})
	return number
}

// text is the operation with its attributes, without the numbers of nodes.
func (d *describer) text(n *graph.Node) string {
	text := "Constant"
	if n.Type() != graph.NodeTypeConstant {
		text, _, _ = strings.Cut(n.String(), " -> ")
		text = lead(nodeNumbers.ReplaceAllString(nodePrefix.ReplaceAllString(text, ""), "#"))
	} else if value := n.ConstantValue(); value != nil && d.details[n] == "" {
		text += "(" + value.String() + ")"
	}
	if detail := d.details[n]; detail != "" {
		text += "(" + detail + ")"
	}
	if n.StopGradient() && !strings.Contains(text, "[StopGradient]") {
		text += " [StopGradient]"
	}
	return text
}

var (
	nodePrefix  = regexp.MustCompile(`^Node #\d+ (\["[^"]*"\] )?`)
	nodeNumbers = regexp.MustCompile(`#\d+`)
	numbers     = regexp.MustCompile(`\d+`)
)

// rows is the number of rows of the canonical input of a field: no other number in a graph
// is likely to be a multiple of it.
const rows = 7919

// lead writes L for multiples of rows: where a field joins two calls of itself in one of
// twice the rows, it is the same field.
func lead(text string) string {
	return numbers.ReplaceAllStringFunc(text, func(number string) string {
		if n, err := strconv.Atoi(number); err == nil && n > 0 && n%rows == 0 {
			return "L"
		}
		return number
	})
}
