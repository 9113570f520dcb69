package distribution

import (
	"fmt"
	"math"
	"slices"

	"github.com/nami-flow/go-nami/nami/event"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// StandardNormal is N(0, I) over events of a fixed shape.
type StandardNormal struct {
	event []int
}

var _ Independent = StandardNormal{}

// NewStandardNormal returns N(0, I) over events of the given shape; without
// arguments, over scalars.
func NewStandardNormal(event ...int) StandardNormal {
	return StandardNormal{event: slices.Clone(event)}
}

// EventShape implements [Distribution].
func (d StandardNormal) EventShape() []int { return slices.Clone(d.event) }

// Sample implements [Distribution].
func (d StandardNormal) Sample(random Random, g *Graph, dtype dtypes.DType, lead ...int) *Node {
	return gomlx.Normal(random, g, shapes.Make(dtype, slices.Concat(lead, d.event)...))
}

// LogProb implements [Distribution]: log p(x) = -(|x|² + d log 2π)/2.
func (d StandardNormal) LogProb(x *Node) *Node {
	d.check(x)
	squares := ReduceSum(Square(event.Flatten(x, len(d.event))), -1)
	return MulScalar(AddScalar(squares, float64(event.Size(d.event))*math.Log(2*math.Pi)), -0.5)
}

// LogProbValues implements [Independent].
func (d StandardNormal) LogProbValues(x *Node) *Node {
	d.check(x)
	return MulScalar(AddScalar(Square(x), math.Log(2*math.Pi)), -0.5)
}

func (d StandardNormal) check(x *Node) {
	if err := event.Validate(x.Shape().Dimensions, d.event, nil); err != nil {
		panic(fmt.Errorf("distribution.StandardNormal: x: %w", err))
	}
}

// String names the distribution and its event shape.
func (d StandardNormal) String() string {
	return "StandardNormal" + event.Format(d.event)
}
