// Package conformance holds what the checks of users' own components share.
package conformance

import (
	"math"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Times are where derivatives are compared.
var Times = []float64{0.1, 0.3, 0.5, 0.7, 0.9}

// Events returns as many events as Times has, each a vector of as many values of both
// signs; another seed gives others. The shape is square, so that a time which stands on
// the event's axis shows in the numbers, not in an error about shapes.
func Events(seed float64) [][]float64 {
	events := make([][]float64, len(Times))
	for i := range events {
		for j := range Times {
			events[i] = append(events[i], math.Cos(seed+float64(i+2*j)))
		}
	}
	return events
}

// Shapes calls f with a time and an event of every kind of shape and dtype, in graphs that
// are never run.
func Shapes(backend compute.Backend, f func(x, t *Node)) {
	if backend == nil {
		exceptions.Panicf(gomlx.NoBackend)
	}
	for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.Float64} {
		for _, lead := range [][]int{{}, {4}, {2, 3}} {
			for _, event := range [][]int{{}, {5}, {5, 2}} {
				g := NewGraph(backend, "conformance")
				dims := append(append([]int{}, lead...), event...)
				x, t := Parameter(g, "x", shapes.Make(dtype, dims...)), Parameter(g, "t", shapes.Make(dtype, lead...))
				f(x, t)
				f(x, Parameter(g, "scalar", shapes.Make(dtype)))
				g.Finalize()
			}
		}
	}
}

// Like panics unless got has the shape and dtype of want, which is called name.
func Like(what string, got *Node, name string, want *Node) {
	if !got.Shape().Equal(want.Shape()) {
		exceptions.Panicf("%s returned %s for %s of %s: it must have the shape and dtype of %s",
			what, got.Shape(), name, want.Shape(), name)
	}
}

// Slope is the central difference of f at t.
func Slope(f func(t *Node) *Node, t *Node) *Node {
	const step = 1e-4
	return DivScalar(Sub(f(AddScalar(t, step)), f(AddScalar(t, -step))), 2*step)
}

// Near says whether got is want to the accuracy of a central difference.
func Near(got, want float64) bool {
	return math.Abs(got-want) <= 1e-4*math.Max(1, math.Abs(want))
}

// Finite says whether v is neither infinite nor NaN.
func Finite(v float64) bool { return !math.IsInf(v, 0) && !math.IsNaN(v) }

// Eval runs a graph on float64 numbers and returns its outputs' values.
func Eval(backend compute.Backend, f func(in []*Node) []*Node, in ...any) ([][]float64, error) {
	out, err := CallOnceN(backend, f, in...)
	if err != nil {
		return nil, err
	}
	values := make([][]float64, len(out))
	for i, o := range out {
		values[i] = tensors.MustCopyFlatData[float64](o)
		o.MustFinalizeAll()
	}
	return values, nil
}
