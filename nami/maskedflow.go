package nami

import (
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/event"
	"github.com/nami-flow/go-nami/nami/field"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Masked is the flow in one graph for events of varying numbers of objects, as
// [Process.Masked] is at eager level: the first axis of an event counts objects, and mask,
// of shape lead+[objects], is 1 where there is one and 0 where there is padding. What its
// methods that build graphs return is exactly zero in the padding, and log-densities are
// those of the objects alone; what stands in the padding changes nothing. lead is that of
// the events that the methods are asked for. Its Bind is of no use: a mask belongs to a graph.
func (m FlowMatching) Masked(mask *Node) FlowMatching {
	if mask == nil {
		exceptions.Panicf("nami: FlowMatching.Masked: the mask is nil: give one of shape lead+[objects], or use the flow itself")
	}
	m.must() // says what is missing
	m.Base = maskedBase{m.Base, mask}
	m.Field = field.Masked(m.Field, mask)
	return m
}

// Masked is the model in one graph for events of varying numbers of objects, as
// [FlowMatching.Masked] is.
func (m Diffusion) Masked(mask *Node) Diffusion {
	if mask == nil {
		exceptions.Panicf("nami: Diffusion.Masked: the mask is nil: give one of shape lead+[objects], or use the model itself")
	}
	m.Base = maskedBase{m.must(mask.Graph()).base, mask}
	return m
}

// maskedBase is a base whose padded values are zero, and don't count.
type maskedBase struct {
	distribution.Base
	mask *Node
}

// Given implements [distribution.Conditional].
func (b maskedBase) Given(scope *model.Scope, c *Node) distribution.Distribution {
	return maskedDistribution{distribution.Given(b.Base, scope, c), b.mask}
}

// clean is x with zeros in the padding, if the flow has a mask.
func (f *flow) clean(x *Node) *Node {
	if b, ok := f.base.(maskedBase); ok {
		return field.Mask(x, b.mask, f.rank())
	}
	return x
}

type maskedDistribution struct {
	distribution.Distribution
	mask *Node
}

// Sample implements [distribution.Distribution].
func (d maskedDistribution) Sample(random distribution.Random, g *Graph, dtype dtypes.DType, lead ...int) *Node {
	return field.Mask(d.Distribution.Sample(random, g, dtype, lead...), d.mask, len(d.EventShape()))
}

// LogProb implements [distribution.Distribution]: that of the objects alone.
func (d maskedDistribution) LogProb(x *Node) *Node {
	independent, ok := d.Distribution.(distribution.Independent)
	if !ok {
		exceptions.Panicf("nami: the base %v has no log-density for some of an event's objects only: with a mask, use a base whose values are independent (distribution.Independent)", d.Distribution)
	}
	rank := len(d.EventShape())
	// x is masked too, or a derivative by what stands in the padding could be NaN.
	values := field.Mask(independent.LogProbValues(field.Mask(x, d.mask, rank)), d.mask, rank)
	return ReduceSum(event.Flatten(values, rank), -1)
}
