package field

import (
	"fmt"
	"slices"

	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// checkConditioning reports a negative size of a context, or numbers of features of the time
// that [Sinusoidal] can't make, for the network with that name.
func checkConditioning(network string, contextDim, features int) error {
	if contextDim < 0 || features < 0 || features%2 != 0 {
		return fmt.Errorf("%s: ContextDim is %d and TimeFeatures %d: neither may be negative, and TimeFeatures must be even",
			network, contextDim, features)
	}
	return nil
}

// checkEventAndContext panics unless x ends in the network's event shape, and there is a
// context of its size, or none if that is 0.
func checkEventAndContext(network string, event []int, contextDim int, x, c *Node) {
	dims := x.Shape().Dimensions
	if rank := len(event); len(dims) < rank || !slices.Equal(dims[len(dims)-rank:], event) {
		exceptions.Panicf("%s: x is %s: its shape must end in the event shape %s", network, x.Shape(), shape.Format(event))
	}
	switch {
	case c == nil && contextDim > 0:
		exceptions.Panicf("%s: there is no context, and the field expects one of %d values: bind a context, or set ContextDim to 0", network, contextDim)
	case c != nil && contextDim == 0:
		exceptions.Panicf("%s: the context is %s, and the field expects none: set ContextDim to its last axis, or bind no context", network, c.Shape())
	case c != nil && c.Shape().Dim(-1) != contextDim:
		exceptions.Panicf("%s: the context is %s, and the field expects %d values on its last axis (ContextDim)", network, c.Shape(), contextDim)
	}
}

// timeFeatures are n features of t by [Sinusoidal], or t itself if n is 0, on one axis more.
func timeFeatures(t *Node, n int) *Node {
	if n > 0 {
		return Sinusoidal(t, n)
	}
	return InsertAxes(t, -1)
}

// leading repeats the features of a scalar time t for each event of a lead; those of one time
// for each event are left as they are.
func leading(features, t *Node, lead []int) *Node {
	if !t.IsScalar() || len(lead) == 0 {
		return features
	}
	return BroadcastPrefix(features, lead...)
}
