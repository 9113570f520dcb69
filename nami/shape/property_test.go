package shape_test

import (
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/tests/property"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"pgregory.net/rapid"
)

// Whatever shapes and ranks are given, what comes back has the shape that it should, or
// what is said teaches.
func TestAnyShapes(t *testing.T) {
	backend := gomlxtest.Go(t)
	property.Check(t, func(t *rapid.T) {
		x, c := gomlxtest.Misfit(t, "x", 4, 2, 3), gomlxtest.Misfit(t, "c", 2, 3)
		// x is lead+event; c is batch+one axis, for a lead that ends in the batch.
		rank := property.Mostly(t, "rank", rapid.IntRange(1, 2).Draw(t, "usual"), -1, 0, 3, 4, 5)
		event, lead := property.Mostly(t, "event", []int{2, 3}, gomlxtest.Shape(t, "odd")), property.Mostly(t, "lead", []int{4}, gomlxtest.Shape(t, "odd"))
		one := func(what string, f func() (*tensors.Tensor, error)) {
			gomlxtest.Bears(t, what, func() ([]*tensors.Tensor, error) {
				y, err := f()
				if err == nil && y.Size() != x.Size() {
					t.Errorf("%s: %s became %s", what, x.Shape(), y.Shape())
				}
				return nil, err
			})
		}
		one("FlattenTensor", func() (*tensors.Tensor, error) { return shape.FlattenTensor(x, rank) })
		one("UnflattenTensor", func() (*tensors.Tensor, error) {
			flat, err := shape.FlattenTensor(x, 2)
			if err != nil {
				return nil, err
			}
			return shape.UnflattenTensor(flat, event)
		})
		one("back", func() (*tensors.Tensor, error) {
			y, err := shape.FlattenTensor(x, rank)
			if err != nil {
				return nil, err
			}
			return shape.UnflattenTensor(y, x.Shape().Dimensions[x.Rank()-rank:])
		})
		if x == nil || c == nil {
			return
		}
		dims := x.Shape().Dimensions
		if err := shape.Validate(dims, event, lead); (err == nil) != slices.Equal(dims, slices.Concat(lead, event)) {
			t.Errorf("Validate of %v, %v, %v is %v", dims, event, lead, err)
		}
		in := []*tensors.Tensor{x, c}
		for what, build := range map[string]func(in []*Node) *Node{
			"Flatten":   func(in []*Node) *Node { return shape.Flatten(in[0], rank) },
			"Unflatten": func(in []*Node) *Node { return shape.Unflatten(shape.Flatten(in[0], 2), event) },
			"Lift":      func(in []*Node) *Node { return shape.Lift(ReduceSum(in[0], -1), in[0]) },
			"Expand":    func(in []*Node) *Node { return shape.Expand(in[1], slices.Concat(lead, []int{2}), 1) },
			"Lead":      func(in []*Node) *Node { shape.Lead(in[0], rank); return in[0] },
		} {
			gomlxtest.Builds(t, backend, what, in, func(in []*Node) []*Node { return []*Node{build(in)} })
		}
	})
}
