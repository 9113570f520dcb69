package data

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/nami-flow/go-nami/nami/internal/table"
	"github.com/nami-flow/go-nami/nami/internal/table/csv"
	"github.com/nami-flow/go-nami/nami/internal/table/npy"
)

// Write writes the table to a file, in the format that its name ends in: see [Format]. The
// file appears whole, or as it was before: an error, a full disk for instance, leaves an old
// one in its place. Read reads the same table again, but for what a format doesn't know: CSV
// has no float32, and reads float64 whose float32 is the same; a column whose values are all
// missing comes back from CSV as floats.
func (t *Table) Write(path string) error {
	format, packed, err := formatOf(path)
	if err == nil {
		err = replace(path, func(w io.Writer) error {
			if !packed {
				return t.write(w, format)
			}
			z := gzip.NewWriter(w)
			if err := t.write(z, format); err != nil {
				return err
			}
			return z.Close()
		})
		if err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		}
	}
	if err != nil {
		return fmt.Errorf("data.Table.Write: %w", err)
	}
	return nil
}

// Encode writes the table to a writer.
func (t *Table) Encode(w io.Writer, format Format) error {
	out := bufio.NewWriter(w)
	err := t.write(out, format)
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return fmt.Errorf("data.Table.Encode: %w", err)
	}
	return nil
}

func (t *Table) write(w io.Writer, format Format) error {
	if len(t.columns) == 0 {
		return fmt.Errorf("the table has no columns: a file has at least one")
	}
	for _, c := range t.columns {
		if err := checkText(c); err != nil {
			return err
		}
	}
	switch format {
	case CSV:
		return csv.Write(w, t.columns, ',')
	case TSV:
		return csv.Write(w, t.columns, '\t')
	case NPY:
		return npy.Write(w, t.columns)
	case NPZ:
		return npy.WriteZip(w, t.columns)
	case Parquet:
		if table.Parquet.Write == nil {
			return table.ErrParquet
		}
		return table.Parquet.Write(w, t.columns)
	}
	return fmt.Errorf("the format %q is unknown: expected one of %q", format, []Format{CSV, TSV, NPY, NPZ, Parquet})
}

// checkText refuses names and texts that aren't UTF-8, which no format takes.
func checkText(c table.Column) error {
	if !utf8.ValidString(c.Name) {
		return fmt.Errorf("the name of the column %q isn't UTF-8 text", c.Name)
	}
	texts, _ := c.Values.([]string)
	for row, s := range texts {
		if !utf8.ValidString(s) {
			return fmt.Errorf("%s, column %q: %q isn't UTF-8 text", table.Row(row), c.Name, s)
		}
	}
	return nil
}
