package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/modelfile"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/nami/train"
	"github.com/nami-flow/go-nami/nami/transform"

	"github.com/gomlx/gomlx/ml/model"
)

// counting is a model of a momentum above 20 and a count, on an energy above 0.
func counting(t *testing.T) (path string) {
	t.Helper()
	f := nami.FlowMatching{
		Field:  field.MLP{EventShape: []int{2}, Hidden: []int{8}, ContextDim: 1},
		Base:   distribution.NewStandardNormal(2),
		Solver: solver.RK4(4),
		Transform: transform.Chain{
			transform.Columns{
				{Of: []int{0}, By: transform.Logarithm{Shift: -20}},
				{Of: []int{1}, By: transform.Chain{transform.Dequantize{}, transform.Logarithm{}}},
			},
			transform.Standardize{Mean: []float64{3, 2}, Std: []float64{1, 1}},
		},
		ContextTransform: transform.Logarithm{},
	}
	store := model.NewStore()
	if err := nami.Initialize(gomlxtest.Go(t), store, f.Field, []int{2}, []int{1}, 1); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "counting.safetensors")
	if err := modelfile.Save(path, modelfile.File{
		Model: f, Store: store, Columns: data.Columns{X: []string{"pt", "n"}, Context: []string{"energy"}},
	}); err != nil {
		t.Fatal(err)
	}
	return path
}

// score writes a table and gives the log-densities of its rows, NaN for none.
func score(t *testing.T, model, rows string, args ...string) ([]float64, output) {
	t.Helper()
	folder := t.TempDir()
	table, out := filepath.Join(folder, "jets.csv"), filepath.Join(folder, "scored.csv")
	if err := os.WriteFile(table, []byte("id,pt,n,energy\n"+rows), 0o600); err != nil {
		t.Fatal(err)
	}
	o := command(append([]string{"logprob", model, table, "--backend", "go", "-o", out}, args...)...)
	if o.code != exitOK {
		return nil, o
	}
	scored, err := data.Read(out)
	if err != nil {
		t.Fatal(err)
	}
	values, err := scored.Floats("logprob")
	if err != nil {
		t.Fatal(err)
	}
	return values, o
}

// A value that the model isn't defined for is named by file, line, column and value, as it stands
// in the file, whichever step of the model's units refuses it.
func TestOutside(t *testing.T) {
	path := counting(t)
	for rows, says := range map[string]string{
		"a,30,5,1\nb,-20,5,1\n":   `jets.csv: line 3, column "pt": the value is -20: the model's Logarithm expects values above 20; --skip leaves out`,
		"a,30,5,1\nb,30,-3,1\n":   `jets.csv: line 3, column "n": the value is -3: the model's Logarithm expects values above 0`,
		"a,30,20.5,1\n":           `jets.csv: line 2, column "n": the value is 20.5: the model's Dequantize expects multiples of 1`,
		"a,30,5,1\nb,30,5,-1\n":   `jets.csv: line 3, column "energy": the value is -1: the model's Logarithm expects values above 0`,
		"a,30,5,1\nb,30,,-1\n":    `jets.csv: line 3, column "n": the value is missing; --skip`,
		"a,30,5,1\nb,1e39,5,-1\n": `is larger than float32 holds`,
	} {
		_, o := score(t, path, rows)
		o.ends(t, rows, exitError, says)
		if strings.Contains(o.problems, "transform.") || strings.Contains(o.problems, "Table.") {
			t.Errorf("%s: it speaks of the library: %s", rows, o.problems)
		}
	}
}

// With --skip the others have the log-densities that they have without such rows, and the skipped
// ones are counted by kind.
func TestSkip(t *testing.T) {
	path := counting(t)
	want, o := score(t, path, "a,30,5,1\nb,40,0,2\n", "--draws", "3")
	o.ends(t, "good rows", exitOK, "2 rows with logprob are in")
	if strings.Contains(o.problems, "have no logprob") {
		t.Errorf("it says %s", o.problems)
	}
	got, o := score(t, path, "x,,5,1\na,30,5,1\ny,-20,5,1\nz,Inf,5,1\nb,40,0,2\nv,30,-3,1\nw,30,5,-1\nu,30,5,\n", "--draws", "3", "--skip")
	o.ends(t, "skipped", exitOK, "6 of 8 rows have no logprob: 2 incomplete, 1 with an infinite value, 3 outside of what the model is defined for")
	o.ends(t, "the first", exitOK, `the first of these: `)
	if len(got) != 8 {
		t.Fatalf("there are %d rows: %s", len(got), o.problems)
	}
	for i, v := range got {
		if i != 1 && i != 4 && !math.IsNaN(v) {
			t.Errorf("row %d has %v", i, v)
		}
	}
	gomlxtest.Near(t, "the others", []float64{got[1], got[4]}, want, 1e-5)
	if all, o := score(t, path, "y,-20,5,1\n", "--skip"); len(all) != 1 || !math.IsNaN(all[0]) {
		t.Errorf("of no good row the log-densities are %v: %s", all, o.problems)
	}
	path, _ = saved(t)
	table := filepath.Join(t.TempDir(), "events.csv")
	if err := os.WriteFile(table, []byte("mass,angle,energy,kind\n1,2,3,tau\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	command("logprob", path, table, "--skip").ends(t, "an unknown class", exitError, "tau")
}

// Log-densities of a model with noise depend on the seed, less with more draws, and that is said.
func TestNoisyLogProb(t *testing.T) {
	path := counting(t)
	rows := strings.Repeat("a,30,1,1\n", 64)
	spread := func(args ...string) float64 {
		values, o := score(t, path, rows, args...)
		const note = "so logprob depends on --seed; --draws 16 averages over it"
		if (len(args) > 0) == strings.Contains(o.problems, note) {
			t.Errorf("%v: it says %s", args, o.problems)
		}
		mean, squares := 0.0, 0.0
		for _, v := range values {
			mean, squares = mean+v/64, squares+v*v/64
		}
		return math.Sqrt(squares - mean*mean)
	}
	// The deviation falls by 4 with 16 draws; that of 64 values is known to a tenth.
	if one, many := spread(), spread("--draws", "16"); one < 0.01 || many > one/2.5 {
		t.Errorf("the deviation is %v with one draw, and %v with 16", one, many)
	}
	help := command("logprob", "--help")
	help.ends(t, "help", exitOK, "that of one draw, and a lower bound on average")
}

// Counts are integers in a table of samples.
func TestSampleCounts(t *testing.T) {
	o := command("sample", counting(t), "--backend", "go", "-n", "20", "--set", "energy=2")
	table, err := data.Decode(strings.NewReader(o.out), data.CSV)
	if err != nil {
		t.Fatalf("%v: %s", err, o.problems)
	}
	if n, err := table.Ints("n"); err != nil || len(n) != 20 {
		t.Errorf("the counts are %v (%v)", n, err)
	}
}

// What is known of a fit that ran out of patience is said, and which weights are better.
func TestInfoOfBest(t *testing.T) {
	path, f := saved(t)
	f.Training = modelfile.Training{Steps: 100, Validation: &train.Validated{Steps: 80, Loss: 1.5}}
	f.Store.VariableWithValue("/nami/best/x", float32(1)).SetTrainable(false)
	if err := modelfile.Save(path, f); err != nil {
		t.Fatal(err)
	}
	command("info", path).ends(t, "info", exitOK, "last, after step 100; better ones by validation: best, after step 80: --weights best")
	command("info", path, "--weights", "best").ends(t, "the best", exitOK, "best, after step 80\n")
}

// Without a terminal a long computation says how far it is, in a line from time to time.
func TestInLines(t *testing.T) {
	var out lockedBuffer
	at := time.Now()
	show := inLines(&out, "log-densities", func() time.Time { return at })
	for i := range 20 {
		show(i, 40)
		at = at.Add(4 * time.Second)
	}
	const want = "nami: log-densities: 7% after 12s, about 2m28s to go\nnami: log-densities: 45% after 1m12s, about 1m28s to go\n"
	if got := out.String(); got != want {
		t.Errorf("it says %q, expected %q", got, want)
	}
}
