// Package distribution holds the base distributions that a flow starts from.
package distribution

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Random is a source of uniform numbers in [0, 1). A *model.Scope is one.
type Random interface {
	RandomUniform(g *Graph, shape shapes.Shape) *Node
}

// Base is what a flow starts from: a [Distribution], or a [Conditional] one.
type Base interface {
	// EventShape is the shape of one event; empty for a scalar.
	EventShape() []int
}

// Conditional is a family of distributions, of which a context or learned variables
// pick one for each element of a batch. A user's own type is a Conditional as soon as it
// has these two methods.
type Conditional interface {
	Base

	// Given returns the distributions for a context c, of shape lead+context_shape, or nil
	// if there is none: the family says which context_shape it takes, as [LearnedNormal]
	// takes one axis of ContextDim values. The events that they draw or are asked about have
	// that lead. Variables live in scope.
	Given(scope *model.Scope, c *Node) Distribution
}

// Given is the distribution that base stands for, given a context c of shape
// lead+context_shape, or nil: see [Conditional]. It panics if base is neither a
// [Distribution] nor a [Conditional].
func Given(base Base, scope *model.Scope, c *Node) Distribution {
	switch b := base.(type) {
	case Conditional:
		return b.Given(scope, c)
	case Distribution:
		return b
	}
	exceptions.Panicf("distribution: %T can't be a base: it must be a distribution.Distribution or a distribution.Conditional", base)
	return nil
}

// Independent is a distribution under which the values of an event are independent, so
// that some can be left out, as padded objects are.
type Independent interface {
	Distribution

	// LogProbValues is the log-density of each value of x, in nats: x is lead+event, and
	// so is the result, whose sum over the event is LogProb.
	LogProbValues(x *Node) *Node
}

// Distribution is a density over events that can be sampled. A user's own type is
// a Distribution as soon as it has these methods; check it with [Check].
type Distribution interface {
	Base

	// Sample draws independent events, of shape lead+event. The numbers that it asks of random
	// must have the lead's axes first, so that those of a row depend on its place alone.
	Sample(random Random, g *Graph, dtype dtypes.DType, lead ...int) *Node

	// LogProb is the log-density of x, in nats: x is lead+event, the result lead. It
	// panics if x doesn't end in the event shape.
	LogProb(x *Node) *Node
}
