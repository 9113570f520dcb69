// Package distribution holds the base distributions that a flow starts from.
package distribution

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Random is a source of uniform numbers in [0, 1). A *model.Scope is one.
type Random interface {
	RandomUniform(g *Graph, shape shapes.Shape) *Node
}

// Distribution is a density over events that can be sampled. A user's own type is
// a Distribution as soon as it has these methods.
type Distribution interface {
	// EventShape is the shape of one event; empty for a scalar.
	EventShape() []int

	// Sample draws independent events, of shape lead+event.
	Sample(random Random, g *Graph, dtype dtypes.DType, lead ...int) *Node

	// LogProb is the log-density of x, in nats: x is lead+event, the result lead. It
	// panics if x doesn't end in the event shape.
	LogProb(x *Node) *Node
}
