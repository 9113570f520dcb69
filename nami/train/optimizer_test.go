package train_test

import (
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

// plane is the loss w·mean(x) of two weights that start at (1, -2): its gradient is the
// batch's mean, and nothing is drawn.
type plane struct{}

func (plane) Loss(scope *model.Scope, b loss.Batch) *Node {
	w := scope.VariableWithValue("w", []float32{1, -2}).NodeValue(b.X)
	return ReduceAllSum(Mul(w, ReduceMean(b.X, 0)))
}

// weighted is that loss with each event's weight.
type weighted struct{}

func (weighted) Loss(scope *model.Scope, b loss.Batch) *Node {
	w := scope.VariableWithValue("w", []float32{1, -2}).NodeValue(b.X)
	sum := ReduceSum(Mul(b.X, InsertAxes(b.Weight, -1)), 0)
	return Div(ReduceAllSum(Mul(w, sum)), ReduceAllSum(b.Weight))
}

// sgd is gradient descent at a constant rate.
func sgd(rate float64) train.Option {
	return train.Optimizer(optimizer.StochasticGradientDescent().WithDecay(false).WithLearningRate(rate).Done())
}

// gradient is (3+step, 4+step): the mean of a batch of two events.
var gradient = data.Func(func(step int) (data.Events, error) {
	s := float32(step)
	return data.Events{X: tensors.FromValue([][]float32{{2 + s, 5 + s}, {4 + s, 3 + s}})}, nil
})

// fitted are the weights of l after so many steps.
func fitted(t *testing.T, backend compute.Backend, l loss.Loss, source data.Source, steps int, options ...train.Option) (*model.Store, []float64) {
	t.Helper()
	store := model.NewStore()
	if _, err := train.Fit(t.Context(), backend, store, l, source, append(options, train.Steps(steps))...); err != nil {
		t.Fatal(err)
	}
	return store, floats(t, store, "/w")
}

func floats(t *testing.T, store *model.Store, path string) []float64 {
	t.Helper()
	v := store.GetVariable(path)
	if v == nil {
		t.Fatalf("the store has no variable %s", path)
	}
	value, err := v.Value()
	return gomlxtest.Floats(t, value, err)
}

// One of GoMLX's optimisers moves the weights as it should by itself, and with the learning
// rate that it is given.
func TestOptimizer(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		_, w := fitted(t, backend, plane{}, gradient, 3, sgd(0.1))
		gomlxtest.Near(t, "its own rate", w, []float64{1 - 0.1*(3+4+5), -2 - 0.1*(4+5+6)}, 1e-6)
		_, w = fitted(t, backend, plane{}, gradient, 3, sgd(0.1), train.LearningRate(0.01))
		gomlxtest.Near(t, "a given rate", w, []float64{1 - 0.01*(3+4+5), -2 - 0.01*(4+5+6)}, 1e-6)
		_, w = fitted(t, backend, plane{}, gradient, 3, sgd(1), train.LearningRate(0.01), train.Schedule(train.WarmUp{Steps: 4}))
		gomlxtest.Near(t, "a schedule", w, []float64{1 - 0.01*(3+2*4+3*5)/4, -2 - 0.01*(4+2*5+3*6)/4}, 1e-6)
	})
}

// The decay takes its part of the weight of before, apart from the gradient.
func TestWeightDecay(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		const rate, decay = 0.1, 0.05
		want := []float64{1, -2}
		for step := range 3 {
			for j, g := range []float64{3 + float64(step), 4 + float64(step)} {
				want[j] -= rate*g + rate*decay*want[j]
			}
		}
		_, w := fitted(t, backend, plane{}, gradient, 3, sgd(rate), train.WeightDecay(decay))
		gomlxtest.Near(t, "gradient descent", w, want, 1e-6)
		// GoMLX's own for Adam is the same.
		_, ours := fitted(t, backend, plane{}, gradient, 20, train.WeightDecay(decay), train.LearningRate(rate),
			train.Schedule(train.Constant{}), train.ClipNorm(math.Inf(1)))
		_, theirs := fitted(t, backend, plane{}, gradient, 20, train.Optimizer(optimizer.Adam().LearningRate(rate).Epsilon(1e-8).WeightDecay(decay).Done()))
		gomlxtest.Near(t, "AdamW", ours, theirs, 1e-6)
	})
}

// A gradient that is too long is shortened to the length, all weights together; one that
// overflows single precision when it is squared, too; one that is short isn't touched.
func TestClipNorm(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		_, w := fitted(t, backend, plane{}, gradient, 1, sgd(1), train.ClipNorm(1))
		gomlxtest.Near(t, "clipped", w, []float64{1 - 0.6, -2 - 0.8}, 1e-6)
		_, w = fitted(t, backend, plane{}, gradient, 1, sgd(1), train.ClipNorm(5.1))
		gomlxtest.Near(t, "not clipped", w, []float64{1 - 3, -2 - 4}, 1e-6)
		huge := data.Func(func(int) (data.Events, error) {
			return data.Events{X: tensors.FromValue([][]float32{{3e25, 4e25}})}, nil
		})
		_, w = fitted(t, backend, plane{}, huge, 1, sgd(1), train.ClipNorm(1))
		gomlxtest.Near(t, "a huge one", w, []float64{1 - 0.6, -2 - 0.8}, 1e-6)
		zero := data.Events{X: gomlxtest.Filled(0, 4, 2)}
		_, w = fitted(t, backend, plane{}, zero, 2, sgd(1), train.ClipNorm(1), train.BatchSize(2))
		gomlxtest.Near(t, "none", w, []float64{1, -2}, 0)
	})
}

// A step of several batches is one with their mean gradient, for the averages, the decay,
// the schedule and Adam's moments too; its loss is the mean.
func TestAccumulate(t *testing.T) {
	means := data.Func(func(step int) (data.Events, error) { // of batches 3·step to 3·step+2
		return gradient(3*step + 1)
	})
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		_, w := fitted(t, backend, plane{}, gradient, 2, sgd(0.1), train.Accumulate(3))
		gomlxtest.Near(t, "gradient descent", w, []float64{1 - 0.1*(4+7), -2 - 0.1*(5+8)}, 1e-6)
		options := []train.Option{
			train.LearningRate(0.1), train.WeightDecay(0.05), train.Average("slow", 0.8), train.ClipNorm(6),
			train.Schedule(train.WarmUp{Steps: 5, Then: train.Cosine{}}),
		}
		// 30 steps of 3 batches are more than one call of the compiled loop.
		one, w := fitted(t, backend, plane{}, means, 30, options...)
		three, again := fitted(t, backend, plane{}, gradient, 30, append(options, train.Accumulate(3))...)
		gomlxtest.Near(t, "the weights", again, w, 1e-5)
		gomlxtest.Near(t, "the average", floats(t, three, "/nami/averages/slow/w"), floats(t, one, "/nami/averages/slow/w"), 1e-5)

		history, err := train.Fit(t.Context(), backend, model.NewStore(), plane{}, gradient, train.Steps(1), train.Accumulate(2), sgd(0.1))
		if err != nil {
			t.Fatal(err)
		}
		gomlxtest.Near(t, "the mean of 3-8 and 4-10", history.Loss, []float64{-5.5}, 1e-6)
	})
}

// A moving average is the mean of the weights after each step, weighted by powers of the
// decay, to which the start doesn't belong. It is loaded by its name, and found in memory.
func TestAverages(t *testing.T) {
	decays := map[string]float64{"fast": 0.5, "slow": 0.999}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		name := filepath.Join(t.TempDir(), "run")
		const steps = 70
		store, raw := fitted(t, backend, plane{}, gradient, steps, sgd(0.01), train.Checkpoint(name),
			train.Average("fast", decays["fast"]), train.Average("slow", decays["slow"]))
		var path [][2]float64
		w := [2]float64{1, -2}
		for step := range steps {
			w[0], w[1] = w[0]-0.01*(3+float64(step)), w[1]-0.01*(4+float64(step))
			path = append(path, w)
		}
		gomlxtest.Near(t, "the weights", raw, w[:], 1e-5)
		for which, d := range decays {
			want, sum := []float64{0, 0}, 0.0
			for i, w := range path {
				share := math.Pow(d, float64(steps-1-i))
				want[0], want[1], sum = want[0]+share*w[0], want[1]+share*w[1], sum+share
			}
			want[0], want[1] = want[0]/sum, want[1]/sum
			loaded := model.NewStore()
			if _, err := train.Load(loaded, name, which); err != nil {
				t.Fatal(err)
			}
			gomlxtest.Near(t, which+", loaded", floats(t, loaded, "/w"), want, 1e-5)
			inMemory, err := train.Weights(store, which)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(floats(t, inMemory, "/w"), floats(t, loaded, "/w")) || inMemory.NumVariables() != 1 {
				t.Errorf("%s in memory is not what is loaded, or there is more", which)
			}
		}
		loaded := model.NewStore()
		if _, err := train.Load(loaded, name); err != nil {
			t.Fatal(err)
		}
		gomlxtest.Near(t, "the weights, loaded", floats(t, loaded, "/w"), raw, 0)
		_, err := train.Load(loaded, name, "ema")
		gomlxtest.Says(t, "another name", err, `there are no weights of the name "ema": there are the weights themselves, "fast", "slow"`)
		_, err = train.Weights(store, "best")
		gomlxtest.Says(t, "none validated", err, `there are no weights of the name "best": there are the weights themselves, "fast", "slow"`)
	})
}

// Weights count the events in the batches that they are in.
func TestWeightsOfEvents(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		events := data.Events{
			X:      tensors.FromValue([][]float32{{1, 0}, {0, 1}, {1, 1}, {3, 5}}),
			Weight: tensors.FromValue([]float32{1, 2, -1, 2}),
		}
		_, w := fitted(t, backend, weighted{}, events, 1, sgd(0.1), train.BatchSize(4))
		gomlxtest.Near(t, "the weights", w, []float64{1 - 0.1*6./4, -2 - 0.1*11./4}, 1e-6)
	})
}

// plain is an optimiser that only knows how to make a step by itself.
type plain struct{ optimizer.Interface }

func TestOptimizerErrors(t *testing.T) {
	backend := gomlxtest.Go(t)
	for _, option := range []train.Option{train.ClipNorm(1), train.Accumulate(2)} {
		_, err := train.Fit(t.Context(), backend, model.NewStore(), plane{}, gradient, train.Steps(1), train.Optimizer(plain{optimizer.Adam().Done()}), option)
		gomlxtest.Says(t, "an optimiser without gradients", err, "the optimizer train_test.plain takes no gradients")
	}
	trainer, err := train.NewTrainer(backend, model.NewStore(), plane{}, train.Schedule(train.Cosine{}))
	if err != nil {
		t.Fatal(err)
	}
	gomlxtest.Says(t, "a cosine without an end", trainer.Steps(line(), 1), "a Trainer doesn't know how many steps there will be")
}
