package field

import (
	"errors"
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Scoped is a field whose variables live in a scope of their own. Two networks in one store
// need it, such as those of a velocity and a score: without it they would share weights.
type Scoped struct {
	// Scope is the name of the scope, below the one that the field is given.
	Scope string

	// Field is the field that lives there.
	Field Field
}

// Validate reports a field or a name that is missing.
func (f Scoped) Validate() error {
	if f.Scope == "" {
		return errors.New("field.Scoped: Scope is empty: give the scope a name")
	}
	return Validate(f.Field)
}

// EventRank implements [Field].
func (f Scoped) EventRank() int {
	must(f.Validate())
	return f.Field.EventRank()
}

// Apply implements [Field].
func (f Scoped) Apply(scope *model.Scope, x, t, c *Node) *Node {
	return Call(f.Field, scope.At("%s", f.Scope), x, t, c)
}

// ApplyWithDivergence implements [Divergent], if Field does.
func (f Scoped) ApplyWithDivergence(scope *model.Scope, x, t, c *Node) (value, divergence *Node) {
	return callBoth(f.Field, true, scope.At("%s", f.Scope), x, t, c)
}

// Map implements [Wrapper].
func (f Scoped) Map(inner func(Field) Field) Field {
	f.Field = inner(f.Field)
	return f
}

// String describes the field on one line.
func (f Scoped) String() string { return fmt.Sprintf("Scoped{%s, %v}", f.Scope, f.Field) }
