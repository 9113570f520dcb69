package train_test

import (
	"context"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

var tiny = loss.FM{Field: field.MLP{EventShape: []int{2}, Hidden: []int{8}}}

// line is 40 points on a line.
func line() *tensors.Tensor {
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
	defaults := []train.Option{train.Steps(30), train.BatchSize(16), train.Seed(3), train.Progress(nil)}
	return train.Fit(context.Background(), backend, store, tiny, line(), append(defaults, options...)...)
}

// A run that stops and resumes ends with the same bits as one that doesn't.
func TestResumeEqualsUninterrupted(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
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
	})
}

// Weights don't belong to a backend.
func TestLoadOnAnotherBackend(t *testing.T) {
	name := filepath.Join(t.TempDir(), "run")
	store := model.NewStore()
	if _, err := fit(gomlxtest.Go(t), store, train.Checkpoint(name)); err != nil {
		t.Fatal(err)
	}
	loaded := model.NewStore()
	if err := train.Load(loaded, name); err != nil {
		t.Fatal(err)
	}
	same(t, weights(t, store), weights(t, loaded))
	halfway := func(backend compute.Backend, store *model.Store) []float64 {
		out, err := model.CallOnce(backend, store, func(scope *model.Scope, x *Node) *Node {
			return tiny.PerEvent(scope, loss.Batch{X: x, Source: x}, ConstAs(x, 0.5))
		}, line())
		return gomlxtest.Floats(t, out, err)
	}
	gomlxtest.Near(t, "the loss where it was loaded", halfway(gomlxtest.XLA(t), loaded), halfway(gomlxtest.Go(t), store), 1e-5)
}

// Each step draws other noise: the loss of one batch differs from step to step by far
// more than training moves it, also after a resume.
func TestNoiseIsFreshAfterResume(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		name := filepath.Join(t.TempDir(), "run")
		options := []train.Option{train.BatchSize(40), train.LearningRate(1e-9), train.Checkpoint(name)}
		if _, err := fit(backend, model.NewStore(), append(options, train.Steps(2))...); err != nil {
			t.Fatal(err)
		}
		history, err := fit(backend, model.NewStore(), append(options, train.Steps(6))...)
		if err != nil {
			t.Fatal(err)
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
	nan := line()
	nan.MustMutableFlatData(func(flat any) { flat.([]float32)[7] = float32(math.NaN()) })
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	three := tensors.FromFlatDataAndDimensions(make([]float32, 120), 40, 3)
	for name, c := range map[string]struct {
		loss loss.Loss
		x    *tensors.Tensor
		opts []train.Option
		want string
	}{
		"no steps":          {tiny, line(), []train.Option{train.Steps(0)}, "Steps is 0"},
		"negative steps":    {tiny, line(), []train.Option{train.Steps(-2)}, "Steps is -2"},
		"no batch":          {tiny, line(), []train.Option{train.BatchSize(0)}, "BatchSize is 0"},
		"batch over data":   {tiny, line(), []train.Option{train.BatchSize(41)}, "BatchSize is 41, and the data has 40"},
		"learning rate":     {tiny, line(), []train.Option{train.LearningRate(math.NaN())}, "LearningRate is NaN"},
		"nan":               {tiny, nan, nil, "1 of 80 values of the data are NaN or infinite, the first in row 3"},
		"no data":           {tiny, nil, nil, "the data is nil"},
		"event":             {tiny, three, nil, "must end in the event shape (2)"},
		"context not asked": {tiny, line(), []train.Option{train.Context(three)}, "expects none"},
		"context rows":      {tiny, line(), []train.Option{train.Context(tensors.FromFlatDataAndDimensions(make([]float32, 30), 10, 3))}, "[40, context_dim], context_dim at least 1"},
		"context empty":     {tiny, line(), []train.Option{train.Context(tensors.FromFlatDataAndDimensions([]float32{}, 40, 0))}, "context_dim at least 1"},
		"mask of halves": {
			loss.FM{},
			tensors.FromFlatDataAndDimensions(make([]float32, 32), 8, 2, 2),
			[]train.Option{train.Mask(tensors.FromFlatDataAndDimensions(slices.Repeat([]float32{0.5}, 16), 8, 2))},
			"value 0 of the mask, (Float32)[8, 2], is 0.5",
		},
		"diverging":         {divergingLoss{}, line(), nil, "the loss of step 1 is NaN"},
		"checkpoint a file": {tiny, line(), []train.Option{train.Checkpoint(file)}, "is a file"},
	} {
		t.Run(name, func(t *testing.T) {
			options := append([]train.Option{train.Steps(3), train.BatchSize(8), train.Progress(io.Discard)}, c.opts...)
			_, err := train.Fit(context.Background(), backend, model.NewStore(), c.loss, c.x, options...)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, expected it to say %q", err, c.want)
			}
		})
	}
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
	for damage, bytes := range map[string][]byte{"truncated": whole[:len(whole)/2], "flipped": flipped, "empty": nil, "foreign": []byte("what is this file doing here?")} {
		if err := os.WriteFile(newest, bytes, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := train.Load(model.NewStore(), name); err != nil {
			t.Errorf("%s: the older checkpoint isn't taken: %v", damage, err)
		}
		if left, _ := os.ReadFile(newest); len(left) != len(bytes) {
			t.Errorf("%s: the damaged file was touched", damage)
		}
	}
	if err := os.WriteFile(files[0], whole[:20], 0o644); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		train.Load(model.NewStore(), name),
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
	if err := nami.Initialize(backend, wider, field.MLP{EventShape: []int{2}, Hidden: []int{9}}, []int{2}, 0, 1); err != nil {
		t.Fatal(err)
	}
	if err := train.Load(wider, name); err == nil || !strings.Contains(err.Error(), "another model") {
		t.Errorf("got %v, expected an error about another model", err)
	}
	if err := train.Load(model.NewStore(), filepath.Join(name, "nothing")); err == nil || !strings.Contains(err.Error(), "no checkpoint") {
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

// Who watches sees the history grow to its end, from the resumed steps on; a run that is
// done isn't watched.
func TestWatch(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		folder := t.TempDir()
		fit := func(steps int) (seen []int) {
			_, err := train.Fit(t.Context(), backend, model.NewStore(), tiny, line(), train.BatchSize(8), train.Steps(steps),
				train.Checkpoint(folder), train.Progress(nil), train.Watch(func(h *train.History) { seen = append(seen, h.Steps()) }))
			if err != nil {
				t.Fatal(err)
			}
			return seen
		}
		if first := fit(10); len(first) == 0 || first[len(first)-1] != 10 || !slices.IsSorted(first) {
			t.Errorf("10 steps: seen after %v, want a rising list that ends with 10", first)
		}
		if more := fit(20); len(more) == 0 || more[0] <= 10 || more[len(more)-1] != 20 {
			t.Errorf("10 more: seen after %v, want 11 or later up to 20", more)
		}
		if again := fit(20); len(again) != 0 {
			t.Errorf("done before: seen after %v, want no call", again)
		}
	})
}
