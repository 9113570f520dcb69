package modelfile_test

import (
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

	"github.com/gomlx/gomlx/ml/layers/activation"
)

// A given model is compared with the file's: every difference is named by its place, and a
// default is the same as its value.
func TestCompare(t *testing.T) {
	file := read(t, saved(t, whole(t)))
	box, err := distribution.UniformBox(-1, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	with := func(change func(m *nami.FlowMatching)) modelfile.File {
		m := flow
		change(&m)
		return modelfile.File{Model: m}
	}
	with2 := func(change func(c *data.Columns)) modelfile.File {
		c := columns
		change(&c)
		return modelfile.File{Columns: c}
	}
	for want, given := range map[string]modelfile.File{
		`Field.Activation is "Relu", and the file has "Silu"`: with(func(m *nami.FlowMatching) {
			f := network
			f.Activation = activation.TypeRelu
			m.Field = f
		}),
		`Field.Hidden is [4,4], and the file has [4]; Field.ContextDim is 2, and the file has 3; Field.TimeFeatures is 2, and the file has 0`: with(func(m *nami.FlowMatching) {
			m.Field = field.MLP{EventShape: []int{2}, Hidden: []int{4, 4}, ContextDim: 2, TimeFeatures: 2}
		}),
		"Base is a distribution.Uniform, and the file has a distribution.StandardNormal":                 with(func(m *nami.FlowMatching) { m.Base = box }),
		"Path is nothing, and the file has a path.Linear":                                                with(func(m *nami.FlowMatching) { m.Path = nil }),
		"Path is a path.Cosine, and the file has a path.Linear":                                          with(func(m *nami.FlowMatching) { m.Path = path.Cosine{} }),
		"Model is a nami.Diffusion, and the file has a nami.FlowMatching":                                {Model: diffusion},
		"the model that is given can't be compared: Model.Field is a field.Func":                         with(func(m *nami.FlowMatching) { m.Field = field.Func{} }),
		`Columns.x is ["mass","energy"], and the file has ["energy","mass"] (the same in another order)`: with2(func(c *data.Columns) { c.X = []string{"mass", "energy"} }),
		`Columns.classes[0].names is ["pion","muon"], and the file has ["muon","pion"] (the same in an`: with2(func(c *data.Columns) {
			c.Classes = []data.Class{{Column: "kind", Names: []string{"pion", "muon"}}}
		}),
		`Columns.context is ["spin"], and the file has ["charge"]`:  with2(func(c *data.Columns) { c.Context = []string{"spin"} }),
		`Units.energy is "MeV", and the file has "GeV"; Units.mass`: {Units: map[string]string{"energy": "MeV"}},
		"Event is [3], and the file has [2]":                        {Event: []int{3}},
		"Context is [2], and the file has [3]":                      {Context: []int{2}},
	} {
		gomlxtest.Says(t, want, file.Compare(given), want)
	}
	for _, given := range []modelfile.File{
		{},
		whole(t),
		with(func(m *nami.FlowMatching) { m.Solver = solver.Euler(3) }),
		with(func(m *nami.FlowMatching) {
			f := network
			f.Activation = activation.TypeSilu
			m.Field = &f
		}),
		{Model: &flow},
	} {
		if err := file.Compare(given); err != nil {
			t.Errorf("%v: %v", given, err)
		}
	}

	file = read(t, saved(t, modelfile.File{Model: diffusion, Store: storeOf(t, diffusion)}))
	other := diffusion
	other.Schedule = schedule.VP{BetaMin: 0.1, BetaMax: 20}
	if err := file.Compare(modelfile.File{Model: other}); err != nil {
		t.Errorf("the defaults in words: %v", err)
	}
	other.Schedule, other.Prediction = schedule.VP{BetaMin: 0.1, BetaMax: 10}, schedule.Eps
	gomlxtest.Says(t, "another schedule", file.Compare(modelfile.File{Model: other}), `Prediction is "eps", and the file has "v"; Schedule.BetaMax is 10, and the file has 20`)
}

// A model that is loaded isn't bound to another one's weights in silence, either.
func TestOtherModelIsNotBound(t *testing.T) {
	file := read(t, saved(t, modelfile.File{Model: diffusion, Store: storeOf(t, diffusion)}))
	other := diffusion
	other.Field = field.MLP{EventShape: []int{2}, Hidden: []int{4}, Activation: activation.TypeRelu}
	_, err := other.Bind(gomlxtest.Go(t), file.Store, nil)
	gomlxtest.Says(t, "another activation", err, "the store's weights belong to another field")
}
