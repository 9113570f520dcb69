package tests

import (
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Arithmetic of shapes: what the reference computes is computed here, in graphs and on
// tensors, and what it rejects is an error. It differs in three things: a scalar event is
// flattened to an axis of size 1, so that whoever flattens finds one event axis; an event
// rank that contradicts an event shape can't be said; and x is never broadcast.
func TestGoldenShapes(t *testing.T) {
	g := readGolden(t, "shapes")
	onBackends(t, func(t *testing.T, backend compute.Backend) {
		ran := 0
		for _, c := range g.Cases {
			check, ok := shapeOps[c.Op]
			if !ok {
				t.Fatalf("%s: there is no check for %s", c.Name, c.Op)
			}
			wantError := c.Raises != nil
			if differs(c) {
				wantError = !wantError
			}
			if err := check(t, backend, c); (err != nil) != wantError {
				t.Errorf("%s: the error is %v, the reference's %v", c.Name, err, c.Raises)
			}
			ran++
		}
		if ran != 58 {
			t.Errorf("%d cases ran, expected 58", ran)
		}
	})
}

// differs tells the cases where we err and the reference doesn't, or the other way round.
func differs(c goldenCase) bool {
	return slices.Contains([]string{
		"flatten/empty_batch",              // the reference can't; here the result has shape (0, 6)
		"validate/2x3x4/2/4/any",           // rank 2 for events of shape (4)
		"validate/4x6/0/6/any",             // rank 0 for events of shape (6)
		"broadcast/x_2/t_4/c_3",            // x would be repeated
		"broadcast/x_4x2/t_5x4/c_3",        // likewise
		"broadcast/x_4x2x2/t_5x1/c_4x3",    // likewise
		"broadcast/x_5x1x2/t_scalar/c_4x3", // likewise
	}, c.Name)
}

var shapeOps = map[string]func(t *testing.T, backend compute.Backend, c goldenCase) error{
	"split_event": func(t *testing.T, _ compute.Backend, c goldenCase) error {
		lead, ev, err := shape.Split(shapeIn(t, c, "shape"), intIn(t, c, "event_ndim"))
		if err == nil {
			sameShape(t, c, lead, "lead")
			sameShape(t, c, ev, "event")
		}
		return err
	},
	"flatten_event": func(t *testing.T, backend compute.Backend, c goldenCase) error {
		rank, x := intIn(t, c, "event_ndim"), tensorIn(t, c)
		got, err := shape.FlattenTensor(x, rank)
		if err != nil {
			return err
		}
		want := tensorOf(t, c.Expected, "out", dtypes.Float32)
		switch {
		case want == nil: // an empty batch
			want = tensors.FromShape(shapes.Make(dtypes.Float32, 0, 6))
		case rank == 0:
			want = fromFloats(toFloats(want), append(want.Shape().Dimensions, 1), dtypes.Float32)
		}
		agree(t, c.Name, got, want)
		if got.Size() > 0 {
			agree(t, c.Name, graphOf(t, backend, x, func(x *Node) *Node { return shape.Flatten(x, rank) }), got)
		}
		return nil
	},
	"unflatten_event": func(t *testing.T, backend compute.Backend, c goldenCase) error {
		ev, x := shapeIn(t, c, "event_shape"), tensorIn(t, c)
		if len(ev) == 0 {
			x = fromFloats(toFloats(x), append(x.Shape().Dimensions, 1), dtypes.Float32)
		}
		got, err := shape.UnflattenTensor(x, ev)
		if err == nil {
			agree(t, c.Name, got, tensorOf(t, c.Expected, "out", dtypes.Float32))
			agree(t, c.Name, graphOf(t, backend, x, func(x *Node) *Node { return shape.Unflatten(x, ev) }), got)
		}
		return err
	},
	"validate_shapes": func(t *testing.T, _ compute.Backend, c goldenCase) error {
		dims, rank, lead := shapeIn(t, c, "shape"), intIn(t, c, "event_ndim"), shapeIn(t, c, "batch_shape")
		ev := shapeIn(t, c, "expected_event_shape")
		if ev == nil { // any event
			var err error
			if _, ev, err = shape.Split(dims, rank); err != nil {
				return err
			}
		}
		return shape.Validate(dims, ev, lead)
	},
	"event_numel": func(t *testing.T, _ compute.Backend, c goldenCase) error {
		ev := shapeIn(t, c, "event_shape")
		if want, _ := get[int](t, c.Expected, "numel"); shape.Size(ev) != want {
			t.Errorf("%s: the size is %d, expected %d", c.Name, shape.Size(ev), want)
		}
		sameShape(t, c, ev, "as_tuple")
		return nil
	},
	"broadcast": func(t *testing.T, backend compute.Backend, c goldenCase) error {
		return exceptions.TryCatch[error](func() { expand(t, backend, c) })
	},
}

// expand repeats t and c over the lead of x, which stays as it is.
func expand(t *testing.T, backend compute.Backend, c goldenCase) {
	g := NewGraph(backend, c.Name)
	defer g.Finalize()
	node := func(dims []int) *Node { return IotaFull(g, shapes.Make(dtypes.Float32, dims...)) }
	x := node(shapeIn(t, c, "x_shape"))
	lead := shape.Lead(x, intIn(t, c, "event_ndim"))
	for key, rank := range map[string]int{"t": 0, "c": 1} {
		dims := shapeIn(t, c, key+"_shape")
		if dims == nil {
			continue
		}
		got := shape.Expand(node(dims), lead, rank).Shape().Dimensions
		if !differs(c) {
			sameShape(t, c, got, key)
		}
	}
}

func shapeIn(t *testing.T, c goldenCase, key string) []int {
	t.Helper()
	if size, ok := get[any](t, c.Inputs, key); ok {
		if n, ok := size.(float64); ok { // the reference takes a number for a vector's shape
			return []int{int(n)}
		}
	}
	dims, _ := get[[]int](t, c.Inputs, key)
	return dims
}

func intIn(t *testing.T, c goldenCase, key string) int {
	t.Helper()
	n, _ := get[int](t, c.Inputs, key)
	return n
}

// tensorIn is the case's x, or zeros of its shape.
func tensorIn(t *testing.T, c goldenCase) *tensors.Tensor {
	t.Helper()
	if x := tensorOf(t, c.Inputs, "x", dtypes.Float32); x != nil {
		return x
	}
	return tensors.FromShape(shapes.Make(dtypes.Float32, shapeIn(t, c, "shape")...))
}

func sameShape(t *testing.T, c goldenCase, got []int, key string) {
	t.Helper()
	if want, ok := get[[]int](t, c.Expected, key); ok && !slices.Equal(got, want) {
		t.Errorf("%s: %s is %v, expected %v", c.Name, key, got, want)
	}
}

func graphOf(t *testing.T, backend compute.Backend, x *tensors.Tensor, f func(x *Node) *Node) *tensors.Tensor {
	t.Helper()
	out, err := CallOnce(backend, f, x)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
