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
		rank := rapid.IntRange(-1, 5).Draw(t, "rank")
		event, lead := gomlxtest.Shape(t, "event"), gomlxtest.Shape(t, "lead")
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
		one("UnflattenTensor", func() (*tensors.Tensor, error) { return shape.UnflattenTensor(x, event) })
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
			"Unflatten": func(in []*Node) *Node { return shape.Unflatten(in[0], event) },
			"Lift":      func(in []*Node) *Node { return shape.Lift(in[1], in[0]) },
			"Expand":    func(in []*Node) *Node { return shape.Expand(in[1], lead, rank) },
			"Lead":      func(in []*Node) *Node { shape.Lead(in[0], rank); return in[0] },
		} {
			gomlxtest.Builds(t, backend, what, in, func(in []*Node) []*Node { return []*Node{build(in)} })
		}
	})
}
