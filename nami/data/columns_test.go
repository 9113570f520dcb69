package data_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/tests/property"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"pgregory.net/rapid"
)

// decode reads a table from text.
func decode(t *testing.T, text string) *data.Table {
	t.Helper()
	table, err := data.Decode(strings.NewReader(text), data.CSV)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

const particles = "x,y,energy,kind,charge,w\n1,2,10,muon,-1,0.5\n3,4,20,electron,1,-0.25\n5,6,30,muon,1,2\n"

// Events have what the columns say: numbers as they are, classes one-hot behind them.
func TestEventsOfColumns(t *testing.T) {
	table := decode(t, particles)
	columns, err := data.Columns{
		X: []string{"y", "x"}, Context: []string{"energy"}, Classes: []data.Class{{Column: "kind"}, {Column: "charge"}}, Weight: "w",
	}.Fit(table)
	if err != nil {
		t.Fatal(err)
	}
	if want := []data.Class{{Column: "kind", Names: []string{"electron", "muon"}}, {Column: "charge", Names: []string{"-1", "1"}}}; !reflect.DeepEqual(columns.Classes, want) || columns.ContextSize() != 5 {
		t.Errorf("the classes are %v, %d in all, expected %v", columns.Classes, columns.ContextSize(), want)
	}
	events, err := table.Events(columns)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		got  *tensors.Tensor
		want any
	}{
		{events.X, [][]float32{{2, 1}, {4, 3}, {6, 5}}},
		{events.Context, [][]float32{{10, 0, 1, 1, 0}, {20, 1, 0, 0, 1}, {30, 0, 1, 0, 1}}},
		{events.Weight, []float32{0.5, -0.25, 2}},
	} {
		if !reflect.DeepEqual(c.got.Value(), c.want) {
			t.Errorf("%v came, expected %v", c.got.Value(), c.want)
		}
	}
	if err := events.Validate(); err != nil {
		t.Error(err)
	}

	// Kept as JSON, the columns make the same contexts of another table.
	text, err := json.Marshal(columns)
	if err != nil {
		t.Fatal(err)
	}
	var kept data.Columns
	if err := json.Unmarshal(text, &kept); err != nil || !reflect.DeepEqual(kept, columns) {
		t.Fatalf("%s became %v (%v)", text, kept, err)
	}
	context, err := decode(t, "charge,kind,energy\n1,muon,7\n").Context(kept)
	if err != nil || !reflect.DeepEqual(context.Value(), [][]float32{{7, 0, 1, 0, 1}}) {
		t.Errorf("the context is %v (%v)", context, err)
	}
	_, err = decode(t, "charge,kind,energy\n1,muon,7\n-1,tau,7\n").Context(kept)
	gomlxtest.Says(t, "another class", err, `line 3, column "kind": "tau" is none of the classes "electron", "muon"`)
	_, err = decode(t, "charge,kind,energy\n2,muon,7\n").Context(kept)
	gomlxtest.Says(t, "another number", err, `line 2, column "charge": "2" is none of the classes "-1", "1"`)
	_, err = decode(t, "kind,energy\nmuon,7\n").Context(kept)
	gomlxtest.Says(t, "no column", err, `there is no column "charge"`)

	kept.Float64 = true
	if events, err = table.Events(kept); err != nil || events.X.DType() != dtypes.Float64 {
		t.Errorf("the events are %v (%v), expected Float64", events.X, err)
	}
}

// Objects have features, and what is missing in padding is 0.
func TestEventsOfObjects(t *testing.T) {
	table := decode(t, "pt1,eta1,is1,pt2,eta2,is2\n1,2,true,3,4,true\n5,6,true,,NaN,false\n")
	columns := data.Columns{X: []string{"pt1", "eta1", "pt2", "eta2"}, Mask: []string{"is1", "is2"}, Source: []string{"eta1", "pt1", "eta2", "pt2"}}
	events, err := table.Events(columns)
	if err != nil {
		t.Fatal(err)
	}
	if want := [][][]float32{{{1, 2}, {3, 4}}, {{5, 6}, {0, 0}}}; !reflect.DeepEqual(events.X.Value(), want) {
		t.Errorf("the events are %v, expected %v", events.X.Value(), want)
	}
	if want := [][][]float32{{{2, 1}, {4, 3}}, {{6, 5}, {0, 0}}}; !reflect.DeepEqual(events.Source.Value(), want) {
		t.Errorf("the source is %v, expected %v", events.Source.Value(), want)
	}
	if want := [][]float32{{1, 1}, {1, 0}}; !reflect.DeepEqual(events.Mask.Value(), want) {
		t.Errorf("the mask is %v, expected %v", events.Mask.Value(), want)
	}
	_, err = decode(t, "pt1,is1\n,1\n").Events(data.Columns{X: []string{"pt1"}, Mask: []string{"is1"}})
	gomlxtest.Says(t, "an object without a value", err, `line 2, column "pt1": the value is missing`)
	_, err = decode(t, "pt1,is1\n3,2\n").Events(data.Columns{X: []string{"pt1"}, Mask: []string{"is1"}})
	gomlxtest.Says(t, "a mask", err, "has 2 in row 0: expected 1 for an object and 0 for padding")
}

// What can't be events is an error that names line, column and value.
func TestBadColumns(t *testing.T) {
	for name, c := range map[string]struct {
		text    string
		columns data.Columns
		says    string
	}{
		"nothing":              {particles, data.Columns{}, "X names no column"},
		"no column":            {particles, data.Columns{X: []string{"q"}}, `there is no column "q": the columns are "x", "y"`},
		"twice":                {particles, data.Columns{X: []string{"x", "x"}}, `the column "x" is named twice in X`},
		"its own context":      {particles, data.Columns{X: []string{"x"}, Context: []string{"x"}}, `the column "x" is named twice in Context, Classes and X`},
		"objects":              {particles, data.Columns{X: []string{"x", "y", "w"}, Mask: []string{"charge", "energy"}}, "X names 3 columns, and Mask 2"},
		"sources":              {particles, data.Columns{X: []string{"x", "y"}, Source: []string{"w"}}, "Source names 1 columns, and X 2"},
		"text":                 {particles, data.Columns{X: []string{"kind"}}, `column "kind" is text, such as "muon": name it in Classes`},
		"one text":             {"x\n1\n2\noops\n", data.Columns{X: []string{"x"}}, `line 4, column "x": "oops" isn't a number, while others in the column are`},
		"quoted numbers":       {"x\n\"1\"\n", data.Columns{X: []string{"x"}}, `column "x" holds numbers as texts, such as "1"`},
		"missing":              {"x\n1\n\nNA\n", data.Columns{X: []string{"x"}}, `line 4, column "x": the value is missing: Table.Complete drops such rows`},
		"a missing weight":     {"x,w\n1,\n2,0.5\n", data.Columns{X: []string{"x"}, Weight: "w"}, `line 2, column "w": the value is missing`},
		"a missing class":      {"x,k\n1,a\n2,\n", data.Columns{X: []string{"x"}, Classes: []data.Class{{Column: "k", Names: []string{"a"}}}}, `line 3, column "k": the value is missing`},
		"infinite":             {"x\n1\n-inf\n", data.Columns{X: []string{"x"}}, `line 3, column "x": the value is -Inf`},
		"large":                {"x\n1\n1e39\n", data.Columns{X: []string{"x"}}, `line 3, column "x": 1e+39 is larger than float32 holds`},
		"small":                {"x\n1e-50\n0.0\n", data.Columns{X: []string{"x"}}, `column "x": its largest value is 1e-50, which float32 takes for 0`},
		"an integer":           {"x\n1\n16777217\n", data.Columns{X: []string{"x"}}, `line 3, column "x": float32 can't hold the integer 16777217, and would make it 16777216: set Columns.Float64`},
		"an integer, float64":  {"x\n1\n9007199254740993\n", data.Columns{X: []string{"x"}, Float64: true}, `line 3, column "x": float64 can't hold the integer 9007199254740993`},
		"the largest integer":  {"x\n1\n9223372036854775807\n", data.Columns{X: []string{"x"}, Float64: true}, `float64 can't hold the integer 9223372036854775807`},
		"classes unnamed":      {particles, data.Columns{X: []string{"x"}, Classes: []data.Class{{Column: "kind"}}}, `the classes of "kind" have no names: columns.Fit(table)`},
		"classes named twice":  {particles, data.Columns{X: []string{"x"}, Classes: []data.Class{{Column: "kind", Names: []string{"a", "a"}}}}, `have the name "a" twice`},
		"an unknown class":     {particles, data.Columns{X: []string{"x"}, Classes: []data.Class{{Column: "kind", Names: []string{"muon", "tau"}}}}, `line 3, column "kind": "electron" is none of the classes "muon", "tau"`},
		"a class of fractions": {"x,k\n1,0.5\n", data.Columns{X: []string{"x"}, Classes: []data.Class{{Column: "k", Names: []string{"1"}}}}, `line 2, column "k": 0.5 can't be a class`},
		"no rows":              {"x\n", data.Columns{X: []string{"x"}}, "the table has no rows"},
	} {
		_, err := decode(t, c.text).Events(c.columns)
		gomlxtest.Says(t, name, err, c.says)
	}
	var many strings.Builder
	many.WriteString("x,k\n")
	for i := range 1001 {
		fmt.Fprintf(&many, "1,k%d\n", i)
	}
	_, err := data.Columns{X: []string{"x"}, Classes: []data.Class{{Column: "k"}}}.Fit(decode(t, many.String()))
	gomlxtest.Says(t, "many classes", err, `column "k" has more than 1000 different texts`)
	_, err = decode(t, particles).Context(data.Columns{X: []string{"x"}})
	gomlxtest.Says(t, "no context", err, "the columns have neither Context nor Classes")
}

// float32 holds these integers, and float columns are rounded to the nearest as ever.
func TestHeldNumbers(t *testing.T) {
	events, err := decode(t, "i,f\n16777216,0.1\n-16777218,16777217.0\n33554436,-0.0\n").Events(data.Columns{X: []string{"i", "f"}})
	want := [][]float32{{16777216, 0.1}, {-16777218, 16777216}, {33554436, float32(math.Copysign(0, -1))}}
	if err != nil || !reflect.DeepEqual(events.X.Value(), want) {
		t.Errorf("the events are %v (%v), expected %v", events.X, err, want)
	}
}

func TestTable(t *testing.T) {
	table := decode(t, "a,b,c\n1,x,\n2,,1.5\n3,y,NaN\n4,x,2\n")
	if got := table.String(); got != "4 rows, 3 columns\n"+
		"column  kind     missing  first values\n"+
		"a       integer  0        1, 2, 3, 4\n"+
		"b       text     1        \"x\", –, \"y\", \"x\"\n"+
		"c       float64  2        –, 1.5, –, 2\n" {
		t.Errorf("the table prints as\n%s", got)
	}
	complete, dropped, err := table.Complete()
	if a, wrong := complete.Ints("a"); err != nil || wrong != nil || dropped != 3 || !slices.Equal(a, []int64{4}) {
		t.Errorf("complete are %v, and %d were dropped (%v, %v)", a, dropped, err, wrong)
	}
	complete, dropped, err = table.Complete("b", "a")
	if a, wrong := complete.Ints("a"); err != nil || wrong != nil || dropped != 1 || !slices.Equal(a, []int64{1, 3, 4}) {
		t.Errorf("complete are %v, and %d were dropped (%v, %v)", a, dropped, err, wrong)
	}
	chosen, err := table.Rows(3, 0, 3)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := chosen.Texts("b"); err != nil || !slices.Equal(b, []string{"x", "x", "x"}) || chosen.Len() != 3 {
		t.Errorf("the rows are %v (%v)", b, err)
	}
	_, err = chosen.Events(data.Columns{X: []string{"c"}})
	gomlxtest.Says(t, "a row of the file, whatever was chosen", err, `line 2, column "c": the value is missing`)
	if head, c := table.Head(2), table.Head(9); head.Len() != 2 || c.Len() != 4 || table.Head(-1).Len() != 0 {
		t.Errorf("the heads have %d and %d rows", head.Len(), c.Len())
	}
	more, err := table.With(data.NewColumn("d", []int{1, 2, 3, 4}), data.NewColumn("a", []bool{true, false, true, true}))
	if err != nil || !slices.Equal(more.Names(), []string{"a", "b", "c", "d"}) {
		t.Fatalf("the columns are %v (%v)", more.Names(), err)
	}
	if a, err := table.Ints("a"); err != nil || a[0] != 1 {
		t.Errorf("the table has changed: %v (%v)", a, err)
	}
	for name, c := range map[string]struct {
		err  error
		says string
	}{
		"rows":      {second(table.Rows(4)), "row 4 is asked for, and there are 4: the first is 0"},
		"select":    {second(table.Select("a", "z")), `there is no column "z"`},
		"with":      {second(table.With(data.NewColumn("d", []int{1}))), `column "d" has 1 values, and column "a" 4`},
		"new":       {second(data.NewTable(data.NewColumn("d", []int{1}), data.NewColumn("d", []int{1}))), `columns 1 and 2 are both called "d"`},
		"empty":     {second(data.NewTable(data.Column{})), "has no values: make it with data.NewColumn"},
		"floats":    {second(table.Floats("b")), `column "b" is of the kind text: expected numbers; Texts reads it`},
		"ints":      {second(table.Ints("c")), `column "c" is of the kind float64: expected integers; Floats reads it`},
		"texts":     {second(table.Texts("b")), `line 3, column "b": the value is missing`},
		"bools":     {second(table.Bools("a")), `column "a" is of the kind integer: expected booleans; Ints reads it`},
		"large":     {second(decode(t, "k\n9007199254740993\n").Floats("k")), "float64 can't hold the integer 9007199254740993"},
		"tensor":    {second(data.FromTensor(nil)), "the tensor is nil"},
		"dims":      {second(data.FromTensor(gomlxtest.Filled(1, 3, 5), "x")), "the tensor is (Float32)[3, 5], and there are 1 names"},
		"names":     {second(data.FromTensor(gomlxtest.Filled(1, 3, 5), "x", "y")), "the tensor is (Float32)[3, 5], and there are 2 names"},
		"no names":  {second(data.FromTensor(gomlxtest.Filled(1, 3, 5))), "there are 0 names"},
		"fractions": {second(table.Split(1, 1.5)), "the fractions are [1.5]: expected numbers above 0 that add up to less than 1"},
		"no rest":   {second(table.Split(1, 0.5, 0.5)), "the fractions are [0.5 0.5]"},
		"too few":   {second(table.Split(1, 0.1)), "with the fractions [0.1] of 4 rows a part is empty"},
		"no split":  {second(table.Split(1)), "there are no fractions"},
		"no group":  {second(table.SplitBy("b", 1, 0.5)), `line 3, column "b": the value is missing`},
		"a group":   {second(decode(t, "a\n1\n1\n").SplitBy("a", 1, 0.5)), `the column "a" has 1 different values, and 2 parts are asked for`},
		"NaN":       {second(table.SplitBy("a", 1, math.NaN())), "the fractions are [NaN]"},
		"where":     {third(data.Where(table, "b", func(string) bool { return true })), `line 3, column "b": the value is missing`},
		"a kind":    {third(data.Where(table, "b", func(float64) bool { return true })), `column "b" is of the kind text: expected numbers`},
	} {
		gomlxtest.Says(t, name, c.err, c.says)
	}
	if f, err := table.Floats("a"); err != nil || !slices.Equal(f, []float64{1, 2, 3, 4}) {
		t.Errorf("the floats are %v (%v)", f, err)
	}
	if f, err := table.Floats("c"); err != nil || !math.IsNaN(f[0]) || f[3] != 2 {
		t.Errorf("the floats are %v (%v)", f, err)
	}
	samples, err := data.FromTensor(tensors.FromValue([][]float64{{1, 2}, {3, 4}}), "x", "y")
	if err != nil {
		t.Fatal(err)
	}
	if y, err := samples.Floats("y"); err != nil || !slices.Equal(y, []float64{2, 4}) {
		t.Errorf("y is %v (%v)", y, err)
	}
}

func second[T any](_ T, err error) error { return err }

func third[T, U any](_ T, _ U, err error) error { return err }

// Parts of a table have each row once, and whole groups where groups are asked for, in
// numbers as near to the fraction as they can be; the seed decides.
func TestAnySplit(t *testing.T) {
	property.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 200).Draw(t, "n")
		groups := rapid.IntRange(2, 20).Draw(t, "groups")
		seed := rapid.Int64().Draw(t, "seed")
		fraction := rapid.Float64Range(0.01, 0.99).Draw(t, "fraction")
		row, group, size := make([]int, n), make([]string, n), map[string]int{}
		for i := range row {
			row[i], group[i] = i, fmt.Sprint("g", (i*i+i/3)%groups)
			size[group[i]]++
		}
		table, err := data.NewTable(data.NewColumn("row", row), data.NewColumn("group", group))
		if err != nil {
			t.Fatal(err)
		}
		fractions := []float64{fraction}
		if rest := rapid.Float64Range(0.1, 0.9).Draw(t, "of the rest"); fraction < 0.9 {
			fractions = append(fractions, rest*(1-fraction))
		}
		check := func(parts []*data.Table, slack float64) {
			var all []int64
			for i, part := range parts {
				rows, err := part.Ints("row")
				if err != nil || len(rows) == 0 {
					t.Fatalf("part %d has %d rows (%v)", i, len(rows), err)
				}
				if i < len(fractions) && math.Abs(float64(len(rows))-fractions[i]*float64(n)) > slack {
					t.Fatalf("%d of %d rows were taken for the fraction %v", len(rows), n, fractions[i])
				}
				all = append(all, rows...)
			}
			slices.Sort(all)
			for i, r := range all {
				if int(r) != i || len(all) != n {
					t.Fatalf("the rows are %v", all)
				}
			}
		}
		parts, err := table.Split(seed, fractions...)
		if err == nil { // else parts would be empty
			check(parts, 1)
		}
		largest := 0
		for _, s := range size {
			largest = max(largest, s)
		}
		parts, err = table.SplitBy("group", seed, fractions...)
		if (err == nil) != (len(size) > len(fractions)) {
			t.Fatalf("%d groups in %d parts: %v", len(size), len(fractions)+1, err)
		}
		if err == nil {
			slack := float64(largest)
			if len(fractions) > 1 && len(size) < 5*len(parts) { // so few that parts leave the last ones to others
				slack = float64(n)
			}
			check(parts, slack)
			in := map[string]int{}
			for i, part := range parts {
				groups, _ := part.Texts("group")
				for _, name := range groups {
					if before, known := in[name]; known && before != i {
						t.Fatalf("the group %s is in the parts %d and %d", name, before, i)
					}
					in[name] = i
				}
			}
			again, _ := table.SplitBy("group", seed, fractions...)
			for i := range parts {
				same(t, "again", again[i], parts[i])
			}
		}
		shuffled, err := table.Shuffle(seed).Ints("row")
		if err != nil || len(shuffled) != n {
			t.Fatal(err)
		}
		slices.Sort(shuffled)
		if shuffled[0] != 0 || int(shuffled[n-1]) != n-1 || len(slices.Compact(shuffled)) != n {
			t.Fatalf("shuffled are %v", shuffled)
		}
	})
}

// Samples and log-densities become tables whatever their axes are.
func TestFromTensor(t *testing.T) {
	x := tensors.FromFlatDataAndDimensions([]float32{1, 2, 3, 4, 5, 6, 7, 8}, 2, 1, 2, 2)
	for names, want := range map[string][]float64{"a b": {2, 4, 6, 8}, "a b c d": {2, 6}} {
		table, err := data.FromTensor(x, strings.Fields(names)...)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := table.Floats("b"); err != nil || !slices.Equal(b, want) {
			t.Errorf("%s: b is %v (%v), expected %v", names, b, err, want)
		}
	}
	for _, shape := range [][]int{{3}, {3, 1}, {1, 3, 1}} {
		table, err := data.FromTensor(tensors.FromFlatDataAndDimensions([]float64{1, 2, 3}, shape...), "logp")
		if err != nil {
			t.Fatal(err)
		}
		if v, err := table.Floats("logp"); err != nil || !slices.Equal(v, []float64{1, 2, 3}) {
			t.Errorf("%v: the column is %v (%v)", shape, v, err)
		}
	}
}

func TestWhere(t *testing.T) {
	table := decode(t, "pt,kind,n,good\n10,gluon,1,true\nInf,quark,2,false\n,gluon,3,true\n40,gluon,4,false\n")
	finite, dropped, err := data.Where(table, "pt", func(pt float64) bool { return pt-pt == 0 })
	if err != nil || dropped != 2 || finite.Len() != 2 {
		t.Fatalf("%d rows were dropped (%v)", dropped, err)
	}
	gluons, dropped, err1 := data.Where(table, "kind", func(kind string) bool { return kind == "gluon" })
	few, _, err2 := data.Where(gluons, "n", func(n int64) bool { return n < 4 })
	good, _, err3 := data.Where(few, "good", func(good bool) bool { return good })
	if err := errors.Join(err1, err2, err3); err != nil || dropped != 1 || good.Len() != 2 {
		t.Fatalf("%d rows are left (%v)", good.Len(), err)
	}
	if n, err := good.Ints("n"); err != nil || !slices.Equal(n, []int64{1, 3}) {
		t.Errorf("the rows are %v (%v)", n, err)
	}
	if none, dropped, err := data.Where(table, "n", func(float64) bool { return false }); err != nil || dropped != 4 || none.Len() != 0 {
		t.Errorf("none: %d rows are left (%v)", none.Len(), err)
	}
}

// Columns that are probably no classes, and classes that are probably one, are errors that say
// what allows them; in a table and in a file alike.
func TestUnlikelyClasses(t *testing.T) {
	var text strings.Builder
	text.WriteString("x,run,kind\n")
	for i := range 60 {
		fmt.Fprintf(&text, "%d,%d,%s\n", i, 1000+i, []string{"gluon", "quark", " Gluon"}[i%3])
	}
	path := filepath.Join(t.TempDir(), "events.csv")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	table, err := data.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		class data.Class
		says  string
		names int
	}{
		{data.Class{Column: "run"}, `column "run" has more than 50 different numbers: name it in Context if they aren't classes, or allow as many as they are with Class{Column: "run", Most: …}`, 0},
		{data.Class{Column: "run", Most: 59}, "more than 59 different values, the Most of its Class", 0},
		{data.Class{Column: "run", Most: 60}, "", 60},
		{data.Class{Column: "kind"}, `the values " Gluon" and "gluon", which differ by spaces or capitals alone`, 0},
		{data.Class{Column: "kind", Names: []string{" Gluon", "gluon", "quark"}}, "", 3},
	} {
		columns := data.Columns{X: []string{"x"}, Classes: []data.Class{c.class}}
		fitted, err := columns.Fit(table)
		file, err2 := data.Open(path, columns)
		if c.says != "" {
			gomlxtest.Says(t, "a table", err, c.says)
			gomlxtest.Says(t, "a file", err2, c.says)
			continue
		}
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		for _, got := range []data.Columns{fitted, file.Columns()} {
			if n := len(got.Classes[0].Names); n != c.names || got.Classes[0].Most != 0 && c.class.Names == nil {
				t.Errorf("%+v: there are %d names, and Most is %d", c.class, n, got.Classes[0].Most)
			}
		}
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	}
}
