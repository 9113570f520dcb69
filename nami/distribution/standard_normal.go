package distribution

import (
	"math"
	"slices"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// StandardNormal is N(0, I) over events of a fixed shape, once or for each element of a
// batch. [NewStandardNormal] makes one.
type StandardNormal struct{ batched }

var _ Independent = StandardNormal{}

// NewStandardNormal returns N(0, I) over events of the given shape; without
// arguments, over scalars.
func NewStandardNormal(event ...int) StandardNormal {
	return StandardNormal{batched{name: "StandardNormal", event: slices.Clone(event)}}
}

// Expand returns the distribution repeated to a batch shape that ends in its own. It
// panics if batch doesn't end so, or has an axis below 1.
func (d StandardNormal) Expand(batch ...int) StandardNormal {
	return StandardNormal{d.expanded(batch)}
}

// Mean is the mean, 0, of shape batch+event.
func (d StandardNormal) Mean(g *Graph, dtype dtypes.DType) *Node {
	return Zeros(g, shapes.Make(dtype, slices.Concat(d.batch, d.event)...))
}

// Variance is the variance of each value, 1, of shape batch+event.
func (d StandardNormal) Variance(g *Graph, dtype dtypes.DType) *Node {
	return Ones(g, shapes.Make(dtype, slices.Concat(d.batch, d.event)...))
}

// Sample implements [Distribution]. It panics unless lead ends in the batch shape.
func (d StandardNormal) Sample(random Random, g *Graph, dtype dtypes.DType, lead ...int) *Node {
	d.checkLead(lead)
	return gomlx.Normal(random, g, shapes.Make(dtype, slices.Concat(lead, d.event)...))
}

// LogProb implements [Distribution]: log p(x) = -(|x|² + d log 2π)/2.
func (d StandardNormal) LogProb(x *Node) *Node {
	d.leadOf(x)
	squares := d.sum(Square(x))
	return MulScalar(AddScalar(squares, float64(shape.Size(d.event))*math.Log(2*math.Pi)), -0.5)
}

// LogProbValues implements [Independent].
func (d StandardNormal) LogProbValues(x *Node) *Node {
	d.leadOf(x)
	return MulScalar(AddScalar(Square(x), math.Log(2*math.Pi)), -0.5)
}
