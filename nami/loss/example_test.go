package loss_test

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/path"
)

// lazy is a path of the user's own, slow at the data's end: anything with these two
// methods is a path.
type lazy struct{}

func (lazy) Point(target, source, t *Node) *Node {
	return path.Linear{}.Point(target, source, Square(t))
}

func (lazy) Velocity(target, source, t *Node) *Node {
	slope := MulScalar(t, 2)
	for !slope.IsScalar() && slope.Rank() < target.Rank() {
		slope = InsertAxes(slope, -1)
	}
	return Mul(slope, Sub(source, target))
}

// A path of your own, tested, in the loss.
func ExampleFM() {
	backend, err := nami.OpenBackend("go")
	if err != nil {
		panic(err)
	}
	fmt.Println(path.Check(backend, lazy{}))
	still := field.Func{Rank: 1, F: func(_ *model.Scope, x, _, _ *Node) *Node { return ZerosLike(x) }}
	target, source := tensors.FromFlatDataAndDimensions([]float32{1, 2}, 1, 2), tensors.FromFlatDataAndDimensions([]float32{3, 5}, 1, 2)
	value, err := nami.NewComputation(backend, nil, func(scope *model.Scope, in []*Node) []*Node {
		half := ConstAs(in[0], 0.5)
		return []*Node{loss.FM{Field: still, Path: lazy{}}.PerEvent(scope, loss.Batch{X: in[0], Source: in[1]}, half)}
	})
	if err != nil {
		panic(err)
	}
	out, err := value.Call(target, source)
	if err != nil {
		panic(err)
	}
	fmt.Println(out[0].Value()) // the mean of 2² and 3²
	// Output:
	// <nil>
	// [6.5]
}
