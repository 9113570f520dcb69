package field_test

import (
	"math"
	"testing"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// A network on sets is a field, with masks, and has second derivatives.
func TestDeepSet(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		f := field.DeepSet{EventShape: []int{3, 2}, Width: 4, Layers: 2, ContextDim: 1}
		if err := field.Check(backend, f, []int{3, 2}, []int{1}); err != nil {
			t.Error(err)
		}
	})
}

// Objects that change places take their values with them, and so do padded ones; what stands in
// the padding, and how much of it there is after the objects, changes nothing but the share of
// padding that the network is told.
func TestDeepSetPermuted(t *testing.T) {
	f := field.DeepSet{EventShape: []int{4, 2}}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		x := [][][]float64{{{1, 2}, {-0.5, 0.3}, {0.1, -2}, {3, 1}}}
		order := []int{2, 0, 3, 1}
		permuted, mask, permutedMask := make([][]float64, 4), []float64{1, 0, 1, 1}, make([]float64, 4)
		for i, from := range order {
			permuted[i], permutedMask[i] = x[0][from], mask[from]
		}
		garbage := [][][]float64{{x[0][0], {math.NaN(), math.Inf(1)}, x[0][2], x[0][3]}}
		out, err := model.CallOnceN(backend, model.NewStore(), func(scope *model.Scope, in []*Node) []*Node {
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
	for want, f := range map[string]field.DeepSet{
		"EventShape is (2)": {EventShape: []int{2}}, "EventShape is (0, 2)": {EventShape: []int{0, 2}}, "Width is -1": {EventShape: []int{2, 2}, Width: -1}, "TimeFeatures 1": {EventShape: []int{2, 2}, TimeFeatures: 1},
	} {
		gomlxtest.Says(t, want, field.Validate(f), want)
	}
}
