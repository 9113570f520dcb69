package distribution

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"
)

// DiagonalNormal is N(loc, diag(scale²)) over events, one for each element of a batch:
// the events that it draws or is asked about have a lead that ends in the batch shape.
// [NewDiagonalNormal], [Isotropic] and [DiagonalNormalOf] make one, and [LearnedNormal]
// stands for one that is learned.
type DiagonalNormal struct {
	batched
	loc, scale parameter // the end of batch+event; of a distribution whose values are known
	computed   *computed // nil for one
}

// computed are the parameters of a distribution that belongs to a graph, of shape batch+event.
type computed struct {
	parameters func(g *Graph, dtype dtypes.DType) (loc, scale *Node)
	text       string // what String says of them
}

var _ Independent = DiagonalNormal{}

// NewDiagonalNormal returns the normal distribution with the given means and standard
// deviations, both batch+event, of which the last eventRank axes are the event. It is an
// error if their shapes differ, a value is not finite or a scale not positive.
func NewDiagonalNormal(loc, scale *tensors.Tensor, eventRank int) (DiagonalNormal, error) {
	d, err := newDiagonalNormal(loc, scale, eventRank)
	if err != nil {
		return DiagonalNormal{}, fmt.Errorf("distribution.DiagonalNormal: %w", err)
	}
	return d, nil
}

func newDiagonalNormal(locs, scales *tensors.Tensor, eventRank int) (d DiagonalNormal, err error) {
	if d.loc, err = newParameter("loc", locs); err != nil {
		return d, err
	}
	if d.scale, err = newParameter("scale", scales); err != nil {
		return d, err
	}
	if err := errors.Join(sameShape(d.loc, d.scale), d.scale.positive()); err != nil {
		return d, err
	}
	d.batched, err = newBatched("DiagonalNormal", d.loc.dims, eventRank)
	return d, err
}

// parameters are those for the batch.
func (d DiagonalNormal) parameters(g *Graph, dtype dtypes.DType) (loc, scale *Node) {
	switch {
	case d.computed != nil:
		return d.computed.parameters(g, dtype)
	case len(d.loc.dims) < len(d.batch)+len(d.event):
		return d.loc.over(g, dtype, d.batch, len(d.event)), d.scale.over(g, dtype, d.batch, len(d.event))
	}
	return d.loc.node(g, dtype), d.scale.node(g, dtype)
}

// Isotropic returns N(mean, scale²) for each value of an event, independently.
func Isotropic(mean, scale float64, event ...int) (DiagonalNormal, error) {
	if err := checkEvent(event); err != nil {
		return DiagonalNormal{}, fmt.Errorf("distribution.Isotropic: %w", err)
	}
	fill := func(v float64) *tensors.Tensor {
		return tensors.FromScalarAndDimensions(v, event...)
	}
	return NewDiagonalNormal(fill(mean), fill(scale), len(event))
}

// DiagonalNormalOf is a normal distribution in a graph: loc and scale are batch+event
// nodes of one shape and dtype, computed from a context or learned (see [Conditional]),
// and the scale must be positive. It belongs to their graph. It panics if shapes differ.
func DiagonalNormalOf(loc, scale *Node, eventRank int) DiagonalNormal {
	if !loc.Shape().Equal(scale.Shape()) {
		exceptions.Panicf("distribution.DiagonalNormalOf: loc is %s and scale %s: both must have one shape and dtype", loc.Shape(), scale.Shape())
	}
	b, err := newBatched("DiagonalNormal", loc.Shape().Dimensions, eventRank)
	if err != nil {
		panic(fmt.Errorf("distribution.DiagonalNormalOf: %w", err))
	}
	return DiagonalNormal{batched: b, computed: &computed{text: "computed", parameters: func(_ *Graph, dtype dtypes.DType) (*Node, *Node) {
		return ConvertDType(loc, dtype), ConvertDType(scale, dtype)
	}}}
}

// Expand returns the distribution repeated to a batch shape that ends in its own. It
// panics if batch doesn't end so, or has an axis below 1.
func (d DiagonalNormal) Expand(batch ...int) DiagonalNormal {
	expanded := d
	expanded.batched = d.expanded(batch)
	if d.computed != nil {
		expanded.computed = &computed{text: d.computed.text, parameters: func(g *Graph, dtype dtypes.DType) (*Node, *Node) {
			return d.over(g, dtype, expanded.batch)
		}}
	}
	return expanded
}

// Mean is the mean, of shape batch+event.
func (d DiagonalNormal) Mean(g *Graph, dtype dtypes.DType) *Node {
	loc, _ := d.parameters(g, dtype)
	return loc
}

// Variance is the variance of each value, of shape batch+event.
func (d DiagonalNormal) Variance(g *Graph, dtype dtypes.DType) *Node {
	_, scale := d.parameters(g, dtype)
	return Square(scale)
}

// Sample implements [Distribution]: loc + scale·ε, reparameterised: gradients reach loc and
// scale. It panics unless lead ends in the batch shape.
func (d DiagonalNormal) Sample(random Random, g *Graph, dtype dtypes.DType, lead ...int) *Node {
	d.checkLead(lead)
	loc, scale := d.over(g, dtype, lead)
	return Add(loc, Mul(scale, gomlx.Normal(random, g, shapes.Make(dtype, slices.Concat(lead, d.event)...))))
}

// LogProb implements [Distribution].
func (d DiagonalNormal) LogProb(x *Node) *Node { return d.sum(d.LogProbValues(x)) }

// LogProbValues implements [Independent]: -((x-loc)/scale)²/2 - log scale - log(2π)/2.
func (d DiagonalNormal) LogProbValues(x *Node) *Node {
	loc, scale := d.over(x.Graph(), x.DType(), d.leadOf(x))
	return normalLogDensity(x, loc, scale)
}

// normalLogDensity is log N(x; loc, scale²), value by value.
func normalLogDensity(x, loc, scale *Node) *Node {
	z := Div(Sub(x, loc), scale)
	return Neg(Add(MulScalar(Square(z), 0.5), AddScalar(Log(scale), 0.5*math.Log(2*math.Pi))))
}

// over repeats the parameters over a lead that ends in the batch.
func (d DiagonalNormal) over(g *Graph, dtype dtypes.DType, lead []int) (loc, scale *Node) {
	loc, scale = d.parameters(g, dtype)
	return shape.Expand(loc, lead, len(d.event)), shape.Expand(scale, lead, len(d.event))
}

// String describes the distribution: the same in every process, and different for different
// parameters.
func (d DiagonalNormal) String() string {
	if d.computed != nil {
		return fmt.Sprintf("%v{%s}", d.batched, d.computed.text)
	}
	return fmt.Sprintf("%v{%v, %v}", d.batched, d.loc, d.scale)
}
