package data_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/internal/reads"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
)

// Any rows of a file are what they are when all of it is read.
func TestOpen(t *testing.T) {
	columns := data.Columns{X: []string{"double", "float"}, Context: []string{"half"}, Classes: []data.Class{{Column: "kind"}, {Column: "small"}}, Weight: "boolean"}
	values, err := data.Read("testdata/values.csv")
	if err != nil {
		t.Fatal(err)
	}
	complete, _, err := values.Complete(columns.Names()...)
	if err != nil {
		t.Fatal(err)
	}
	fitted, err := columns.Fit(complete)
	if err != nil {
		t.Fatal(err)
	}
	want, err := complete.Events(fitted)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for _, name := range []string{"x.csv", "x.tsv", "x.parquet", "x.npy"} {
		path := filepath.Join(folder, name)
		if err := complete.Write(path); err != nil {
			t.Fatal(err)
		}
		file, err := data.Open(path, columns)
		if err != nil {
			t.Fatal(err)
		}
		if file.Len() != complete.Len() || !reflect.DeepEqual(file.Columns(), fitted) {
			t.Errorf("%s: %d rows of %v, expected %d of %v", name, file.Len(), file.Columns(), complete.Len(), fitted)
		}
		for _, r := range [][2]int{{0, file.Len()}, {0, 1}, {file.Len() - 1, file.Len()}, {100, 357}} {
			got, err := file.Read(r[0], r[1])
			if err != nil {
				t.Fatal(err)
			}
			var rows []int
			for row := r[0]; row < r[1]; row++ {
				rows = append(rows, row)
			}
			some, err := want.Rows(rows...)
			if err != nil {
				t.Fatal(err)
			}
			for i, part := range some.Parts() {
				if !reflect.DeepEqual(got.Parts()[i].Value.Value(), part.Value.Value()) {
					t.Errorf("%s: the %s of the rows from %d to %d differs", name, part.Name, r[0], r[1])
				}
			}
		}
		gomlxtest.Says(t, name, second(file.Read(0, file.Len()+1)), "expected at least one")
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Rows from inside of row groups, with and without an index, in all ways of packing.
func TestOpenParquetOfOthers(t *testing.T) {
	values, err := data.Read("testdata/values.csv")
	if err != nil {
		t.Fatal(err)
	}
	complete, _, err := values.Complete()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"none", "snappy", "gzip", "brotli", "zstd", "lz4", "v2", "encodings"} {
		columns := data.Columns{X: []string{"double", "small", "half"}, Classes: []data.Class{{Column: "kind", Names: []string{"", "electron", "muon", "τ"}}}, Weight: "boolean"}
		file, err := data.Open("testdata/"+name+".parquet", columns)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		want, err := complete.Events(columns)
		if err != nil {
			t.Fatal(err)
		}
		at, read := 0, 0 // in complete, and how many rows are there
		for row := range file.Len() {
			got, err := file.Read(row, row+1)
			if err != nil {
				gomlxtest.Says(t, name, err, fmt.Sprintf("testdata/%s.parquet: row %d (the first is 0), column ", name, row))
				continue
			}
			read++
			one, err := want.Rows(at)
			if err != nil {
				t.Fatal(err)
			}
			for i, part := range one.Parts() {
				if !reflect.DeepEqual(got.Parts()[i].Value.Value(), part.Value.Value()) {
					t.Fatalf("%s: the %s of row %d differs", name, part.Name, row)
				}
			}
			at++
		}
		if read != complete.Len() {
			t.Errorf("%s: %d rows were read, expected %d", name, read, complete.Len())
		}
	}
}

func TestOpenErrors(t *testing.T) {
	columns := data.Columns{X: []string{"double"}}
	for name, c := range map[string]struct {
		err  error
		says string
	}{
		"a zip":      {second(data.Open("testdata/packed.npz", columns)), "rows of the format npz can't be read by themselves: Read it, and Write it as .parquet"},
		"gzip":       {second(data.Open("x.csv.gz", columns)), "it is packed, so that rows in the middle can't be read"},
		"no file":    {second(data.Open("x.csv", columns)), "no such file"},
		"no columns": {second(data.Open("testdata/values.csv", data.Columns{})), "X names no column"},
		"no column":  {second(data.Open("testdata/none.parquet", data.Columns{X: []string{"q"}})), `there is no column "q"`},
		"both":       {second(data.Options{Columns: []string{"x"}}.Open("testdata/none.parquet", columns)), "leave the former out"},
		"fractions":  {second(data.Open("testdata/none.parquet", data.Columns{X: []string{"float"}, Classes: []data.Class{{Column: "double"}}})), "can't be a class"},
	} {
		gomlxtest.Says(t, name, c.err, c.says)
	}
	file, err := data.Open("testdata/none.parquet", columns)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	batches, err := data.Stream{Reader: file, Block: 100}.Open(data.Order{Seed: 1, BatchSize: 50})
	if err != nil {
		t.Fatal(err)
	}
	_, err = batches.Batch(0)
	gomlxtest.Says(t, "a missing value", err, `column "double": the value is missing`)
}

// Files that are read or opened are reported to `kernel run`, those that aren't there as well.
func TestReads(t *testing.T) {
	list := filepath.Join(t.TempDir(), "reads")
	t.Setenv(reads.Variable, list)
	values, err := filepath.Abs("testdata/values.csv")
	if err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(t.TempDir(), "missing.npy")
	if _, err := data.Read("testdata/values.csv"); err != nil {
		t.Fatal(err)
	}
	file, err := data.Open("testdata/values.csv", data.Columns{X: []string{"double"}})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := data.Read(missing); err == nil {
		t.Error("a file that isn't there was read")
	}
	said, err := os.ReadFile(list)
	if want := strings.Join([]string{values, values, missing, ""}, "\n"); err != nil || string(said) != want {
		t.Errorf("the list is %q (%v), expected %q", said, err, want)
	}
}
