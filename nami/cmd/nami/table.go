package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/nami-flow/go-nami/nami/data"
	_ "github.com/nami-flow/go-nami/nami/data/parquet" // tables in Parquet
	"github.com/nami-flow/go-nami/nami/modelfile"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
)

// columnsOf are the columns of a model's events and contexts: those of its file, or x0, x1 and
// so on, and c0, c1 and so on, where it names none.
func columnsOf(f *modelfile.File) (data.Columns, error) {
	c := f.Columns
	c.Weight, c.Source, c.Float64 = "", nil, f.DType() == dtypes.Float64
	if len(c.X) == 0 {
		c.X = numbered("x", shape.Size(f.Event))
	}
	if f.Context != nil && c.ContextSize() == 0 {
		c.Context = numbered("c", shape.Size(f.Context))
	}
	if len(c.X) != shape.Size(f.Event) {
		return c, fmt.Errorf("the file names %d columns of an event, and the model's events have the shape %s", len(c.X), shape.Format(f.Event))
	}
	if f.Context != nil && c.ContextSize() != shape.Size(f.Context) {
		return c, fmt.Errorf("the columns that the file names make contexts of %d values, and the model's have the shape %s", c.ContextSize(), shape.Format(f.Context))
	}
	return c, nil
}

func numbered(name string, n int) (names []string) {
	for i := range n {
		names = append(names, name+strconv.Itoa(i))
	}
	return names
}

// contextNames are the columns that a context is made of.
func contextNames(c data.Columns) []string {
	names := slices.Clone(c.Context)
	for _, class := range c.Classes {
		names = append(names, class.Column)
	}
	return names
}

// contextOf is a table's context, of shape (rows)+Context.
func contextOf(f *modelfile.File, c data.Columns, t *data.Table) (*tensors.Tensor, error) {
	context, err := t.Context(c)
	if err != nil {
		return nil, err
	}
	return reshaped(context, append([]int{t.Len()}, f.Context...)), nil
}

// maskOf is a table's mask, of shape (rows, objects).
func maskOf(c data.Columns, t *data.Table) (*tensors.Tensor, error) {
	events, err := t.Events(data.Columns{X: c.Mask, Float64: c.Float64})
	if err != nil {
		return nil, err
	}
	return events.X, nil
}

// reshaped is a copy of a tensor in another shape of the same size.
func reshaped(t *tensors.Tensor, dims []int) (out *tensors.Tensor) {
	t.MustConstFlatData(func(flat any) {
		switch values := flat.(type) {
		case []float32:
			out = tensors.FromFlatDataAndDimensions(slices.Clone(values), dims...)
		case []float64:
			out = tensors.FromFlatDataAndDimensions(slices.Clone(values), dims...)
		}
	})
	return out
}

// setTable is a table of one row from name=value, with the given columns.
func setTable(c data.Columns, set []string) (*data.Table, error) {
	names := contextNames(c)
	values := map[string]string{}
	for _, s := range set {
		name, value, ok := strings.Cut(s, "=")
		switch _, twice := values[name]; {
		case !ok:
			return nil, usagef("--set is %q: expected name=value", s)
		case twice:
			return nil, usagef("--set gives %q twice", name)
		case !slices.Contains(names, name):
			return nil, usagef("--set gives %q, which isn't a column of the model's context: expected %s", name, strings.Join(names, ", "))
		}
		values[name] = value
	}
	var columns []data.Column
	for _, name := range names {
		value, given := values[name]
		if !given {
			return nil, usagef("the context's column %q has no value: give --set %s=…, or a table with --context", name, name)
		}
		column, err := setColumn(c, name, value)
		if err != nil {
			return nil, err
		}
		columns = append(columns, column)
	}
	return data.NewTable(columns...)
}

// setColumn is a column of one value: a number, or the name of a class.
func setColumn(c data.Columns, name, value string) (data.Column, error) {
	if slices.Contains(c.Context, name) {
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return data.Column{}, usagef("--set %s=%s: expected a number", name, value)
		}
		return data.NewColumn(name, []float64{v}), nil
	}
	for _, class := range c.Classes {
		if class.Column != name {
			continue
		}
		if !slices.Contains(class.Names, value) {
			return data.Column{}, usagef("--set %s=%s: expected one of the classes %s", name, value, strings.Join(class.Names, ", "))
		}
	}
	if n, err := strconv.ParseInt(value, 10, 64); err == nil {
		return data.NewColumn(name, []int64{n}), nil
	}
	if b, err := strconv.ParseBool(value); err == nil && (value == "true" || value == "false") {
		return data.NewColumn(name, []bool{b}), nil
	}
	return data.NewColumn(name, []string{value}), nil
}

// checkOutput refuses, before anything is computed, a file that couldn't be written. An empty
// path and - are standard output.
func checkOutput(path string) error {
	if path == "" || path == "-" {
		return nil
	}
	if _, err := data.FormatOf(path); err != nil {
		return usageError{err}
	}
	about, err := os.Stat(filepath.Dir(path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s can't be written: the folder %s doesn't exist", path, filepath.Dir(path))
	case err != nil:
		return fmt.Errorf("%s can't be written: %w", path, err)
	case !about.IsDir():
		return fmt.Errorf("%s can't be written: %s isn't a folder", path, filepath.Dir(path))
	}
	return nil
}

// writeTable writes a table to a file, which appears whole or not at all, or as CSV to standard
// output.
func writeTable(t *data.Table, path string, out io.Writer) error {
	if path == "" || path == "-" {
		return t.Encode(out, data.CSV)
	}
	return t.Write(path)
}
