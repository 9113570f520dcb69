package data_test

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami/data"
	_ "github.com/nami-flow/go-nami/nami/data/parquet"
	"github.com/nami-flow/go-nami/tests/property"

	"pgregory.net/rapid"
)

// cells are the values of a table in words, row by row, exact to the last bit.
func cells(t interface{ Fatal(...any) }, table *data.Table) [][]string {
	var columns [][]string
	for _, name := range table.Names() {
		var column []string
		one, err := table.Select(name)
		if err != nil {
			t.Fatal(err)
		}
		number := make([]int, table.Len())
		for row := range number {
			number[row] = row
		}
		numbered, err := one.With(data.NewColumn("#", number))
		if err != nil {
			t.Fatal(err)
		}
		full, dropped, err := numbered.Complete(name)
		if err != nil {
			t.Fatal(err)
		}
		there, err := full.Ints("#")
		if err != nil || len(there)+dropped != table.Len() {
			t.Fatal(len(there), dropped, err)
		}
		var values []string
		if v, err := full.Texts(name); err == nil {
			for _, s := range v {
				values = append(values, fmt.Sprintf("%q", s))
			}
		} else if v, err := full.Bools(name); err == nil {
			for _, b := range v {
				values = append(values, fmt.Sprint(b))
			}
		} else if v, err := full.Ints(name); err == nil {
			for _, i := range v {
				values = append(values, fmt.Sprint(i))
			}
		} else if v, err := full.Floats(name); err == nil {
			for _, f := range v {
				values = append(values, fmt.Sprintf("%x", f))
			}
		} else {
			t.Fatal(err)
		}
		column = slices.Repeat([]string{"missing"}, table.Len())
		for i, row := range there {
			column[row] = values[i]
		}
		columns = append(columns, append([]string{name}, column...))
	}
	return columns
}

func same(t interface {
	Fatal(...any)
	Fatalf(string, ...any)
}, what string, got, want *data.Table,
) {
	g, w := cells(t, got), cells(t, want)
	for j := range w {
		if j >= len(g) || !slices.Equal(g[j], w[j]) {
			for i := range w[j] {
				if j < len(g) && i < len(g[j]) && g[j][i] != w[j][i] {
					t.Fatalf("%s: column %q of\n%s\nis in row %d %s, expected %s", what, w[j][0], got, i-1, g[j][i], w[j][i])
				}
			}
			t.Fatalf("%s: column %q is %v, expected %d rows", what, w[j][0], g, len(w[j])-1)
		}
	}
	if len(g) != len(w) {
		t.Fatalf("%s: there are %d columns, expected %d", what, len(g), len(w))
	}
}

var (
	oddTexts  = []string{"", "a", "electron", "NA", "nan", "null", "1", "-2.5", "007", "true", "False", " 3 ", "x,y", "x;y", "tab\there", "line\nbreak", "\r\n", `say "hi"`, `"`, "τ→μ", "inf", "1e5", "\ufeffbom", "'", `\`, "a b", "0x10", "1_000", "日本"}
	oddFloats = []float64{0, math.Copysign(0, -1), 1, -1, 0.1, 1e300, -1e-300, math.SmallestNonzeroFloat64, math.MaxFloat64, math.Inf(1), math.Inf(-1), 1 << 53, 1e22, 123456789012345680, math.Pi}
	oddInts   = []int64{0, 1, -1, math.MaxInt64, math.MinInt64, 1 << 53, 1<<53 + 1, 999999999999999999}
)

// anyTable draws a table. One for NumPy has no missing integers, booleans and texts, and one
// for CSV no float32 and a value in each column.
func anyTable(t *rapid.T, format data.Format) *data.Table {
	n := rapid.IntRange(1, 40).Draw(t, "rows")
	text := format == data.CSV || format == data.TSV
	kinds := []string{"float64", "integer", "boolean", "text"}
	if !text {
		kinds = append(kinds, "float32")
	}
	var columns []data.Column
	names := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"x", "y", "z", "with space", "a,b", `q"uote`, "new\nline", "τ", "1", "NA", "it's", "p.q", "true", "semi;colon"}), 1, 6, rapid.ID[string]).Draw(t, "names")
	for j, name := range names {
		if j == 0 && len(names) == 1 && text && n == 0 {
			n = 1
		}
		draw := func(what string) []int {
			return rapid.SliceOfN(rapid.IntRange(0, 1000), n, n).Draw(t, what)
		}
		var c data.Column
		switch at := draw("values"); rapid.SampledFrom(kinds).Draw(t, "kind") {
		case "float64":
			v := make([]float64, n)
			for i, k := range at {
				v[i] = oddFloats[k%len(oddFloats)] * float64(1+k%3/2*k)
			}
			c = data.NewColumn(name, v)
		case "float32":
			v := make([]float32, n)
			for i, k := range at {
				v[i] = float32(oddFloats[k%len(oddFloats)]) / float32(1+k)
			}
			c = data.NewColumn(name, v)
		case "integer":
			v := make([]int64, n)
			for i, k := range at {
				v[i] = oddInts[k%len(oddInts)]
			}
			c = data.NewColumn(name, v)
		case "boolean":
			v := make([]bool, n)
			for i, k := range at {
				v[i] = k%2 == 0
			}
			c = data.NewColumn(name, v)
		case "text":
			v := make([]string, n)
			for i, k := range at {
				v[i] = oddTexts[k%len(oddTexts)]
			}
			c = data.NewColumn(name, v)
		}
		if format != data.NPY && format != data.NPZ && rapid.Bool().Draw(t, "gaps") {
			var missing []int
			for i, k := range draw("missing") {
				if k%3 == 0 && i > 0 { // CSV takes a column without any value for floats
					missing = append(missing, i)
				}
			}
			c = c.WithMissing(missing...)
		}
		columns = append(columns, c)
	}
	table, err := data.NewTable(columns...)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// Any table that is written and read back is the same, in every format.
func TestAnyTableIsReadBack(t *testing.T) {
	for _, format := range []data.Format{data.CSV, data.TSV, data.NPY, data.NPZ, data.Parquet} {
		t.Run(string(format), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "table."+string(format))
			property.Check(t, func(t *rapid.T) {
				table := anyTable(t, format)
				if err := table.Write(path); err != nil {
					t.Fatal(err)
				}
				got, err := data.Read(path)
				if err != nil {
					t.Fatal(err)
				}
				same(t, "read", got, table)
				var b bytes.Buffer
				if err := table.Encode(&b, format); err != nil {
					t.Fatal(err)
				}
				if got, err = data.Decode(&b, format); err != nil {
					t.Fatal(err)
				}
				same(t, "decoded", got, table)
			})
		})
	}
}

// What other tools have written is read as it is: testdata/make.py made the files.
func TestFilesOfOtherTools(t *testing.T) {
	values, err := data.Read("testdata/values.csv")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"none", "snappy", "gzip", "brotli", "zstd", "lz4", "v2", "encodings"} {
		got, err := data.Read("testdata/" + name + ".parquet")
		if err != nil {
			t.Fatal(err)
		}
		same(t, name, got, values)
		chosen, err := data.Options{Columns: []string{"kind", "double"}}.Read("testdata/" + name + ".parquet")
		if err != nil {
			t.Fatal(err)
		}
		some, err := values.Select("kind", "double")
		if err != nil {
			t.Fatal(err)
		}
		same(t, name+", two columns", chosen, some)
	}
	for name, want := range map[string]string{
		"int96.parquet":  "time\n0\n1\n-3\n1000000000000000000\nNA\n",
		"plain.npy":      "x0,x1,x2\n0.0,0.25,0.5\n0.75,1.0,1.25\n1.5,1.75,2.0\n2.25,2.5,2.75\n3.0,3.25,3.5\n3.75,4.0,4.25\n",
		"one.npy":        "x0\n0\n1\n2\n3\n4\n5\n",
		"stored.npz":     "X0,X1,X2,k\n0.0,0.25,0.5,0\n0.75,1.0,1.25,1\n1.5,1.75,2.0,2\n2.25,2.5,2.75,3\n3.0,3.25,3.5,4\n3.75,4.0,4.25,5\n",
		"structured.npy": "x,k,ok,kind,raw,it's\n0.0,-3,false,a,x,250\n0.75,-2,true,\"\",\"\",250\n1.5,-1,false,τau,abc,250\n2.25,0,true,b c,x,250\n3.0,1,false,d,y,250\n3.75,2,true,eeeee,z,250\n",
	} {
		want, err := data.Decode(strings.NewReader(want), data.CSV)
		if err != nil {
			t.Fatal(err)
		}
		for _, alias := range map[string][]string{"plain.npy": {"fortran.npy", "big.npy", "half.npy"}, "stored.npz": {"packed.npz"}}[name] {
			got, err := data.Read("testdata/" + alias)
			if err != nil {
				t.Fatal(err)
			}
			same(t, alias, got, want)
		}
		got, err := data.Read("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		same(t, name, got, want)
	}
	nested, err := data.Options{Columns: []string{"s.b", "x"}}.Read("testdata/nested.parquet")
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(cells(t, nested)); got != `[[s.b "u" missing] [x 0x1p+00 0x1p+01]]` {
		t.Errorf("the nested columns are %s", got)
	}
}

// CSV as it is found: other delimiters, line ends, quotes, missing words, no names.
func TestOddCSV(t *testing.T) {
	for name, c := range map[string]struct {
		text    string
		options data.Options
		want    string
	}{
		"kinds":             {"i,f,b,t\n1,1,true,1\n2,2.5,False,x\n", data.Options{}, `[[i 1 2] [f 0x1p+00 0x1.4p+01] [b true false] [t "1" "x"]]`},
		"line ends":         {"\ufeffa,b\r\n1,2\r\n\r\n3,4", data.Options{}, "[[a 1 3] [b 2 4]]"},
		"semicolons":        {"a;b\n1,5;2\n", data.Options{Delimiter: ';'}, `[[a "1,5"] [b 2]]`},
		"quotes":            {"a,b\n\"x\n\"\"y\"\"\",\"\"\n,1\n", data.Options{}, `[[a "x\n\"y\"" missing] [b "" "1"]]`},
		"a quoted number":   {"a\n\"1\"\n2\n", data.Options{}, `[[a "1" "2"]]`},
		"all in quotes":     {"\"a\",\"b\"\n\"1\",\"\"\n\"2\",\"x\"\n", data.Options{}, `[[a 1 2] [b "" "x"]]`},
		"missing":           {"a,b\nNA,\nnan,x\n3,null\n", data.Options{}, `[[a missing missing 3] [b missing "x" missing]]`},
		"own missing":       {"a,b\n-999,NA\n1,y\n", data.Options{Missing: []string{"-999"}}, `[[a missing 1] [b "NA" "y"]]`},
		"no names":          {"1,x\n2,y\n", data.Options{Names: []string{"n", "t"}}, `[[n 1 2] [t "x" "y"]]`},
		"text":              {"a\n1\n2\n", data.Options{Text: []string{"a"}}, `[[a "1" "2"]]`},
		"columns":           {"a,b,c\n1,2,3\n", data.Options{Columns: []string{"c", "a"}}, "[[c 3] [a 1]]"},
		"leading zeros":     {"a\n007\n010\n", data.Options{}, `[[a "007" "010"]]`},
		"zeros":             {"a,b\n0,-0\n0,0.0\n", data.Options{}, `[[a 0 0] [b -0x0p+00 0x0p+00]]`},
		"exponents":         {"a\n1e3\n-2.5E-1\n+.5\n5.\n", data.Options{}, "[[a 0x1.f4p+09 -0x1p-02 0x1p-01 0x1.4p+02]]"},
		"many digits":       {"a\n0.1000000000000000055511151231257827\n123456789012345678901234567890.5\n", data.Options{}, "[[a 0x1.999999999999ap-04 0x1.8ee90ff6c373ep+96]]"},
		"infinity":          {"a\ninf\n-Infinity\n", data.Options{}, "[[a +Inf -Inf]]"},
		"spaces":            {"a,b\n 1 , x \n", data.Options{}, `[[a 1] [b " x "]]`},
		"no rows":           {"a,b\n", data.Options{}, "[[a] [b]]"},
		"integers to float": {"a\n9007199254740992\n0.5\n", data.Options{}, "[[a 0x1p+53 0x1p-01]]"},
	} {
		table, err := c.options.Decode(strings.NewReader(c.text), data.CSV)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := fmt.Sprint(cells(t, table)); got != c.want {
			t.Errorf("%s: %q was read as %s, expected %s", name, c.text, got, c.want)
		}
	}
}

// A file of many pieces is what it would be in one: kinds widen in its middle, texts have
// lines, and lines are counted.
func TestLongCSV(t *testing.T) {
	var text strings.Builder
	text.WriteString("n,f,widens,late,t\n")
	const rows = 120_000
	for i := range rows {
		widens, late, word := fmt.Sprint(i), "", fmt.Sprintf("\"word,\n%d\"", i%1000)
		if i >= 70_000 {
			widens = fmt.Sprint(float64(i) + 0.5)
		}
		if i == rows-1 {
			late = "true"
		}
		fmt.Fprintf(&text, "%d,%g,%s,%s,%s\n", i, float64(i)/7, widens, late, word)
	}
	table, err := data.Decode(strings.NewReader(text.String()), data.CSV)
	if err != nil {
		t.Fatal(err)
	}
	n, err := table.Ints("n")
	if err != nil {
		t.Fatal(err)
	}
	f, err := table.Floats("f")
	if err != nil {
		t.Fatal(err)
	}
	widens, err := table.Floats("widens")
	if err != nil {
		t.Fatal(err)
	}
	words, err := table.Texts("t")
	if err != nil {
		t.Fatal(err)
	}
	last, _, err := table.Complete("late")
	if err != nil {
		t.Fatal(err)
	}
	late, err := last.Bools("late")
	if err != nil || len(late) != 1 || !late[0] {
		t.Errorf("the last row is %v (%v), expected true", late, err)
	}
	for i := range rows {
		want := float64(i)
		if i >= 70_000 {
			want += 0.5
		}
		if n[i] != int64(i) || f[i] != float64(i)/7 || widens[i] != want || words[i] != fmt.Sprintf("word,\n%d", i%1000) {
			t.Fatalf("row %d is %d, %v, %v, %q", i, n[i], f[i], widens[i], words[i])
		}
	}
	bad := strings.Replace(text.String(), "\n100000,", "\n100000", 1)
	_, err = data.Decode(strings.NewReader(bad), data.CSV)
	if want := "line 200002 has 4 values, and there are 5 columns"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("the error is %v, expected %q", err, want)
	}
	if _, err = table.Texts("late"); err == nil || !strings.Contains(err.Error(), "boolean") {
		t.Errorf("the error is %v", err)
	}
	if _, err := table.Bools("late"); err == nil || !strings.Contains(err.Error(), `line 2, column "late": the value is missing`) {
		t.Errorf("the error is %v", err)
	}
}

// A gzip that unpacks well is read, and written.
func TestGzip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.csv.gz")
	table, err := data.NewTable(data.NewColumn("x", []float64{1, 2.5}))
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Write(path); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil || !bytes.HasPrefix(raw, []byte{0x1f, 0x8b}) {
		t.Fatalf("the file starts with %x (%v)", raw[:2], err)
	}
	got, err := data.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "gzip", got, table)
}
