package data

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/nami-flow/go-nami/internal/reads"
	"github.com/nami-flow/go-nami/nami/internal/memory"
	"github.com/nami-flow/go-nami/nami/internal/table"
	"github.com/nami-flow/go-nami/nami/internal/table/csv"
	"github.com/nami-flow/go-nami/nami/internal/table/npy"
)

// Format is how a table is written down.
type Format string

// The formats, which are also the endings of files' names. Names of the first two may end in
// .gz besides, for text packed with gzip.
const (
	// CSV is text with commas: a line of names, and a line for each row (RFC 4180). A column
	// is of integers, floats, booleans (true or false) or texts, whichever holds all its
	// values. Quotes make a value a text, unless the file has everything in quotes. See
	// Options.Missing for what is missing. An integer or a number that can't be held exactly,
	// or at all, is an error.
	CSV Format = "csv"

	// TSV is CSV with tabs.
	TSV Format = "tsv"

	// NPY is an array of NumPy's: a structured one, whose fields are columns, or a plain one
	// of the shape [rows] or [rows, columns], whose columns are x0, x1 and so on. A table is
	// written as a structured one.
	NPY Format = "npy"

	// NPZ is a zip file of NumPy's arrays, each of which is a column, or several with numbers
	// behind the name if it has two axes.
	NPZ Format = "npz"

	// Parquet is Apache Parquet. Dates and times are read as integers, their number of days
	// or fractions of a second; decimals as floats. NaN is written as null. A program that
	// reads or writes it imports the package nami/data/parquet besides.
	Parquet Format = "parquet"
)

// Options say how a file is read. The zero value is the usual one.
type Options struct {
	// Columns are the names of the columns that are read, in this order; all if nil.
	Columns []string

	// Names are those of the columns of a file that has none: CSV without a line of names, or
	// a plain NumPy array.
	Names []string

	// Delimiter is what stands between the values of CSV; 0 for a comma, or a tab in TSV.
	Delimiter byte

	// Missing are the words that stand for a missing value in CSV. If nil: nothing at all,
	// NaN, NA, N/A, <NA>, null and None, in the usual spellings. In quotes they are texts.
	Missing []string

	// Text are columns of CSV that are texts, whatever they look like: numbers of telephones,
	// say, or codes with more digits than a number has.
	Text []string
}

// Read reads a table from a file, in the format that its name ends in: see [Format]. Errors
// name the file, with the line or row and the column.
func Read(path string) (*Table, error) { return Options{}.Read(path) }

// Decode reads a table from a reader, to its end.
func Decode(r io.Reader, format Format) (*Table, error) { return Options{}.Decode(r, format) }

// Read reads a table from a file, as the function does.
func (o Options) Read(path string) (*Table, error) {
	t, err := o.read(path)
	if err != nil {
		return nil, fmt.Errorf("data.Read: %w", err)
	}
	return t, nil
}

func (o Options) read(path string) (*Table, error) {
	format, packed, err := formatOf(path)
	if err != nil {
		return nil, err
	}
	file, err := openFile(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	source := table.Source(file)
	if packed {
		if source, err = unpack(file); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return o.table(source, format, path)
}

// Decode reads a table from a reader, as the function does.
func (o Options) Decode(r io.Reader, format Format) (*Table, error) {
	b, err := io.ReadAll(r)
	var t *Table
	if err == nil {
		t, err = o.table(bytes.NewReader(b), format, "")
	}
	if err != nil {
		return nil, fmt.Errorf("data.Decode: %w", err)
	}
	return t, nil
}

// FormatOf is the format that a file's name ends in, or the error with which Read and Write
// would refuse it.
func FormatOf(path string) (Format, error) {
	format, _, err := formatOf(path)
	return format, err
}

// formatOf is the format that a name ends in, and whether it is packed.
func formatOf(path string) (format Format, packed bool, err error) {
	name, packed := strings.CutSuffix(strings.ToLower(path), ".gz")
	for _, f := range []Format{CSV, TSV, NPY, NPZ, Parquet} {
		if strings.HasSuffix(name, "."+string(f)) && (!packed || f == CSV || f == TSV) {
			return f, packed, nil
		}
	}
	return "", false, advise(", or use Decode", "%s: the name doesn't say which format the file is in: end it in .csv, .tsv, .csv.gz, .tsv.gz, .npy, .npz or .parquet", path)
}

// diskFile is an open file that knows its size.
type diskFile struct {
	*os.File
	size int64
}

// Size implements [table.Source].
func (f diskFile) Size() int64 { return f.size }

func openFile(path string) (diskFile, error) {
	if err := reads.Report(path); err != nil { // whether it is there or not
		return diskFile{}, err
	}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		if folder, wrong := os.Getwd(); wrong == nil {
			return diskFile{}, fmt.Errorf("%w; the current folder is %s", err, folder)
		}
	}
	if err != nil {
		return diskFile{}, err
	}
	about, err := file.Stat()
	if err == nil && !about.Mode().IsRegular() {
		err = fmt.Errorf("%s isn't a file but a folder, a pipe or a device: Decode reads from any reader", path)
	}
	if err != nil {
		file.Close()
		return diskFile{}, err
	}
	return diskFile{file, about.Size()}, nil
}

// unpack unpacks gzip, and stops when there is more than memory.
func unpack(file diskFile) (table.Source, error) {
	if file.size == 0 {
		return nil, errors.New("the file is empty: expected text packed with gzip")
	}
	r, err := gzip.NewReader(io.NewSectionReader(file, 0, file.size))
	if err != nil {
		return nil, fmt.Errorf("it isn't packed with gzip: %w", err)
	}
	var all bytes.Buffer
	for {
		switch _, err := io.CopyN(&all, r, 64<<20); {
		case err == io.EOF:
			return bytes.NewReader(all.Bytes()), nil
		case err != nil:
			return nil, fmt.Errorf("it can't be unpacked: %w: it was cut off, or is damaged", err)
		}
		if err := memory.Check("the file, unpacked,", 3, all.Len()); err != nil { // it, its next size, and the table
			return nil, err
		}
	}
}

// table reads a table; the path is "" for a reader.
func (o Options) table(source table.Source, format Format, path string) (*Table, error) {
	named := func(err error) error {
		if path == "" {
			return fmt.Errorf("the %s data: %w", format, err)
		}
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := o.check(format); err != nil {
		return nil, named(err)
	}
	t := &Table{origin: origin{file: path}}
	var err error
	switch format {
	case CSV, TSV:
		var f *csv.File
		if f, t.columns, err = csv.Read(source, o.csv(format)); err == nil {
			t.origin.where, t.length = f.Where, f.Len()
		}
	case NPZ:
		t.columns, err = npy.ReadZip(source, o.Columns)
		if len(t.columns) > 0 {
			t.length = t.columns[0].Len()
		}
	case NPY, Parquet:
		var f table.File
		if f, err = o.open(source, format); err == nil {
			t.length = f.Len()
			t.columns, err = f.Read(everyColumn(f), 0, f.Len())
		}
	default:
		err = fmt.Errorf("the format is unknown: expected one of %q", []Format{CSV, TSV, NPY, NPZ, Parquet})
	}
	if err != nil {
		return nil, named(err)
	}
	return t, nil
}

// open opens a file of which rows can be read.
func (o Options) open(source table.Source, format Format) (table.File, error) {
	switch format {
	case CSV, TSV:
		return csv.Open(source, o.csv(format))
	case NPY:
		return npy.Open(source, o.Names, o.Columns)
	case Parquet:
		if table.Parquet.Open == nil {
			return nil, table.ErrParquet
		}
		return table.Parquet.Open(source, o.Columns)
	}
	return nil, fmt.Errorf("rows of the format %s can't be read by themselves: Read it, and Write it as .parquet", format)
}

// everyColumn numbers the columns of a file.
func everyColumn(f table.File) []int {
	all := make([]int, len(f.Fields()))
	for i := range all {
		all[i] = i
	}
	return all
}

// csv are the options of text.
func (o Options) csv(format Format) csv.Options {
	c := csv.Options{Delimiter: ',', Missing: o.Missing, Names: o.Names, Text: o.Text, Columns: o.Columns}
	if format == TSV {
		c.Delimiter = '\t'
	}
	if o.Delimiter != 0 {
		c.Delimiter = o.Delimiter
	}
	return c
}

// check refuses options that mean nothing.
func (o Options) check(format Format) error {
	text := format == CSV || format == TSV
	switch d := o.Delimiter; {
	case !text && (d != 0 || o.Missing != nil || o.Text != nil):
		return fmt.Errorf("Options.Delimiter, Missing and Text are for CSV and TSV, and the format is %s: leave them out", format)
	case !text && format != NPY && o.Names != nil:
		return fmt.Errorf("Options.Names are for files that have none, and the format %s has: leave them out, and choose columns with Options.Columns", format)
	case strings.IndexByte("\"\r\n.+-_", d) >= 0 || d >= '0' && d <= '9' || d >= 'a' && d <= 'z' || d >= 'A' && d <= 'Z' || d >= 0x80:
		return fmt.Errorf("Options.Delimiter is %q, which is part of values: expected a comma, semicolon, tab or the like", d)
	}
	return nil
}
