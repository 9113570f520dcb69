package train_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/train"
	"github.com/nami-flow/go-nami/tests/backends"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// everything switches on all that a fit has, at once.
func everything() (loss.Loss, data.Events, []train.Option) {
	const n = 60
	random := rand.New(rand.NewPCG(1, 2))
	x, c, w := make([]float32, n*4), make([]float32, n*2), make([]float32, n)
	for i := range w {
		w[i] = float32(random.Float64() - 0.2)
		for j := range 4 {
			x[4*i+j] = float32(random.NormFloat64())
		}
		c[2*i+i%2] = 1
	}
	l := loss.FM{Field: field.MLP{EventShape: []int{2, 2}, Hidden: []int{8}, ContextDim: 2}, Times: loss.Times{Law: loss.LogitNormal{}, Stratified: true}}
	events := data.Events{
		X: tensors.FromFlatDataAndDimensions(x, n, 2, 2), Context: tensors.FromFlatDataAndDimensions(c, n, 2),
		Mask: gomlxtest.Filled(1, n, 2), Weight: tensors.FromFlatDataAndDimensions(w, n),
	}
	parts, err := events.Split(1, 0.25)
	if err != nil {
		panic(err)
	}
	validation, events := parts[0], parts[1]
	return l, events, []train.Option{
		train.BatchSize(10), train.Seed(9), train.LearningRate(0.02), train.WeightDecay(0.01), train.ClipNorm(0.5), train.Accumulate(2),
		train.Schedule(train.WarmUp{Steps: 5, Then: train.Cosine{Steps: 60}}), train.Average("fast", 0.9), train.Average("slow", 0.99),
		train.Validate(train.Validation{Events: validation, Every: 4, Weights: "fast"}),
		train.AfterStep(func(scope *model.Scope, _ loss.Batch, value *Node) {
			total := scope.VariableWithValue("total", float32(0)).SetTrainable(false)
			total.SetNodeValue(Add(total.NodeValue(value), value))
		}),
	}
}

// all reads every variable but the random numbers' state, by path.
func all(t *testing.T, store *model.Store) map[string][]float64 {
	t.Helper()
	values := map[string][]float64{}
	for v := range store.IterVariables() {
		value, err := v.Value()
		if err != nil {
			t.Fatal(err)
		}
		if v.DType().IsFloat() {
			values[v.Path()] = gomlxtest.Floats(t, value, nil)
		}
	}
	return values
}

// With everything switched on, a run that is stopped and resumed, and stopped again by a
// hook, a cancelled context or a number of steps, ends with the same bits as one that isn't:
// weights, averages, moments, the best weights, what a hook keeps, losses and validations.
func TestResumeWithEverything(t *testing.T) {
	const steps = 50
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		l, events, options := everything()
		run := func(store *model.Store, steps int, more ...train.Option) (*train.History, error) {
			return train.Fit(t.Context(), backend, store, l, events, slices.Concat(options, more, []train.Option{train.Steps(steps)})...)
		}
		whole := model.NewStore()
		history, err := run(whole, steps)
		if err != nil {
			t.Fatal(err)
		}
		if len(history.Validation) != steps/4 {
			t.Fatalf("%d validations in %d steps", len(history.Validation), steps)
		}
		name := filepath.Join(t.TempDir(), "run")
		checkpoint := train.Checkpoint(name)
		if backend.Name() != "xla" { // which takes long to compile each fit, and doesn't know why it ended
			if _, err := run(model.NewStore(), 7, checkpoint); err != nil {
				t.Fatal(err)
			}
			enough := errors.New("enough")
			_, err = run(model.NewStore(), steps, checkpoint, train.AfterBurst(func(h *train.History) error {
				if h.Steps() > 8 {
					return enough
				}
				return nil
			}))
			if !errors.Is(err, enough) {
				t.Fatalf("got %v, expected the hook's error", err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		_, err = train.Fit(ctx, backend, model.NewStore(), l, events, slices.Concat(options, []train.Option{checkpoint, train.Steps(steps), train.Progress(canceller{cancel})})...)
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v, expected to be cancelled", err)
		}
		resumed := model.NewStore()
		again, err := run(resumed, steps, checkpoint)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(again.Loss, history.Loss) || !slices.Equal(again.Validation, history.Validation) {
			t.Errorf("the histories are\n%v\n%v", again, history)
		}
		if a, b := all(t, whole), all(t, resumed); !reflect.DeepEqual(a, b) {
			for path := range a {
				if !slices.Equal(a[path], b[path]) {
					t.Errorf("%s is %v at once and %v resumed", path, a[path], b[path])
				}
			}
			t.Errorf("%d variables at once, %d resumed", len(a), len(b))
		}
		if again.Steps() != steps {
			t.Errorf("%d steps, expected %d", again.Steps(), steps)
		}
	})
}

// A stream that is resumed goes on with the same blocks and rows.
func TestStreamResumes(t *testing.T) {
	backend := gomlxtest.Go(t)
	source := data.Stream{Reader: reader{}, Block: 12}
	run := func(name string, steps ...int) (losses []float64) {
		for _, n := range steps {
			history, err := train.Fit(t.Context(), backend, model.NewStore(), tiny, source, train.BatchSize(4), train.Steps(n),
				train.Schedule(train.Constant{}), train.Checkpoint(name))
			if err != nil {
				t.Fatal(err)
			}
			losses = history.Loss
		}
		return losses
	}
	if whole, parts := run(t.TempDir(), 40), run(t.TempDir(), 7, 40); !slices.Equal(whole, parts) {
		t.Errorf("the losses are %v at once and %v resumed", whole, parts)
	}
}

// reader are 40 points on a line, read as from a file.
type reader struct{}

func (reader) Len() int { return 40 }

func (reader) Read(first, last int) (data.Events, error) {
	var rows []int
	for row := first; row < last; row++ {
		rows = append(rows, row)
	}
	return line().Rows(rows...)
}

// seen is the mean of x, and noise: it tells which rows and which random numbers a step had.
type seen struct{}

func (seen) Loss(scope *model.Scope, b loss.Batch) *Node {
	w := scope.VariableWithValue("w", float32(0)).NodeValue(b.X)
	noise := scope.RandomUniform(b.X.Graph(), b.X.Shape())
	return Add(ReduceAllMean(Add(b.X, MulScalar(noise, 1e3))), Mul(w, ConstAs(w, 0)))
}

// One fit after another on a store has new batches and noise, whether a seed is given or
// not, from memory or a function, loaded in between or not; unless it is asked to repeat.
// A Trainer has new noise, too.
func TestRounds(t *testing.T) {
	function := data.Func(func(step int) (data.Events, error) { return line().Rows(step%40, (step+7)%40) })
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		sources, seeds := []data.Source{line(), function}, [][]train.Option{nil, {train.Seed(5)}}
		if backends.Few(backend) { // each fit takes long to compile
			sources, seeds = sources[:1], seeds[1:]
		}
		for _, source := range sources {
			for _, seed := range seeds {
				store := model.NewStore()
				round := func(store *model.Store, options ...train.Option) []float64 {
					history, err := train.Fit(t.Context(), backend, store, seen{}, source, slices.Concat(seed, options, []train.Option{train.Steps(20)})...)
					if err != nil {
						t.Fatal(err)
					}
					return history.Loss
				}
				if _, ok := source.(data.Events); ok {
					seed = append(seed, train.BatchSize(10))
				}
				first, second := round(store), round(store)
				for i, l := range first {
					if slices.Contains(second, l) {
						t.Fatalf("step %d of a round is repeated in the next one: %v, %v", i, first, second)
					}
				}
				if again := round(store, train.FirstBatch(0)); !slices.Equal(again, first) {
					t.Errorf("asked to repeat, the losses are %v, and were %v", again, first)
				}
				if backend.Name() == "xla" { // what follows is the host's
					continue
				}
				name := filepath.Join(t.TempDir(), "run")
				kept, loaded := model.NewStore(), model.NewStore()
				round(kept, train.Checkpoint(name))
				if _, err := train.Load(loaded, name); err != nil {
					t.Fatal(err)
				}
				if a, b := round(kept), round(loaded); !slices.Equal(a, b) || !slices.Equal(a, second) {
					t.Errorf("the second round is %v in memory, %v on loaded weights, and %v without a checkpoint", a, b, second)
				}
				for i, l := range round(kept) {
					if slices.Contains(first, l) || slices.Contains(second, l) {
						t.Fatalf("step %d of the third round was in one before", i)
					}
				}
			}
		}
		store := model.NewStore()
		var rounds [2][]float64
		for i := range rounds {
			trainer, err := train.NewTrainer(backend, store, seen{})
			if err == nil {
				err = trainer.Steps(line(), 5)
			}
			if err != nil {
				t.Fatal(err)
			}
			if rounds[i], err = trainer.Losses(); err != nil {
				t.Fatal(err)
			}
		}
		if rounds[0][0] == rounds[1][0] {
			t.Errorf("two trainers have the losses %v", rounds)
		}
	})
}
