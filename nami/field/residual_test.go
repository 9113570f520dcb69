package field_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/tests/backends"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// A residual network is a field, with second derivatives, in a compiled loop, for events of
// every rank, with and without context, frequencies and features of the time.
func TestResidual(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, f := range []field.Residual{
			{Width: 8, TimeFeatures: 4},
			{EventShape: []int{3}, Width: 8, Frequencies: 3, ContextDim: 2},
			{EventShape: []int{2, 3}, Width: 4, Blocks: 1},
		} {
			var context []int
			if f.ContextDim > 0 {
				context = []int{f.ContextDim}
			}
			if context == nil && backends.Few(backend) {
				continue // it compiles long, and one of them has all
			}
			if err := field.Check(backend, f, f.EventShape, context); err != nil {
				t.Errorf("%v: %v", f, err)
			}
		}
	})
}

// With the weights that a residual network starts with, all blocks are the identity: with more
// of them the value is the same, and it is linear in the event and doesn't depend on the time.
func TestResidualStart(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		out, err := model.CallOnceN(backend, model.NewStore(), func(scope *model.Scope, x *Node) []*Node {
			at := func(f field.Residual, x *Node, t float32) *Node { return call(f, x, Const(x.Graph(), t), nil, scope) }
			shallow, deep := field.Residual{EventShape: []int{2}, Blocks: 1}, field.Residual{EventShape: []int{2}, Blocks: 5}
			a, zero := at(shallow, x, 0.2), at(shallow, ZerosLike(x), 0.2)
			return []*Node{
				Sub(at(deep, x, 0.9), a),
				Sub(Sub(at(shallow, MulScalar(x, 3), 0.2), zero), MulScalar(Sub(a, zero), 3)),
				a,
			}
		}, [][]float32{{1, 2}, {-1, 0.5}})
		if err != nil {
			t.Fatal(err)
		}
		for i, what := range []string{"another depth and time", "three times the event", "the value"} {
			for _, d := range tensors.MustCopyFlatData[float32](out[i]) {
				if small := math.Abs(float64(d)) < 1e-5; small != (i < 2) {
					t.Errorf("%s: the difference is %v", what, d)
				}
			}
		}
	})
}

// Frequencies start normal with the deviation that was asked for, and training leaves them.
func TestResidualFrequencies(t *testing.T) {
	store := model.NewStore()
	if err := store.SetRNGStateFromSeed(1); err != nil {
		t.Fatal(err)
	}
	f := field.Residual{EventShape: []int{4}, Frequencies: 1000, Bandwidth: 3}
	if _, err := model.CallOnce(gomlxtest.Go(t), store, func(scope *model.Scope, g *Graph) *Node {
		return call(f, Ones(g, shapes.Make(dtypes.Float32, 2, 4)), Const(g, float32(0.3)), nil, scope)
	}); err != nil {
		t.Fatal(err)
	}
	v := store.GetVariable("/residual/frequencies")
	if v == nil || v.Trainable {
		t.Fatalf("the frequencies are %v: expected a variable that isn't trained", v)
	}
	mean, square := 0.0, 0.0
	values := tensors.MustCopyFlatData[float32](v.MustValue())
	for _, w := range values {
		mean += float64(w) / float64(len(values))
		square += float64(w*w) / float64(len(values))
	}
	// Five deviations of the mean and of the variance: false alarms once in a million.
	n := float64(len(values))
	if math.Abs(mean) > 5*3/math.Sqrt(n) || math.Abs(square-9) > 5*9*math.Sqrt(2/n) {
		t.Errorf("%v frequencies have a mean of %v and a mean square of %v: expected 0 and 9", n, mean, square)
	}
}

// A residual network sees zeros in the padding, and moves nothing there.
func TestResidualMasked(t *testing.T) {
	f := field.Residual{EventShape: []int{3, 2}, Width: 8, Frequencies: 2}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		out, err := model.CallOnceN(backend, model.NewStore(), func(scope *model.Scope, x, mask *Node) []*Node {
			at := Scalar(x.Graph(), dtypes.Float32, 0.4)
			zeroed := field.Mask(x, mask, 2)
			masked := call(field.Masked(f, mask), x, at, nil, scope)
			return []*Node{Sub(masked, field.Mask(call(f, zeroed, at, nil, scope), mask, 2)), masked}
		}, [][][]float32{{{1, 2}, {3, 4}, {float32(math.NaN()), 6}}}, [][]float32{{1, 1, 0}})
		if err != nil {
			t.Fatal(err)
		}
		for i, d := range tensors.MustCopyFlatData[float32](out[0]) {
			if d != 0 {
				t.Errorf("value %d is off by %v", i, d)
			}
		}
		for i, v := range tensors.MustCopyFlatData[float32](out[1]) {
			if (i < 4) == (v == 0) {
				t.Errorf("value %d is %v: only those of padding are 0", i, v)
			}
		}
	})
}

// Bad parameters are errors that teach, before any graph is built.
func TestResidualValidate(t *testing.T) {
	for want, f := range map[string]field.Residual{
		"Width is -1":       {Width: -1},
		"Blocks -2":         {Blocks: -2},
		"Frequencies is -3": {Frequencies: -3},
		"Bandwidth is NaN":  {Bandwidth: math.NaN()},
		"Bandwidth is -1":   {Bandwidth: -1},
		"TimeFeatures 3":    {TimeFeatures: 3},
		"ContextDim is -1":  {ContextDim: -1},
	} {
		gomlxtest.Says(t, want, field.Validate(f), want)
	}
	if f := (field.Residual{}); f.String() != f.WithDefaults().String() || !strings.Contains(fmt.Sprint(f), "width 64") {
		t.Errorf("%v and %v: a default must print as its value", f, f.WithDefaults())
	}
}
