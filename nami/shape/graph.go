package shape

import (
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Lead returns the axes of x before its event. It panics if x has fewer than rank
// axes.
func Lead(x *graph.Node, rank int) []int {
	lead, _, err := Split(x.Shape().Dimensions, rank)
	if err != nil {
		panic(err)
	}
	return lead
}

// Flatten makes one axis of the last rank axes of x; a scalar event becomes an
// axis of size 1. It panics if x has fewer axes.
func Flatten(x *graph.Node, rank int) *graph.Node {
	lead, event, err := Split(x.Shape().Dimensions, rank)
	if err != nil {
		panic(err)
	}
	return graph.Reshape(x, append(slices.Clone(lead), Size(event))...)
}

// Unflatten gives the last axis of x, as [Flatten] left it, the shape of event. It
// panics if the sizes differ.
func Unflatten(x *graph.Node, event []int) *graph.Node {
	dims, err := unflattened(x.Shape().Dimensions, event)
	if err != nil {
		panic(fmt.Errorf("shape.Unflatten: %w", err))
	}
	return graph.Reshape(x, dims...)
}

// unflattened is the shape dims with event in place of its last axis.
func unflattened(dims, event []int) ([]int, error) {
	if len(dims) == 0 || dims[len(dims)-1] != Size(event) {
		return nil, fmt.Errorf("the last axis of x, of shape %s, must hold the %d values of an event %s",
			Format(dims), Size(event), Format(event))
	}
	if slices.ContainsFunc(event, func(size int) bool { return size < 0 }) {
		return nil, fmt.Errorf("an event has shape %s: an axis can't be negative", Format(event))
	}
	return append(slices.Clone(dims[:len(dims)-1]), event...), nil
}

// Lift appends axes of size 1 to t until its rank is that of x, so that one value
// for each leading position multiplies a whole event. The axes that t has must
// equal x's leading axes, and no axis of x may be 0; a scalar always fits. It panics
// otherwise: nothing is broadcast in silence.
func Lift(t, x *graph.Node) *graph.Node {
	if t.IsScalar() {
		return t
	}
	lead := x.Shape().Dimensions
	if slices.Contains(lead, 0) { // which GoMLX would repeat to 1
		exceptions.Panicf("shape.Lift: t is %s, x is %s: every axis of x needs at least 1 value", t.Shape(), x.Shape())
	}
	for axis, size := range t.Shape().Dimensions {
		if axis >= len(lead) || lead[axis] != size {
			exceptions.Panicf("shape.Lift: t is %s, x is %s: axis %d of t must be axis %d of x",
				t.Shape(), x.Shape(), axis, axis)
		}
	}
	dims := slices.Clone(t.Shape().Dimensions)
	for len(dims) < len(lead) {
		dims = append(dims, 1)
	}
	return graph.Reshape(t, dims...)
}

// Expand repeats c, whose axes are a batch and rank trailing ones, over the axes
// that lead has before that batch: (4, 3) with the lead (5, 4) and rank 1 becomes
// (5, 4, 3). It panics if the batch isn't the end of lead.
func Expand(c *graph.Node, lead []int, rank int) *graph.Node {
	batch, _, err := Split(c.Shape().Dimensions, rank)
	if err != nil {
		panic(err)
	}
	if len(batch) > len(lead) || !slices.Equal(batch, lead[len(lead)-len(batch):]) {
		exceptions.Panicf("shape.Expand: a batch %s can't be repeated to the lead %s: it must be the end of it",
			Format(batch), Format(lead))
	}
	if len(batch) == len(lead) {
		return c
	}
	return graph.BroadcastPrefix(c, lead[:len(lead)-len(batch)]...)
}
