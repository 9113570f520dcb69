package distribution

import (
	"fmt"
	"slices"

	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
	"github.com/gomlx/gomlx/support/exceptions"
)

// LearnedNormal is a [DiagonalNormal] that is trained with the field. Its mean and the
// logarithm of its standard deviation are variables, or with a context affine functions of
// it; all start at zero, so it starts as N(0, I). A base whose parameters are another
// function of the context is a [Conditional] that returns [DiagonalNormalOf].
//
// The variables are learned_normal/loc/biases and learned_normal/log_scale/biases, of the
// size of an event, and with a context learned_normal/loc/weights and
// learned_normal/log_scale/weights, of shape [ContextDim, size].
//
// A loss must see the base's density for it to learn something sensible, as maximum
// likelihood does. The flow-matching loss alone makes it narrow: noise that is always the
// same is easy to follow.
type LearnedNormal struct {
	// Event is the shape of one event; empty for a scalar.
	Event []int

	// ContextDim is the size of the context's last axis; 0 for a normal distribution that
	// doesn't depend on one.
	ContextDim int
}

var _ Conditional = LearnedNormal{}

// Validate reports axes of the event below 1 and a negative ContextDim.
func (l LearnedNormal) Validate() error {
	if err := checkEvent(l.Event); err != nil {
		return fmt.Errorf("distribution.LearnedNormal: %w", err)
	}
	if l.ContextDim < 0 {
		return fmt.Errorf("distribution.LearnedNormal: ContextDim is %d: it is the size of the context's last axis, or 0", l.ContextDim)
	}
	return nil
}

// EventShape implements [Base].
func (l LearnedNormal) EventShape() []int { return slices.Clone(l.Event) }

// Given implements [Conditional]. Without ContextDim it leaves the context alone, and there
// is one distribution for all; with it there is one for each element of c's lead. It panics
// if c is nil then, or its last axis is not ContextDim.
func (l LearnedNormal) Given(scope *model.Scope, c *Node) Distribution {
	if err := l.Validate(); err != nil {
		panic(err)
	}
	dims := slices.Clone(l.Event)
	switch {
	case l.ContextDim == 0:
		c = nil
	case c == nil:
		exceptions.Panicf("distribution.LearnedNormal: there is no context, and the base expects one of %d values: bind a context, or set ContextDim to 0", l.ContextDim)
	case c.Rank() == 0 || c.Shape().Dim(-1) != l.ContextDim:
		exceptions.Panicf("distribution.LearnedNormal: the context is %s, and the base expects %d values on its last axis (ContextDim)", c.Shape(), l.ContextDim)
	default:
		dims = slices.Concat(shape.Lead(c, 1), l.Event)
	}
	scope = scope.At("learned_normal").WithInitializer(initializer.Zero)
	// The variables exist from here on, whether or not the distribution is asked.
	loc, logScale := l.affine(scope.At("loc"), c), l.affine(scope.At("log_scale"), c)
	b, err := newBatched("DiagonalNormal", dims, len(l.Event))
	if err != nil {
		panic(err)
	}
	return DiagonalNormal{batched: b, computed: &computed{text: "learned", parameters: func(g *Graph, dtype dtypes.DType) (*Node, *Node) {
		return Reshape(loc(g, dtype), dims...), Reshape(Exp(logScale(g, dtype)), dims...)
	}}}
}

// affine makes the variables of c·W + b, without c those of b, and returns what builds it,
// lead+[size of the event].
func (l LearnedNormal) affine(scope *model.Scope, c *Node) func(g *Graph, dtype dtypes.DType) *Node {
	size := shape.Size(l.Event)
	biases := variable(scope, "biases", c, size)
	if c == nil {
		return func(g *Graph, dtype dtypes.DType) *Node { return ConvertDType(biases.NodeValue(g), dtype) }
	}
	weights := variable(scope, "weights", c, l.ContextDim, size)
	return func(g *Graph, dtype dtypes.DType) *Node {
		rows := Dot(ConvertDType(Reshape(c, -1, l.ContextDim), dtype), ConvertDType(weights.NodeValue(g), dtype)).Product()
		b := ConvertDType(biases.NodeValue(g), dtype)
		return Add(rows, BroadcastPrefix(b, rows.Shape().Dim(0)))
	}
}

// variable is the variable of that name as it is, or a new one of the context's dtype,
// Float32 if there is none.
func variable(scope *model.Scope, name string, c *Node, dims ...int) *model.Variable {
	shape := shapes.Make(dtypes.Float32, dims...)
	if v := scope.GetVariable(name); v != nil {
		shape.DType = v.DType()
	} else if c != nil {
		shape.DType = c.DType()
	}
	return scope.VariableWithShape(name, shape)
}

// String describes the distribution, the same in every process.
func (l LearnedNormal) String() string {
	return fmt.Sprintf("LearnedNormal{event %s, context %d}", shape.Format(l.Event), l.ContextDim)
}
