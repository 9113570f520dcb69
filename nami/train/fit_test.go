package train_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

var tiny = loss.FM{Field: field.MLP{EventShape: []int{2}, Hidden: []int{8}}}

// line are 40 points on a line.
func line() data.Events { return data.Events{X: points()} }

func points() *tensors.Tensor {
	flat := make([]float32, 80)
	for i := range flat {
		flat[i] = float32(i%2) + float32(i)/40
	}
	return tensors.FromFlatDataAndDimensions(flat, 40, 2)
}

// weights reads every trainable value, by path.
func weights(t *testing.T, store *model.Store) map[string][]float32 {
	t.Helper()
	out := map[string][]float32{}
	for v := range store.IterVariables() {
		if v.Trainable {
			value, err := v.Value()
			if err != nil {
				t.Fatal(err)
			}
			value.MustConstFlatData(func(flat any) { out[v.Path()] = append([]float32(nil), flat.([]float32)...) })
		}
	}
	return out
}

func same(t *testing.T, a, b map[string][]float32) {
	t.Helper()
	if len(a) == 0 || len(a) != len(b) {
		t.Fatalf("%d and %d variables", len(a), len(b))
	}
	for path := range a {
		for i := range a[path] {
			if a[path][i] != b[path][i] {
				t.Fatalf("%s[%d] is %v and %v", path, i, a[path][i], b[path][i])
			}
		}
	}
}

func fit(backend compute.Backend, store *model.Store, options ...train.Option) (*train.History, error) {
	defaults := []train.Option{train.Steps(30), train.BatchSize(16), train.Seed(3), train.Schedule(train.Constant{})}
	return train.Fit(context.Background(), backend, store, tiny, line(), append(defaults, options...)...)
}

// A run that stops and resumes ends with the same bits as one that doesn't; on XLA, see
// TestResumeWithEverything.
func TestResumeEqualsUninterrupted(t *testing.T) {
	backend := gomlxtest.Go(t)
	whole := model.NewStore()
	history, err := fit(backend, whole)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "run")
	if _, err := fit(backend, model.NewStore(), train.Steps(12), train.Checkpoint(name)); err != nil {
		t.Fatal(err)
	}
	resumed := model.NewStore()
	again, err := fit(backend, resumed, train.Checkpoint(name))
	if err != nil {
		t.Fatal(err)
	}
	same(t, weights(t, whole), weights(t, resumed))
	if len(again.Loss) != 30 {
		t.Fatalf("the history has %d losses, expected 30", len(again.Loss))
	}
	for i := range again.Loss {
		if again.Loss[i] != history.Loss[i] {
			t.Fatalf("loss %d is %v after a resume and %v without", i, again.Loss[i], history.Loss[i])
		}
	}

	// Once done it returns at once, with the weights.
	done := model.NewStore()
	if _, err := fit(backend, done, train.Checkpoint(name)); err != nil {
		t.Fatal(err)
	}
	same(t, weights(t, whole), weights(t, done))
}

// Weights don't belong to a backend.
func TestLoadOnAnotherBackend(t *testing.T) {
	name := filepath.Join(t.TempDir(), "run")
	store := model.NewStore()
	if _, err := fit(gomlxtest.Go(t), store, train.Checkpoint(name)); err != nil {
		t.Fatal(err)
	}
	loaded := model.NewStore()
	if _, err := train.Load(loaded, name); err != nil {
		t.Fatal(err)
	}
	same(t, weights(t, store), weights(t, loaded))
	halfway := func(backend compute.Backend, store *model.Store) []float64 {
		out, err := model.CallOnce(backend, store, func(scope *model.Scope, x *Node) *Node {
			return tiny.PerEvent(scope, loss.Batch{X: x, Source: x}, ConstAs(x, 0.5))
		}, line().X)
		return gomlxtest.Floats(t, out, err)
	}
	gomlxtest.Near(t, "the loss where it was loaded", halfway(gomlxtest.XLA(t), loaded), halfway(gomlxtest.Go(t), store), 1e-5)
}

// Each step draws other noise, also after a resume: the loss of one batch, which no training
// moves, differs from step to step.
func TestNoiseIsFreshAfterResume(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		name := filepath.Join(t.TempDir(), "run")
		var history *train.History
		for _, steps := range []int{2, 6} {
			var err error
			history, err = train.Fit(t.Context(), backend, model.NewStore(), seen{}, line(), train.BatchSize(40), train.Steps(steps),
				train.Schedule(train.Constant{}), train.Checkpoint(name))
			if err != nil {
				t.Fatal(err)
			}
		}
		for i := 1; i < len(history.Loss); i++ {
			if math.Abs(history.Loss[i]-history.Loss[i-1]) < 1e-6 {
				t.Fatalf("steps %d and %d have the losses %v: the noise repeats", i, i+1, history.Loss)
			}
		}
	})
}

type divergingLoss struct{}

func (divergingLoss) Loss(scope *model.Scope, b loss.Batch) *Node {
	x := b.X
	w := scope.VariableWithValue("w", float32(1)).NodeValue(x.Graph())
	return Log(Sub(ReduceAllMax(Mul(w, ZerosLike(x))), ConstAs(x, 1)))
}

func TestBadInput(t *testing.T) {
	backend := gomlxtest.Go(t)
	nan := points()
	nan.MustMutableFlatData(func(flat any) { flat.([]float32)[7] = float32(math.NaN()) })
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	three := gomlxtest.Filled(0, 40, 3)
	flow := func(options ...train.Option) []train.Option { return options }
	for _, c := range []struct {
		want   string
		loss   loss.Loss
		source data.Source
		opts   []train.Option
	}{
		{"Steps is 0", tiny, line(), flow(train.Steps(0))},
		{"Steps is -2", tiny, line(), flow(train.Steps(-2))},
		{"BatchSize is 0", tiny, line(), flow(train.BatchSize(0))},
		{"BatchSize is 41, and the data has 40", tiny, line(), flow(train.BatchSize(41))},
		{"LearningRate is NaN", tiny, line(), flow(train.LearningRate(math.NaN()))},
		{"LearningRate is 0", tiny, line(), flow(train.LearningRate(0))},
		{"WeightDecay is -1", tiny, line(), flow(train.WeightDecay(-1))},
		{"ClipNorm is 0", tiny, line(), flow(train.ClipNorm(0))},
		{"Accumulate is 0", tiny, line(), flow(train.Accumulate(0))},
		{"FirstBatch is -2", tiny, line(), flow(train.FirstBatch(-2))},
		{"the Optimizer is nil", tiny, line(), flow(train.Optimizer(nil))},
		{"and no LearningRate", tiny, line(), flow(train.Optimizer(optimizer.Adam().Done()), train.Schedule(train.Cosine{}))},
		{"the events to StartFrom are nil: give a tensor", tiny, line(), flow(train.StartFrom(nil))},
		{"the coupling to Couple with is nil: give one", tiny, line(), flow(train.Couple(nil))},
		{"Progress's reporter is nil: give one", tiny, line(), flow(train.Progress(nil))},
		{"the Schedule is nil", tiny, line(), flow(train.Schedule(nil))},
		{"train.Cosine: Steps is -1", tiny, line(), flow(train.Schedule(train.Cosine{Steps: -1}))},
		{"train.WarmUp: Steps is 0", tiny, line(), flow(train.Schedule(train.WarmUp{}))},
		{"train.RateFunc: the function is nil", tiny, line(), flow(train.Schedule(train.WarmUp{Steps: 2, Then: train.RateFunc(nil)}))},
		{"gives the factor", tiny, line(), flow(train.Schedule(train.RateFunc(func(step *Node) *Node { return ConvertDType(step, dtypes.Float32) })))},
		{`has the name "a/b"`, tiny, line(), flow(train.Average("a/b", 0.9))},
		{`name "best" is taken`, tiny, line(), flow(train.Average("best", 0.9))},
		{`name "a" is taken`, tiny, line(), flow(train.Average("a", 0.9), train.Average("a", 0.99))},
		{"the decay of the Average a is 1", tiny, line(), flow(train.Average("a", 1))},
		{"Every is -1", tiny, line(), flow(train.Validate(train.Validation{Events: line(), Every: -1}))},
		{"Patience is -1", tiny, line(), flow(train.Validate(train.Validation{Events: line(), Patience: -1}))},
		{`of the average "ema", and there is none`, tiny, line(), flow(train.Validate(train.Validation{Events: line(), Weights: "ema"}))},
		{"the Validation's events: the data is nil", tiny, line(), flow(train.Validate(train.Validation{}))},
		{"an event of the Validation is data (Float32)[3]", tiny, line(), flow(train.Validate(train.Validation{Events: data.Events{X: three}}))},
		{"AfterStep's function is nil", tiny, line(), flow(train.AfterStep(nil))},
		{"AfterBurst's function is nil", tiny, line(), flow(train.AfterBurst(nil))},
		{"option 2 of 3 is nil", tiny, line(), flow(nil)},
		{"1 of 80 values of the data are NaN or infinite, the first in row 3", tiny, data.Events{X: nan}, nil},
		{"the data is nil", tiny, data.Events{}, nil},
		{"the data is nil", tiny, nil, nil},
		{"the loss is nil", nil, line(), nil},
		{"must end in the event shape (2)", tiny, data.Events{X: three}, nil},
		{"expects none", tiny, data.Events{X: points(), Context: three}, nil},
		{"[40, context...] with at least one axis", tiny, data.Events{X: points(), Context: gomlxtest.Filled(0, 10, 3)}, nil},
		{"the loss of step 1 is NaN", divergingLoss{}, line(), nil},
		{"is a file", tiny, line(), flow(train.Checkpoint(file))},
		{"Checkpoint's name is empty", tiny, line(), flow(train.Checkpoint(""))},
	} {
		t.Run(c.want, func(t *testing.T) {
			options := append([]train.Option{train.Steps(3), train.BatchSize(8)}, c.opts...)
			_, err := train.Fit(context.Background(), backend, model.NewStore(), c.loss, c.source, options...)
			gomlxtest.Says(t, c.want, err, c.want)
		})
	}
	var none context.Context
	_, err := train.Fit(none, backend, model.NewStore(), tiny, line())
	gomlxtest.Says(t, "a nil context", err, "the context ctx is nil")
	_, err = train.Fit(t.Context(), nil, model.NewStore(), tiny, line())
	gomlxtest.Says(t, "a nil backend", err, "the backend is nil")
	_, err = train.Fit(t.Context(), backend, nil, tiny, line())
	gomlxtest.Says(t, "a nil store", err, "the store is nil")
}

func TestDamagedCheckpoints(t *testing.T) {
	backend := gomlxtest.Go(t)
	name := filepath.Join(t.TempDir(), "run")
	for _, steps := range []int{4, 8, 12} {
		if _, err := fit(backend, model.NewStore(), train.Steps(steps), train.Checkpoint(name)); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob(filepath.Join(name, "*"))
	if err != nil || len(files) != 2 {
		t.Fatalf("the folder holds %v (%v), expected the newest two", files, err)
	}
	newest := files[1]
	whole, err := os.ReadFile(newest)
	if err != nil {
		t.Fatal(err)
	}
	flipped := append([]byte(nil), whole...)
	flipped[len(flipped)-3] ^= 1
	for damage, damaged := range map[string][]byte{"truncated": whole[:len(whole)/2], "flipped": flipped, "empty": nil, "foreign": []byte("what is this file doing here?")} {
		if err := os.WriteFile(newest, damaged, 0o644); err != nil {
			t.Fatal(err)
		}
		history, err := train.Load(model.NewStore(), name)
		if err != nil || history.Steps() != 8 || len(history.Notes) != 1 || !strings.Contains(history.Notes[0], newest) {
			t.Errorf("%s: the older checkpoint isn't taken, or it isn't said: %v, %v", damage, history, err)
		}
		if left, _ := os.ReadFile(newest); !slices.Equal(left, damaged) {
			t.Errorf("%s: the damaged file was touched", damage)
		}
	}
	if err := os.WriteFile(files[0], whole[:20], 0o644); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		func() error { _, err := train.Load(model.NewStore(), name); return err }(),
		func() error { _, err := fit(backend, model.NewStore(), train.Checkpoint(name)); return err }(),
	} {
		if err == nil || !strings.Contains(err.Error(), "no checkpoint in "+name+" can be read") {
			t.Errorf("got %v, expected an error that names the folder", err)
		}
	}
}

func TestForeignCheckpoint(t *testing.T) {
	backend := gomlxtest.Go(t)
	name := filepath.Join(t.TempDir(), "run")
	if _, err := fit(backend, model.NewStore(), train.Checkpoint(name)); err != nil {
		t.Fatal(err)
	}
	if _, err := fit(backend, model.NewStore(), train.Checkpoint(name), train.Seed(4)); err == nil || !strings.Contains(err.Error(), "seed is 4 here and was 3") {
		t.Errorf("got %v, expected an error that names the seeds", err)
	}
	wider := model.NewStore()
	if err := nami.Initialize(backend, wider, field.MLP{EventShape: []int{2}, Hidden: []int{9}}, []int{2}, nil, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := train.Load(wider, name); err == nil || !strings.Contains(err.Error(), "another model") {
		t.Errorf("got %v, expected an error about another model", err)
	}
	if _, err := train.Load(model.NewStore(), filepath.Join(name, "nothing")); err == nil || !strings.Contains(err.Error(), "there is no folder and no file") {
		t.Errorf("got %v, expected an error that there is none", err)
	}
}

// A disk that is full, or a folder that can't be written, leaves what was saved.
func TestUnwritableFolder(t *testing.T) {
	backend := gomlxtest.Go(t)
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := fit(backend, model.NewStore(), train.Checkpoint(filepath.Join(blocked, "run")))
	if err == nil || !strings.Contains(err.Error(), "the checkpoint can't be saved in") {
		t.Errorf("got %v, expected an error about saving", err)
	}
}
