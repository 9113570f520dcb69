package loss

import (
	"fmt"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// sourced is b with a source drawn from base, a standard normal if nil, unless it has one.
func sourced(scope *model.Scope, f field.Field, base distribution.Base, b Batch) Batch {
	lead, event := split(f, b)
	if b.Source == nil {
		b.Source = distribution.Given(orNormal(base, event), scope, b.Context).Sample(scope, b.X.Graph(), b.X.DType(), lead...)
	}
	return b
}

func orNormal(base distribution.Base, event []int) distribution.Base {
	if base == nil {
		return distribution.NewStandardNormal(event...)
	}
	return base
}

// split is the lead and the event shape of a batch that f learns from. It panics unless
// there are events, with a context each if any.
func split(f field.Field, b Batch) (lead, event []int) {
	checkField(f)
	if b.X == nil {
		panic(fmt.Errorf("loss: the batch has no events: X is nil"))
	}
	lead, event, err := shape.Split(b.X.Shape().Dimensions, f.EventRank())
	if err != nil {
		panic(fmt.Errorf("loss: x: %w", err))
	}
	if b.X.Shape().Size() == 0 {
		exceptions.Panicf("loss: the batch is empty: x is %s", b.X.Shape())
	}
	field.CheckContext(f, b.X, b.Context)
	return lead, event
}

// checked is b with zeros in the padding, after a look at whether f can learn from it at
// times t.
func checked(f field.Field, b Batch, t *Node) Batch {
	split(f, b)
	sameShape(b.Source, b.X, "source (noise)")
	field.CheckTime(t, b.X, f.EventRank())
	b.X, b.Source = clean(f, b.X, b), clean(f, b.Source, b)
	return b
}

// sameShape panics unless other, called what, is shaped like the data.
func sameShape(other, x *Node, what string) {
	switch {
	case other == nil:
		exceptions.Panicf("loss: the %s is nil: give one shaped like the target (data) %s", what, x.Shape())
	case !other.Shape().Equal(x.Shape()):
		exceptions.Panicf("loss: the %s is %s, the target (data) %s: both must have one shape and dtype", what, other.Shape(), x.Shape())
	}
}

// clean is x with zeros in the padding, if b has a mask.
func clean(f field.Field, x *Node, b Batch) *Node {
	if b.Mask == nil {
		return x
	}
	return field.Mask(x, b.Mask, f.EventRank())
}

// predict is the field's value at x and t, which sees and has zeros in the padding.
func predict(f field.Field, scope *model.Scope, x, t *Node, b Batch) *Node {
	if b.Mask != nil {
		f = field.Masked(f, b.Mask)
	}
	return field.Call(f, scope, x, t, b.Context)
}

// perEvent is the mean of values, lead+event, over each event: over its objects alone where
// there is a mask, and 0 for an event without any.
func perEvent(f field.Field, values *Node, b Batch) *Node {
	rank := f.EventRank()
	if b.Mask == nil {
		return ReduceMean(shape.Flatten(values, rank), -1)
	}
	sum := func(x *Node) *Node { return ReduceSum(shape.Flatten(field.Mask(x, b.Mask, rank), rank), -1) }
	return Div(sum(values), MaxScalar(sum(OnesLike(values)), 1))
}

// checkField panics if a field is missing, or incomplete.
func checkField(f field.Field) {
	if err := field.Validate(f); err != nil {
		panic(err)
	}
}
