package embedding

import (
	"fmt"

	"github.com/nami-flow/go-nami/nami/field"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
	"github.com/gomlx/gomlx/ml/nn"
)

// Classes embeds the number of a class, a condition of one value: each class has a vector, which
// is learned and starts normal, with deviation 1. For few classes data.OneHot does as well.
//
// Its variable is classes, of shape [Count, Values].
type Classes struct {
	// Count is the number of classes, which are 0 to Count-1. Another number has the vector 0.
	Count int

	// Values is the number of values of the vector.
	Values int
}

var _ field.Embedding = Classes{}

// Validate reports parameters that are out of range.
func (e Classes) Validate() error {
	if e.Count < 1 || e.Values < 1 {
		return fmt.Errorf("embedding.Classes: Count is %d and Values %d: each must be at least 1", e.Count, e.Values)
	}
	return nil
}

// ContextShape implements [field.Embedding].
func (e Classes) ContextShape() []int { return []int{1} }

// Size implements [field.Embedding].
func (e Classes) Size() int { return e.Values }

// Embed implements [field.Embedding]. It panics if conditions have more than one value.
func (e Classes) Embed(scope *model.Scope, c *Node) *Node {
	must(e.Validate())
	checkCondition("Classes", e, c)
	table := scope.WithInitializer(initializer.RandomNormalFn(scope, 1)).
		VariableWithShape("classes", shapes.Make(c.DType(), e.Count, e.Values)).NodeValue(c)
	numbers := ExpandLeftToRank(ConvertDType(Iota(c.Graph(), shapes.Make(c.DType(), e.Count), 0), c.DType()), c.Rank())
	dims := append([]int{}, c.Shape().Dimensions...)
	dims[len(dims)-1] = e.Count
	is := ConvertDType(Equal(BroadcastToDims(Round(c), dims...), BroadcastToDims(numbers, dims...)), c.DType())
	return nn.Dense(is, table, nil, compute.DenseLayoutInputOutputs)
}

// String describes the embedding on one line.
func (e Classes) String() string { return fmt.Sprintf("Classes{%d to %d}", e.Count, e.Values) }
