package train_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/path"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

type bindable interface {
	Bind(backend compute.Backend, store *model.Store, context *tensors.Tensor, options ...nami.Option) (*nami.Process, error)
}

// Weights know which model they were trained for, by values and not by names: with another
// base, path, schedule or prediction they aren't bound, unless that is asked for, in memory
// and from a file. A field that wraps the trained one may mean another model.
func TestBindToAnotherModel(t *testing.T) {
	backend := gomlxtest.Go(t)
	mlp := field.MLP{EventShape: []int{2}, Hidden: []int{8}}
	wide, err := distribution.Isotropic(0, 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	normal, err := distribution.Isotropic(0, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	flow := func(base distribution.Base, p path.Path) bindable {
		return nami.FlowMatching{Field: mlp, Base: base, Path: p, Solver: solver.Euler(2)}
	}
	diffusion := func(p schedule.Prediction, s schedule.Schedule) bindable {
		return nami.Diffusion{Field: mlp, Prediction: p, Schedule: s, Solver: solver.Euler(2), EventShape: []int{2}}
	}
	wrapped := schedule.Rescheduled{Field: mlp, From: schedule.VP{}, Prediction: schedule.V, To: schedule.Linear{}, As: schedule.Velocity}
	const another = "belong to another model: "
	for name, c := range map[string]struct {
		loss  loss.Loss
		right []bindable
		wrong map[string]bindable
	}{
		"FM": {
			loss.FM{Field: mlp, Base: wide, Path: path.Cosine{}},
			[]bindable{flow(wide, nil), flow(wide, path.Cosine{})},
			map[string]bindable{
				another + "the base is distribution.StandardNormal": flow(distribution.NewStandardNormal(2), nil),
				another + "the path is path.Linear":                 flow(wide, path.Linear{}),
				another + "the field was trained to predict":        diffusion(schedule.Eps, schedule.VP{}),
			},
		},
		"FM from N(0, I)": {
			loss.FM{Field: mlp},
			[]bindable{flow(distribution.NewStandardNormal(2), path.Linear{}), flow(normal, nil), diffusion(schedule.Velocity, schedule.Linear{})},
			map[string]bindable{another + "the base is": flow(wide, nil)},
		},
		"Denoising": {
			loss.Denoising{Field: mlp, Prediction: schedule.V, Schedule: schedule.VP{}},
			[]bindable{
				diffusion(schedule.V, schedule.VP{}), diffusion(schedule.V, schedule.VP{BetaMin: 0.1, BetaMax: 20}),
				nami.FlowMatching{Field: wrapped, Base: wide, Solver: solver.Euler(2)},
			},
			map[string]bindable{
				another + "the schedule is schedule.VP":      diffusion(schedule.V, schedule.VP{BetaMin: 0.1, BetaMax: 10}),
				another + "the schedule is schedule.Cosine":  diffusion(schedule.V, schedule.Cosine{}),
				another + "the field was trained to predict": diffusion(schedule.X0, schedule.VP{}),
				"(schedule.Converted makes":                  flow(wide, nil),
			},
		},
	} {
		trained, file := model.NewStore(), filepath.Join(t.TempDir(), "run")
		if _, err := train.Fit(context.Background(), backend, trained, c.loss, data.Events{X: gomlxtest.Filled(0.5, 4, 2)},
			train.Steps(1), train.BatchSize(2), train.Checkpoint(file)); err != nil {
			t.Fatal(err)
		}
		loaded := model.NewStore()
		if _, err := train.Load(loaded, file); err != nil {
			t.Fatal(err)
		}
		for where, store := range map[string]*model.Store{"in memory": trained, "loaded": loaded} {
			for i, m := range c.right {
				if _, err := m.Bind(backend, store, nil); err != nil {
					t.Errorf("%s, %s, right model %d: %v", name, where, i, err)
				}
			}
			for want, m := range c.wrong {
				_, err := m.Bind(backend, store, nil)
				gomlxtest.Says(t, name+", "+where, err, want)
				if _, err := m.Bind(backend, store, nil, nami.AnyModel()); err != nil {
					t.Errorf("%s, %s, any model: %v", name, where, err)
				}
			}
		}
	}
}
