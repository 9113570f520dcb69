package field

import (
	"errors"
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Func makes a [Field] of a plain function, such as a closed form or a network that is
// built from GoMLX's layers.
type Func struct {
	// Rank is the number of trailing axes of x that make one event.
	Rank int

	// F is called as [Field]'s Apply is.
	F func(scope *model.Scope, x, t, c *Node) *Node
}

// Validate reports a missing F and a negative Rank.
func (f Func) Validate() error {
	if f.F == nil {
		return errors.New("field.Func: F is nil: give the function that is the field")
	}
	if f.Rank < 0 {
		return fmt.Errorf("field.Func: Rank is %d: it is the number of an event's axes, 0 or more", f.Rank)
	}
	return nil
}

// EventRank implements [Field].
func (f Func) EventRank() int { return f.Rank }

// Apply implements [Field].
func (f Func) Apply(scope *model.Scope, x, t, c *Node) *Node { return f.F(scope, x, t, c) }

// String tells the rank alone: a function has no name of its own.
func (f Func) String() string { return fmt.Sprintf("Func{rank %d}", f.Rank) }
