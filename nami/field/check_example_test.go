package field_test

import (
	"fmt"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/model"
)

// gated is a field of your own: a pull towards a point that the context gives, with a
// learned strength for each value that fades as time goes on.
type gated struct{ Size int }

func (gated) EventRank() int { return 1 }

func (f gated) Apply(scope *model.Scope, x, t, c *Node) *Node {
	point := layers.Dense(scope.At("point"), c, true, f.Size)
	strength := layers.Dense(scope.At("strength"), Concatenate([]*Node{x, c}, -1), true, f.Size)
	return Mul(shape.Lift(OneMinus(t), x), Mul(Sigmoid(strength), Sub(point, x)))
}

func ExampleCheck() {
	backend, err := gomlx.Open("go") // nami.OpenBackend in your own test
	if err != nil {
		panic(err)
	}
	fmt.Println(field.Check(backend, gated{Size: 2}, []int{2}, []int{3}))
	// A field that centres its batch would have each sample depend on the others.
	shifted := field.Func{Rank: 1, F: func(_ *model.Scope, x, _, _ *Node) *Node {
		return Sub(x, ReduceAllMean(x))
	}}
	fmt.Println(field.Check(backend, shifted, []int{2}, nil) != nil)
	// Output:
	// <nil>
	// true
}
