package data

import (
	"fmt"
	"slices"

	"github.com/nami-flow/go-nami/nami/internal/table"
)

// File is a file whose rows are read as they are needed: a [Reader] for [Stream], for files
// that are larger than memory.
//
//	file, err := data.Open("events.parquet", columns)
//	defer file.Close()
//	history, err := train.Fit(ctx, backend, store, loss, data.Stream{Reader: file}, options)
type File struct {
	path    string
	disk    diskFile
	file    table.File
	columns Columns
	used    []int // by name, sorted
}

var _ Reader = (*File)(nil)

// block is how many rows are looked at together.
const block = 65_536

// Open opens a file whose rows become events of these columns: Parquet, of which it reads the
// pages with the rows that are needed, a NumPy array (.npy), or CSV that isn't packed, which
// it reads once to know where its rows are. Names of classes that are missing are filled in,
// for which it reads their columns; Columns returns them.
func Open(path string, columns Columns) (*File, error) { return Options{}.Open(path, columns) }

// Open opens a file, as the function does. Options.Columns isn't for it: columns says which
// are needed.
func (o Options) Open(path string, columns Columns) (*File, error) {
	f, err := o.openEvents(path, columns)
	if err != nil {
		return nil, fmt.Errorf("data.Open: %w", err)
	}
	return f, nil
}

func (o Options) openEvents(path string, columns Columns) (*File, error) {
	if err := columns.Validate(); err != nil {
		return nil, err
	}
	if o.Columns != nil {
		return nil, fmt.Errorf("Options.Columns are given, and data.Columns say which are needed: leave the former out")
	}
	format, packed, err := formatOf(path)
	if err != nil {
		return nil, err
	}
	if packed {
		return nil, fmt.Errorf("%s: it is packed, so that rows in the middle can't be read: unpack it, or Read it and Write it as .parquet", path)
	}
	if err := o.check(format); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	disk, err := openFile(path)
	if err != nil {
		return nil, err
	}
	f := &File{path: path, disk: disk}
	o.Columns = columns.Names()
	if f.file, err = o.open(disk, format); err == nil {
		f.used = everyColumn(f.file)
		f.columns, err = f.fit(columns)
	}
	if err != nil {
		disk.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// fit fills in the names of classes.
func (f *File) fit(columns Columns) (Columns, error) {
	columns.Classes = slices.Clone(columns.Classes)
	for i, class := range columns.Classes {
		if class.Names != nil {
			continue
		}
		at := slices.IndexFunc(f.file.Fields(), func(field table.Field) bool { return field.Name == class.Column })
		found := &classes{most: class.Most}
		for first := 0; first < f.Len(); first += block {
			read, err := f.file.Read([]int{at}, first, min(first+block, f.Len()))
			if err != nil {
				return Columns{}, err
			}
			if err := found.add(read[0], origin{where: func(row int) string { return f.file.Where(first + row) }}); err != nil {
				return Columns{}, err
			}
		}
		var err error
		if columns.Classes[i], err = found.of(class.Column); err != nil {
			return Columns{}, err
		}
	}
	return columns, nil
}

// Columns are those of the events, with the names of all classes.
func (f *File) Columns() Columns { return f.columns }

// Len implements [Reader].
func (f *File) Len() int { return f.file.Len() }

// Read implements [Reader]. A value that is missing, or can't be held, is an error, as in
// [Table.Events].
func (f *File) Read(first, last int) (Events, error) {
	if first < 0 || last > f.Len() || first >= last {
		return Events{}, fmt.Errorf("data.File.Read: rows %d to %d are asked for, and %s has %d: expected at least one", first, last-1, f.path, f.Len())
	}
	read, err := f.file.Read(f.used, first, last)
	if err != nil {
		return Events{}, fmt.Errorf("data.File.Read: %s: %w", f.path, err)
	}
	t := &Table{columns: read, length: last - first, origin: origin{file: f.path, where: func(row int) string { return f.file.Where(first + row) }}}
	events, err := f.columns.events(t)
	if err != nil {
		return Events{}, fmt.Errorf("data.File.Read: %w", err)
	}
	return events, nil
}

// Close closes the file, which can't be read any more.
func (f *File) Close() error { return f.disk.Close() }
