// Package coupling holds how a minibatch pairs noise with data before a path joins them.
// Pairs of independent draws give crossing paths, between which the velocity averages;
// pairs that are close to each other give straighter ones.
package coupling

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/gomlx/core/tensors"
)

// Coupling pairs the rows of two batches, on the host. A user's own type is a Coupling as
// soon as it has this method; check it with [Check].
type Coupling interface {
	// Pair returns for each row of target (data) the row of source (noise) that goes with
	// it, or [LeftOut]. A row of the source may occur more than once, but each as often as any
	// other on average over what random draws: else the model's noise is no longer that of the
	// source. Source and target are [n]+event, n at least 1, of one shape and dtype; context
	// is the condition of each event, [n]+context_shape, or nil; all are only read. The same
	// batches and a random source in the same state give the same pairs. What doesn't fit is
	// an error, as [Validate] finds it.
	Pair(random *rand.Rand, source, target, context *tensors.Tensor) (rows []int, err error)
}

// LeftOut, in the place of a row of the source, leaves an event out. In training one of the other
// pairs that were made at once takes its place, drawn at random, so that a batch has as many events
// as ever. A coupling can't leave all events out.
const LeftOut = -1

// Conditional is a [Coupling] that may be used where events have contexts: the source that it
// pairs with the events of a context must have the same distribution for every context. A
// coupling that pairs what is close regardless of the context breaks this: within a context the
// noise is then no longer the one that samples start from, and the model of that condition is
// wrong (Cheng & Schwing 2025, arXiv:2503.10636).
type Conditional interface {
	Coupling

	// PairsWithinContexts says whether that is so.
	PairsWithinContexts() bool
}

// TakesContexts says whether c may be used where events have contexts: see [Conditional].
func TakesContexts(c Coupling) bool {
	conditional, ok := c.(Conditional)
	return ok && conditional.PairsWithinContexts()
}

// Validate reports what is wrong with two batches and their contexts, or nil: one that is
// nil, without rows, or not of floats, shapes or dtypes that differ, and values that are not
// finite.
func Validate(source, target, context *tensors.Tensor) error {
	if _, _, err := read(source, target); err != nil {
		return err
	}
	if context == nil {
		return nil
	}
	if _, err := gomlx.Floats("context", context); err != nil {
		return fmt.Errorf("coupling: %w", err)
	}
	if n := target.Shape().Dimensions[0]; context.Rank() == 0 || context.Shape().Dimensions[0] != n {
		return fmt.Errorf("coupling: the context is %s and target (data) %s: expected a context for each event, [%d]+context_shape", context.Shape(), target.Shape(), n)
	}
	return nil
}

// read returns the values of two batches that fit.
func read(source, target *tensors.Tensor) (sources, targets []float64, err error) {
	if sources, err = gomlx.Floats("source (noise)", source); err != nil {
		return nil, nil, fmt.Errorf("coupling: %w", err)
	}
	if targets, err = gomlx.Floats("target (data)", target); err != nil {
		return nil, nil, fmt.Errorf("coupling: %w", err)
	}
	if !source.Shape().Equal(target.Shape()) {
		return nil, nil, fmt.Errorf("coupling: source (noise) is %s and target (data) %s: both must have one shape and dtype", source.Shape(), target.Shape())
	}
	if dims := source.Shape().Dimensions; len(dims) == 0 || slices.Contains(dims, 0) {
		return nil, nil, fmt.Errorf("coupling: source and target have shape %s: expected rows of events, [n]+event with n at least 1", shape.Format(dims))
	}
	return sources, targets, nil
}

// Independent leaves the rows as they come: row i with row i. As both batches are drawn
// independently, so are the pairs.
type Independent struct{}

// Pair implements [Coupling].
func (Independent) Pair(_ *rand.Rand, source, target, context *tensors.Tensor) ([]int, error) {
	if err := Validate(source, target, context); err != nil {
		return nil, err
	}
	rows := make([]int, source.Shape().Dimensions[0])
	for i := range rows {
		rows[i] = i
	}
	return rows, nil
}

// PairsWithinContexts implements [Conditional]: independent pairs are independent of
// contexts, too.
func (Independent) PairsWithinContexts() bool { return true }

// String names the coupling.
func (Independent) String() string { return "Independent" }
