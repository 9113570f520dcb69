package nb

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// notebook is a cell's program as GoNB would have written it, and where its values are kept.
type notebook struct {
	*testing.T
	folder, kept string
}

func newNotebook(t *testing.T) notebook {
	t.Helper()
	n := notebook{t, t.TempDir(), t.TempDir()}
	mine := t.TempDir()
	t.Setenv("GONB_TMP_DIR", n.folder)
	n.write(filepath.Join(mine, "go.mod"), "module mine\n")
	n.write(filepath.Join(mine, "deep/deep.go"), "package deep\n\nconst Depth = 3\n")
	n.write(filepath.Join(mine, "helpers/helpers.go"), "package helpers\n\nimport \"mine/deep\"\n\nvar Help = deep.Depth\n")
	n.write(filepath.Join(n.folder, "go.work"), "go 1.26\n\nuse (\n\t.\n\t"+mine+"\n)\n")
	n.Setenv("MINE", mine)
	return n
}

func (n notebook) write(path, text string) {
	n.Helper()
	long := time.Now().Add(-time.Hour) // the program was built later
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644), os.Chtimes(path, long, long)); err != nil {
		n.Fatal(err)
	}
}

// cell writes a program, and returns the place of its line with a call of Keep.
func (n notebook) cell(program string) runtime.Frame {
	n.Helper()
	file := filepath.Join(n.folder, "main.go")
	n.write(file, "package main\n\n"+program)
	before, _, found := strings.Cut("package main\n\n"+program, "nb.Keep")
	if !found {
		return runtime.Frame{File: file}
	}
	return runtime.Frame{File: file, Line: 1 + strings.Count(before, "\n")}
}

const imports = "import (\n\t\"flag\"\n\t\"os\"\n\t\"mine/helpers\"\n\t\"github.com/nami-flow/go-nami/books/nb\"\n)\n\n"

// What a value depends on changes its code, and nothing else does.
func TestCode(t *testing.T) {
	const base = imports + `type config struct{ n int }

func (c config) double() int { return 2 * c.n }

const (
	one = iota
	two
)

var spare = 9

var setting = config{two}

func noise() int { return setting.double() }

func other() {}

func points() int {
	return nb.Keep("points", func() (int, error) { return noise() + helpers.Help + len(os.Getenv("NOISE")), nil })
}

func main() { points() }
`
	for name, c := range map[string]struct {
		old, new string
		changed  string // empty: nothing
	}{
		"the function":        {"noise() +", "noise() -", whatMakes},
		"what it calls":       {"return setting.double()", "return 1 + setting.double()", "func noise"},
		"a method":            {"2 * c.n", "3 * c.n", "method config.double"},
		"a type":              {"struct{ n int }", "struct{ n int; m int }", "type config"},
		"a variable":          {"config{two}", "config{one}", "var setting"},
		"a constant above":    {"one = iota", "zero = iota\n\tone", "const two"},
		"another variable":    {"spare = 9", "spare = 8", ""},
		"another function":    {"func other() {}", "func other() { println() }", ""},
		"the program":         {"func main() { points() }", "func main() { println(points()) }", ""},
		"comments and spaces": {"return setting.double()", "\n\t// twice\n\treturn setting . double() /* yes */", ""},
	} {
		n := newNotebook(t)
		if !strings.Contains(base, c.old) {
			t.Fatalf("%s: the program doesn't say %q", name, c.old)
		}
		before, err := codeOf(n.cell(base), "points")
		if err != nil {
			t.Fatal(err)
		}
		after, err := codeOf(n.cell(strings.Replace(base, c.old, c.new, 1)), "points")
		if err != nil {
			t.Fatal(err)
		}
		got := about{Code: before}.differs(about{Code: after})
		if c.changed == "" && got != "" || !strings.Contains(got, c.changed) {
			t.Errorf("%s: it says %q, expected %q", name, got, c.changed)
		}
	}
	n := newNotebook(t)
	before, err := codeOf(n.cell(base), "points")
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(){
		"package mine/deep":  func() { n.write(filepath.Join(os.Getenv("MINE"), "deep/deep.go"), "package deep\n\nconst Depth = 4\n") },
		"the variable NOISE": func() { n.Setenv("NOISE", "loud") },
		"a variable NAMI_*":  func() { n.Setenv("NAMI_STEPS", "3") },
		"go.mod of mine":     func() { n.write(filepath.Join(os.Getenv("MINE"), "go.mod"), "module mine\n\ngo 1.26\n") },
	} {
		change()
		after, err := codeOf(n.cell(base), "points")
		if err != nil {
			t.Fatal(err)
		}
		if got := (about{Code: before}).differs(about{Code: after}); !strings.Contains(got, what) {
			t.Errorf("it says %q, expected %q", got, what)
		}
		before = after
	}
}

// Of local variables the lines above count, that concern them.
func TestCodeAbove(t *testing.T) {
	const base = imports + `func fit(store *int, steps int) {}

func main() {
	println("hello")
	store := new(int)
	steps := 3
	rate := 5
	if steps > 1 {
		fit(store, steps*rate)
		store = nil
	}
	other := 1
	println(other, nb.Keep("points", func() (int, error) { println := *store; return println, nil }))
}
`
	for old, c := range map[string]struct {
		new     string
		changed bool
	}{
		`println("hello")`: {`println("bye")`, false},
		`other := 1`:       {`other := 2`, false},
		`steps := 3`:       {`steps := 4`, true},
		`rate := 5`:        {`rate := 6`, true},
		`fit(store, steps`: {`fit(store, 2*steps`, true},
		`{}`:               {`{ *store = steps }`, true},
		`return println,`:  {`return 1 + println,`, true},
	} {
		n := newNotebook(t)
		before, err := codeOf(n.cell(base), "points")
		if err != nil {
			t.Fatal(err)
		}
		after, err := codeOf(n.cell(strings.Replace(base, old, c.new, 1)), "points")
		if err != nil {
			t.Fatal(err)
		}
		if got := (about{Code: before}).differs(about{Code: after}); (got != "") != c.changed {
			t.Errorf("with %s it says %q", c.new, got)
		}
	}
}

// What the code doesn't tell has to be given.
func TestCodeMustBeGiven(t *testing.T) {
	const call = `nb.Keep("points", func() (int, error) { return n, nil }%s)`
	for program, want := range map[string]string{
		"func f(n int) int { return %s }":                                                        "uses n, whose value the code doesn't tell",
		"func main() { for n := range 3 { _ = %s } }":                                            "uses n, whose value",
		"func main() { n := 3; f := func() int { return %s }; f() }":                             "uses n, whose value",
		"var n = 3\n\nfunc main() { n = 4; _ = %s }":                                             "uses n, which func main changes",
		"var n int\n\nfunc init() { flag.IntVar(&n, \"n\", 3, \"\") }\n\nfunc main() { _ = %s }": "uses n, which func init changes",
	} {
		n := newNotebook(t)
		if _, err := codeOf(n.cell(imports+fmt.Sprintf(program, fmt.Sprintf(call, ""))), "points"); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "nb.Keep(name, make, n)") {
			t.Errorf("%s\nthe error is %v, expected %q", program, err, want)
		}
		if _, err := codeOf(n.cell(imports+fmt.Sprintf(program, fmt.Sprintf(call, ", n"))), "points"); err != nil {
			t.Errorf("%s\nwith n given: %v", program, err)
		}
	}
	n := newNotebook(t)
	program := "var store = model.NewStore()\n\nfunc main() { _ = nb.Keep(\"points\", func() (int, error) { return use(store), nil }) }"
	if _, err := codeOf(n.cell(imports+program), "points"); err == nil || !strings.Contains(err.Error(), "make the store inside") {
		t.Errorf("a store that others can train: %v", err)
	}
	place := n.cell(imports + "func main() { keep() }")
	place.Line = 10
	if _, err := codeOf(place, "points"); err == nil || !strings.Contains(err.Error(), "isn't found") {
		t.Errorf("a call that isn't there: %v", err)
	}
	place = n.cell(imports + "func main() { nb.Keep(\"points\", f) }")
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(place.File, later, later); err != nil {
		t.Fatal(err)
	}
	if _, err := codeOf(place, "points"); err == nil || !strings.Contains(err.Error(), "since the program was built") {
		t.Errorf("a program that is another cell's: %v", err)
	}
}

// A value is made once, found then, made anew when its code or a file has changed, and says so.
func TestKeep(t *testing.T) {
	n := newNotebook(t)
	file := filepath.Join(t.TempDir(), "data.csv")
	n.write(file, "1\n")
	made := 0
	get := func(steps int) (got []float64, said string) {
		t.Helper()
		place := n.cell(imports + fmt.Sprintf("const steps = %d\n\nfunc f() any { return nb.Keep(\"x\", func() ([]float64, error) { return load(steps), nil }) }\n", steps))
		said = output(t, func() {
			var err error
			got, err = keep(n.kept, place, "x", func() ([]float64, error) {
				made++
				Reads(file)
				return []float64{float64(steps), math.NaN(), math.Inf(1)}, nil
			}, nil)
			if err != nil {
				t.Fatal(err)
			}
		})
		return got, said
	}
	for i, c := range []struct {
		steps, made int
		said        string
		before      func()
	}{
		{1, 1, "", nil},
		{1, 1, "x: kept, from ", nil},
		{2, 2, "x: made anew, as const steps has changed\n", nil},
		{2, 2, "x: kept, from ", nil},
		{2, 3, "x: made anew, as the file " + file + " has changed\n", func() { n.write(file, "1\n2\n") }},
		{2, 3, "x: kept, from ", nil},
		{2, 4, "can't be read", func() {
			if err := os.Truncate(filepath.Join(n.kept, hash("x"), valueFile), 20); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		if c.before != nil {
			c.before()
		}
		got, said := get(c.steps)
		if made != c.made || len(got) != 3 || got[0] != float64(c.steps) || !math.IsNaN(got[1]) || !strings.Contains(said, c.said) || c.said == "" && said != "" {
			t.Errorf("call %d: made %d times, got %v and %q; expected %d times and %q", i, made, got, said, c.made, c.said)
		}
	}

	// Kept gets it without its code, as long as that is the same.
	program := n.cell("const steps = 2\n\nfunc main() {}\n").File
	said := output(t, func() {
		if got, err := getKept[[]float64](n.kept, program, "x"); err != nil || got[0] != 2 {
			t.Errorf("got %v, %v", got, err)
		}
	})
	if !strings.HasPrefix(said, "x: kept, from ") {
		t.Errorf("it said %q", said)
	}
	asInt := func(name string) func() error {
		return func() error { _, err := getKept[int](n.kept, program, name); return err }
	}
	for want, get := range map[string]func() error{
		`nothing is kept as "y"`: asInt("y"),
		"Kept are x":             asInt("y"),

		`"x" is kept as a []float64, not as a int`: asInt("x"),

		"const steps has changed since: run the cell": func() error {
			_, err := getKept[[]float64](n.kept, n.cell("const steps = 4\n\nfunc main() {}\n").File, "x")
			return err
		},
		"the function that makes it has changed since": func() error {
			_, err := getKept[[]float64](n.kept, n.cell(imports+"const steps = 2\n\nfunc f() any { return nb.Keep(\"x\", func() ([]float64, error) { return other(steps), nil }) }\n").File, "x")
			return err
		},
	} {
		if err := get(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, expected %q", err, want)
		}
	}
	if left, err := filepath.Glob(filepath.Join(n.kept, ".new-*")); err != nil || len(left) > 0 {
		t.Errorf("%v, %v is left behind", left, err)
	}

	// Values that are given count, and an error keeps nothing.
	place := n.cell(imports + "func f(k int) any { return nb.Keep(\"k\", func() (int, error) { return k, nil }, k) }\n")
	for _, k := range []int{1, 1, 2} {
		if got, err := keep(n.kept, place, "k", func() (int, error) { return k, nil }, []any{k}); err != nil || got != k {
			t.Errorf("given %d: %d, %v", k, got, err)
		}
	}
	_, err := keep(n.kept, place, "k", func() (int, error) { return 0, errors.New("no moon") }, []any{3})
	if err == nil || err.Error() != "no moon" {
		t.Errorf("the error is %v", err)
	}
	if _, err := keep(n.kept, place, "k", func() (int, error) { return 0, nil }, []any{func() {}}); err == nil || !strings.Contains(err.Error(), "the kind func") {
		t.Errorf("the error is %v", err)
	}
}

// output is what a function prints.
func output(t *testing.T, do func()) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout := os.Stdout
	os.Stdout = w
	do()
	os.Stdout = stdout
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

type marshalled struct{ secret int }

func (m marshalled) MarshalBinary() ([]byte, error) { return []byte{byte(m.secret)}, nil }

func (m *marshalled) UnmarshalBinary(b []byte) error { m.secret = int(b[0]); return nil }

type everything struct {
	B    bool
	I    int
	I8   int8
	U    uint
	F    float32
	C    complex128
	S    string
	L    []string
	N    [][]float32
	E    []int
	A    [2]uint16
	M    map[string][]int
	P    *float64
	Q    *float64
	T    time.Time
	Own  marshalled
	Owns []*marshalled
	H    *train.History
	In   struct{ X, Y int }
}

// What is kept comes back as it was.
func TestCodec(t *testing.T) {
	half := 0.5
	value := everything{
		B: true, I: -7, I8: -8, U: 1 << 63, F: 1.5, C: 2i, S: "ζ", L: []string{"", "a"}, N: [][]float32{nil, {}, {1, 2}}, E: []int{},
		A: [2]uint16{1, 65535}, M: map[string][]int{"b": {1}, "a": nil}, P: &half, T: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
		Own: marshalled{3}, Owns: []*marshalled{nil, {4}},
		H: &train.History{Loss: []float64{3, 1}, Validation: []train.Validated{{Steps: 1, Loss: 2}}, Notes: []string{"slow"}},
	}
	if err := keepable(reflect.TypeOf(value)); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := encode(dir, reflect.ValueOf(value)); err != nil {
		t.Fatal(err)
	}
	got, err := decode(dir, reflect.TypeOf(value))
	if err != nil || !reflect.DeepEqual(got.Interface(), value) {
		t.Errorf("%v, got\n%+v, expected\n%+v", err, got, value)
	}
	text, err := os.ReadFile(filepath.Join(dir, valueFile))
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(text) { // cut anywhere it is an error, and no panic
		if err := os.WriteFile(filepath.Join(dir, valueFile), text[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := decode(dir, reflect.TypeOf(value)); err == nil {
			t.Errorf("%d of %d bytes were enough", n, len(text))
		}
	}
}

// Tensors and stores are kept, alone and within others.
func TestCodecModels(t *testing.T) {
	type trained struct {
		Store *model.Store
		X     *tensors.Tensor
		None  *tensors.Tensor
	}
	store := model.NewStore()
	store.RootScope().In("layer").VariableWithValue("weights", []float32{1, 2, 3})
	value := trained{Store: store, X: tensors.FromValue([][]int64{{1, 2}, {3, 4}})}
	if err := keepable(reflect.TypeOf(value)); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := encode(dir, reflect.ValueOf(value)); err != nil {
		t.Fatal(err)
	}
	v, err := decode(dir, reflect.TypeOf(value))
	if err != nil {
		t.Fatal(err)
	}
	got := v.Interface().(trained)
	if !got.X.Equal(value.X) || got.None != nil {
		t.Errorf("got the tensors %v and %v", got.X, got.None)
	}
	found := 0
	for variable := range got.Store.IterVariables() {
		found++
		if weights, err := variable.Value(); err != nil || variable.Path() != "/layer/weights" || !weights.Equal(tensors.FromValue([]float32{1, 2, 3})) {
			t.Errorf("%s is %v, %v", variable.Path(), weights, err)
		}
	}
	if found != 1 {
		t.Errorf("the store has %d variables", found)
	}
	if _, err := hashValue(value); err == nil || !strings.Contains(err.Error(), "give what tells its weights") {
		t.Errorf("a store that is given: %v", err)
	}
}

type list struct{ Next *list }

// What can't be kept is said before it is made.
func TestKeepable(t *testing.T) {
	for want, value := range map[string]any{
		"its field hidden of the type struct { hidden int } isn't exported": struct{ hidden int }{},
		"its F is of the kind func":                                         struct{ F func() }{},
		"its E.V is of the kind interface":                                  struct{ E struct{ V any } }{},
		"it is of the kind chan":                                            make(chan int),
		"its Next is of the type nb.list, which contains itself":            list{},
	} {
		if err := keepable(reflect.TypeOf(value)); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "MarshalBinary") {
			t.Errorf("the error is %v, expected %q", err, want)
		}
	}
}
