package loss

import (
	"fmt"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/transform"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Transformed is a loss of events that a model sees in other units: give it the transforms
// that the model has.
//
//	flow := nami.FlowMatching{Field: f, Transform: units, …}
//	l := loss.Transformed{Of: loss.FM{Field: f}, Transform: flow.Transform}
//
// The batch's events and contexts are in the data's units, its source in the model's, as the
// noise is that a loss draws. Noise that a transform adds is drawn again at each step.
type Transformed struct {
	// Of is the loss in the model's units: not an [NLL], whose flow has the transforms itself.
	Of Loss

	// Transform maps events, and ContextTransform contexts, to the model's units; nil where
	// they are the same.
	Transform, ContextTransform transform.Transform
}

var (
	_ Sourced = Transformed{}
	_ OfModel = Transformed{}
	_ InUnits = Transformed{}
)

// Loss implements [Loss].
func (l Transformed) Loss(scope *model.Scope, b Batch) *Node {
	l.check()
	if l.Transform != nil && b.X != nil {
		t := l.Transform
		if b.Mask != nil {
			t = transform.Masked(t, b.Mask)
		}
		b.X, _ = t.Forward(scope, b.X)
	}
	if l.ContextTransform != nil && b.Context != nil {
		b.Context, _ = l.ContextTransform.Forward(nil, b.Context)
	}
	return l.Of.Loss(scope, b)
}

func (l Transformed) check() {
	switch l.Of.(type) {
	case nil:
		exceptions.Panicf("loss.Transformed: Of is nil: give the loss that learns in the model's units, such as loss.FM")
	case NLL:
		exceptions.Panicf("loss.Transformed: Of is an NLL, which learns the density of the data: give the transforms to its Flow instead")
	case Transformed:
		exceptions.Panicf("loss.Transformed: Of is a Transformed itself: chain the transforms by transform.Chain")
	}
}

// Units implements [InUnits].
func (l Transformed) Units() (event, context transform.Transform) {
	return l.Transform, l.ContextTransform
}

// SourceOf implements [Sourced], for events in the model's units. It panics if the loss in
// them doesn't tell its source.
func (l Transformed) SourceOf(event []int) distribution.Base {
	of, ok := l.Of.(Sourced)
	if !ok {
		exceptions.Panicf("loss.Transformed: the loss %T doesn't tell what it draws its source from, which a coupling asks for (loss.Sourced): give it a method SourceOf", l.Of)
	}
	return of.SourceOf(event)
}

// LearnedField implements [OfField]; nil if the loss in the model's units doesn't tell it.
func (l Transformed) LearnedField() field.Field {
	if of, ok := l.Of.(OfField); ok {
		return of.LearnedField()
	}
	return nil
}

// LearnedModel implements [OfModel], for events in the model's units.
func (l Transformed) LearnedModel(event []int) Learned {
	if of, ok := l.Of.(OfModel); ok {
		return of.LearnedModel(event)
	}
	return Learned{}
}

// String describes the loss on one line, the same in every process.
func (l Transformed) String() string {
	return fmt.Sprintf("Transformed{%v, transform %v, context transform %v}", l.Of, l.Transform, l.ContextTransform)
}
