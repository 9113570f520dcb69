package modelfile_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/modelfile"
	"github.com/nami-flow/go-nami/nami/path"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/nami/transform"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

var network = field.MLP{EventShape: []int{2}, Hidden: []int{4}, ContextDim: 3}

// flow is a flow of two values on a context of three.
var flow = nami.FlowMatching{
	Field: network, Base: distribution.NewStandardNormal(2), Solver: solver.RK4(4), Path: path.Linear{},
}

var columns = data.Columns{
	X: []string{"energy", "mass"}, Context: []string{"charge"},
	Classes: []data.Class{{Column: "kind", Names: []string{"muon", "pion"}}},
}

// diffusion is one of events without a context.
var diffusion = nami.Diffusion{
	Field: field.MLP{EventShape: []int{2}, Hidden: []int{4}}, Prediction: schedule.V,
	Schedule: schedule.VP{}, Solver: solver.Heun(4), EventShape: []int{2},
}

// inUnits is a flow of an energy, with a logarithm, and an angle, which is two values to the
// model, on a context that is standardised.
var inUnits = nami.FlowMatching{
	Field: field.MLP{EventShape: []int{3}, Hidden: []int{4}, ContextDim: 1}, Base: distribution.NewStandardNormal(3), Solver: solver.Heun(4),
	Transform: transform.Columns{
		{Of: []int{0}, By: transform.Chain{transform.Logarithm{Shift: 1}, transform.Standardize{Mean: []float64{0.5}, Std: []float64{1. / 3}}}},
		{Of: []int{1}, By: transform.Circle{}},
	},
	ContextTransform: transform.Standardize{Mean: []float64{2}, Std: []float64{3}},
}

// fileInUnits is a file of it.
func fileInUnits(t testing.TB) modelfile.File {
	return modelfile.File{
		Model: inUnits, Store: initialized(t, inUnits.Field, []int{3}, []int{1}),
		Columns: data.Columns{X: []string{"energy", "phi"}, Context: []string{"charge"}}, Units: map[string]string{"energy": "GeV", "phi": "rad"},
	}
}

// initialized is a store with starting values of a field's variables.
func initialized(t testing.TB, f field.Field, event, context []int) *model.Store {
	t.Helper()
	return initializedOn(t, gomlxtest.Go(t), f, event, context)
}

func initializedOn(t testing.TB, backend compute.Backend, f field.Field, event, context []int) *model.Store {
	t.Helper()
	store := model.NewStore()
	if err := nami.Initialize(backend, store, f, event, context, 1); err != nil {
		t.Fatal(err)
	}
	return store
}

// storeOf is a store with starting values of a model's variables.
func storeOf(t testing.TB, m modelfile.Model) *model.Store {
	t.Helper()
	var f field.Field
	var base distribution.Base
	switch m := m.(type) {
	case nami.FlowMatching:
		f, base = m.Field, m.Base
	case nami.Diffusion:
		f = m.Field
	}
	store := initialized(t, f, []int{2}, nil)
	if _, learned := base.(distribution.LearnedNormal); learned {
		store.VariableWithValue("/learned_normal/loc/biases", []float32{1, 2})
		store.VariableWithValue("/learned_normal/log_scale/biases", []float32{0.5, -0.5})
	}
	return store
}

// whole is a file with all that a file can say.
func whole(t testing.TB) modelfile.File {
	return modelfile.File{
		Model: flow, Store: initialized(t, network, []int{2}, []int{3}), Columns: columns,
		Units: map[string]string{"energy": "GeV", "mass": "GeV/c²"}, Notes: "ten lines\nof notes",
	}
}

// saved are the bytes of a file.
func saved(t testing.TB, f modelfile.File) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := f.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// read reads a file.
func read(t testing.TB, file []byte, which ...string) *modelfile.File {
	t.Helper()
	f, err := modelfile.Read(bytes.NewReader(file), which...)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// samples are some of a model's, from fixed noise or drawn.
func samples(t testing.TB, backend compute.Backend, f modelfile.File) []float64 {
	t.Helper()
	var context *tensors.Tensor
	if f.Context != nil {
		values := make([]float32, f.Context[0])
		for i := range values {
			values[i] = float32(i) / 2
		}
		context = tensors.FromFlatDataAndDimensions(values, 1, len(values))
	}
	process, err := f.Bind(backend, context, nami.Seed(3))
	if err != nil {
		t.Fatalf("%v: %v", f.Model, err)
	}
	out, err := process.Sample(t.Context(), 3)
	return gomlxtest.Floats(t, out, err)
}

// same fails the test unless two models give the same samples, to the bit.
func same(t testing.TB, backend compute.Backend, a, b modelfile.File) {
	t.Helper()
	if x, y := samples(t, backend, a), samples(t, backend, b); fmt.Sprint(x) != fmt.Sprint(y) {
		t.Errorf("%v: the samples are %v, and %v before", b.Model, y, x)
	}
}
