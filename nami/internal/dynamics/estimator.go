package dynamics

import (
	"errors"

	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"

	. "github.com/gomlx/gomlx/core/graph"
)

// mustEstimate is the estimator to use in a graph. It panics if there is none, or if the
// solver has no deterministic flow.
func (f *Flow) mustEstimate(estimator divergence.Estimator) divergence.Estimator {
	estimator, err := f.Estimator(estimator, f.GraphMask != nil)
	if err == nil {
		err = f.NeedsODE("a log-density")
	}
	if err != nil {
		panic(err)
	}
	return estimator
}

// own stands for the divergence that the field itself knows.
type own struct {
	// given is the estimator in whose place it stands; nil if there was none.
	given divergence.Estimator
}

// Check implements [divergence.Estimator].
func (o own) Check(eventShape []int) error {
	if o.given == nil {
		return nil
	}
	return o.given.Check(eventShape)
}

// Estimate implements [divergence.Estimator]; the field is asked instead.
func (own) Estimate(func(*Node) *Node, *Node, int, *Node) (value, div *Node) {
	panic("nami: a field's own divergence was estimated")
}

// Estimator is the one that is to be used: the field's own divergence, if it knows one, in the
// place of the exact one, and where none is given if the field has a closed form: what a network
// computes must be asked for, as it may cost much.
func (f *Flow) Estimator(given divergence.Estimator, masked bool) (divergence.Estimator, error) {
	_, exact := given.(divergence.Exact)
	if given != nil && !exact {
		return given, nil
	}
	known := f.Field
	if f.Mixture != nil {
		known = f.Mixture.field
	}
	asked := known
	if masked {
		asked = field.Masked(known, nil)
	}
	switch {
	case field.KnowsDivergence(asked) && (exact || !field.CarriesTangents(known)):
		return own{given}, nil
	case exact:
		return given, nil
	}
	what := "the field doesn't know its divergence in closed form"
	if closed(known) {
		what = "the divergence that the field knows is that of a whole event, padding included, so a mask can't use it"
	} else if closed(f.Field) {
		what = "the divergence that the field knows isn't that of the guided prediction"
	}
	return nil, errors.New("nami: the estimator of the divergence is nil, and " + what + ": use divergence.Exact{} for events of few values, divergence.Hutchinson{} for large ones")
}

// closed is true if a field knows its divergence in closed form.
func closed(f field.Field) bool { return field.KnowsDivergence(f) && !field.CarriesTangents(f) }
