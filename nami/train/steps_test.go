package train_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// train70 makes 70 steps of l, in calls of so many each, and returns the losses and
// the weights.
func train70(t *testing.T, backend compute.Backend, l loss.Loss, calls ...int) ([]float64, map[string][]float32) {
	t.Helper()
	store := model.NewStore()
	trainer, err := train.NewTrainer(backend, store, l, train.LearningRate(1e-2), train.Seed(5))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range calls {
		if err := trainer.Steps(line(), n); err != nil {
			t.Fatal(err)
		}
	}
	losses, err := trainer.Losses()
	if err != nil {
		t.Fatal(err)
	}
	if len(losses) != 70 {
		t.Fatalf("calls of %v steps give %d losses, expected 70", calls, len(losses))
	}
	return losses, weights(t, store)
}

// A trainer keeps the programs of the sixteen kinds of batches that it saw last.
func TestProgramsKept(t *testing.T) {
	builds := 0
	trainer, err := train.NewTrainer(gomlxtest.Go(t), model.NewStore(), tiny, train.AfterStep(func(*model.Scope, loss.Batch, *Node) { builds++ }))
	if err != nil {
		t.Fatal(err)
	}
	built := func(size int) bool {
		before := builds
		if err := trainer.Steps(data.Events{X: gomlxtest.Filled(1, size, 2)}, 2); err != nil {
			t.Fatal(err)
		}
		return builds > before
	}
	for size := 1; size <= 17; size++ {
		if !built(size) {
			t.Errorf("a batch of %d events needed no program", size)
		}
	}
	for size := 17; size > 1; size-- {
		if built(size) {
			t.Errorf("a program for %d events wasn't kept", size)
		}
	}
	if !built(1) {
		t.Error("a seventeenth program was kept")
	}
	if built(2) || !built(17) {
		t.Error("what was dropped wasn't what had not been used for longest")
	}
}

// sorting adds nothing to the loss, but a sort can't stand in a compiled loop.
type sorting struct{ of loss.Loss }

func (l sorting) Loss(scope *model.Scope, b loss.Batch) *Node {
	smallest := ReduceAllMin(Sort(StopGradient(b.X), 0, true))
	return Add(l.of.Loss(scope, b), Mul(smallest, ConstAs(b.X, 0)))
}

// How steps are split into calls changes no bit of them, and those that are made one by one
// are those of a loop, up to rounding.
func TestStepsSplit(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		losses, looped := train70(t, backend, tiny, 70)
		again, parts := train70(t, backend, tiny, 1, 1, 3, 65)
		same(t, looped, parts)
		if !slices.Equal(losses, again) {
			t.Errorf("the losses are %v and %v", losses, again)
		}
		again, single := train70(t, backend, sorting{tiny}, 2, 68)
		for i := range losses {
			if math.Abs(losses[i]-again[i]) > 1e-5*math.Max(1, losses[i]) {
				t.Fatalf("the loss of step %d is %v in a loop and %v by itself", i+1, losses[i], again[i])
			}
		}
		for path, values := range looped {
			for i, v := range values {
				if d := math.Abs(float64(v - single[path][i])); d > 1e-4 {
					t.Fatalf("%s[%d] is %v in a loop and %v by itself", path, i, v, single[path][i])
				}
			}
		}
	})
}

// mean is the batch's mean: its loss tells which rows a step saw.
type mean struct{}

func (mean) Loss(scope *model.Scope, b loss.Batch) *Node {
	x := b.X
	w := scope.VariableWithValue("w", float32(0)).NodeValue(x.Graph())
	return Add(ReduceAllMean(Add(x, b.Context)), Mul(w, ConstAs(w, 0)))
}

// Each step has its own rows, of data and context alike, and each epoch has them all.
func TestEveryEpochSeesEveryRow(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		x, all := line().X, 0.0
		x.MustConstFlatData(func(flat any) {
			for _, v := range flat.([]float32) {
				all += 2 * float64(v) / 80 // x and c
			}
		})
		history, err := train.Fit(t.Context(), backend, model.NewStore(), mean{}, data.Events{X: x, Context: x},
			train.Steps(200), train.BatchSize(8))
		if err != nil {
			t.Fatal(err)
		}
		for epoch := range 40 {
			losses := history.Loss[5*epoch : 5*epoch+5]
			sum := 0.0
			for _, l := range losses {
				sum += l / 5
			}
			if math.Abs(sum-all) > 1e-5 {
				t.Fatalf("epoch %d has the mean %v, the data %v", epoch, sum, all)
			}
			if slices.Max(losses)-slices.Min(losses) < 1e-3 {
				t.Fatalf("epoch %d has the same batch each time: %v", epoch, losses)
			}
		}
	})
}

func TestStepsErrors(t *testing.T) {
	trainer, err := train.NewTrainer(gomlxtest.Go(t), model.NewStore(), tiny)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, -3} {
		if err := trainer.Steps(line(), n); err == nil || !strings.Contains(err.Error(), "at least 1") {
			t.Errorf("%d steps: got %v", n, err)
		}
	}
	if err := trainer.Steps(line(), 2); err != nil {
		t.Errorf("after refused steps: %v", err)
	}
}
