package field

import (
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/nami-flow/go-nami/nami/shape"
)

// Divergent is a field that knows its own divergence, in closed form or by a network that
// was built for it: a likelihood can use that instead of an estimate.
type Divergent interface {
	Field

	// ApplyWithDivergence is Apply, and the trace of the value's derivative with respect
	// to x, of the lead's shape.
	ApplyWithDivergence(scope *model.Scope, x, t, c *Node) (value, divergence *Node)
}

// CallWithDivergence applies f with its divergence, after it has checked what goes in, and
// what comes out, as [Call] does.
func CallWithDivergence(f Divergent, scope *model.Scope, x, t, c *Node) (value, divergence *Node) {
	checkInputs(f, x, t, c)
	value, divergence = f.ApplyWithDivergence(scope.ResetVisited(), x, t, c)
	checkValue(f, value, x)
	lead := shape.Lead(x, f.EventRank())
	if !slices.Equal(divergence.Shape().Dimensions, lead) || divergence.DType() != x.DType() {
		exceptions.Panicf("field.CallWithDivergence: the field %T returned a divergence of %s for x of %s: it must have the shape of the lead %s and the dtype of x",
			f, divergence.Shape(), x.Shape(), shape.Format(lead))
	}
	return value, divergence
}
