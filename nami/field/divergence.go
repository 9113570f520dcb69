package field

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Divergent is a field that knows its own divergence, in closed form or by a network that
// was built for it: a likelihood can use that instead of an estimate.
type Divergent interface {
	Field

	// ApplyWithDivergence is Apply, and the trace of the value's derivative with respect
	// to x, of the lead's shape.
	ApplyWithDivergence(scope *model.Scope, x, t, c *Node) (value, divergence *Node)
}
