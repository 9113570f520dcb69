package field_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/embedding"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/schedule"
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
		of := []*Node{in[0]} // training by likelihood needs these derivatives
		for v := range scope.Store().IterVariables() {
			if v.Trainable && v.InUseByGraph(div.Graph()) {
				of = append(of, v.NodeValue(div.Graph()))
			}
		}
		flat := func(d *Node) *Node {
			var all []*Node
			for _, g := range Gradient(ReduceAllSum(Mul(d, Sin(d))), of...) {
				all = append(all, Reshape(g, -1))
			}
			return Concatenate(all, 0)
		}
		if backends.Few(backend) { // XLA takes long to compile it
			return []*Node{div, trace, own, reverse}
		}
		return []*Node{div, trace, own, reverse, flat(div), flat(trace)}
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
		if err := v.SetValue(tensors.FromFlatDataAndDimensions(moved, v.Shape().Dimensions...)); err != nil {
			t.Fatal(err)
		}
	}
	out, err := model.CallOnceN(backend, store, build, in...)
	if err != nil {
		t.Fatalf("%v: %v", f, err)
	}
	get := func(i int) []float64 { return tensors.MustCopyFlatData[float64](out[i]) }
	gomlxtest.Near(t, fmt.Sprint(f, ": the divergence"), get(0), get(1), 1e-9)
	gomlxtest.Near(t, fmt.Sprint(f, ": the value"), get(2), get(3), 1e-12)
	if len(out) > 4 {
		gomlxtest.Near(t, fmt.Sprint(f, ": the divergence's derivatives"), get(4), get(5), 1e-8)
	}
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
		if backend.Name() == "xla" { // which takes seconds to compile each
			perHundred = 6
		}
		if backends.Few(backend) {
			perHundred = 3
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

// Directions that are taken in blocks, as there are many events or large ones, have the same sum
// as all at once.
func TestTangentsInBlocks(t *testing.T) {
	backend := gomlxtest.Go(t)
	const n, d = 300, 30 // 8 blocks of at most 4
	for _, f := range []field.Field{
		field.MLP{EventShape: []int{d}, Hidden: []int{200, 20, 10}},
		field.Residual{EventShape: []int{d}, Width: 200, Blocks: 1},
	} {
		out, err := model.CallOnceN(backend, model.NewStore(), func(scope *model.Scope, x *Node) []*Node {
			at := ConstAs(x, 0.3)
			_, all := field.CallWithDivergence(f.(field.Divergent), scope, x, at, nil)
			_, few := field.CallWithDivergence(f.(field.Divergent), scope, Slice(x, AxisRange(0, 3)), at, nil) // one block
			return []*Node{Slice(all, AxisRange(0, 3)), few}
		}, values(0, n, d))
		if err != nil {
			t.Fatal(err)
		}
		get := func(i int) []float64 { return tensors.MustCopyFlatData[float64](out[i]) }
		gomlxtest.Near(t, fmt.Sprint(f), get(0), get(1), 1e-9)
	}
}

// plain is a field that has forgotten its divergence, other one of a network that isn't its own.
type (
	plain struct{ field.Field }
	other struct{ field.MLP }
)

func (o other) Apply(scope *model.Scope, x, t, c *Node) *Node {
	return Square(o.MLP.Apply(scope, x, t, c))
}

// A field knows its divergence if what it wraps does; with a mask only this package's do.
func TestKnowsDivergence(t *testing.T) {
	net := field.MLP{EventShape: []int{2, 2}}
	wrap := func(f field.Field) map[string]field.Field {
		return map[string]field.Field{
			"Scoped": field.Scoped{Scope: "a", Field: f}, "Guided": field.Guided{Field: f, Scale: 2}, "Unconditional": field.Unconditional{Field: f},
			"Embedded": field.Embedded{Field: f, Embedding: embedding.MLP{}}, "with a weak model": field.Guided{Field: net, Scale: 2, Weak: f},
		}
	}
	check := func(what string, f field.Field, whole, masked bool) {
		t.Helper()
		if a, b := field.KnowsDivergence(f), field.KnowsDivergence(field.Masked(f, nil)); a != whole || b != masked {
			t.Errorf("%s: got %v, and %v with a mask; expected %v and %v", what, a, b, whole, masked)
		}
	}
	check("MLP", net, true, true)
	check("Residual", field.Residual{EventShape: []int{2, 2}}, true, true)
	check("a user's", spring{}, true, false)
	check("one without", plain{net}, false, false)
	check("one around another", other{net}, false, false)
	check("SwiGLU", field.MLP{Activation: activation.TypeSwiGLU}, false, false)
	check("DiT", field.DiT{}, false, false)
	check("rescaled", field.Guided{Field: net, Scale: 2, Rescale: 0.5}, false, false)
	check("Preconditioned", schedule.Preconditioned{Field: net, Schedule: schedule.EDM{}}, true, false)
	check("Preconditioned without", schedule.Preconditioned{Field: plain{net}, Schedule: schedule.EDM{}}, false, false)
	for name, f := range wrap(net) {
		check(name, f, true, true)
	}
	for name, f := range wrap(plain{net}) {
		check(name+" without", f, false, false)
	}
	check("nil inside", field.Scoped{Scope: "a"}, false, false)
	check("nil", nil, false, false)
	for _, tt := range []struct {
		field field.Field
		want  bool
	}{
		{spring{}, false},
		{field.Scoped{Scope: "a", Field: spring{}}, false},
		{field.Masked(net, nil), true},
		{field.Scoped{Scope: "a", Field: field.Unconditional{Field: field.Residual{}}}, true},
	} {
		if got := field.CarriesTangents(tt.field); got != tt.want {
			t.Errorf("%v carries tangents: %v, expected %v", tt.field, got, tt.want)
		}
	}
}

// Fields around a network pass its divergence on, with masks too.
func TestDivergenceOfWrappers(t *testing.T) {
	net := field.MLP{EventShape: []int{3, 2}, Hidden: []int{4, 4, 3}, ContextDim: 2}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		x, at, c, mask := values(0, 4, 3, 2), values(1, 4), values(2, 4, 2), tensors.FromValue([][]float64{{1, 1, 1}, {1, 0, 1}, {0, 1, 1}, {0, 0, 1}})
		for name, f := range map[string]field.Field{
			"Guided":        field.Guided{Field: net, Scale: 3, From: 0.2},
			"Negative":      field.Guided{Field: net, Scale: 3, Negative: []float64{1, 2}},
			"Weak":          field.Guided{Field: net, Scale: 3, Weak: field.Scoped{Scope: "weak", Field: field.Residual{EventShape: []int{3, 2}, Width: 4, Blocks: 1, ContextDim: 2}}},
			"Unconditional": field.Unconditional{Field: net, ContextShape: []int{2}},
			"Embedded":      field.Embedded{Field: net, Embedding: embedding.MLP{In: 2, Values: 2}},
		} {
			if backends.Few(backend) && name != "Weak" {
				continue
			}
			given := c
			if name == "Unconditional" {
				given = nil
			}
			compareTraces(t, backend, f, x, at, given, nil)
			compareTraces(t, backend, f, x, at, given, mask)
		}
		compareTraces(t, backend, schedule.Preconditioned{Field: net, Schedule: schedule.VP{}, DataStd: 0.5}, x, values(1, 4), c, nil)
	})
}
