package field

import (
	"fmt"
	"slices"

	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
	"github.com/gomlx/gomlx/support/exceptions"
)

// NullContext is the learned value that stands for no context of f, repeated for each event of x:
// lead+contextShape, in the units of the field. It is the variable null_context of f's scope,
// below the scope of a [Scoped] network, and starts at 0. Training with loss.ContextDropout makes
// it; [Guided] and [Unconditional] use it. A field that is [Embedded] learns the vector of no
// context, and is given NaN.
func NullContext(f Field, scope *model.Scope, x *Node, contextShape []int) *Node {
	if embeds(f) {
		return repeated(none(x, contextShape), x, f.EventRank())
	}
	null := scopeOf(f, scope).WithInitializer(initializer.Zero).
		VariableWithShape("null_context", shapes.Make(x.DType(), contextShape...)).NodeValue(x)
	return repeated(null, x, f.EventRank())
}

// embeds says whether f is Embedded, or wraps one field that is.
func embeds(f Field) bool {
	w, ok := f.(Wrapper)
	if _, own := f.(Embedded); own || !ok {
		return own
	}
	inside := 0
	found := false
	w.Map(func(inner Field) Field {
		inside, found = inside+1, inner != nil && embeds(inner)
		return inner
	})
	return inside == 1 && found
}

// scopeOf is the scope in which f's own variables live, where scope is the one that it is given.
func scopeOf(f Field, scope *model.Scope) *model.Scope {
	w, ok := f.(Wrapper)
	if !ok {
		return scope
	}
	if s, ok := f.(Scoped); ok {
		return scopeOf(s.Field, scope.At("%s", s.Scope))
	}
	var inside []Field
	w.Map(func(inner Field) Field {
		inside = append(inside, inner)
		return inner
	})
	if len(inside) != 1 {
		return scope
	}
	return scopeOf(inside[0], scope)
}

// repeated is one condition, for each event of x.
func repeated(condition, x *Node, rank int) *Node {
	return BroadcastPrefix(condition, shape.Lead(x, rank)...)
}

// Unconditional is a field that was trained with contexts, of which some were dropped
// (loss.ContextDropout), as a field without: that of events whatever their contexts. Its variables
// are those of the field that it wraps, and its null context.
type Unconditional struct {
	// Field is what was trained.
	Field Field

	// ContextShape is the shape of one context, in the field's units: {n} for a vector of n
	// values.
	ContextShape []int
}

// Validate reports a field that is missing, and a shape that isn't that of its contexts.
func (f Unconditional) Validate() error {
	if err := Validate(f.Field); err != nil {
		return err
	}
	if rank := ContextRank(f.Field); len(f.ContextShape) != rank || slices.ContainsFunc(f.ContextShape, func(size int) bool { return size < 1 }) {
		return fmt.Errorf("field.Unconditional: ContextShape is %s: give the shape of one context of the field, of %d axes with at least 1 value",
			shape.Format(f.ContextShape), rank)
	}
	return nil
}

// EventRank implements [Field].
func (f Unconditional) EventRank() int {
	must(f.Validate())
	return f.Field.EventRank()
}

// Apply implements [Field]. It panics if there is a context.
func (f Unconditional) Apply(scope *model.Scope, x, t, c *Node) *Node {
	value, _ := f.both(false, scope, x, t, c)
	return value
}

// ApplyWithDivergence implements [Divergent], if Field does.
func (f Unconditional) ApplyWithDivergence(scope *model.Scope, x, t, c *Node) (value, divergence *Node) {
	return f.both(true, scope, x, t, c)
}

// both is the value, and the divergence where it is wanted.
func (f Unconditional) both(wanted bool, scope *model.Scope, x, t, c *Node) (value, divergence *Node) {
	must(f.Validate())
	if c != nil {
		exceptions.Panicf("field.Unconditional: the context is %s, and the field takes none: bind no context, or bind the field that it wraps", c.Shape())
	}
	return callBoth(f.Field, wanted, scope, x, t, NullContext(f.Field, scope, x, f.ContextShape))
}

// Map implements [Wrapper].
func (f Unconditional) Map(inner func(Field) Field) Field {
	f.Field = inner(f.Field)
	return f
}

// String describes the field on one line.
func (f Unconditional) String() string {
	return fmt.Sprintf("Unconditional{%v, context %s}", f.Field, shape.Format(f.ContextShape))
}
