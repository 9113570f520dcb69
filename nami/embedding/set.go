package embedding

import (
	"cmp"
	"fmt"
	"math"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/layer"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Set embeds a set of independent observations, whose order means nothing: conditions of shape
// [Count, Features]. Each passes through two layers, and what the mean over all of them tells
// through two more (Zaheer et al. 2017, arXiv:1703.06114, theorem 2).
//
// Its variables are each_<i>/dense/{weights, biases} and mean_<i>/dense/{weights, biases}.
type Set struct {
	// Count is the number of observations, and Features that of values of each.
	Count, Features int

	// Varying says that there may be fewer: the last of the Features is 1 for an observation
	// and 0 for what only fills up, of which nothing else counts. The network is told how many
	// there are. A set of none is one like any other.
	Varying bool

	// Values is the number of values of the vector.
	Values int

	// Width is the number of units of the layers; 64 if 0.
	Width int
}

var _ field.Embedding = Set{}

// Validate reports parameters that are out of range.
func (e Set) Validate() error {
	least := 1
	if e.Varying {
		least = 2
	}
	if e.Count < 1 || e.Features < least || e.Values < 1 || e.Width < 0 {
		return fmt.Errorf("embedding.Set: Count is %d, Features %d, Values %d and Width %d: each must be at least 1, or Width 0 for 64; where Varying, Features has at least 2", e.Count, e.Features, e.Values, e.Width)
	}
	return nil
}

// WithDefaults returns the embedding with the usual values where none are given.
func (e Set) WithDefaults() Set {
	e.Width = cmp.Or(e.Width, 64)
	return e
}

// ContextShape implements [field.Embedding].
func (e Set) ContextShape() []int { return []int{e.Count, e.Features} }

// Size implements [field.Embedding].
func (e Set) Size() int { return e.Values }

// Embed implements [field.Embedding]. It panics if conditions have another shape.
func (e Set) Embed(scope *model.Scope, c *Node) *Node {
	must(e.Validate())
	checkCondition("Set", e, c)
	width := e.WithDefaults().Width
	var present, share *Node
	if e.Varying {
		last := SliceAxis(c, -1, AxisRange(e.Features-1))
		present = ConvertDType(GreaterThan(last, ConstAs(last, 0.5)), c.DType()) // lead+[Count, 1]
		share = ReduceMean(present, -2)                                          // lead+[1]
		c = SliceAxis(c, -1, AxisRange(0, e.Features-1))
		c = Where(BroadcastToDims(GreaterThan(last, ConstAs(last, 0.5)), c.Shape().Dimensions...), c, ZerosLike(c))
	}
	h := c
	for i := range 2 {
		h = silu(layer.Dense(scope.At("each_%d", i), h, width, math.Sqrt(6)))
	}
	if present == nil {
		h = ReduceMean(h, -2)
	} else {
		h = Div(ReduceSum(Mul(h, present), -2), MaxScalar(ReduceSum(present, -2), 1))
		h = Concatenate([]*Node{h, share}, -1)
	}
	h = silu(layer.Dense(scope.At("mean_0"), h, width, math.Sqrt(6)))
	return layer.Dense(scope.At("mean_1"), h, e.Values, math.Sqrt(3))
}

// String describes the embedding on one line.
func (e Set) String() string {
	return fmt.Sprintf("Set{%d of %d to %d, varying %v, width %d}", e.Count, e.Features, e.Values, e.Varying, e.WithDefaults().Width)
}
