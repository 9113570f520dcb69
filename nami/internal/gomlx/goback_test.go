package gomlx_test

import (
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// repeat applies f to x three times, in a compiled loop.
func repeat(x *Node, f func(x *Node) *Node) *Node {
	g := x.Graph()
	start := []*Node{Const(g, int32(0)), x}
	parameters := func(g *Graph) []*Node {
		return []*Node{Parameter(g, "i", start[0].Shape()), Parameter(g, "x", x.Shape())}
	}
	more := NewClosure(g, func(g *Graph) []*Node {
		return []*Node{LessThan(parameters(g)[0], Const(g, int32(3)))}
	})
	step := NewClosure(g, func(g *Graph) []*Node {
		ps := parameters(g)
		return []*Node{Add(ps[0], Const(g, int32(1))), f(ps[1])}
	})
	return While(more, step, start...)[1]
}

// Broadcasts in a loop's body, and of what it captures: each of these fails, or computes
// with values that aren't there any more, on the pure Go backend as GoMLX has it.
func TestBroadcastsInLoops(t *testing.T) {
	x := tensors.FromFlatDataAndDimensions([]float64{0.1, -0.2, 0.3, 0.4, 0.5, -0.6}, 2, 3)
	centre := func(x *Node) *Node {
		mean := ReduceAndKeep(x, ReduceMean, 1)
		wide := BroadcastToDims(mean, 2, 3)
		return Sub(Mul(wide, x), BroadcastToDims(Square(mean), 2, 3))
	}
	for name, f := range map[string]func(x *Node, repeat func(x *Node, f func(x *Node) *Node) *Node) *Node{
		"body": func(x *Node, repeat func(x *Node, f func(x *Node) *Node) *Node) *Node { return repeat(x, centre) },
		"gradient": func(x *Node, repeat func(x *Node, f func(x *Node) *Node) *Node) *Node {
			return repeat(x, func(x *Node) *Node { return Gradient(ReduceAllMean(Square(centre(x))), x)[0] })
		},
		"captured": func(x *Node, repeat func(x *Node, f func(x *Node) *Node) *Node) *Node {
			row := Slice(x, AxisRange(0, 1))
			wide := Add(BroadcastToDims(row, 2, 3), BroadcastToDims(Square(row), 2, 3))
			return repeat(x, func(x *Node) *Node {
				return Mul(x, Where(GreaterThan(x, ZerosLike(x)), wide, wide))
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
				got := compute64(t, backend, x, func(x *Node) *Node { return f(x, repeat) })
				want := compute64(t, backend, x, func(x *Node) *Node {
					return f(x, func(x *Node, f func(x *Node) *Node) *Node { return f(f(f(x))) })
				})
				// The same operations in the same order, yet XLA fuses them in its own way.
				if !slices.EqualFunc(got, want, func(a, b float64) bool { return max(a-b, b-a) < 1e-15 }) {
					t.Errorf("in a loop %v, without one %v", got, want)
				}
			})
		})
	}
}

// compute64 gives f(x) twenty times over, for it is when two cores race that values are
// lost, and fails if the results differ.
func compute64(t *testing.T, backend compute.Backend, x *tensors.Tensor, f func(x *Node) *Node) (values []float64) {
	t.Helper()
	exec := MustNewExec(backend, f)
	for range 20 {
		out, err := exec.Call(x)
		if err != nil {
			t.Fatal(err)
		}
		flat := tensors.MustCopyFlatData[float64](out[0])
		out[0].MustFinalizeAll()
		if values != nil && !slices.Equal(values, flat) {
			t.Errorf("%v, then %v", values, flat)
		}
		values = flat
	}
	if err := x.ToLocal(); err != nil { // so that another backend may have it
		t.Fatal(err)
	}
	return values
}
