package tests

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/tests/backends"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
)

// The golden numbers were computed by the reference implementation in Python, in
// float64, with every random draw recorded; testdata/golden/README.md says more.
type golden struct {
	Networks map[string]network `json:"networks"`
	Cases    []goldenCase       `json:"cases"`
}

type goldenCase struct {
	Name     string                     `json:"name"`
	Op       string                     `json:"op"`
	Inputs   map[string]json.RawMessage `json:"inputs"`
	Expected map[string]json.RawMessage `json:"expected"`
	Raises   *struct{ Type string }     `json:"raises"`
}

type network struct {
	Kind       string `json:"kind"`
	EventShape []int  `json:"event_shape"`
	ContextDim int    `json:"context_dim"`
	Activation string `json:"activation"`
	Layers     []struct {
		Weight [][]float64 `json:"weight"` // (out, in)
		Bias   []float64   `json:"bias"`
	} `json:"layers"`
}

func readGolden(t *testing.T, name string) golden {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "golden", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// get decodes an input or an expected value; false if it is absent or null.
func get[T any](t *testing.T, from map[string]json.RawMessage, key string) (value T, present bool) {
	t.Helper()
	raw, ok := from[key]
	if !ok || string(raw) == "null" {
		return value, false
	}
	if err := json.Unmarshal(raw, &value); err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	return value, true
}

// tensorOf decodes nested lists of numbers as a tensor; nil if absent.
func tensorOf(t *testing.T, from map[string]json.RawMessage, key string, dtype dtypes.DType) *tensors.Tensor {
	t.Helper()
	value, ok := get[any](t, from, key)
	if !ok {
		return nil
	}
	return toTensor(value, dtype)
}

func toTensor(value any, dtype dtypes.DType) *tensors.Tensor {
	var dims []int
	for v := value; ; {
		list, ok := v.([]any)
		if !ok {
			break
		}
		dims = append(dims, len(list))
		if len(list) == 0 {
			break
		}
		v = list[0]
	}
	var flat []float64
	var walk func(v any)
	walk = func(v any) {
		if list, ok := v.([]any); ok {
			for _, e := range list {
				walk(e)
			}
			return
		}
		flat = append(flat, toFloat(v))
	}
	walk(value)
	return fromFloats(flat, dims, dtype)
}

// toFloat reads a number; JSON holds those that aren't finite as strings.
func toFloat(v any) float64 {
	switch v {
	case "inf":
		return math.Inf(1)
	case "-inf":
		return math.Inf(-1)
	case "nan":
		return math.NaN()
	}
	return v.(float64)
}

func fromFloats(flat []float64, dims []int, dtype dtypes.DType) *tensors.Tensor {
	if dtype == dtypes.Float64 {
		return tensors.FromFlatDataAndDimensions(flat, dims...)
	}
	single := make([]float32, len(flat))
	for i, v := range flat {
		single[i] = float32(v)
	}
	return tensors.FromFlatDataAndDimensions(single, dims...)
}

func toFloats(x *tensors.Tensor) (flat []float64) {
	x.MustConstFlatData(func(data any) {
		switch values := data.(type) {
		case []float64:
			flat = append(flat, values...)
		case []float32:
			for _, v := range values {
				flat = append(flat, float64(v))
			}
		}
	})
	return flat
}

// agree fails unless got has want's shape and |got-want| ≤ tol·max(1, largest |want|).
func agree(t *testing.T, what string, got, want *tensors.Tensor) {
	t.Helper()
	if fmt.Sprint(got.Shape().Dimensions) != fmt.Sprint(want.Shape().Dimensions) {
		t.Fatalf("%s has shape %v, expected %v", what, got.Shape(), want.Shape())
	}
	tol := tolerance(got.DType())
	g, w := toFloats(got), toFloats(want)
	scale := 1.0
	for _, v := range w {
		scale = math.Max(scale, math.Abs(v))
	}
	for i := range g {
		if !(math.Abs(g[i]-w[i]) <= tol*scale) {
			t.Fatalf("%s: value %d is %v, expected %v (tolerance %g)", what, i, g[i], w[i], tol*scale)
		}
	}
}

// agreeEach fails unless got has want's shape and each |got-want| ≤ tol·|want|: for what
// grows without bound. Infinite values must be equal.
func agreeEach(t *testing.T, what string, got, want *tensors.Tensor, tol float64) {
	t.Helper()
	if fmt.Sprint(got.Shape().Dimensions) != fmt.Sprint(want.Shape().Dimensions) {
		t.Fatalf("%s has shape %v, expected %v", what, got.Shape(), want.Shape())
	}
	g, w := toFloats(got), toFloats(want)
	for i := range g {
		if g[i] != w[i] && !(math.Abs(g[i]-w[i]) <= tol*math.Abs(w[i])) {
			t.Fatalf("%s: value %d is %v, expected %v (relative tolerance %g)", what, i, g[i], w[i], tol)
		}
	}
}

func tolerance(dtype dtypes.DType) float64 {
	if dtype == dtypes.Float64 {
		return 1e-10
	}
	return 1e-5
}

// load puts a golden network's weights into a new store, and returns the field.
func (n network) load(t *testing.T, dtype dtypes.DType) (field.MLP, *model.Store) {
	t.Helper()
	store := model.NewStore()
	return n.loadIn(t, store.RootScope(), dtype), store
}

// loadIn puts a golden network's weights into a scope, and returns the field.
func (n network) loadIn(t *testing.T, root *model.Scope, dtype dtypes.DType) field.MLP {
	t.Helper()
	m := field.MLP{EventShape: n.EventShape, ContextDim: n.ContextDim, Hidden: []int{}}
	m.Activation = map[string]activation.Type{"silu": activation.TypeSilu, "tanh": activation.TypeTanh}[n.Activation]
	for i, layer := range n.Layers {
		if i < len(n.Layers)-1 {
			m.Hidden = append(m.Hidden, len(layer.Bias))
		}
		in := len(layer.Weight[0])
		flat := make([]float64, in*len(layer.Weight))
		for o, row := range layer.Weight {
			for j, w := range row {
				flat[j*len(layer.Weight)+o] = w
			}
		}
		scope := root.At("mlp").At("layer_%d", i).At("dense")
		for name, value := range map[string]*tensors.Tensor{
			"weights": fromFloats(flat, []int{in, len(layer.Weight)}, dtype),
			"biases":  fromFloats(layer.Bias, []int{len(layer.Bias)}, dtype),
		} {
			if _, err := scope.CreateVariable(name, value); err != nil {
				t.Fatal(err)
			}
		}
	}
	return m
}

var bothDTypes = []dtypes.DType{dtypes.Float32, dtypes.Float64}

// sscanLayer reads the number of the layer out of a variable's path.
func sscanLayer(path string, layer *int) (int, error) {
	return fmt.Sscanf(path, "/mlp/layer_%d/", layer)
}

// thin leaves a case out where each would be compiled anew, which takes XLA a second: XLA
// then runs one in eight, and the pure Go backend runs them all.
func thin(backend compute.Backend, i int) bool { return backends.Few(backend) && i%8 != 0 }

// dtypesOn are the dtypes of what takes XLA several seconds to compile: one unless all golden
// cases are to run.
func dtypesOn(backend compute.Backend) []dtypes.DType {
	if thin(backend, 1) {
		return []dtypes.DType{dtypes.Float64}
	}
	return bothDTypes
}

// load finds a case's field, by the name of a network or by its formula.
func (g golden) load(t *testing.T, inputs map[string]json.RawMessage, key string, dtype dtypes.DType) (field.Field, []int, *model.Store) {
	t.Helper()
	var name string
	if json.Unmarshal(inputs[key], &name) == nil {
		f, store := g.Networks[name].load(t, dtype)
		return f, f.EventShape, store
	}
	formula, _ := get[map[string]json.RawMessage](t, inputs, key)
	kind, _ := get[string](t, formula, "kind")
	switch kind {
	case "affine":
		f := affine{}
		f.A, _ = get[[][]float64](t, formula, "A")
		f.B, _ = get[[]float64](t, formula, "b")
		return f, []int{len(f.B)}, model.NewStore()
	case "gaussian_flow":
		mean, _ := get[[]float64](t, formula, "mean")
		std, _ := get[[]float64](t, formula, "std")
		return gaussianFlow(mean, std), []int{len(mean)}, model.NewStore()
	}
	t.Fatalf("the field %q is unknown", kind)
	return nil, nil, nil
}

// affine is v = A x + b, which knows its divergence, the trace of A.
type affine struct {
	A [][]float64
	B []float64
}

func (affine) EventRank() int { return 1 }

func (f affine) Apply(_ *model.Scope, x, _, _ *Node) *Node {
	g, dtype := x.Graph(), x.DType()
	rows := Reshape(x, -1, len(f.B))
	b := BroadcastToDims(ExpandLeftToRank(ConstAsDType(g, dtype, f.B), 2), rows.Shape().Dimensions...)
	return Reshape(Add(Einsum("nd,ed->ne", rows, ConstAsDType(g, dtype, f.A)), b), x.Shape().Dimensions...)
}

func (f affine) ApplyWithDivergence(scope *model.Scope, x, t, c *Node) (value, divergence *Node) {
	trace := 0.0
	for i := range f.A {
		trace += f.A[i][i]
	}
	return f.Apply(scope, x, t, c), MulScalar(OnesLike(ReduceSum(x, -1)), trace)
}

// reversed is a field that has forgotten its divergence: reverse passes compute it.
type reversed struct{ field.Field }

// gaussianFlow is the velocity of the linear path from N(0, I) to N(mean, std²).
func gaussianFlow(mean, std []float64) field.Field {
	return field.Func{Rank: 1, F: func(_ *model.Scope, x, t, _ *Node) *Node {
		g, dtype := x.Graph(), x.DType()
		t = shape.Lift(t, x)
		row := func(values []float64) *Node { return ExpandLeftToRank(ConstAsDType(g, dtype, values), x.Rank()) }
		m, v := row(mean), Square(row(std))
		s := OneMinus(t)
		s2 := Add(Mul(Square(s), v), Square(t))
		return Sub(Mul(Div(Sub(t, Mul(s, v)), s2), Sub(x, Mul(s, m))), m)
	}}
}
