package shape_test

import (
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/tests/property"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"pgregory.net/rapid"
)

// inGraph builds nodes on the Go backend; what panics comes back as an error.
func inGraph(t testing.TB, build func(g *Graph)) error {
	t.Helper()
	backend, err := gomlx.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	g := NewGraph(backend, "shapes")
	defer g.Finalize()
	return gomlx.Try(func() error {
		build(g)
		return nil
	})
}

func shaped(g *Graph, dims ...int) *Node { return IotaFull(g, shapes.Make(dtypes.Float32, dims...)) }

// Splitting and joining, flattening and unflattening give back what went in.
func TestRoundTrips(t *testing.T) {
	property.Check(t, func(rt *rapid.T) {
		dims := rapid.SliceOfN(rapid.IntRange(1, 4), 0, 5).Draw(rt, "dims")
		rank := rapid.IntRange(0, len(dims)).Draw(rt, "rank")
		lead, ev, err := shape.Split(dims, rank)
		if err != nil || len(ev) != rank || !slices.Equal(slices.Concat(lead, ev), dims) {
			rt.Fatalf("Split(%v, %d) is %v, %v, %v", dims, rank, lead, ev, err)
		}
		if err := shape.Validate(dims, ev, lead); err != nil {
			rt.Fatal(err)
		}
		err = inGraph(t, func(g *Graph) {
			x := shaped(g, dims...)
			f := shape.Flatten(x, rank)
			if f.Rank() != len(lead)+1 || f.Shape().Dim(-1) != shape.Size(ev) {
				rt.Fatalf("Flatten of %v with rank %d has shape %v", dims, rank, f.Shape())
			}
			if got := shape.Unflatten(f, ev).Shape(); !slices.Equal(got.Dimensions, dims) {
				rt.Fatalf("Unflatten gives %v, expected %v", got, dims)
			}
			// One value for each leading position fits any event.
			if got := Mul(x, shape.Lift(shaped(g, lead...), x)).Shape(); !slices.Equal(got.Dimensions, dims) {
				rt.Fatalf("with a lifted factor the shape is %v, expected %v", got, dims)
			}
			// A batch repeats over the axes before it.
			cut := rapid.IntRange(0, len(lead)).Draw(rt, "cut")
			c := shaped(g, append(slices.Clone(lead[cut:]), 3)...)
			if got := shape.Expand(c, lead, 1).Shape(); !slices.Equal(got.Dimensions, append(slices.Clone(lead), 3)) {
				rt.Fatalf("Expand gives %v", got)
			}
		})
		if err != nil {
			rt.Fatal(err)
		}
	})
}

func TestMisuse(t *testing.T) {
	split := func(dims []int, rank int) error { _, _, err := shape.Split(dims, rank); return err }
	for want, err := range map[string]error{
		"event rank is -1": split([]int{4, 6}, -1),
		"(4, 6) has 2 axes, fewer than the event rank 3":       split([]int{4, 6}, 3),
		"ends in (6), expected events of shape (5)":            shape.Validate([]int{4, 6}, []int{5}, nil),
		"begins with (4), expected the lead (3)":               shape.Validate([]int{4, 6}, []int{6}, []int{3}),
		"begins with (1), expected the lead (4)":               shape.Validate([]int{1, 6}, []int{6}, []int{4}),
		"(axis 1 is 3, not 2)":                                 shape.Validate([]int{4, 3}, []int{4, 2}, nil),
		"too short for events of shape (2, 3)":                 shape.Validate([]int{3}, []int{2, 3}, nil),
		"axis 0 of t must be axis 0 of x":                      inGraph(t, func(g *Graph) { shape.Lift(shaped(g, 3), shaped(g, 4, 3)) }),
		"axis 2 of t must be axis 2 of x":                      inGraph(t, func(g *Graph) { shape.Lift(shaped(g, 4, 3, 1), shaped(g, 4, 3)) }),
		"the last axis of x, of shape (4, 6), must hold the 4": inGraph(t, func(g *Graph) { shape.Unflatten(shaped(g, 4, 6), []int{2, 2}) }),
		"a batch (3) can't be repeated to the lead (5, 4)":     inGraph(t, func(g *Graph) { shape.Expand(shaped(g, 3, 2), []int{5, 4}, 1) }),
		"fewer than the event rank 2":                          inGraph(t, func(g *Graph) { shape.Flatten(shaped(g, 3), 2) }),
	} {
		gomlxtest.Says(t, want, err, want)
	}
}
