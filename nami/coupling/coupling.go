// Package coupling holds how a minibatch pairs noise with data before a path joins them.
// Pairs of independent draws give crossing paths, between which the velocity averages;
// pairs that are close to each other give straighter ones.
package coupling

import (
	"fmt"
	"slices"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/gomlx/core/tensors"
)

// Coupling pairs the rows of two batches, on the host. A user's own type is a Coupling as
// soon as it has this method; check it with [Check].
type Coupling interface {
	// Pair returns a permutation: row i of target (data) goes with row pair[i] of source
	// (noise). Both are [n]+event, n at least 1, of one shape and dtype; they are only
	// read. The same batches give the same pairs. What doesn't fit is an error, as
	// [Validate] finds it.
	Pair(source, target *tensors.Tensor) (pair []int, err error)
}

// Validate reports what is wrong with two batches: one that is nil, without rows, or not of
// floats, shapes or dtypes that differ, and values that are not finite.
func Validate(source, target *tensors.Tensor) error {
	_, _, err := read(source, target)
	return err
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
func (Independent) Pair(source, target *tensors.Tensor) ([]int, error) {
	if err := Validate(source, target); err != nil {
		return nil, err
	}
	pair := make([]int, source.Shape().Dimensions[0])
	for i := range pair {
		pair[i] = i
	}
	return pair, nil
}

// String names the coupling.
func (Independent) String() string { return "Independent" }
