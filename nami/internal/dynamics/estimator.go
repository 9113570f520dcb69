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
type own struct{}

// Check implements [divergence.Estimator].
func (own) Check([]int) error { return nil }

// Estimate implements [divergence.Estimator]; the field is asked instead.
func (own) Estimate(func(*Node) *Node, *Node, int, *Node) (value, div *Node) {
	panic("nami: a field's own divergence was estimated")
}

// Estimator is the one that is given, or if it is nil the field's own divergence.
func (f *Flow) Estimator(given divergence.Estimator, masked bool) (divergence.Estimator, error) {
	if given != nil {
		return given, nil
	}
	what := "the field doesn't know its divergence"
	known := f.Field
	if f.Mixture != nil {
		known = f.Mixture.field
	}
	if _, ok := known.(field.Divergent); ok {
		if !masked {
			return own{}, nil
		}
		what = "the divergence that the field knows is that of a whole event, padding included, so a mask can't use it"
	} else if _, ok := f.Field.(field.Divergent); ok {
		what = "the divergence that the field knows isn't that of the guided prediction"
	}
	return nil, errors.New("nami: the estimator of the divergence is nil, and " + what + ": use divergence.Exact{} for events of few values, divergence.Hutchinson{} for large ones")
}
