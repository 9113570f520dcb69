package train_test

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

// louder is a loss with another's description, and a hundred times its value.
type louder struct{ loss.FM }

func (l louder) Loss(scope *model.Scope, b loss.Batch) *Node {
	return MulScalar(l.FM.Loss(scope, b), 100)
}

// renamed is a loss of the same type that prints what it likes.
type renamed struct{ scale float64 }

func (renamed) String() string { return "always the same" }

func (r renamed) Loss(scope *model.Scope, b loss.Batch) *Node {
	return MulScalar(tiny.Loss(scope, b), r.scale)
}

// A run is known by its code and by all that it was asked for: an edit of either isn't taken
// for what was trained before, and what differs is said.
func TestRunIsKnownByItsCode(t *testing.T) {
	function := func(f func(scope *model.Scope, x *Node) *Node) loss.Loss {
		return loss.FM{Field: field.Func{Rank: 1, F: func(scope *model.Scope, x, _, _ *Node) *Node { return f(scope, x) }}}
	}
	dense := func(scope *model.Scope, x *Node) *Node { return layers.DenseWithBias(scope.In("a"), x, 2) }
	weighted := line()
	weighted.Weight = gomlxtest.Filled(2, 40)
	hook := func(by float64) train.Option {
		return train.AfterStep(func(scope *model.Scope, _ loss.Batch, value *Node) {
			v := scope.VariableWithValue("kept", float32(0)).SetTrainable(false)
			v.SetNodeValue(MulScalar(value, by))
		})
	}
	type run struct {
		loss    loss.Loss
		events  data.Events
		options []train.Option
	}
	with := func(options ...train.Option) run { return run{tiny, line(), options} }
	validation := func(every int) train.Option {
		return train.Validate(train.Validation{Events: line(), Every: every})
	}
	backend := gomlxtest.Go(t)
	for name, c := range map[string]struct {
		first, second run
		want          string // empty if it is the same run
	}{
		"the same":           {with(), with(), ""},
		"an edited function": {run{loss: function(dense), events: line()}, run{loss: function(func(s *model.Scope, x *Node) *Node { return Tanh(dense(s, Sin(x))) }), events: line()}, "the code of the loss, its field or the step was another: its graph has"},
		"a loss that embeds": {with(), run{loss: louder{tiny}, events: line()}, "loss is train_test.louder"},
		"a scaled loss":      {run{loss: renamed{3}, events: line()}, run{loss: renamed{7}, events: line()}, "or have other shapes, attributes or constants"},
		"defaults":           {run{loss: loss.FM{Field: field.MLP{EventShape: []int{2}, Hidden: []int{8}, Activation: activation.TypeSilu}}, events: line()}, with(), ""},
		"weights of events":  {with(), run{loss: tiny, events: weighted}, "weight is (Float32)[40]"},
		"the seed":           {with(train.Seed(3)), with(train.Seed(4)), "seed is 4 here and was 3"},
		"the optimiser":      {with(), with(train.Optimizer(optimizer.RMSProp().Done())), "optimizer is"},
		"its numbers":        {with(train.Optimizer(optimizer.Adam().Betas(0.9, 0.99).Done())), with(train.Optimizer(optimizer.Adam().Betas(0.9, 0.98).Done())), "constants"},
		"clipping":           {with(train.ClipNorm(math.Inf(1))), with(), "clipping is 1 here and was none"},
		"weight decay":       {with(train.WeightDecay(1e-3)), with(), "weight decay is none here and was 0.001"},
		"accumulation":       {with(), with(train.Accumulate(2)), "accumulation is 2 here and was 1"},
		"an average":         {with(train.Average("a", 0.9)), with(train.Average("a", 0.99)), "average a is 0.99 here and was 0.9"},
		"a schedule":         {with(), with(train.Schedule(train.WarmUp{Steps: 3})), "schedule is train.WarmUp {3"},
		"the validation":     {with(validation(3)), with(validation(2)), "validation is every 2 steps"},
		"a hook":             {with(hook(3)), with(hook(7)), "or constants"},
		"the first batch":    {with(train.FirstBatch(7)), with(train.FirstBatch(8)), "first batch is 8 here and was 7"},
		"its own":            {with(train.FirstBatch(7)), with(train.FirstBatch(7)), ""},
		"that it has":        {with(train.FirstBatch(7)), with(), ""},
		"that it began with": {with(), with(train.FirstBatch(0)), ""},
		"batches":            {with(), with(train.BatchSize(10)), "batch size is 10 here and was 16"},
	} {
		t.Run(name, func(t *testing.T) {
			checkpoint := train.Checkpoint(filepath.Join(t.TempDir(), "run"))
			fit := func(r run) (*train.History, error) {
				options := append([]train.Option{train.Steps(4), train.BatchSize(16)}, r.options...)
				return train.Fit(t.Context(), backend, model.NewStore(), r.loss, r.events, append(options, checkpoint)...)
			}
			if _, err := fit(c.first); err != nil {
				t.Fatal(err)
			}
			history, err := fit(c.second)
			switch {
			case c.want != "":
				gomlxtest.Says(t, name, err, c.want)
				gomlxtest.Says(t, name, err, "belongs to another run, saved 2")
			case err != nil || !history.DoneBefore:
				t.Errorf("the same run is another, or made steps: %v", err)
			}
		})
	}
}

// The identity doesn't depend on the backend: a run that was begun in pure Go is known on
// XLA, and gone on with there, and what was trained there is known as well.
func TestRunOnAnotherBackend(t *testing.T) {
	name := filepath.Join(t.TempDir(), "run")
	for _, c := range []struct {
		backend compute.Backend
		steps   int
	}{{gomlxtest.Go(t), 10}, {gomlxtest.XLA(t), 20}, {gomlxtest.Go(t), 30}} {
		store := model.NewStore()
		history, err := fit(c.backend, store, train.Steps(c.steps), train.Checkpoint(name), train.ClipNorm(1), train.Average("a", 0.9))
		if err != nil || history.Steps() != c.steps {
			t.Fatalf("%d steps, expected %d: %v", history.Steps(), c.steps, err)
		}
		bindsOnlyTiny(t, c.backend.Name(), c.backend, store)
	}
}

// Weights know what they were trained as, in memory, loaded, and kept by Save: another
// network of the same shapes isn't bound to them.
func TestBindKnowsWhatWasTrained(t *testing.T) {
	training := gomlxtest.Go(t)
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		dir := t.TempDir()
		run, kept := filepath.Join(dir, "run"), filepath.Join(dir, "kept")
		trained := model.NewStore()
		if _, err := fit(training, trained, train.Steps(2), train.Checkpoint(run), train.Average("ema", 0.9)); err != nil {
			t.Fatal(err)
		}
		if err := train.Save(trained, kept); err != nil {
			t.Fatal(err)
		}
		average, err := train.Weights(trained, "ema")
		if err != nil {
			t.Fatal(err)
		}
		stores := map[string]*model.Store{"in memory": trained, "an average": average}
		for name, load := range map[string][]string{"loaded": {run}, "a loaded average": {run, "ema"}, "saved": {kept}} {
			stores[name] = model.NewStore()
			if _, err := train.Load(stores[name], load[0], load[1:]...); err != nil {
				t.Fatal(err)
			}
		}
		for name, store := range stores {
			bindsOnlyTiny(t, name, backend, store)
		}
	})
}

// bindsOnlyTiny fails the test if a store of tiny's weights can't be bound to its field, or if
// it can to another one of the same shapes.
func bindsOnlyTiny(t *testing.T, name string, backend compute.Backend, store *model.Store) {
	t.Helper()
	flow := nami.FlowMatching{Field: tiny.Field, Base: distribution.NewStandardNormal(2), Solver: solver.Euler(2)}
	if _, err := flow.Bind(backend, store, nil); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	flow.Field = field.MLP{EventShape: []int{2}, Hidden: []int{8}, Activation: activation.TypeRelu}
	_, err := flow.Bind(backend, store, nil)
	gomlxtest.Says(t, name, err, "they were trained as field.MLP MLP{event (2), hidden [8], context 0, time features 0, Silu}")
}

// Load says what it looked for, and what is there.
func TestLoadErrors(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "run")
	if _, err := fit(gomlxtest.Go(t), model.NewStore(), train.Steps(2), train.Checkpoint(name)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(name, "step-000000002.safetensors")
	if _, err := train.Load(model.NewStore(), file); err != nil {
		t.Errorf("by the file: %v", err)
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write := func(path string, content []byte) string {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	load := func(store *model.Store, name string, which ...string) error {
		_, err := train.Load(store, name, which...)
		return err
	}
	other := filepath.Dir(write(filepath.Join(dir, "other", "notes.txt"), nil))
	older := write(filepath.Join(dir, "older", "step-000000002.safetensors"), edited(t, whole, func(about map[string]any) { delete(about, "format") }))
	later := write(filepath.Join(dir, "later.safetensors"), edited(t, whole, func(about map[string]any) { about["format"] = 99 }))
	for want, err := range map[string]error{
		"there is no folder and no file " + filepath.Join(dir, "nothing"):          load(model.NewStore(), filepath.Join(dir, "nothing")),
		"other holds no checkpoint, a file step-….safetensors: it holds notes.txt": load(model.NewStore(), other),
		"notes.txt: it is not a safetensors file, or was cut off":                  load(model.NewStore(), filepath.Join(other, "notes.txt")),
		"the checkpoint's name is empty":                                           load(model.NewStore(), ""),
		"the store is nil":                                                         load(nil, name),
		"2 names of weights, [a b], are asked for":                                 load(model.NewStore(), name, "a", "b"),
		"the name of the weights is empty":                                         load(model.NewStore(), name, ""),
		`there are no weights of the name "ema": there are the weights themselves`: load(model.NewStore(), name, "ema"),
		"it was written by an earlier version, which kept less of a run":           load(model.NewStore(), older),
		"can be read: " + older + ": it was written by an earlier version":         load(model.NewStore(), filepath.Dir(older)),
		"it was written by a later version of nami, in format 99":                  load(model.NewStore(), later),
	} {
		gomlxtest.Says(t, want, err, want)
	}
	_, err = fit(gomlxtest.Go(t), model.NewStore(), train.Steps(2), train.Checkpoint(filepath.Dir(older)))
	gomlxtest.Says(t, "a fit on an older one", err, "it was written by an earlier version")
}

// edited is a checkpoint of which f has changed what it says of itself.
func edited(t *testing.T, file []byte, f func(about map[string]any)) []byte {
	t.Helper()
	size := binary.LittleEndian.Uint64(file)
	var header, about map[string]any
	if err := json.Unmarshal(file[8:8+size], &header); err != nil {
		t.Fatal(err)
	}
	metadata := header["__metadata__"].(map[string]any)
	if err := json.Unmarshal([]byte(metadata["nami"].(string)), &about); err != nil {
		t.Fatal(err)
	}
	f(about)
	text, err := json.Marshal(about)
	if err != nil {
		t.Fatal(err)
	}
	metadata["nami"] = string(text)
	text, err = json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(text)))
	return append(append(out, text...), file[8+size:]...)
}
