// Package field holds the learned part of a model: the interface that every
// field satisfies, and ready networks.
package field

import (
	"fmt"
	"slices"

	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Field maps a point, a time and a context to a value shaped like the point: a
// velocity, or what a diffusion model predicts. A user's own type is a Field as
// soon as it has these two methods; check it with [Check].
type Field interface {
	// EventRank is the number of trailing axes of x that make one event.
	EventRank() int

	// Apply builds the graph of the field. x is lead+event, t a scalar or lead, c
	// lead+context_shape, or nil without context; the result is shaped like x. The context
	// is a vector for each event unless the field says otherwise (see [ContextRank]). Its
	// variables live in scope. It panics on misuse, as graph functions do.
	Apply(scope *model.Scope, x, t, c *Node) *Node
}

// Call applies f after it has checked what goes in, and what comes out: t must be
// a scalar or have the lead's shape, c the lead's shape and the axes of a context (see
// [ContextRank]), and the result x's shape. It panics otherwise. The library calls every field
// through it, so that a field which broadcasts in silence is found the first time it runs.
func Call(f Field, scope *model.Scope, x, t, c *Node) *Node {
	checkInputs(f, x, t, c)
	// A solver calls the same layers several times in one graph.
	v := f.Apply(scope.ResetVisited(), x, t, c)
	checkValue(f, v, x)
	return v
}

// checkInputs panics unless x, t and c fit the field and one another.
func checkInputs(f Field, x, t, c *Node) {
	must(Validate(f))
	CheckTime(t, x, f.EventRank())
	CheckContext(f, x, c)
}

// checkValue panics unless a field's value v is shaped like x.
func checkValue(f Field, v, x *Node) {
	if !v.Shape().Equal(x.Shape()) {
		exceptions.Panicf("field.Call: the field %T returned %s for x of %s: a field's value must have the shape and dtype of x",
			f, v.Shape(), x.Shape())
	}
}

// CheckContext panics unless c, if there is one, has a context for each event of x: the
// lead's shape and the axes of a context of f (see [ContextRank]).
func CheckContext(f Field, x, c *Node) {
	if c == nil {
		return
	}
	lead := shape.Lead(x, f.EventRank())
	dims, rank := c.Shape().Dimensions, ContextRank(f)
	if len(dims) != len(lead)+rank || !slices.Equal(dims[:len(lead)], lead) {
		axes := "one context axis"
		if rank != 1 {
			axes = fmt.Sprintf("%d context axes", rank)
		}
		exceptions.Panicf("c is %s, x is %s with events of rank %d: c must have the shape of the lead %s and %s",
			c.Shape(), x.Shape(), f.EventRank(), shape.Format(lead), axes)
	}
}

// CheckTime panics unless t is a scalar or has the shape of the lead of x, whose
// events have the given rank.
func CheckTime(t, x *Node, rank int) {
	lead := shape.Lead(x, rank)
	if !t.IsScalar() && !slices.Equal(t.Shape().Dimensions, lead) {
		exceptions.Panicf("t is %s, x is %s with events of rank %d: t must be a scalar or have the shape of the lead %s",
			t.Shape(), x.Shape(), rank, shape.Format(lead))
	}
	if t.DType() != x.DType() {
		exceptions.Panicf("t is %s, x is %s: both must have one dtype", t.Shape(), x.Shape())
	}
}
