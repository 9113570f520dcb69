package loss

import (
	"fmt"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// ContextDropout is a loss of a batch in which some events have no context: each is replaced
// by [field.NullContext], which learns beside the field, with the probability Rate, drawn at each
// step (Ho & Salimans 2022, arXiv:2207.12598, algorithm 1). So one field learns the events of a
// context and those of any: [field.Guided] and [field.Unconditional] use it.
//
// It stands within a [Transformed], as the null context is in the field's units.
type ContextDropout struct {
	// Of is the loss: one that tells its field, as [FM], [Interpolant] and [Denoising] do.
	Of Loss

	// Rate is the probability that a context is dropped, between 0 and 1; 0.1 if 0.
	Rate float64
}

var (
	_ Sourced = ContextDropout{}
	_ OfModel = ContextDropout{}
)

// Validate reports a loss that contexts can't be dropped from, and a rate out of range.
func (l ContextDropout) Validate() error {
	if l.Of == nil {
		return fmt.Errorf("loss.ContextDropout: Of is nil: give the loss whose contexts are dropped, such as loss.FM")
	}
	if _, ok := l.Of.(InUnits); ok {
		return fmt.Errorf("loss.ContextDropout: Of is a %T, whose contexts are in the data's units: give the dropout to the loss inside, as in loss.Transformed{Of: loss.ContextDropout{Of: …}}", l.Of)
	}
	if of, ok := l.Of.(OfField); !ok || of.LearnedField() == nil {
		return fmt.Errorf("loss.ContextDropout: the loss %T doesn't tell which field learns from it (loss.OfField): give it a method LearnedField", l.Of)
	}
	if rate := l.rate(); !(rate > 0 && rate < 1) {
		return fmt.Errorf("loss.ContextDropout: Rate is %v: it must be between 0 and 1, or 0 for 0.1", l.Rate)
	}
	return nil
}

func (l ContextDropout) rate() float64 {
	if l.Rate == 0 {
		return 0.1
	}
	return l.Rate
}

// Loss implements [Loss]. It panics if the batch has no contexts.
func (l ContextDropout) Loss(scope *model.Scope, b Batch) *Node {
	if err := l.Validate(); err != nil {
		panic(err)
	}
	f := l.LearnedField()
	lead, _ := split(f, b)
	if b.Context == nil {
		exceptions.Panicf("loss.ContextDropout: the batch has no contexts: there is nothing to drop")
	}
	dims := b.Context.Shape().Dimensions
	var axes []int // of one context
	for axis := len(lead); axis < len(dims); axis++ {
		axes = append(axes, axis)
	}
	null := field.NullContext(f, scope, b.X, dims[len(lead):])
	u := scope.RandomUniform(b.X.Graph(), shapes.Make(b.X.DType(), lead...))
	dropped := ExpandAndBroadcast(LessThan(u, ConstAs(u, l.rate())), dims, axes)
	b.Context = Where(dropped, ConvertDType(null, b.Context.DType()), b.Context)
	return l.Of.Loss(scope, b)
}

// SourceOf implements [Sourced]. It panics if the loss doesn't tell its source.
func (l ContextDropout) SourceOf(event []int) distribution.Base {
	return sourceOf("ContextDropout", l.Of, event)
}

// LearnedField implements [OfField].
func (l ContextDropout) LearnedField() field.Field { return learnedField(l.Of) }

// LearnedModel implements [OfModel].
func (l ContextDropout) LearnedModel(event []int) Learned { return learnedModel(l.Of, event) }

// String describes the loss on one line, the same in every process.
func (l ContextDropout) String() string {
	return fmt.Sprintf("ContextDropout{%v, rate %g}", l.Of, l.rate())
}
