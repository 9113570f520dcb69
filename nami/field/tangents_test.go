package field_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/tests/backends"
	"github.com/nami-flow/go-nami/tests/property"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
	"pgregory.net/rapid"
)

// values are numbers of both signs, up to 1.5.
func values(phase float64, dims ...int) *tensors.Tensor {
	flat := make([]float64, shape.Size(dims))
	for i := range flat {
		flat[i] = 1.5 * math.Sin(phase+1.7*float64(i))
	}
	return tensors.FromFlatDataAndDimensions(flat, dims...)
}

// compareTraces computes what a field says of its divergence, and what the reverse passes do, with
// the same weights, which are all moved from where they start. mask has one number for each
// object of x's events, or is nil.
func compareTraces(t rapid.TB, backend compute.Backend, f field.Field, x, at, c, mask *tensors.Tensor) {
	t.Helper()
	if !field.KnowsDivergence(f) {
		t.Fatalf("%v doesn't know its divergence", f)
	}
	store := model.NewStore()
	if err := store.SetRNGStateFromSeed(3); err != nil {
		t.Fatal(err)
	}
	in := []any{x, at}
	if c != nil {
		in = append(in, c)
	}
	if mask != nil {
		in = append(in, mask)
	}
	build := func(scope *model.Scope, in []*Node) []*Node {
		f, given, scope := f, in[2:], scope.ResetVisited()
		var context *Node
		if c != nil {
			context, given = given[0], given[1:]
		}
		if mask != nil {
			f = field.Masked(f, given[0])
			if !field.KnowsDivergence(f) {
				panic(fmt.Errorf("%v doesn't know its divergence with a mask", f))
			}
		}
		own, div := field.CallWithDivergence(f.(field.Divergent), scope, in[0], in[1], context)
		reverse, trace := divergence.Exact{}.Estimate(func(x *Node) *Node { return field.Call(f, scope, x, in[1], context) }, in[0], f.EventRank(), nil)
		return []*Node{div, trace, own, reverse}
	}
	if _, err := model.CallOnceN(backend, store, build, in...); err != nil { // makes the weights
		t.Fatalf("%v: %v", f, err)
	}
	n := 0.0
	for v := range store.IterVariables() {
		if !v.Trainable || v.DType() != dtypes.Float64 {
			continue
		}
		moved := tensors.MustCopyFlatData[float64](v.MustValue())
		for i := range moved {
			n++
			moved[i] += 0.3 * math.Sin(2*n)
		}
		v.MustSetValue(tensors.FromFlatDataAndDimensions(moved, v.Shape().Dimensions...))
	}
	out, err := model.CallOnceN(backend, store, build, in...)
	if err != nil {
		t.Fatalf("%v: %v", f, err)
	}
	get := func(i int) []float64 { return tensors.MustCopyFlatData[float64](out[i]) }
	gomlxtest.Near(t, fmt.Sprint(f, ": the divergence"), get(0), get(1), 1e-9)
	gomlxtest.Near(t, fmt.Sprint(f, ": the value"), get(2), get(3), 1e-12)
	if trace := get(1); mask == nil && slices.Max(trace) == 0 && slices.Min(trace) == 0 {
		t.Errorf("%v: the divergence is zero: the test tests nothing", f)
	}
}

// The divergence that networks carry forward is that of reverse passes, for events and leads of
// any shape, depths from none to four layers, few events and many, with and without contexts,
// features, and one time for all or one for each.
func TestTangents(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		perHundred := 40
		if backends.Few(backend) {
			perHundred = 6
		}
		property.CheckPart(t, perHundred, func(r *rapid.T) {
			lead := rapid.SliceOfN(rapid.IntRange(1, 6), 0, 2).Draw(r, "lead")
			event := rapid.SliceOfN(rapid.IntRange(1, 3), 0, 3).Draw(r, "event")
			context := rapid.IntRange(0, 2).Draw(r, "context")
			features := 2 * rapid.IntRange(0, 2).Draw(r, "time features")
			act := rapid.SampledFrom([]activation.Type{activation.TypeNone, activation.TypeTanh, activation.TypeGelu}).Draw(r, "activation")
			var f field.Field = field.MLP{
				EventShape: event, Hidden: append([]int{}, rapid.SliceOfN(rapid.IntRange(1, 5), 0, 4).Draw(r, "hidden")...),
				ContextDim: context, TimeFeatures: features, Activation: act,
			}
			if rapid.Bool().Draw(r, "residual") {
				f = field.Residual{
					EventShape: event, Width: rapid.IntRange(2, 6).Draw(r, "width"), Blocks: rapid.IntRange(1, 2).Draw(r, "blocks"),
					Frequencies: rapid.IntRange(0, 3).Draw(r, "frequencies"), ContextDim: context, TimeFeatures: features, Activation: act,
				}
			}
			var c, mask *tensors.Tensor
			if context > 0 {
				c = values(2, append(slices.Clone(lead), context)...)
			}
			at := values(1, lead...)
			if rapid.Bool().Draw(r, "one time") {
				at = tensors.FromScalar(0.4)
			}
			if len(event) > 1 && rapid.Bool().Draw(r, "masked") {
				mask = values(3, append(slices.Clone(lead), event[0])...)
			}
			compareTraces(t, backend, f, values(0, slices.Concat(lead, event)...), at, c, mask)
		})
	})
}
