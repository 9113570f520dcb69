package nami

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Reduction makes one number of the losses of a batch's events. The losses themselves are
// what the PerEvent methods return.
type Reduction int

const (
	// Mean divides the sum by the number of events.
	Mean Reduction = iota

	// Sum adds the events' losses up.
	Sum
)

// String is the reduction's name.
func (r Reduction) String() string {
	switch r {
	case Mean:
		return "mean"
	case Sum:
		return "sum"
	}
	return fmt.Sprintf("Reduction(%d)", int(r))
}

// of reduces the losses of events. It panics if r is neither Mean nor Sum.
func (r Reduction) of(perEvent *Node) *Node {
	switch r {
	case Mean:
		return ReduceAllMean(perEvent)
	case Sum:
		return ReduceAllSum(perEvent)
	}
	exceptions.Panicf("nami: the reduction is %v: it must be nami.Mean or nami.Sum; PerEvent gives the losses of the events", r)
	return nil
}
