package train_test

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// The validation's noise and times are the same each time: where the weights hardly move,
// its loss doesn't either, while that of the batches jumps. It is measured every so many
// steps, and is what an Evaluator says.
func TestValidationCompares(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		store := model.NewStore()
		held, err := line().Rows(3, 14, 15, 9, 2, 6, 5, 35, 8)
		if err != nil {
			t.Fatal(err)
		}
		history, err := fit(backend, store, train.LearningRate(1e-9), train.Validate(train.Validation{Events: held, Every: 7}))
		if err != nil {
			t.Fatal(err)
		}
		var steps []int
		for _, v := range history.Validation {
			steps = append(steps, v.Steps)
			if math.Abs(v.Loss-history.Validation[0].Loss) > 1e-5 {
				t.Errorf("the validations are %v", history.Validation)
			}
		}
		if !slices.Equal(steps, []int{7, 14, 21, 28}) {
			t.Errorf("there are validations after %v steps", steps)
		}
		if spread := slices.Max(history.Loss) - slices.Min(history.Loss); spread < 0.05 {
			t.Errorf("the losses of the batches lie within %g: the test shows nothing", spread)
		}
		evaluator, err := train.NewEvaluator(backend, store, tiny, train.Seed(3), train.BatchSize(16))
		if err != nil {
			t.Fatal(err)
		}
		value, err := evaluator.Evaluate(t.Context(), held)
		if err != nil {
			t.Fatal(err)
		}
		gomlxtest.Near(t, "an evaluator's loss", []float64{value}, []float64{history.Validation[3].Loss}, 1e-5)
	})
}

// rising has a validation loss that falls and then rises: (w - 0.35)², while its training
// loss makes w rise by the learning rate in each step.
type rising struct{}

func (rising) Loss(scope *model.Scope, b loss.Batch) *Node {
	w := scope.VariableWithValue("w", float32(0)).NodeValue(b.X)
	if scope.IsTraining(b.X.Graph()) {
		return Neg(w)
	}
	return Square(AddScalar(w, -0.35))
}

// The best weights are kept, patience ends the fit, which then is done, and none of it
// changes what is trained.
func TestPatience(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		name := filepath.Join(t.TempDir(), "run")
		run := func(store *model.Store) *train.History {
			history, err := train.Fit(t.Context(), backend, store, rising{}, line(), train.Steps(40), train.BatchSize(8), train.LearningRate(0.1),
				train.Schedule(train.Constant{}), train.Validate(train.Validation{Events: line(), Every: 1, Patience: 3}), train.Checkpoint(name), train.Average("slow", 0.9))
			if err != nil {
				t.Fatal(err)
			}
			return history
		}
		store := model.NewStore()
		history := run(store)
		best, ok := history.Best() // at w = 0.3 after 3 steps, or at 0.4 after 4
		if !ok || best.Steps != 3 && best.Steps != 4 || history.Steps() != best.Steps+3 || !strings.Contains(history.Stopped, "in 3 measurements") {
			t.Fatalf("the best is %v, and the fit ended after %d steps: %s", best, history.Steps(), history.Stopped)
		}
		again := run(model.NewStore())
		if !again.DoneBefore || again.Steps() != history.Steps() || again.Stopped != history.Stopped {
			t.Errorf("run again it made steps: %v", again)
		}
		loaded := model.NewStore()
		if _, err := train.Load(loaded, name, train.Best); err != nil {
			t.Fatal(err)
		}
		inMemory, err := train.Weights(store, train.Best)
		if err != nil {
			t.Fatal(err)
		}
		want := []float64{0.1 * float64(best.Steps)}
		gomlxtest.Near(t, "the best weight, loaded", floats(t, loaded, "/w"), want, 1e-5)
		gomlxtest.Near(t, "the best weight, in memory", floats(t, inMemory, "/w"), want, 1e-5)
		gomlxtest.Near(t, "the last weight", floats(t, store, "/w"), []float64{0.1 * float64(history.Steps())}, 1e-5)
	})
}

// ending is a context that ends at a look at it.
type ending struct {
	context.Context
	looks *int // that are left
}

func (c ending) Err() error {
	if *c.looks--; *c.looks < 0 {
		return context.Canceled
	}
	return nil
}

func (c ending) Value(any) any { return nil }

// A run that is cancelled during a validation, whichever it is, goes on as if it hadn't
// been: to the same validations, and to the same end. Once it is done it stays as it is.
func TestCancelledValidation(t *testing.T) {
	backend := gomlxtest.Go(t)
	held, err := line().Rows(0, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, steps := range []int{4, 40} { // with and without an end for lack of patience
		run := func(ctx context.Context, more ...train.Option) (*train.History, error) {
			return train.Fit(ctx, backend, model.NewStore(), rising{}, line(), append(more, train.Steps(steps), train.BatchSize(8), train.LearningRate(0.1),
				train.Validate(train.Validation{Events: held, Every: 1, Patience: 3}))...)
		}
		whole, err := run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for n := 1; n <= whole.Steps(); n++ {
			checkpoint := train.Checkpoint(filepath.Join(t.TempDir(), "run"))
			looks := 2*n - 1 // one before each step, and one in each validation
			history, err := run(ending{t.Context(), &looks}, checkpoint)
			if !errors.Is(err, context.Canceled) || history.Steps() != n || len(history.Validation) != n-1 {
				t.Fatalf("%d validations in %d steps, expected to be cancelled during validation %d: %v", len(history.Validation), history.Steps(), n, err)
			}
			for range 2 {
				again, err := run(t.Context(), checkpoint)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(again.Validation, whole.Validation) || again.Stopped != whole.Stopped || again.Steps() != whole.Steps() {
					t.Errorf("cancelled during validation %d it has %v after %d steps (%s), else %v after %d (%s)",
						n, again.Validation, again.Steps(), again.Stopped, whole.Validation, whole.Steps(), whole.Stopped)
				}
				history = again
			}
			if !history.DoneBefore {
				t.Errorf("cancelled during validation %d, and made up for, it wasn't done", n)
			}
		}
	}
}

// Where no step can be made there is no validation: the error is that of the data.
func TestNoValidationWithoutSteps(t *testing.T) {
	backend, trained := gomlxtest.Go(t), model.NewStore()
	if err := nami.Initialize(backend, trained, tiny.Field, []int{2}, nil, 1); err != nil {
		t.Fatal(err)
	}
	for name, store := range map[string]*model.Store{"a new store": model.NewStore(), "a store with weights": trained} {
		history, err := train.Fit(t.Context(), backend, store, tiny, line(), train.BatchSize(8), train.Couple(lost{}),
			train.Validate(train.Validation{Events: line(), Every: 1}))
		gomlxtest.Says(t, name, err, "after step 0: the coupling train_test.lost paired 0 of 8 events")
		if history == nil || len(history.Validation) > 0 {
			t.Errorf("%s: there were validations: %v", name, history)
		}
	}
}

// weightless leaves weights alone.
type weightless struct{ builds *int }

func (l weightless) Loss(_ *model.Scope, b loss.Batch) *Node {
	*l.builds++
	return ReduceAllMean(b.X)
}

// heedful looks at them.
type heedful struct{ builds *int }

func (l heedful) Loss(_ *model.Scope, b loss.Batch) *Node {
	*l.builds++
	values := ReduceMean(b.X, -1)
	if b.Weight == nil {
		return ReduceAllMean(values)
	}
	return Div(ReduceAllSum(Mul(values, b.Weight)), ReduceAllSum(b.Weight))
}

// The loss of any number of events is their mean, whatever the chunks, and with their
// weights if they have any; and only the first call compiles.
func TestEvaluate(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		builds := 0
		evaluator, err := train.NewEvaluator(backend, model.NewStore(), heedful{&builds}, train.BatchSize(16))
		if err != nil {
			t.Fatal(err)
		}
		x := gomlxtest.Floats(t, line().X, nil)
		mean := func(n int, weight func(i int) float64) float64 {
			sum, all := 0.0, 0.0
			for i, v := range x[:2*n] {
				sum, all = sum+v*weight(i/2), all+weight(i/2)
			}
			return sum / all
		}
		subset := func(n int) data.Events {
			events, err := line().Rows(upTo(n)...)
			if err != nil {
				t.Fatal(err)
			}
			return events
		}
		first := 0
		for _, n := range []int{40, 1, 16, 17, 33} {
			value, err := evaluator.Evaluate(t.Context(), subset(n))
			if err != nil {
				t.Fatal(err)
			}
			gomlxtest.Near(t, "the mean", []float64{value}, []float64{mean(n, func(int) float64 { return 1 })}, 1e-6)
			if first == 0 {
				first = builds
			}
		}
		if builds != first {
			t.Errorf("the graph was built %d times by the first call, and %d times by five", first, builds)
		}
		negative := func(i int) float64 { return float64(i%5) - 1 }
		events := subset(37)
		weights := make([]float32, 37)
		for i := range weights {
			weights[i] = float32(negative(i))
		}
		events.Weight = tensors.FromFlatDataAndDimensions(weights, 37)
		value, err := evaluator.Evaluate(t.Context(), events)
		if err != nil {
			t.Fatal(err)
		}
		gomlxtest.Near(t, "the weighted mean", []float64{value}, []float64{mean(37, negative)}, 1e-6)

		// A loss that leaves weights alone is right, too: its last chunk isn't filled up.
		evaluator, err = train.NewEvaluator(backend, model.NewStore(), weightless{&builds}, train.BatchSize(16))
		if err != nil {
			t.Fatal(err)
		}
		value, err = evaluator.Evaluate(t.Context(), subset(37))
		if err != nil {
			t.Fatal(err)
		}
		gomlxtest.Near(t, "the mean without weights", []float64{value}, []float64{mean(37, func(int) float64 { return 1 })}, 1e-6)
	})
}

// of is a loss that is a function.
type of func(b loss.Batch) *Node

func (f of) Loss(_ *model.Scope, b loss.Batch) *Node { return f(b) }

// sumOf is Σwℓ, where ℓ is the mean of an event.
func sumOf(b loss.Batch) *Node {
	values := ReduceMean(b.X, -1)
	if b.Weight == nil {
		return ReduceAllSum(values)
	}
	return ReduceAllSum(Mul(values, b.Weight))
}

// The loss of all events is that of one batch of them, whatever the batch size: of a mean and
// of a sum, of weights that add up to 0 or nearly so in some batches, but not in all, and of a
// loss that doesn't look at weights. Another kind of loss is refused.
func TestEvaluateInParts(t *testing.T) {
	const n = 37
	mean := of(func(b loss.Batch) *Node { return Div(sumOf(b), ReduceAllSum(b.Weight)) })
	kinds := map[string]struct {
		loss loss.Loss
		of   func(values, weights []float64) float64
	}{
		"a mean": {mean, func(values, weights []float64) float64 { return dot(values, weights) / dot(weights, nil) }},
		"a sum":  {of(sumOf), dot},
		"a mean and a penalty": {of(func(b loss.Batch) *Node { return AddScalar(mean(b), 7) }), func(values, weights []float64) float64 {
			return 7 + dot(values, weights)/dot(weights, nil)
		}},
		"a mean without weights": {weightless{new(int)}, func(values, _ []float64) float64 { return dot(values, nil) / n }},
	}
	weights := map[string]func(i int) float64{
		"equal":               func(int) float64 { return 1 },
		"a few negative":      func(i int) float64 { return float64(i%5) - 1 },
		"that cancel":         func(i int) float64 { return float64(1 - 2*(i%2)) },      // in batches of 4, to 1 in all
		"that nearly cancel":  func(i int) float64 { return 0.01 + float64(1-2*(i%2)) }, // likewise
		"none in some":        func(i int) float64 { return max(0, float64(i-20)) },
		"negative altogether": func(i int) float64 { return -1 - float64(i%3) },
	}
	events, err := line().Rows(upTo(n)...)
	if err != nil {
		t.Fatal(err)
	}
	x, values := gomlxtest.Floats(t, events.X, nil), make([]float64, n)
	for i := range values {
		values[i] = (x[2*i] + x[2*i+1]) / 2
	}
	backend := gomlxtest.Go(t)
	for kind, k := range kinds {
		for _, size := range []int{4, 16, n} {
			evaluator, err := train.NewEvaluator(backend, model.NewStore(), k.loss, train.BatchSize(size))
			if err != nil {
				t.Fatal(err)
			}
			for name, weight := range weights {
				w, flat := make([]float64, n), make([]float32, n)
				for i := range w {
					flat[i] = float32(weight(i))
					w[i] = float64(flat[i])
				}
				events.Weight = tensors.FromFlatDataAndDimensions(flat, n)
				value, err := evaluator.Evaluate(t.Context(), events)
				if err != nil {
					t.Fatalf("%s, weights %s, batches of %d: %v", kind, name, size, err)
				}
				gomlxtest.Near(t, kind+", weights "+name, []float64{value}, []float64{k.of(values, w)}, 1e-4)
			}
		}
	}
	odd, err := train.NewEvaluator(backend, model.NewStore(), of(func(b loss.Batch) *Node { return Square(sumOf(b)) }), train.BatchSize(16))
	if err != nil {
		t.Fatal(err)
	}
	_, err = odd.Evaluate(t.Context(), events)
	gomlxtest.Says(t, "another kind", err, "with weights twice as large: expected the same")
}

// dot is Σab, or Σa without b.
func dot(a, b []float64) (sum float64) {
	for i, v := range a {
		if b != nil {
			v *= b[i]
		}
		sum += v
	}
	return sum
}

func upTo(n int) (rows []int) {
	for i := range n {
		rows = append(rows, i)
	}
	return rows
}

// With noise and times of its own, the sum over all events is their number times the mean, in
// a fit's validation as well.
func TestEvaluateReductions(t *testing.T) {
	backend := gomlxtest.Go(t)
	summed := tiny
	summed.Reduction = loss.Sum
	value := func(l loss.Loss) float64 {
		history, err := train.Fit(t.Context(), backend, model.NewStore(), l, line(), train.Steps(1), train.LearningRate(1e-9), train.BatchSize(16),
			train.Validate(train.Validation{Events: line(), Every: 1}))
		if err != nil {
			t.Fatal(err)
		}
		return history.Validation[0].Loss
	}
	gomlxtest.Near(t, "the sum", []float64{value(summed)}, []float64{40 * value(tiny)}, 1e-5)
}

// An Evaluator leaves the store's random numbers as they are, so that training in between
// goes on to the same bits.
func TestEvaluateLeavesTrainingAlone(t *testing.T) {
	backend := gomlxtest.Go(t)
	run := func(evaluate bool) []float64 {
		store := model.NewStore()
		trainer, err := train.NewTrainer(backend, store, tiny)
		if err != nil {
			t.Fatal(err)
		}
		evaluator, err := train.NewEvaluator(backend, store, tiny)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := trainer.Steps(line(), 2); err != nil {
				t.Fatal(err)
			}
			if evaluate {
				if _, err := evaluator.Evaluate(t.Context(), line()); err != nil {
					t.Fatal(err)
				}
			}
		}
		losses, err := trainer.Losses()
		if err != nil {
			t.Fatal(err)
		}
		return losses
	}
	if a, b := run(false), run(true); !slices.Equal(a, b) {
		t.Errorf("the losses are %v, and %v with evaluations in between", a, b)
	}
}

func TestEvaluateErrors(t *testing.T) {
	backend := gomlxtest.Go(t)
	evaluator := func(store *model.Store, l loss.Loss, options ...train.Option) (*train.Evaluator, error) {
		return train.NewEvaluator(backend, store, l, options...)
	}
	_, err := evaluator(nil, tiny)
	gomlxtest.Says(t, "a nil store", err, "the store is nil")
	_, err = evaluator(model.NewStore(), tiny, train.Steps(3))
	gomlxtest.Says(t, "an option of Fit's", err, "the option Steps has no meaning for an Evaluator")

	empty, err := evaluator(model.NewStore(), tiny)
	if err != nil {
		t.Fatal(err)
	}
	_, err = empty.Evaluate(t.Context(), line())
	gomlxtest.Says(t, "an untrained store", err, "the store lacks 4 of the loss's variables (/mlp/layer_0/dense/")

	store := model.NewStore()
	if err := nami.Initialize(backend, store, tiny.Field, []int{2}, nil, 1); err != nil {
		t.Fatal(err)
	}
	good, err := evaluator(store, tiny)
	if err != nil {
		t.Fatal(err)
	}
	_, err = good.Evaluate(t.Context(), data.Events{X: gomlxtest.Filled(0, 3, 5)})
	gomlxtest.Says(t, "another event", err, "must end in the event shape (2)")
	_, err = good.Evaluate(t.Context(), data.Events{})
	gomlxtest.Says(t, "no events", err, "the data is nil")
	var none context.Context
	_, err = good.Evaluate(none, line())
	gomlxtest.Says(t, "a nil context", err, "the context ctx is nil")
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("lunch")
	cancel(reason)
	if _, err = good.Evaluate(ctx, line()); !errors.Is(err, reason) {
		t.Errorf("cancelled: got %v", err)
	}
	_, err = good.Evaluate(t.Context(), data.Events{X: gomlxtest.Filled(3e30, 7, 2)})
	gomlxtest.Says(t, "events out of proportion", err, "the loss of the events in rows 0 to 6 is NaN, and the weights are finite")
	if err := store.GetVariable("/mlp/layer_1/dense/biases").SetValue(tensors.FromValue([]float32{0, float32(math.Inf(1))})); err != nil {
		t.Fatal(err)
	}
	_, err = good.Evaluate(t.Context(), line())
	gomlxtest.Says(t, "a weight that isn't finite", err, "1 of 2 values of the weight /mlp/layer_1/dense/biases are NaN or infinite")
}
