package loss

import (
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"

	"github.com/gomlx/gomlx/support/exceptions"
)

// sourceOf is the source of the loss that a wrapper with that name has inside. It panics if that
// doesn't tell it.
func sourceOf(wrapper string, l Loss, event []int) distribution.Base {
	of, ok := l.(Sourced)
	if !ok {
		exceptions.Panicf("loss.%s: the loss %T doesn't tell what it draws its source from, which a coupling asks for (loss.Sourced): give it a method SourceOf", wrapper, l)
	}
	return of.SourceOf(event)
}

// learnedField is the field that learns from a loss; nil if it doesn't tell it.
func learnedField(l Loss) field.Field {
	if of, ok := l.(OfField); ok {
		return of.LearnedField()
	}
	return nil
}

// learnedModel is what that field is part of; the zero value if the loss doesn't tell it.
func learnedModel(l Loss, event []int) Learned {
	if of, ok := l.(OfModel); ok {
		return of.LearnedModel(event)
	}
	return Learned{}
}
