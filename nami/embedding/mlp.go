// Package embedding makes vectors of conditions, for networks that take vectors alone: of classes,
// time series, images, sets of observations, and of several of them at once. Each is a
// [field.Embedding], and is trained with the field that [field.Embedded] gives it to:
//
//	field.Embedded{
//		Field:     field.Residual{EventShape: []int{2}, ContextDim: 16},
//		Embedding: embedding.Series{Length: 100, Channels: 2, Values: 16},
//	}
package embedding

import (
	"fmt"
	"math"
	"slices"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/layer"
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
)

// MLP embeds a vector by layers with SiLU between them: a long vector in few values, or a short
// one in features that a network learns more easily from.
//
// Its variables are layer_<i>/dense/{weights, biases}, the last of them linear.
type MLP struct {
	// In is the number of values of the condition.
	In int

	// Values is the number of values of the vector.
	Values int

	// Hidden are the numbers of units of the layers between; one layer of max(64, Values) if
	// empty.
	Hidden []int
}

var _ field.Embedding = MLP{}

// Validate reports parameters that are out of range.
func (e MLP) Validate() error {
	if e.In < 1 || e.Values < 1 || slices.ContainsFunc(e.Hidden, func(n int) bool { return n < 1 }) {
		return fmt.Errorf("embedding.MLP: In is %d, Values %d and Hidden %v: each must be at least 1", e.In, e.Values, e.Hidden)
	}
	return nil
}

// ContextShape implements [field.Embedding].
func (e MLP) ContextShape() []int { return []int{e.In} }

// Size implements [field.Embedding].
func (e MLP) Size() int { return e.Values }

// Embed implements [field.Embedding]. It panics if conditions have another number of values.
func (e MLP) Embed(scope *model.Scope, c *Node) *Node {
	must(e.Validate())
	checkCondition("MLP", e, c)
	hidden := e.WithDefaults().Hidden
	for i, width := range hidden {
		c = silu(layer.Dense(scope.At("layer_%d", i), c, width, math.Sqrt(6)))
	}
	return layer.Dense(scope.At("layer_%d", len(hidden)), c, e.Values, math.Sqrt(3))
}

// WithDefaults returns the embedding with the usual values where none are given.
func (e MLP) WithDefaults() MLP {
	if len(e.Hidden) == 0 {
		e.Hidden = []int{max(64, e.Values)}
	}
	return e
}

// String describes the embedding on one line.
func (e MLP) String() string {
	return fmt.Sprintf("MLP{%d to %d, hidden %v}", e.In, e.Values, e.WithDefaults().Hidden)
}

func silu(h *Node) *Node { return activation.Apply(activation.TypeSilu, h) }

// checkCondition panics unless c ends in the axes of one condition of e.
func checkCondition(name string, e field.Embedding, c *Node) {
	dims, want := c.Shape().Dimensions, e.ContextShape()
	if len(dims) < len(want) || !slices.Equal(dims[len(dims)-len(want):], want) {
		panic(fmt.Errorf("embedding.%s: the contexts are %s: they must end in the axes of one condition, %s", name, c.Shape(), shape.Format(want)))
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
