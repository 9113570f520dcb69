package field

import (
	"slices"

	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// OnObjects is a field that takes the mask of events of varying numbers of objects, as
// attention among them needs. Other fields see zeros in the padding, and must recognise it
// by those.
type OnObjects interface {
	Field

	// ApplyMasked is Apply with a mask of shape lead+[objects], 1 for an object and 0 for
	// padding, where x is zero. What it returns in the padding is ignored.
	ApplyMasked(scope *model.Scope, x, t, c, mask *Node) *Node
}

// masked is a field that neither sees nor moves padded objects.
type masked struct {
	Field
	mask *Node
}

// Masked returns f for events of varying numbers of objects: the first axis of an event
// counts objects, and mask, lead+[objects], is 1 where there is one and 0 where there is
// padding. f sees zeros there, and its value there is zero, so nothing depends on what
// stands in the padding. A field that is [OnObjects] is given the mask, within a [Wrapper]
// too. Like mask, the result belongs to one graph.
func Masked(f Field, mask *Node) Field {
	if w, ok := f.(Wrapper); ok {
		f = w.Map(func(inner Field) Field { return Masked(inner, mask) })
	}
	return masked{f, mask}
}

// Validate reports what is wrong with the field that is masked.
func (m masked) Validate() error { return Validate(m.Field) }

// ContextRank is that of the field that is masked.
func (m masked) ContextRank() int { return ContextRank(m.Field) }

// Apply implements [Field].
func (m masked) Apply(scope *model.Scope, x, t, c *Node) *Node {
	x = Mask(x, m.mask, m.EventRank())
	if f, ok := m.Field.(OnObjects); ok {
		return Mask(f.ApplyMasked(scope, x, t, c, m.mask), m.mask, m.EventRank())
	}
	return Mask(m.Field.Apply(scope, x, t, c), m.mask, m.EventRank())
}

// ApplyWithDivergence implements [Divergent], of the objects alone.
func (m masked) ApplyWithDivergence(scope *model.Scope, x, t, c *Node) (value, divergence *Node) {
	rank := m.EventRank()
	x = Mask(x, m.mask, rank)
	if f, ok := m.Field.(tracer); ok {
		counted := asRows(shape.Flatten(Mask(OnesLike(x), m.mask, rank), rank))
		value, divergence = f.withTrace(scope, x, t, c, counted)
	} else { // the fields inside are masked, too
		value, divergence = CallWithDivergence(m.Field.(Divergent), scope, x, t, c)
	}
	return Mask(value, m.mask, rank), divergence
}

// Mask sets padded objects of x to zero, whatever stands there, NaN included: x is
// lead+event with events of the given rank, of which the first axis counts objects; mask
// is lead+[objects], 1 for an object and 0 for padding. It panics if the rank is below 2,
// or if mask has another shape.
func Mask(x, mask *Node, rank int) *Node {
	if rank < 2 {
		exceptions.Panicf("field.Mask: the event rank is %d: a masked event has an axis of objects and at least one of their features", rank)
	}
	objects := len(shape.Lead(x, rank)) + 1
	dims := x.Shape().Dimensions
	if !slices.Equal(mask.Shape().Dimensions, dims[:objects]) {
		exceptions.Panicf("field.Mask: the mask is %s, x is %s with events of rank %d: the mask must be %s, the lead and the objects",
			mask.Shape(), x.Shape(), rank, shape.Format(dims[:objects]))
	}
	var features []int
	for axis := objects; axis < len(dims); axis++ {
		features = append(features, axis)
	}
	present := ExpandAndBroadcast(GreaterThan(mask, ConstAs(mask, 0.5)), dims, features)
	return Where(present, x, ConstAs(x, 0))
}
