package modelfile_test

import (
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strconv"
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
	"github.com/nami-flow/go-nami/nami/transform"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// overtrained is a fit that ended by Patience, some steps after its best ones.
func overtrained(t *testing.T) (*model.Store, *train.History) {
	t.Helper()
	store := model.NewStore()
	// A rate so large that the loss soon rises.
	history, err := fit(t, gomlxtest.Go(t), store, 200, train.LearningRate(0.3),
		train.Validate(train.Validation{Events: wave(), Every: 2, Patience: 3}))
	if err != nil {
		t.Fatal(err)
	}
	best, _ := history.Best()
	if history.Stopped == "" || best.Steps >= history.Steps() {
		t.Fatalf("the fit wasn't stopped: %d steps, the best after %d", history.Steps(), best.Steps)
	}
	return store, history
}

// A file says of which step its weights are; the best ones are a choice of one word, for Save and
// Bind alike, and whoever leaves it out can see that there are better ones.
func TestBestWeights(t *testing.T) {
	store, history := overtrained(t)
	backend := gomlxtest.Go(t)
	best, _ := history.Best()
	weights, err := train.Weights(store, train.Best)
	if err != nil {
		t.Fatal(err)
	}
	file := modelfile.File{Model: trained, Store: store, Training: modelfile.TrainingOf(history)}
	chosen, byHand := file, file
	chosen.Which, byHand.Store = train.Best, weights
	expect := modelfile.File{Model: trained, Store: weights}

	same(t, backend, expect, chosen) // before it is saved
	for what, f := range map[string]modelfile.File{"chosen": chosen, "by hand": byHand} {
		loaded := read(t, saved(t, f))
		same(t, backend, expect, *loaded)
		if after := loaded.Training.After(loaded.Weights); after != "best, after step "+strconv.Itoa(best.Steps) || len(loaded.Weights) > 0 || loaded.Which != "" {
			t.Errorf("%s: the file says %q, and holds %v besides", what, after, loaded.Weights)
		}
		same(t, backend, expect, *read(t, saved(t, f), train.Best)) // by its name too
		same(t, backend, expect, *read(t, saved(t, *loaded)))
		if again := read(t, saved(t, *loaded)); again.Training.Weights != train.Best {
			t.Errorf("%s: saved again, the file says that its weights are %q", what, again.Training.Weights)
		}
	}
	last := read(t, saved(t, file))
	want := "last, after step " + strconv.Itoa(history.Steps()) + "; better ones by validation: best, after step " + strconv.Itoa(best.Steps)
	if after := last.Training.After(last.Weights); after != want {
		t.Errorf("the file says %q, expected %q", after, want)
	}
	other := read(t, saved(t, file), train.Best)
	same(t, backend, expect, *other)
	if after := other.Training.After(other.Weights); after != "best, after step "+strconv.Itoa(best.Steps) {
		t.Errorf("loaded by its name, the best is %q", after)
	}
	ema := file
	ema.Which = "ema"
	if f := read(t, saved(t, ema)); f.Training.After(f.Weights) != "average ema, after step "+strconv.Itoa(history.Steps()) {
		t.Errorf("of an average the file says %q", f.Training.After(f.Weights))
	}
	// Training goes on from the best: then the weights are those of its last step.
	if _, err := fit(t, backend, weights, 1); err != nil {
		t.Fatal(err)
	}
	if f := read(t, saved(t, byHand)); f.Training.Weights != "" {
		t.Errorf("weights that were trained on are still called %q", f.Training.Weights)
	}
	ema.Which = "emma"
	gomlxtest.Says(t, "an average that isn't there", modelfile.Save(filepath.Join(t.TempDir(), "x"), ema), `the Which is "emma": `)
	_, err = ema.Bind(backend, nil)
	gomlxtest.Says(t, "an average that isn't there", err, `there are no weights of the name "emma"`)
}

// What Save would refuse after hours of training is refused before the first step.
func TestMistakesBeforeTheFirstStep(t *testing.T) {
	units := transform.Circle{}
	flow := func(base int, by transform.Transform) nami.FlowMatching {
		return nami.FlowMatching{
			Field: field.MLP{EventShape: []int{2}, Hidden: []int{4}}, Base: distribution.NewStandardNormal(base), Solver: solver.RK4(2), Transform: by,
		}
	}
	columns := data.Columns{X: []string{"phi"}}
	for _, c := range []struct {
		what, says string
		file       modelfile.File
	}{
		{"a unit of no column", `the Units have the column "PHI", which isn't one of the Columns: phi`, modelfile.File{Model: flow(2, units), Columns: columns, Units: map[string]string{"PHI": "rad"}}},
		{"a base of another size", "the Transform doesn't fit events of shape (3)", modelfile.File{Model: flow(3, units), Columns: columns}},
		{"a transform that was forgotten", "the Columns' X names 1 columns, phi, and an event of shape (2)", modelfile.File{Model: flow(2, nil), Columns: columns}},
		{"best weights without validation", `the Which is "best", and the training keeps no weights of that name`, modelfile.File{Model: flow(2, units), Columns: columns, Which: train.Best}},
	} {
		steps := 0
		_, err := train.Fit(t.Context(), gomlxtest.Go(t), model.NewStore(), loss.Transformed{Of: loss.FM{Field: flow(2, units).Field}, Transform: units},
			data.Events{X: gomlxtest.Filled(1, 16, 1)}, train.Steps(5), train.BatchSize(8), train.Checkpoint(filepath.Join(t.TempDir(), "run")),
			train.Describe(c.file), train.AfterBurst(func(*train.History) error { steps++; return errors.New("a step was made") }))
		gomlxtest.Says(t, c.what, err, c.says)
		if steps > 0 {
			t.Errorf("%s: it was trained", c.what)
		}
	}
}

// Samples become a table with the columns' names, in which counts are integers.
func TestTable(t *testing.T) {
	counting := transform.Columns{{Of: []int{1}, By: transform.Chain{transform.Dequantize{}, transform.Logarithm{}}}}
	f := modelfile.File{
		Model: nami.FlowMatching{
			Field: field.MLP{EventShape: []int{2}, Hidden: []int{4}}, Base: distribution.NewStandardNormal(2), Solver: solver.RK4(2), Transform: counting,
		},
		Columns: data.Columns{X: []string{"pt", "n"}},
	}
	f.Store = initialized(t, f.Model.(nami.FlowMatching).Field, []int{2}, nil)
	process, err := f.Bind(gomlxtest.Go(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	samples, err := process.Sample(t.Context(), 20, 3)
	if err != nil {
		t.Fatal(err)
	}
	table, err := f.Table(samples)
	if err != nil {
		t.Fatal(err)
	}
	n, err := table.Ints("n")
	values := gomlxtest.Floats(t, samples, err)
	for i := range n {
		if float64(n[i]) != values[2*i+1] {
			t.Fatalf("row %d is %d, expected %v", i, n[i], values[2*i+1])
		}
	}
	if names := table.Names(); !slices.Equal(names, f.Columns.X) || table.Len() != 60 {
		t.Errorf("the table has %d rows of %v", table.Len(), names)
	}
	f.Columns = data.Columns{}
	if table, err = f.Table(samples); err != nil || !slices.Equal(table.Names(), []string{"x0", "x1"}) {
		t.Errorf("without names the columns are %v (%v)", table.Names(), err)
	}
	_, err = f.Table(tensors.FromValue([][]float32{{1, 1.5}}))
	gomlxtest.Says(t, "what aren't samples", err, `row 0 of "x1" is 1.5`)
}

// An example of a context is one that the model takes, for whatever it was trained on.
func TestExample(t *testing.T) {
	backend := gomlxtest.Go(t)
	f := whole(t)
	fractions := transform.Columns{
		{Of: []int{0}, By: transform.Chain{transform.Logit{Low: 10, High: 20}, transform.Standardize{Mean: []float64{1}, Std: []float64{2}}}},
	}
	for _, c := range []struct {
		by   transform.Transform
		want []float64
	}{
		{nil, []float64{0, 1, 0}},
		{fractions, []float64{10 + 10/(1+math.Exp(-1)), 1, 0}},
		{transform.Standardize{Mean: []float64{5, 0.3, 0.7}, Std: []float64{1, 1, 1}}, []float64{5, 1, 0}},
	} {
		m := flow
		m.ContextTransform = c.by
		f.Model = m
		example, err := f.Example()
		gomlxtest.Near(t, "an example", gomlxtest.Floats(t, example, err), c.want, 1e-6)
		if _, err := m.Bind(backend, f.Store, example, nami.AnyModel()); err != nil {
			t.Errorf("%v: %v", c.by, err)
		}
	}
	none := modelfile.File{Model: trained}
	if example, err := none.Example(); err != nil || example != nil {
		t.Errorf("without a context the example is %v (%v)", example, err)
	}
	about := whole(t).Metadata()
	if about["context"] != `["charge","kind=muon","kind=pion"]` || about["columns"] != `["energy","mass"]` || about["units"] != `{"energy":"GeV","mass":"GeV/c²"}` {
		t.Errorf("the metadata is %v", about)
	}
}
