package field

import (
	"fmt"
	"math"

	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
)

// Embedding makes a vector of a condition of any shape: a class, a time series, an image, a set of
// observations. nami/embedding has some; a user's own type is one as soon as it has these methods.
type Embedding interface {
	// ContextShape is the shape of one condition.
	ContextShape() []int

	// Size is the number of values of the vector.
	Size() int

	// Embed builds the graph of the embedding: c is lead+condition, the result lead+[Size()].
	// Its variables live in scope. It panics on misuse, as graph functions do.
	Embed(scope *model.Scope, c *Node) *Node
}

// Embedded is a field whose condition is embedded: Field is given a vector, the embedding's, and
// its ContextDim is the embedding's Size. Both are trained together. Where contexts are dropped
// (loss.ContextDropout), it is the vector that is learned for none.
//
// Its variables are those of Field, those of the embedding below embedding, and null_embedding, of
// shape [Size], which starts at 0, and which only training with dropped contexts moves.
type Embedded struct {
	Field     Field
	Embedding Embedding
}

var _ Wrapper = Embedded{}

// Validate reports parts that are missing, or are wrong themselves, or don't fit each other.
func (f Embedded) Validate() error {
	if err := Validate(f.Field); err != nil {
		return err
	}
	if f.Embedding == nil {
		return fmt.Errorf("field.Embedded: Embedding is nil: give one, such as embedding.MLP")
	}
	if v, ok := f.Embedding.(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			return err
		}
	}
	if rank := ContextRank(f.Field); rank != 1 {
		return fmt.Errorf("field.Embedded: the field %T takes contexts of %d axes: an embedding gives it a vector", f.Field, rank)
	}
	return nil
}

// EventRank implements [Field].
func (f Embedded) EventRank() int {
	must(f.Validate())
	return f.Field.EventRank()
}

// ContextRank is the number of axes of a condition.
func (f Embedded) ContextRank() int { return len(f.ContextShape()) }

// ContextShape is that of the embedding's conditions: see [ContextShape].
func (f Embedded) ContextShape() []int {
	must(f.Validate())
	return f.Embedding.ContextShape()
}

// Apply implements [Field]. It panics if there is no context.
func (f Embedded) Apply(scope *model.Scope, x, t, c *Node) *Node {
	value, _ := f.both(false, scope, x, t, c)
	return value
}

// ApplyWithDivergence implements [Divergent], if Field does.
func (f Embedded) ApplyWithDivergence(scope *model.Scope, x, t, c *Node) (value, divergence *Node) {
	return f.both(true, scope, x, t, c)
}

// both is the value, and the divergence where it is wanted.
func (f Embedded) both(wanted bool, scope *model.Scope, x, t, c *Node) (value, divergence *Node) {
	must(f.Validate())
	if c == nil {
		panic(fmt.Errorf("field.Embedded: there is no context to embed: bind one"))
	}
	return callBoth(f.Field, wanted, scope, x, t, f.vector(scope, c))
}

// vector is the embedding of contexts c, and what is learned in the place of those that are NaN,
// which stand for none: see [NullContext].
func (f Embedded) vector(scope *model.Scope, c *Node) *Node {
	rank := len(f.Embedding.ContextShape())
	lead := shape.Lead(c, rank)
	absent := LogicalNot(ReduceLogicalAnd(Equal(shape.Flatten(c, rank), shape.Flatten(c, rank)), -1))
	var axes []int
	for axis := len(lead); axis < c.Rank(); axis++ {
		axes = append(axes, axis)
	}
	given := Where(ExpandAndBroadcast(absent, c.Shape().Dimensions, axes), ZerosLike(c), c)
	v := f.Embedding.Embed(scope.At("embedding"), given)
	size := f.Embedding.Size()
	if want := append(append([]int{}, lead...), size); !v.Shape().Equal(shapes.Make(c.DType(), want...)) {
		panic(fmt.Errorf("field.Embedded: the embedding %T returned %s for contexts %s: it must be shaped %s, with the same dtype", f.Embedding, v.Shape(), c.Shape(), shape.Format(want)))
	}
	null := scope.WithInitializer(initializer.Zero).VariableWithShape("null_embedding", shapes.Make(c.DType(), size)).NodeValue(c)
	return Where(ExpandAndBroadcast(absent, v.Shape().Dimensions, []int{len(lead)}), BroadcastPrefix(null, lead...), v)
}

// none is what stands for no context.
func none(x *Node, contextShape []int) *Node {
	return BroadcastToDims(ConstAs(x, math.NaN()), contextShape...)
}

// Map implements [Wrapper].
func (f Embedded) Map(inner func(Field) Field) Field {
	f.Field = inner(f.Field)
	return f
}

// String describes the field on one line.
func (f Embedded) String() string {
	return fmt.Sprintf("Embedded{%v, %v}", f.Field, f.Embedding)
}
