package loss

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Reduction makes one number of the losses ℓ of a batch's events and their weights w, which
// are 1 where a batch has none. The losses themselves are what the PerEvent methods return.
type Reduction int

const (
	// Mean is Σwℓ/Σw.
	Mean Reduction = iota

	// Sum is Σwℓ.
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

// of reduces the losses of the events of b. It panics if r is neither Mean nor Sum.
func (r Reduction) of(perEvent *Node, b Batch) *Node {
	if r != Mean && r != Sum {
		exceptions.Panicf("loss: the reduction is %v: it must be loss.Mean or loss.Sum; PerEvent gives the losses of the events", r)
	}
	if b.Weight == nil {
		if r == Sum {
			return ReduceAllSum(perEvent)
		}
		return ReduceAllMean(perEvent)
	}
	if !b.Weight.Shape().Equal(perEvent.Shape()) {
		exceptions.Panicf("loss: the weights are %s, and the events' losses %s: expected one weight for each event, in the data's dtype", b.Weight.Shape(), perEvent.Shape())
	}
	sum := ReduceAllSum(Mul(b.Weight, perEvent))
	if r == Sum {
		return sum
	}
	return Div(sum, ReduceAllSum(b.Weight))
}
