package distribution

import (
	"fmt"
	"slices"

	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// batched are the shapes of a batch of distributions, one for each of its elements: what
// they draw and what they are asked for has a lead that ends in the batch shape.
type batched struct {
	name         string // of the distribution, for messages
	batch, event []int
}

// newBatched splits dims into the batch and the event, the last rank axes.
func newBatched(name string, dims []int, rank int) (batched, error) {
	batch, shape, err := shape.Split(slices.Clone(dims), rank)
	return batched{name: name, batch: batch, event: shape}, err
}

// EventShape implements [Distribution].
func (b batched) EventShape() []int { return slices.Clone(b.event) }

// BatchShape is the shape of the batch of distributions; empty for one.
func (b batched) BatchShape() []int { return slices.Clone(b.batch) }

// expanded are the shapes with a batch that ends in the present one, of axes of 1 or more; it
// panics otherwise.
func (b batched) expanded(batch []int) batched {
	if slices.ContainsFunc(batch, func(size int) bool { return size < 1 }) {
		exceptions.Panicf("distribution.%s: can't expand the batch %s to %s: every axis needs at least 1", b.name, shape.Format(b.batch), shape.Format(batch))
	}
	if !b.fits(batch) {
		exceptions.Panicf("distribution.%s: can't expand the batch %s to %s: it must be the end of it", b.name, shape.Format(b.batch), shape.Format(batch))
	}
	b.batch = slices.Clone(batch)
	return b
}

// fits says whether a lead ends in the batch.
func (b batched) fits(lead []int) bool {
	n := len(lead) - len(b.batch)
	return n >= 0 && slices.Equal(lead[n:], b.batch)
}

// checkLead panics unless lead ends in the batch.
func (b batched) checkLead(lead []int) {
	if !b.fits(lead) {
		exceptions.Panicf("distribution.%s: the lead is %s, which must end in the batch shape %s", b.name, shape.Format(lead), shape.Format(b.batch))
	}
}

// leadOf is the lead of x, whose shape must end in the batch's and the event's.
func (b batched) leadOf(x *Node) []int {
	if err := shape.Validate(x.Shape().Dimensions, b.event, nil); err != nil {
		panic(fmt.Errorf("distribution.%s: x: %w", b.name, err))
	}
	lead := shape.Lead(x, len(b.event))
	b.checkLead(lead)
	return lead
}

// sum adds up the values of each event.
func (b batched) sum(values *Node) *Node {
	return ReduceSum(shape.Flatten(values, len(b.event)), -1)
}

// String names the distribution and its shapes.
func (b batched) String() string {
	if len(b.batch) == 0 {
		return fmt.Sprintf("%s%s", b.name, shape.Format(b.event))
	}
	return fmt.Sprintf("%s%s×%s", b.name, shape.Format(b.batch), shape.Format(b.event))
}
