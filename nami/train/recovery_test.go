package train_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// A fit on a store that was trained before starts Adam afresh, with its own learning
// rate: as one on a store that holds the same weights and nothing else. What is cleared is
// variables of the store, whatever the backend.
func TestSecondFitStartsAdamAfresh(t *testing.T) {
	backend := gomlxtest.Go(t)
	name := filepath.Join(t.TempDir(), "run")
	used := model.NewStore()
	if _, err := fit(backend, used, train.Checkpoint(name)); err != nil {
		t.Fatal(err)
	}
	loaded := model.NewStore()
	if _, err := train.Load(loaded, name); err != nil {
		t.Fatal(err)
	}
	for _, store := range []*model.Store{used, loaded} {
		if _, err := fit(backend, store, train.LearningRate(0.02)); err != nil {
			t.Fatal(err)
		}
	}
	same(t, weights(t, used), weights(t, loaded))
}

func TestLoadTakesWeightsOnly(t *testing.T) {
	name := filepath.Join(t.TempDir(), "run")
	if _, err := fit(gomlxtest.Go(t), model.NewStore(), train.Checkpoint(name)); err != nil {
		t.Fatal(err)
	}
	store := model.NewStore()
	if _, err := train.Load(store, name); err != nil {
		t.Fatal(err)
	}
	count := 0
	for v := range store.IterVariables() {
		count++
		if !v.Trainable {
			t.Errorf("%s is no weight", v.Path())
		}
	}
	if count != 4 {
		t.Errorf("the store has %d variables, expected two layers with weights and biases", count)
	}
}

// canceller ends a context at the first report of a step.
type canceller struct{ cancel context.CancelFunc }

func (c canceller) Report(s train.Status) {
	if s.Step > 0 {
		c.cancel()
	}
}

// A run that is cancelled in the middle resumes to the same bits; on XLA, see
// TestResumeWithEverything.
func TestCancelAndResume(t *testing.T) {
	backend := gomlxtest.Go(t)
	const steps = 400
	whole := model.NewStore()
	if _, err := fit(backend, whole, train.Steps(steps)); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "run")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	options := []train.Option{train.Steps(steps), train.BatchSize(16), train.Seed(3), train.Schedule(train.Constant{}), train.Checkpoint(name)}
	history, err := train.Fit(ctx, backend, model.NewStore(), tiny, line(), append(options, train.Progress(canceller{cancel}))...)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, expected a cancellation", err)
	}
	done := history.Steps()
	if want := fmt.Sprintf("the checkpoint in %s holds the first %d steps", name, done); done == 0 || done >= steps || !strings.Contains(err.Error(), want) {
		t.Fatalf("after %d steps got %v, expected it to say %q", done, err, want)
	}
	store := model.NewStore()
	if _, err := fit(backend, store, train.Steps(steps), train.Checkpoint(name)); err != nil {
		t.Fatal(err)
	}
	same(t, weights(t, whole), weights(t, store))
}

func TestCancelledBefore(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("the user left")
	cancel(reason)
	name := filepath.Join(t.TempDir(), "run")
	_, err := train.Fit(ctx, gomlxtest.Go(t), model.NewStore(), tiny, line(), train.BatchSize(16), train.Checkpoint(name))
	if !errors.Is(err, reason) || strings.Contains(err.Error(), "checkpoint") {
		t.Errorf("got %v, expected the cause, and no word of a checkpoint that isn't there", err)
	}
	if _, err := os.Stat(name); !os.IsNotExist(err) {
		t.Errorf("a folder was made for nothing: %v", err)
	}
}

// falling makes its weight fall from 1 by the learning rate in each step, until the
// logarithm of it isn't finite any more.
type falling struct{}

func (falling) Loss(scope *model.Scope, b loss.Batch) *Node {
	x := b.X
	return Log(scope.VariableWithValue("w", float32(1)).NodeValue(x.Graph()))
}

// singular has a finite loss, and a gradient that isn't.
type singular struct{}

func (singular) Loss(scope *model.Scope, b loss.Batch) *Node {
	x := b.X
	w := scope.VariableWithValue("w", float32(0)).NodeValue(x.Graph())
	return Sqrt(Square(w))
}

// What isn't finite is never saved.
func TestNonFiniteIsNotSaved(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		name := filepath.Join(t.TempDir(), "run")
		run := func(l loss.Loss, steps int, more ...train.Option) error {
			_, err := train.Fit(t.Context(), backend, model.NewStore(), l, line(), append(more, train.Steps(steps),
				train.BatchSize(8), train.LearningRate(0.1), train.Schedule(train.Constant{}))...)
			return err
		}
		if err := run(falling{}, 5, train.Checkpoint(name)); err != nil {
			t.Fatal(err)
		}
		err := run(falling{}, 100, train.Checkpoint(name))
		if err == nil || !strings.Contains(err.Error(), "the loss of step 1") || !strings.Contains(err.Error(), "holds the first 5 steps") {
			t.Errorf("got %v, expected the step, and what is saved", err)
		}
		store := model.NewStore()
		if _, err := train.Load(store, name); err != nil {
			t.Fatal(err)
		}
		if w := weights(t, store)["/w"][0]; w < 0.4 || w > 0.6 {
			t.Errorf("the weight in the checkpoint is %v, expected 0.5", w)
		}

		if err := run(singular{}, 1); err == nil || !strings.Contains(err.Error(), "1 of 1 values of the weight /w are NaN") {
			t.Errorf("got %v, expected an error that names the weight", err)
		}
	})
}

// Damaged files that are newer than what is written don't push it out.
func TestDamagedFilesDontCount(t *testing.T) {
	backend := gomlxtest.Go(t)
	name := filepath.Join(t.TempDir(), "run")
	if _, err := fit(backend, model.NewStore(), train.Steps(2), train.Checkpoint(name)); err != nil {
		t.Fatal(err)
	}
	for _, step := range []int{97, 98, 99} {
		if err := os.WriteFile(filepath.Join(name, fmt.Sprintf("step-%09d.safetensors", step)), []byte("damaged"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	store, loaded := model.NewStore(), model.NewStore()
	for _, steps := range []int{4, 6} {
		store = model.NewStore()
		if _, err := fit(backend, store, train.Steps(steps), train.Checkpoint(name)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := train.Load(loaded, name); err != nil {
		t.Fatal(err)
	}
	same(t, weights(t, store), weights(t, loaded))
	if files, _ := filepath.Glob(filepath.Join(name, "*")); len(files) != 5 {
		t.Errorf("the folder holds %v, expected two checkpoints and the damaged files", files)
	}
}

func TestTrainerErrors(t *testing.T) {
	backend := gomlxtest.Go(t)
	for _, rate := range []float64{0, -1} {
		if _, err := train.NewTrainer(backend, model.NewStore(), tiny, train.LearningRate(rate)); err == nil || !strings.Contains(err.Error(), "must be positive") {
			t.Errorf("learning rate %v: got %v", rate, err)
		}
	}
	_, err := train.NewTrainer(nil, model.NewStore(), tiny)
	gomlxtest.Says(t, "a nil backend", err, "the backend is nil")
	_, err = train.NewTrainer(backend, model.NewStore(), tiny, train.Checkpoint("a"))
	gomlxtest.Says(t, "an option of Fit's", err, "the option Checkpoint has no meaning for a Trainer")

	trainer, err := train.NewTrainer(backend, model.NewStore(), tiny)
	if err != nil {
		t.Fatal(err)
	}
	if err := trainer.Steps(data.Events{}, 1); err == nil || !strings.Contains(err.Error(), "the data is nil") {
		t.Errorf("nil x: got %v", err)
	}
	if err := trainer.Steps(line(), 1); err != nil {
		t.Fatalf("after a refused step: %v", err)
	}
	err = trainer.Steps(data.Events{X: gomlxtest.Filled(0, 2, 3)}, 1)
	gomlxtest.Says(t, "a wrong event", err, "its shape must end in the event shape (2)")
	if err := trainer.Steps(line(), 1); err != nil {
		t.Errorf("after another refused step: %v", err)
	}
}

// A name is below $NAMI_STATE, unless it is absolute.
func TestStateFolder(t *testing.T) {
	state := t.TempDir()
	t.Setenv("NAMI_STATE", state)
	if _, err := fit(gomlxtest.Go(t), model.NewStore(), train.Steps(1), train.Checkpoint("moons")); err != nil {
		t.Fatal(err)
	}
	if files, _ := filepath.Glob(filepath.Join(state, "moons", "*")); len(files) != 1 {
		t.Errorf("the state folder holds %v, expected one checkpoint", files)
	}
	if _, err := fit(gomlxtest.Go(t), model.NewStore(), train.Checkpoint("")); err == nil || !strings.Contains(err.Error(), "name is empty") {
		t.Errorf("an empty name: got %v", err)
	}
}

// Two runs apart in time only have one identity, and the second one doesn't train.
func TestDoneReturnsStoredHistory(t *testing.T) {
	backend := gomlxtest.Go(t)
	name := filepath.Join(t.TempDir(), "run")
	first, err := fit(backend, model.NewStore(), train.Checkpoint(name))
	if err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(name, "*"))
	before, err := os.Stat(files[0])
	if err != nil {
		t.Fatal(err)
	}
	again, err := fit(backend, model.NewStore(), train.Checkpoint(name))
	if err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if !again.DoneBefore || first.DoneBefore || !again.Saved.Equal(first.Saved) || again.Duration != first.Duration || first.Duration <= 0 || first.Duration > time.Hour || !before.ModTime().Equal(after.ModTime()) {
		t.Errorf("the second run took %v after %v, or wrote its checkpoint again", again.Duration, first.Duration)
	}
}
