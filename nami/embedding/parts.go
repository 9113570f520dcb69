package embedding

import (
	"errors"
	"fmt"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
)

// Parts embeds several conditions at once, which stand one after the other in a vector: a class,
// a time series and an image, for instance. The vectors of the parts stand one after the other,
// too.
//
// Its variables are those of each part below part_<i>, and part_<i>/absent of an optional one.
type Parts []Part

// Part is one of several conditions.
type Part struct {
	// Of is the embedding of the condition, whose values stand row by row; nil takes them as they
	// are.
	Of field.Embedding

	// In is the number of values that are taken as they are; 0 where there is an embedding.
	In int

	// Optional says that it may be missing: one more value stands in front, 1 where the condition
	// is given and 0 where it isn't, and there a vector that is learned takes its place.
	Optional bool
}

var _ field.Embedding = Parts{}

// Validate reports parts that are wrong themselves, or say too little of what they take.
func (e Parts) Validate() error {
	if len(e) == 0 {
		return errors.New("embedding.Parts: there is none: give each condition's shape and embedding")
	}
	for i, p := range e {
		if p.Of == nil {
			if p.In < 1 {
				return fmt.Errorf("embedding.Parts: part %d has no embedding, and In is %d: give the number of values that are taken as they are", i, p.In)
			}
			continue
		}
		if p.In != 0 {
			return fmt.Errorf("embedding.Parts: part %d has an embedding, and In is %d: the embedding says how many values it takes", i, p.In)
		}
		if v, ok := p.Of.(interface{ Validate() error }); ok {
			if err := v.Validate(); err != nil {
				return fmt.Errorf("embedding.Parts: part %d: %w", i, err)
			}
		}
	}
	return nil
}

// ContextShape implements [field.Embedding].
func (e Parts) ContextShape() []int { return []int{e.In()} }

// In is the number of values of the whole condition.
func (e Parts) In() (n int) {
	for _, p := range e {
		n += p.in()
	}
	return n
}

// Size implements [field.Embedding].
func (e Parts) Size() (n int) {
	for _, p := range e {
		n += p.size()
	}
	return n
}

func (p Part) in() int {
	n := p.In
	if p.Of != nil {
		n = shape.Size(p.Of.ContextShape())
	}
	if p.Optional {
		n++
	}
	return n
}

func (p Part) size() int {
	if p.Of == nil {
		return p.In
	}
	return p.Of.Size()
}

// Embed implements [field.Embedding]. It panics if conditions have another number of values.
func (e Parts) Embed(scope *model.Scope, c *Node) *Node {
	must(e.Validate())
	checkCondition("Parts", e, c)
	var vectors []*Node
	at := 0
	for i, p := range e {
		vectors = append(vectors, p.embed(scope.At("part_%d", i), SliceAxis(c, -1, AxisRange(at, at+p.in()))))
		at += p.in()
	}
	return Concatenate(vectors, -1)
}

// embed embeds a part's values c, lead+[in].
func (p Part) embed(scope *model.Scope, c *Node) *Node {
	lead := shape.Lead(c, 1)
	var given *Node
	if p.Optional {
		given = SliceAxis(c, -1, AxisRange(0, 1))
		given = GreaterThan(given, ConstAs(given, 0.5)) // lead+[1]
		c = SliceAxis(c, -1, AxisRange(1))
		c = Where(BroadcastToDims(given, c.Shape().Dimensions...), c, ZerosLike(c))
	}
	v := c
	if p.Of != nil {
		v = p.Of.Embed(scope, Reshape(c, append(append([]int{}, lead...), p.Of.ContextShape()...)...))
	}
	if given == nil {
		return v
	}
	absent := scope.WithInitializer(initializer.Zero).VariableWithShape("absent", shapes.Make(v.DType(), p.size())).NodeValue(v)
	return Where(BroadcastToDims(given, v.Shape().Dimensions...), v, BroadcastPrefix(absent, lead...))
}

// String describes the embedding on one line.
func (e Parts) String() string {
	text := "Parts{"
	for i, p := range e {
		if i > 0 {
			text += ", "
		}
		if p.Of == nil {
			text += fmt.Sprintf("%d", p.In)
		} else {
			text += fmt.Sprint(p.Of)
		}
		if p.Optional {
			text += " or none"
		}
	}
	return text + "}"
}
