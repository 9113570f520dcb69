package train_test

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// What a user's own loop learned comes back: the weights, frozen ones too, and neither
// Adam's state nor the random numbers'. A second Save replaces the first.
func TestSaveAndLoad(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		name := filepath.Join(t.TempDir(), "weights")
		store := model.NewStore()
		store.VariableWithValue("/frozen", tensors.FromValue([]float32{1, 2})).SetTrainable(false)
		trainer, err := train.NewTrainer(backend, store, plane{}, train.LearningRate(0.01))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := trainer.Steps(line(), 3); err != nil {
				t.Fatal(err)
			}
			if err := train.Save(store, name); err != nil {
				t.Fatal(err)
			}
			loaded := model.NewStore()
			if _, err := train.Load(loaded, name); err != nil {
				t.Fatal(err)
			}
			same(t, weights(t, store), weights(t, loaded))
			count := 0
			for range loaded.IterVariables() {
				count++
			}
			frozen := loaded.GetVariable("/frozen")
			if count != 2 || frozen == nil || frozen.Trainable {
				t.Fatalf("%d variables came back, the frozen one is %v: expected 2, it among them and still frozen", count, frozen)
			}
		}
	})
}

// Save and Fit keep out of each other's folders, and weights that aren't finite aren't kept.
func TestSaveRefuses(t *testing.T) {
	backend := gomlxtest.Go(t)
	refused := func(err error, parts ...string) {
		t.Helper()
		for _, part := range parts {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Fatalf("the error %v doesn't say %q", err, part)
			}
		}
	}
	run, weights := filepath.Join(t.TempDir(), "run"), filepath.Join(t.TempDir(), "weights")
	store := model.NewStore()
	if _, err := fit(backend, store, train.Checkpoint(run)); err != nil {
		t.Fatal(err)
	}
	refused(train.Save(store, run), run, "belongs to a run of Fit", "another name")

	if err := train.Save(store, weights); err != nil {
		t.Fatal(err)
	}
	_, err := fit(backend, model.NewStore(), train.Checkpoint(weights))
	refused(err, weights, "Save", "Load")

	bad := model.NewStore()
	bad.VariableWithValue("/w", tensors.FromValue([]float32{1, float32(math.NaN())}))
	refused(train.Save(bad, weights), weights, "1 of 2 values of the weight /w")
	refused(train.Save(nil, weights), "store is nil")
	refused(train.Save(model.NewStore(), weights), "no variables")
	if _, err := train.Load(model.NewStore(), weights); err != nil {
		t.Errorf("what was kept before was lost: %v", err)
	}
}
