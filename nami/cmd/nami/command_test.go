package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/modelfile"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

var flow = nami.FlowMatching{
	Field:  field.MLP{EventShape: []int{2}, Hidden: []int{16}, ContextDim: 3},
	Base:   distribution.NewStandardNormal(2),
	Solver: solver.RK4(4),
}

var columns = data.Columns{
	X: []string{"mass", "angle"}, Context: []string{"energy"},
	Classes: []data.Class{{Column: "kind", Names: []string{"electron", "muon"}}},
}

// saved is a model in a file, with weights that were drawn.
func saved(t testing.TB) (path string, f modelfile.File) {
	t.Helper()
	store := model.NewStore()
	if err := nami.Initialize(gomlxtest.Go(t), store, flow.Field, []int{2}, []int{3}, 1); err != nil {
		t.Fatal(err)
	}
	f = modelfile.File{
		Model: flow, Store: store, Columns: columns, Units: map[string]string{"mass": "GeV"}, Notes: "made by a test",
		Training: modelfile.Training{Steps: 12, Loss: 0.5, Seed: 3},
	}
	path = filepath.Join(t.TempDir(), "model.safetensors")
	if err := modelfile.Save(path, f); err != nil {
		t.Fatal(err)
	}
	return path, f
}

// output is what a command says.
type output struct {
	code          int
	out, problems string
}

// command runs the command in this process, on pure Go.
func command(args ...string) output {
	return commandIn(context.Background(), args...)
}

func commandIn(ctx context.Context, args ...string) output {
	var out, problems bytes.Buffer
	code := run(ctx, args, strings.NewReader(""), &out, &problems)
	return output{code, out.String(), problems.String()}
}

// ends fails the test unless a command ended with that code.
func (o output) ends(t testing.TB, what string, code int, said string) {
	t.Helper()
	if o.code != code || !strings.Contains(o.out+o.problems, said) {
		t.Errorf("%s: it ended with %d and said %q and %q, expected %d and %q", what, o.code, o.out, o.problems, code, said)
	}
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{nil, {"--help"}, {"info", "--help"}, {"sample", "--help"}, {"logprob", "--help"}, {"serve", "--help"}} {
		o := command(args...)
		o.ends(t, fmt.Sprint(args), exitOK, "Examples:\n  nami ")
		if o.problems != "" {
			t.Errorf("%v: it complains: %s", args, o.problems)
		}
	}
}

func TestExitCodes(t *testing.T) {
	path, _ := saved(t)
	folder := t.TempDir()
	table := filepath.Join(folder, "events.csv")
	if err := os.WriteFile(table, []byte("mass,angle,energy,kind,logprob\n1,2,3,muon,4\n1,2,3,tau,4\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	written := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	current, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	cutOff := written("cutoff.safetensors", string(whole[:len(whole)-100]))
	const head = "mass,angle,energy,kind\n"
	empty, infinite := written("empty.csv", head), written("infinite.csv", head+"Inf,2,3,muon\n")
	incomplete, words := written("incomplete.csv", head+"1,2,3,muon\n1,,3,muon\n"), written("words.csv", head+"1,2,3,muon\n-,2,3,muon\n")
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"smaple"}, exitUsage, `unknown command "smaple": did you mean sample?`},
		{[]string{"train"}, exitUsage, `unknown command "train": expected one of completion, help, info, logprob, sample, serve`},
		{[]string{"sample"}, exitUsage, "there are 0 arguments: expected 1: FILE\nSee nami sample --help."},
		{[]string{"logprob", path}, exitUsage, "there are 1 arguments: expected 2: FILE and TABLE"},
		{[]string{"sample", path, "--samples", "3"}, exitUsage, "unknown flag: --samples"},
		{[]string{"sample", path, "-n", "many"}, exitUsage, `invalid argument "many" for "-n, --n" flag: expected a whole number in digits, such as 1000`},
		{[]string{"sample", path, "-n", "1e4"}, exitUsage, "expected a whole number in digits"},
		{[]string{"sample", path, "-n", "99999999999999999999"}, exitUsage, "the number is too large"},
		{[]string{"sample", path, "-n", "0"}, exitUsage, "-n is 0: expected at least 1"},
		{[]string{"sample", path, "-o", "samples.txt"}, exitUsage, "the name doesn't say which format"},
		{[]string{"sample", path}, exitUsage, `the context's column "energy" has no value: give --set energy=`},
		{[]string{"sample", path, "--set", "energy"}, exitUsage, `--set is "energy": expected name=value`},
		{[]string{"sample", path, "--set", "energy=1", "--set", "energy=2"}, exitUsage, `--set gives "energy" twice`},
		{[]string{"sample", path, "--set", "weight=1"}, exitUsage, `isn't a column of the model's context: expected energy, kind`},
		{[]string{"sample", path, "--set", "energy=high", "--set", "kind=muon"}, exitUsage, "--set energy=high: expected a number"},
		{[]string{"sample", path, "--set", "energy=1", "--set", "kind=tau"}, exitUsage, "expected one of the classes electron, muon"},
		{[]string{"sample", path, "--set", "energy=1", "--context", table}, exitUsage, "there are --context and --set"},
		{[]string{"sample", path, "--context", table}, exitError, "tau"},
		{[]string{"sample", path, "--context", filepath.Join(folder, "none.csv")}, exitError, "no such file"},
		{[]string{"sample", path, "--set", "energy=1", "--set", "kind=muon", "-o", filepath.Join(folder, "none", "out.csv")}, exitError, "doesn't exist"},
		{[]string{"sample", path, "--set", "energy=1", "--set", "kind=muon", "-n", "1000000000000000"}, exitError, "ask for fewer at a time"},
		{[]string{"sample", filepath.Join(folder, "none.safetensors")}, exitError, "none.safetensors"},
		{[]string{"sample", table}, exitError, "events.csv"},
		{[]string{"sample", "none.safetensors"}, exitError, "the current folder is " + current},
		{[]string{"sample", cutOff}, exitError, "the file was cut off or damaged"},
		{[]string{"sample", cutOff}, exitError, "copy it again"},
		{[]string{"sample", path, "--context", empty}, exitError, empty + " has no rows"},
		{[]string{"logprob", path, empty}, exitError, "the table has no rows"},
		{[]string{"logprob", path, incomplete}, exitError, `line 3, column "angle": the value is missing; --skip leaves out`},
		{[]string{"logprob", path, infinite}, exitError, `line 2, column "mass": the value is +Inf; --skip leaves out`},
		{[]string{"logprob", path, words}, exitError, `line 3, column "mass": "-" isn't a number, while others in the column are: mend the file`},
		{[]string{"logprob", path, table, "--draws", "0"}, exitUsage, "--draws is 0: expected at least 1"},
		{[]string{"sample", path, "--context", "/dev/stdin"}, exitError, "/dev/stdin: the name doesn't say which format the file is in"},
		{[]string{"info", path, "--weights", "best"}, exitError, "best"},
		{[]string{"logprob", path, table}, exitUsage, `has a column "logprob": give another name with --column`},
		{[]string{"logprob", path, table, "--column", "score"}, exitError, "tau"},
		{[]string{"logprob", path, table, "--estimator", "guess"}, exitUsage, `--estimator is "guess": expected exact, hutchinson or auto`},
		{[]string{"serve", path, "--estimator", "guess"}, exitUsage, `--estimator is "guess"`},
		{[]string{"serve", path, "--listen", "nowhere", "--backend", "go"}, exitError, "expected host:port"},
		{[]string{"serve", path, "--batches", "8,4", "--backend", "go"}, exitError, "Batches is [8 4]"},
		{[]string{"sample", path, "--set", "energy=1", "--set", "kind=muon", "--backend", "abacus"}, exitError, `the backend "abacus" is unknown`},
	} {
		o := command(test.args...)
		o.ends(t, strings.Join(test.args, " "), test.code, test.want)
		// Who calls the command needn't know the library.
		if name := regexp.MustCompile(`\b(nami|data|modelfile|transform|serve|solver|train|Table|Options|Columns)\.[A-Z]\w*`).FindString(o.problems); name != "" {
			t.Errorf("%v: it names %s: %s", test.args, name, o.problems)
		}
	}
}

func TestInfo(t *testing.T) {
	path, _ := saved(t)
	o := command("info", path)
	for _, want := range []string{"mass [GeV], angle", "energy, kind", "kind: electron, muon", "in 4 tensors", "last, after step 12", "12 steps", "loss 0.5", "seed 3", "made by a test"} {
		o.ends(t, "info", exitOK, want)
	}
}

// Samples are those of the process, in every format, with the context beside them.
func TestSample(t *testing.T) {
	path, f := saved(t)
	folder := t.TempDir()
	context1 := tensors.FromFlatDataAndDimensions([]float32{12.5, 0, 1}, 3)
	process, err := f.Bind(gomlxtest.Go(t), context1)
	if err != nil {
		t.Fatal(err)
	}
	samples, err := process.Seeded(7).Sample(context.Background(), 50)
	want := gomlxtest.Floats(t, samples, err)
	for _, ending := range []string{"csv", "tsv.gz", "npz", "parquet", "npy"} {
		out := filepath.Join(folder, "samples."+ending)
		o := command("sample", path, "--backend", "go", "-n", "50", "--seed", "7", "--set", "energy=12.5", "--set", "kind=muon", "-o", out)
		o.ends(t, ending, exitOK, "50 samples are in "+out)
		table, err := data.Read(out)
		if err != nil {
			t.Fatal(err)
		}
		if names := table.Names(); !slices.Equal(names, []string{"mass", "angle", "energy", "kind"}) {
			t.Fatalf("%s: the columns are %v", ending, names)
		}
		mass, err1 := table.Floats("mass")
		angle, err2 := table.Floats("angle")
		kinds, err3 := table.Texts("kind")
		if err1 != nil || err2 != nil || err3 != nil || len(mass) != 50 || kinds[49] != "muon" {
			t.Fatalf("%s: %v %v %v: %d rows", ending, err1, err2, err3, len(mass))
		}
		var got []float64
		for i := range mass {
			got = append(got, mass[i], angle[i])
		}
		gomlxtest.Near(t, ending, got, want, 1e-6)
	}
	// On standard output, without a word on standard error.
	o := command("sample", path, "--backend", "go", "-n", "3", "--seed", "7", "--set", "energy=12.5", "--set", "kind=muon")
	if lines := strings.Split(strings.TrimSpace(o.out), "\n"); o.code != 0 || len(lines) != 4 || lines[0] != "mass,angle,energy,kind" || o.problems != "" {
		t.Errorf("it says %q and %q", o.out, o.problems)
	}
}

// With a table of contexts there are n samples for each row, together.
func TestSampleForTable(t *testing.T) {
	path, f := saved(t)
	table := filepath.Join(t.TempDir(), "contexts.csv")
	if err := os.WriteFile(table, []byte("kind,other,energy\nmuon,x,2\nelectron,y,-1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := command("sample", path, "--backend", "go", "-n", "3", "--seed", "7", "--context", table)
	o.ends(t, "a table", exitOK, "mass,angle,energy,kind\n")
	got, err := data.Decode(strings.NewReader(o.out), data.CSV)
	if err != nil {
		t.Fatal(err)
	}
	kinds, err := got.Texts("kind")
	if err != nil || !slices.Equal(kinds, []string{"muon", "muon", "muon", "electron", "electron", "electron"}) {
		t.Errorf("the kinds are %v (%v)", kinds, err)
	}
	process, err := f.Bind(gomlxtest.Go(t), tensors.FromFlatDataAndDimensions([]float32{2, 0, 1, -1, 1, 0}, 2, 3))
	if err != nil {
		t.Fatal(err)
	}
	samples, err := process.Seeded(7).Sample(context.Background(), 3) // (3, 2, 2)
	want := gomlxtest.Floats(t, samples, err)
	mass, err := got.Floats("mass")
	if err != nil {
		t.Fatal(err)
	}
	gomlxtest.Near(t, "the masses", mass, []float64{want[0], want[4], want[8], want[2], want[6], want[10]}, 1e-6)
}

func TestLogProb(t *testing.T) {
	path, f := saved(t)
	folder := t.TempDir()
	table, out := filepath.Join(folder, "events.csv"), filepath.Join(folder, "scored.parquet")
	if err := os.WriteFile(table, []byte("id,mass,angle,energy,kind\na,0.5,-1,2,muon\nb,0,0.25,-1,electron\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	command("logprob", path, table, "--backend", "go", "-o", out).ends(t, "logprob", exitOK, "2 rows with logprob are in "+out)
	scored, err := data.Read(out)
	if err != nil {
		t.Fatal(err)
	}
	if names := scored.Names(); !slices.Equal(names, []string{"id", "mass", "angle", "energy", "kind", "logprob"}) {
		t.Errorf("the columns are %v", names)
	}
	process, err := f.Bind(gomlxtest.Go(t), tensors.FromFlatDataAndDimensions([]float32{2, 0, 1, -1, 1, 0}, 2, 3))
	if err != nil {
		t.Fatal(err)
	}
	logProb, err := process.LogProb(context.Background(), tensors.FromFlatDataAndDimensions([]float32{0.5, -1, 0, 0.25}, 2, 2), divergence.Exact{})
	want := gomlxtest.Floats(t, logProb, err)
	got, err := scored.Floats("logprob")
	if err != nil {
		t.Fatal(err)
	}
	gomlxtest.Near(t, "log-densities", got, want, 1e-6)
}

// A command that is interrupted says so, and leaves no file, neither whole nor half.
func TestInterrupted(t *testing.T) {
	path, _ := saved(t)
	folder := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	o := commandIn(ctx, "sample", path, "--backend", "go", "-n", "5", "--set", "energy=1", "--set", "kind=muon", "-o", filepath.Join(folder, "out.csv"))
	o.ends(t, "interrupted", exitInterrupted, "interrupted")
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("it leaves %v (%v)", left, err)
	}
}

// lockedBuffer is a buffer for a command in another goroutine.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

var listens = regexp.MustCompile(`http://\S+`)

// served waits until a server that tells its address is ready.
func served(problems func() string, ended func() bool) (url string) {
	for !ended() {
		if url = listens.FindString(problems()); url != "" {
			if response, err := http.Get(url + "/readyz"); err == nil {
				_, _ = io.Copy(io.Discard, response.Body)
				response.Body.Close()
				if response.StatusCode == http.StatusOK {
					return url
				}
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	return ""
}

func TestServe(t *testing.T) {
	path, f := saved(t)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var problems lockedBuffer
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"serve", path, "--backend", "go", "--listen", ":0", "--batches", "8"}, nil, io.Discard, &problems)
	}()
	url := served(problems.String, func() bool { return len(code) > 0 })
	if !strings.HasPrefix(url, "http://127.0.0.1:") {
		t.Fatalf("it serves at %q: %s", url, problems.String())
	}
	response, err := http.Post(url+"/sample", "application/json", strings.NewReader(`{"context": [12.5, 0, 1], "n": 4, "seed": 7}`))
	if err != nil {
		t.Fatal(err)
	}
	var answer struct{ Samples [][]float64 }
	err = json.NewDecoder(response.Body).Decode(&answer)
	response.Body.Close()
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("the answer is %d (%v)", response.StatusCode, err)
	}
	process, err := f.Bind(gomlxtest.Go(t), tensors.FromFlatDataAndDimensions([]float32{12.5, 0, 1}, 3))
	if err != nil {
		t.Fatal(err)
	}
	samples, err := process.Seeded(7).Sample(context.Background(), 4)
	gomlxtest.Near(t, "served", slices.Concat(answer.Samples...), gomlxtest.Floats(t, samples, err), 1e-5)
	byName, err := http.Post(url+"/sample", "application/json", strings.NewReader(`{"context": {"energy": 12.5, "kind": "muon"}, "n": 4, "seed": 7}`))
	if err != nil {
		t.Fatal(err)
	}
	answer.Samples = nil
	err = json.NewDecoder(byName.Body).Decode(&answer)
	byName.Body.Close()
	gomlxtest.Near(t, "served by name", slices.Concat(answer.Samples...), gomlxtest.Floats(t, samples, err), 1e-5)
	response, err = http.Get(url + "/")
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil || !strings.Contains(string(content), `"mass":"GeV"`) || !strings.Contains(string(content), `"logprob":true`) {
		t.Errorf("GET / says %s (%v)", content, err)
	}
	stop()
	if !strings.Contains(problems.String(), "nami: ready\n") {
		t.Errorf("it doesn't say that it is ready: %s", problems.String())
	}
	if got := <-code; got != exitOK {
		t.Errorf("it ended with %d: %s", got, problems.String())
	}
}
