package modelfile_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/interpolant"
	"github.com/nami-flow/go-nami/nami/modelfile"
	"github.com/nami-flow/go-nami/nami/path"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/nami/transform"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
)

// A model with any of nami's parts samples as it did before it was saved, to the bit.
func TestModelsSampleAsBefore(t *testing.T) {
	backend := gomlxtest.Go(t)
	velocity := field.MLP{EventShape: []int{2}, Hidden: []int{4}}
	normal := distribution.NewStandardNormal(2)
	mixture, err := distribution.NewGaussianMixture(tensors.FromValue([]float64{1, 2}), tensors.FromValue([][]float64{{0, 1}, {2, 3}}), tensors.FromValue([][]float64{{1, 1}, {0.5, 2}}), 1)
	if err != nil {
		t.Fatal(err)
	}
	box, err := distribution.UniformBox(-1, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	var models []modelfile.Model
	for _, base := range []distribution.Base{normal, mixture, box, distribution.LearnedNormal{Event: []int{2}}} {
		models = append(models, nami.FlowMatching{Field: velocity, Base: base, Solver: solver.Euler(3)})
	}
	for _, f := range []field.Field{
		field.Residual{EventShape: []int{2}, Width: 4, Frequencies: 3},
		field.Unconditional{Field: field.MLP{EventShape: []int{2}, Hidden: []int{4}, ContextDim: 2}, ContextShape: []int{2}},
		schedule.Preconditioned{Field: velocity, Schedule: schedule.Linear{}, DataStd: 0.5},
		field.Scoped{Scope: "v", Field: velocity},
		schedule.Converted{Field: velocity, Schedule: schedule.Linear{}, From: schedule.X0, To: schedule.Velocity},
		interpolant.DriftFromVelocityScore{Velocity: velocity, Score: field.Scoped{Scope: "s", Field: velocity}, Gamma: interpolant.Brownian{}},
	} {
		models = append(models, nami.FlowMatching{Field: f, Base: normal, Solver: solver.Euler(3)})
	}
	bridge := interpolant.Bridge{Velocity: velocity, Push: velocity, Sigma: 0.5}
	for _, s := range []solver.Solver{solver.Euler(3), solver.SRA1(3)} {
		models = append(models, nami.FlowMatching{Field: bridge, Base: normal, Solver: s})
	}
	for _, s := range []solver.Solver{
		solver.Dopri5(1e-3, 1e-3), solver.LMS(3, 5), solver.DPM2(3), solver.DPMSolverPP2M(3),
		{Method: solver.HeunTableau, Steps: 4, Grid: solver.Karras{}},
		{Method: solver.EulerTableau, Grid: solver.Times{1, 0.4, 0}},
	} {
		models = append(models, nami.FlowMatching{Field: velocity, Base: normal, Solver: s, Path: path.Cosine{}})
	}
	for _, s := range []schedule.Schedule{schedule.VP{}, schedule.VE{}, schedule.EDM{}, schedule.Cosine{}} {
		models = append(models, nami.Diffusion{Field: velocity, Prediction: schedule.V, Schedule: s, Solver: solver.Heun(3), EventShape: []int{2}})
	}
	for _, s := range []solver.Solver{solver.EulerMaruyama(3), solver.StochasticHeun(3), solver.SRA1(3), solver.Milstein(3)} {
		models = append(models, nami.Diffusion{Field: velocity, Schedule: schedule.VP{}, Solver: s, EventShape: []int{2}})
	}
	for _, m := range models {
		f := modelfile.File{Model: m, Store: storeOf(t, m)}
		loaded := read(t, saved(t, f))
		if fmt.Sprint(loaded.Model) != fmt.Sprint(m) {
			t.Errorf("%v comes back as %v", m, loaded.Model)
		}
		same(t, backend, f, *loaded)
	}
}

// The file of a model that was trained with dropped contexts keeps the null context: the field can
// be guided after loading, and be saved so.
func TestGuidedAfterLoading(t *testing.T) {
	backend := gomlxtest.Go(t)
	guided := flow
	guided.Field = field.Guided{Field: network, Scale: 2, From: 0.2, To: 0.8}
	store := initialized(t, guided.Field, []int{2}, []int{3})
	loaded := read(t, saved(t, modelfile.File{Model: flow, Store: store, Columns: columns}))
	if _, err := guided.Bind(backend, loaded.Store, gomlxtest.Filled(1, 3)); err != nil {
		t.Error(err)
	}
	f := modelfile.File{Model: guided, Store: loaded.Store, Columns: columns}
	again := read(t, saved(t, f))
	if fmt.Sprint(again.Model) != fmt.Sprint(guided) {
		t.Errorf("%v comes back as %v", guided, again.Model)
	}
	if _, err := guided.Bind(backend, again.Store, gomlxtest.Filled(1, 3)); err != nil {
		t.Error(err)
	}
}

// A model with transforms samples in the data's units, and its file speaks of these. The shape of
// a context is found out without columns, too.
func TestTransforms(t *testing.T) {
	for _, columns := range []data.Columns{fileInUnits(t).Columns, {}} {
		f := fileInUnits(t)
		if f.Columns = columns; columns.X == nil {
			f.Units = nil
		}
		loaded := read(t, saved(t, f))
		if !slices.Equal(loaded.Event, []int{2}) || !slices.Equal(loaded.Context, []int{1}) {
			t.Errorf("event and context have the shapes %v and %v, expected (2) and (1)", loaded.Event, loaded.Context)
		}
		f.Context = loaded.Context
		same(t, gomlxtest.Go(t), f, *loaded)
		other := inUnits
		other.Transform, other.ContextTransform = nil, transform.Standardize{Mean: []float64{2}, Std: []float64{4}}
		gomlxtest.Says(t, "other units", loaded.Compare(modelfile.File{Model: other}), "ContextTransform.Std is [4], and the file has [3]; Transform is nothing, and the file has a transform.Columns")
		_, err := inUnits.Bind(gomlxtest.Go(t), loaded.Store, tensors.FromValue([]float32{1}))
		if err != nil {
			t.Error(err)
		}
		other.Transform = inUnits.Transform
		_, err = other.Bind(gomlxtest.Go(t), loaded.Store, tensors.FromValue([]float32{1}))
		gomlxtest.Says(t, "other units", err, "the store's weights belong to another model: the context transform is")
	}
}

// The same holds on every backend, for a model with a context.
func TestBackends(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		f := whole(t)
		f.Store = initializedOn(t, backend, network, []int{2}, []int{3})
		loaded := read(t, saved(t, f))
		f.Context = loaded.Context
		same(t, backend, f, *loaded)
	})
}
