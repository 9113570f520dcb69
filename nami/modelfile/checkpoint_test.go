package modelfile_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/modelfile"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
)

var trained = nami.FlowMatching{Field: field.MLP{EventShape: []int{2}, Hidden: []int{8}}, Base: distribution.NewStandardNormal(2), Solver: solver.RK4(4)}

// wave are points on a curve.
func wave() data.Events {
	flat := make([]float32, 128)
	for i := range flat {
		flat[i] = float32(math.Sin(float64(i)))
	}
	return data.Events{X: tensors.FromFlatDataAndDimensions(flat, 64, 2)}
}

func fit(t *testing.T, backend compute.Backend, store *model.Store, steps int, options ...train.Option) (*train.History, error) {
	return train.Fit(t.Context(), backend, store, loss.FM{Field: trained.Field}, wave(),
		append(options, train.Steps(steps), train.BatchSize(32), train.Seed(4), train.Average("ema", 0.9))...)
}

// A fit's checkpoints are models, with the record of the training, and go on to be
// checkpoints. What is saved by hand after a fit is the same model.
func TestCheckpointIsAModel(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		name := filepath.Join(t.TempDir(), "run")
		file := modelfile.File{Model: trained, Notes: "of a wave", Columns: data.Columns{X: []string{"a", "b"}}}
		store := model.NewStore()
		validation := train.Validate(train.Validation{Events: wave(), Every: 5})
		history, err := fit(t, backend, store, 10, train.Checkpoint(name), train.Describe(file), validation)
		if err != nil {
			t.Fatal(err)
		}
		loaded, err := modelfile.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		if r := loaded.Training; r.Steps != 10 || r.Seed != 4 || r.Loss != history.Recent() || r.Validation == nil || loaded.Notes != "of a wave" {
			t.Errorf("the record is %+v, with the notes %q", r, loaded.Notes)
		}
		file.Store, file.Training = store, modelfile.TrainingOf(history)
		same(t, backend, file, *loaded)
		same(t, backend, file, *read(t, saved(t, file)))

		// What can't be read is passed over, and that is said.
		if err := os.WriteFile(filepath.Join(name, "step-000000099.safetensors"), []byte("damaged"), 0o644); err != nil {
			t.Fatal(err)
		}
		averaged, err := modelfile.Load(name, "ema")
		if err != nil {
			t.Fatal(err)
		}
		if len(averaged.Warnings) != 1 || !strings.Contains(averaged.Warnings[0], "passed over") {
			t.Errorf("the warnings are %v", averaged.Warnings)
		}
		weights, err := train.Weights(store, "ema")
		if err != nil {
			t.Fatal(err)
		}
		same(t, backend, modelfile.File{Model: trained, Store: weights}, *averaged)

		// Another description belongs to the same run, and a file that Save made to train.Load.
		file.Notes = "of another wave"
		if history, err = fit(t, backend, model.NewStore(), 10, train.Checkpoint(name), train.Describe(file), validation); err != nil || !history.DoneBefore {
			t.Fatalf("the fit wasn't done before: %v", err)
		}
		if loaded, err = modelfile.Load(name); err != nil || loaded.Notes != "of another wave" {
			t.Errorf("the notes are %q (%v), expected the new ones", loaded.Notes, err)
		}
		single := filepath.Join(t.TempDir(), "model.safetensors")
		if err := modelfile.Save(single, file); err != nil {
			t.Fatal(err)
		}
		again := model.NewStore()
		if _, err := train.Load(again, single); err != nil {
			t.Fatal(err)
		}
		same(t, backend, file, modelfile.File{Model: trained, Store: again})
	})
}

// Names are looked for where checkpoints are.
func TestState(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("NAMI_STATE", folder)
	t.Chdir(t.TempDir())
	if _, err := fit(t, gomlxtest.Go(t), model.NewStore(), 2, train.Checkpoint("run"), train.Describe(modelfile.File{Model: trained})); err != nil {
		t.Fatal(err)
	}
	if _, err := modelfile.Load("run"); err != nil {
		t.Error(err)
	}
	_, err := modelfile.Load("ran")
	gomlxtest.Says(t, "another name", err, "there is no file and no folder ran")
}

// A model that can't be described is an error before the first step, and one that the weights
// don't belong to when they are saved.
func TestDescribeRefuses(t *testing.T) {
	backend := gomlxtest.Go(t)
	name := filepath.Join(t.TempDir(), "run")
	other := trained
	other.Field = field.Func{Rank: 1}
	_, err := fit(t, backend, model.NewStore(), 2, train.Checkpoint(name), train.Describe(modelfile.File{Model: other}))
	gomlxtest.Says(t, "a function", err, "train: Describe: modelfile: Model.Field is a field.Func")
	_, err = fit(t, backend, model.NewStore(), 2, train.Describe(modelfile.File{Model: trained}))
	gomlxtest.Says(t, "no checkpoint", err, "no Checkpoint that could hold the description")
	_, err = fit(t, backend, model.NewStore(), 2, train.Checkpoint(name), train.Describe(nil))
	gomlxtest.Says(t, "nothing", err, "Describe's description is nil")
	if _, err := os.Stat(name); !os.IsNotExist(err) {
		t.Errorf("a folder was made for nothing: %v", err)
	}
	other.Field = field.MLP{EventShape: []int{2}, Hidden: []int{8}, Activation: activation.TypeRelu}
	_, err = fit(t, backend, model.NewStore(), 2, train.Checkpoint(name), train.Describe(modelfile.File{Model: other}))
	gomlxtest.Says(t, "another activation", err, "train: Describe: modelfile: the store's weights belong to another field")
	if _, err := os.Stat(name); !os.IsNotExist(err) {
		t.Errorf("more than the first step was made: %v", err)
	}

	store := model.NewStore()
	if _, err := fit(t, backend, store, 2); err != nil {
		t.Fatal(err)
	}
	err = modelfile.Save(filepath.Join(t.TempDir(), "m"), modelfile.File{Model: other, Store: store})
	gomlxtest.Says(t, "another activation", err, "the store's weights belong to another field")
	other.Field = trained.Field
	if other.Base, err = distribution.Isotropic(0, 2, 2); err != nil {
		t.Fatal(err)
	}
	err = modelfile.Save(filepath.Join(t.TempDir(), "m"), modelfile.File{Model: other, Store: store})
	gomlxtest.Says(t, "another base", err, "the base is")

	plain := filepath.Join(t.TempDir(), "plain")
	if _, err := fit(t, backend, model.NewStore(), 2, train.Checkpoint(plain)); err != nil {
		t.Fatal(err)
	}
	_, err = modelfile.Load(plain)
	gomlxtest.Says(t, "a checkpoint without a description", err, "without a description of its model: train with train.Describe")
}
