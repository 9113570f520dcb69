package field_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

func call(f field.Field, x, t, c *Node, scope *model.Scope) *Node {
	return field.Call(f, scope, x, t, c)
}

// Events of every rank, with and without context, plain and sinusoidal time: a scalar
// time is the same as that time for each event.
func TestMLP(t *testing.T) {
	var fields []field.MLP
	for _, shape := range [][]int{{}, {3}, {2, 3}, {2, 2, 1}} {
		for _, contextDim := range []int{0, 2} {
			for _, features := range []int{0, 6} {
				fields = append(fields, field.MLP{EventShape: shape, Hidden: []int{5}, ContextDim: contextDim, TimeFeatures: features})
			}
		}
	}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		out, err := model.CallOnceN(backend, model.NewStore(), func(scope *model.Scope, g *Graph) (out []*Node) {
			for i, f := range fields {
				lead := []int{4, 2}
				x := Sin(IotaFull(g, shapes.Make(dtypes.Float32, slices.Concat(lead, f.EventShape)...)))
				var c *Node
				if f.ContextDim > 0 {
					c = Cos(IotaFull(g, shapes.Make(dtypes.Float32, 4, 2, f.ContextDim)))
				}
				scalar := Const(g, float32(0.3))
				each := BroadcastToDims(scalar, lead...)
				own := scope.At("field_%d", i)
				a, b := call(f, x, scalar, c, own), call(f, x, each, c, own)
				out = append(out, ReduceAllMax(Abs(Sub(a, b))), ReduceAllMax(Abs(a)))
			}
			return out
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range fields {
			if d := tensors.ToScalar[float32](out[2*i]); d > 1e-6 {
				t.Errorf("%v: a scalar time and the same one for each event differ by %v", f, d)
			}
			if size := tensors.ToScalar[float32](out[2*i+1]); size == 0 {
				t.Errorf("%v: the value is zero", f)
			}
		}
	})
}

// Layers start so that a signal keeps its size in a deep network.
func TestMLPStart(t *testing.T) {
	store := model.NewStore()
	f := field.MLP{EventShape: []int{4}, Hidden: []int{64, 64, 64, 64}}
	_, err := model.CallOnce(gomlxtest.Go(t), store, func(scope *model.Scope, g *Graph) *Node {
		return call(f, Ones(g, shapes.Make(dtypes.Float32, 2, 4)), Const(g, float32(0.3)), nil, scope)
	})
	if err != nil {
		t.Fatal(err)
	}
	for layer, in := range []int{5, 64, 64, 64, 64} {
		for name, limit := range map[string]float64{"weights": math.Sqrt(6 / float64(in)), "biases": 1 / math.Sqrt(float64(in))} {
			if name == "weights" && layer == 4 {
				limit = 1 / math.Sqrt(float64(in))
			}
			largest := 0.0
			values := tensors.MustCopyFlatData[float32](store.GetVariable(fmt.Sprintf("/mlp/layer_%d/dense/%s", layer, name)).MustValue())
			for _, v := range values {
				largest = max(largest, math.Abs(float64(v)))
			}
			// The largest of n uniform numbers is below 1-20/n of the limit once in e²⁰ times.
			if largest > limit || largest < limit*(1-20/float64(len(values))) {
				t.Errorf("layer %d: the largest of %d %s is %g, expected just below %g", layer, len(values), name, largest, limit)
			}
		}
	}
}

func TestSinusoidal(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		out, err := CallOnce(backend, func(t *Node) *Node { return field.Sinusoidal(t, 4) }, []float64{0.25, 1})
		if err != nil {
			t.Fatal(err)
		}
		for i, at := range []float64{0.25, 1} {
			want := []float64{math.Sin(1000 * at), math.Sin(10 * at), math.Cos(1000 * at), math.Cos(10 * at)}
			for k, got := range tensors.MustCopyFlatData[float64](out)[4*i : 4*i+4] {
				if math.Abs(got-want[k]) > 1e-9 {
					t.Errorf("feature %d of t = %v is %v, expected %v", k, at, got, want[k])
				}
			}
		}
	})
}

func TestMisuse(t *testing.T) {
	backend := gomlxtest.Go(t)
	mlp := field.MLP{EventShape: []int{3}}
	conditional := field.MLP{EventShape: []int{3}, ContextDim: 2}
	narrow := field.Func{Rank: 1, F: func(_ *model.Scope, x, _, _ *Node) *Node { return ReduceAndKeep(x, ReduceSum, -1) }}
	none := []int(nil)
	for want, c := range map[string]struct {
		f       field.Field
		x, t, c []int
	}{
		"must end in the event shape (3)":                         {mlp, []int{4, 2}, []int{}, none},
		"t must be a scalar or have the shape of the lead (4)":    {mlp, []int{4, 3}, []int{3}, none},
		"t must be a scalar or have the shape of the lead (4, 5)": {mlp, []int{4, 5, 3}, []int{4}, none},
		"expects none":                          {mlp, []int{4, 3}, []int{4}, []int{4, 2}},
		"expects one of 2 values":               {conditional, []int{4, 3}, []int{4}, none},
		"expects 2 values on its last axis":     {conditional, []int{4, 3}, []int{4}, []int{4, 5}},
		"c must have the shape of the lead (4)": {conditional, []int{4, 3}, []int{4}, []int{2}},
		"returned (Float32)[4, 1] for x":        {narrow, []int{4, 3}, []int{4}, none},
		"fewer than the event rank 1":           {mlp, []int{}, []int{}, none},
		"Hidden[1] is 0":                        {field.MLP{EventShape: []int{3}, Hidden: []int{4, 0}}, []int{4, 3}, []int{}, none},
		"TimeFeatures 3":                        {field.MLP{EventShape: []int{3}, TimeFeatures: 3}, []int{4, 3}, []int{}, none},
	} {
		_, err := model.CallOnce(backend, model.NewStore(), func(scope *model.Scope, g *Graph) *Node {
			zeros := func(dims []int) *Node { return Zeros(g, shapes.Make(dtypes.Float32, dims...)) }
			var context *Node
			if c.c != nil {
				context = zeros(c.c)
			}
			return call(c.f, zeros(c.x), zeros(c.t), context, scope)
		})
		gomlxtest.Says(t, fmt.Sprintf("x %s", shape.Format(c.x)), err, want)
	}
}
