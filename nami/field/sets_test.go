package field_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/tests/backends"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Networks on sets are fields, with masks, and have second derivatives.
func TestSets(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, f := range []field.Field{
			field.DeepSet{EventShape: []int{3, 2}, Width: 4, Layers: 2, ContextDim: 1},
			field.Transformer{EventShape: []int{3, 2}, Width: 4, Heads: 2, Blocks: 1, ContextDim: 1},
		} {
			if _, deep := f.(field.DeepSet); deep && backends.Few(backend) {
				continue
			}
			if err := field.Check(backend, f, []int{3, 2}, []int{1}); err != nil {
				t.Error(err)
			}
		}
	})
}

// Objects that change places take their values with them, and so do padded ones; what stands in
// the padding, and how much of it there is after the objects, changes nothing but the share of
// padding that the network is told.
func TestSetsPermuted(t *testing.T) {
	t.Run("DeepSet", func(t *testing.T) { checkPermuted(t, field.DeepSet{EventShape: []int{4, 2}}) })
	t.Run("Transformer", func(t *testing.T) {
		checkPermuted(t, field.Transformer{EventShape: []int{4, 2}, Width: 8, Heads: 2, Blocks: 2})
	})
}

func checkPermuted(t *testing.T, f field.OnObjects) {
	t.Helper()
	gomlxtest.RunLong(t, func(t *testing.T, backend compute.Backend) {
		x := [][][]float64{{{1, 2}, {-0.5, 0.3}, {0.1, -2}, {3, 1}}}
		order := []int{2, 0, 3, 1}
		permuted, mask, permutedMask := make([][]float64, 4), []float64{1, 0, 1, 1}, make([]float64, 4)
		for i, from := range order {
			permuted[i], permutedMask[i] = x[0][from], mask[from]
		}
		garbage := [][][]float64{{x[0][0], {math.NaN(), math.Inf(1)}, x[0][2], x[0][3]}}
		store := model.NewStore()
		start(t, backend, store, f, x)
		out, err := model.CallOnceN(backend, store, func(scope *model.Scope, in []*Node) []*Node {
			value := func(x, mask *Node) *Node {
				var g field.Field = f
				if mask != nil {
					g = field.Masked(f, mask)
				}
				return call(g, x, ConstAs(x, 0.3), nil, scope)
			}
			return []*Node{value(in[0], nil), value(in[1], nil), value(in[0], in[3]), value(in[1], in[4]), value(in[2], in[3])}
		}, x, [][][]float64{permuted}, garbage, [][]float64{mask}, [][]float64{permutedMask})
		if err != nil {
			t.Fatal(err)
		}
		values := func(i int) []float64 { return tensors.MustCopyFlatData[float64](out[i]) }
		for i, what := range map[int]string{0: "all objects", 2: "with padding"} {
			var want []float64
			for _, from := range order {
				want = append(want, values(i)[2*from:2*from+2]...)
			}
			gomlxtest.Near(t, what, values(i+1), want, 1e-12)
		}
		gomlxtest.Near(t, "other padding", values(4), values(2), 0)
		if v := values(2); v[2] != 0 || v[3] != 0 || v[0] == values(0)[0] {
			t.Errorf("with padding the values are %v, without %v: expected 0 in the padding, and others elsewhere", v, values(0))
		}
	})
}

// Tokens that have places don't change them for nothing.
func TestOrdered(t *testing.T) {
	backend := gomlxtest.Go(t)
	f := field.Transformer{EventShape: []int{2, 1}, Width: 8, Heads: 2, Blocks: 1, Ordered: true}
	store, x := model.NewStore(), [][][]float64{{{1}, {-1}}, {{-1}, {1}}}
	start(t, backend, store, f, x)
	out, err := model.CallOnce(backend, store, func(scope *model.Scope, x *Node) *Node { return call(f, x, ConstAs(x, 0.3), nil, scope) }, x)
	v := gomlxtest.Floats(t, out, err)
	if math.Abs(v[0]-v[3]) < 0.01 || math.Abs(v[1]-v[2]) < 0.01 {
		t.Errorf("the values are %v: the tokens changed places, and so did the values", v)
	}
}

// XLA and the pure Go backend give the same values of a network with the same weights.
func TestNetworksAgree(t *testing.T) {
	set := [][][]float64{{{1, 2}, {-0.5, 0.3}, {0.1, -2}, {3, 1}}}
	for _, c := range []struct {
		f field.Field
		x any
	}{
		{field.DeepSet{EventShape: []int{4, 2}}, set},
		{field.Transformer{EventShape: []int{4, 2}, Width: 8, Heads: 2, Blocks: 2, Ordered: true}, set},
		{field.DiT{EventShape: []int{4, 4, 2}, Width: 8, Heads: 2, Blocks: 1}, twoImages(4, 4, 2, 0, 0)},
		{field.UNet{EventShape: []int{4, 4, 2}, Width: 4, Blocks: 1, Groups: 2, Attention: []int{1}}, twoImages(4, 4, 2, 0, 0)},
	} {
		values := func(backend compute.Backend) []float64 {
			store := model.NewStore()
			start(t, backend, store, c.f, c.x)
			out, err := model.CallOnce(backend, store, func(scope *model.Scope, x *Node) *Node { return call(c.f, x, ConstAs(x, 0.3), nil, scope) }, c.x)
			return gomlxtest.Floats(t, out, err)
		}
		gomlxtest.Near(t, fmt.Sprint(c.f), values(gomlxtest.XLA(t)), values(gomlxtest.Go(t)), 1e-9)
	}
}

// start gives a field weights that are the same everywhere, and all away from zero, where gates
// are closed.
func start(t *testing.T, backend compute.Backend, store *model.Store, f field.Field, x any) {
	t.Helper()
	if _, err := model.CallOnce(backend, store, func(scope *model.Scope, x *Node) *Node { return call(f, x, ConstAs(x, 0.3), nil, scope) }, x); err != nil {
		t.Fatal(err)
	}
	i := 0
	for v := range store.IterVariables() {
		if !v.Trainable || v.DType() != dtypes.Float64 {
			continue
		}
		i++
		flat := tensors.MustCopyFlatData[float64](v.MustValue())
		for k := range flat {
			flat[k] = 0.3 * math.Sin(float64(7*i+k))
		}
		if err := v.SetValue(tensors.FromFlatDataAndDimensions(flat, v.Shape().Dimensions...)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBadSets(t *testing.T) {
	for want, f := range map[string]field.Field{
		"EventShape is (2)":    field.DeepSet{EventShape: []int{2}},
		"EventShape is (0, 2)": field.DeepSet{EventShape: []int{0, 2}},
		"Width is -1":          field.DeepSet{EventShape: []int{2, 2}, Width: -1},
		"TimeFeatures 1":       field.DeepSet{EventShape: []int{2, 2}, TimeFeatures: 1},

		"EventShape is (3)":                    field.Transformer{EventShape: []int{3}},
		"Heads -1":                             field.Transformer{EventShape: []int{2, 2}, Heads: -1},
		"Width is 64 and Heads 3":              field.Transformer{EventShape: []int{2, 2}, Heads: 3},
		"Width is 3 and Heads 3":               field.Transformer{EventShape: []int{2, 2}, Width: 3, Heads: 3},
		"ContextDim is -2":                     field.Transformer{EventShape: []int{2, 2}, ContextDim: -2},
		"EventShape is (2, 2)":                 field.DiT{EventShape: []int{2, 2}},
		"Patch is 3 for images of 4 × 6":       field.DiT{EventShape: []int{4, 6, 1}, Patch: 3},
		"Patch is -1":                          field.DiT{EventShape: []int{4, 6, 1}, Patch: -1},
		"Width is 6: it must be a multiple of": field.DiT{EventShape: []int{4, 6, 1}, Width: 6, Heads: 1},
	} {
		gomlxtest.Says(t, want, field.Validate(f), want)
	}
}
