package field

import (
	"errors"
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Func makes a [Field] of a plain function, say a closed form or a network that is
// built from GoMLX's layers.
type Func struct {
	// Rank is the number of trailing axes of x that make one event.
	Rank int

	// F is called as [Field]'s Apply is.
	F func(scope *model.Scope, x, t, c *Node) *Node
}

// Validate reports a function that is missing.
func (f Func) Validate() error {
	if f.F == nil {
		return errors.New("field.Func: F is nil: give the function that builds the field's graph")
	}
	return nil
}

// EventRank implements [Field].
func (f Func) EventRank() int { return f.Rank }

// Apply implements [Field].
func (f Func) Apply(scope *model.Scope, x, t, c *Node) *Node { return f.F(scope, x, t, c) }

// String says what there is to say of a function.
func (f Func) String() string { return fmt.Sprintf("Func{rank %d}", f.Rank) }
