package parquet

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/nami-flow/go-nami/nami/internal/memory"
	"github.com/nami-flow/go-nami/nami/internal/table"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"golang.org/x/sync/errgroup"
)

// part are rows of a column in a row group, and where they belong.
type part struct {
	group, leaf  int
	from, to, at int
	out          *table.Column
	missing      []bool // of the part; nil if none is, or they are NaN
}

// Read implements [table.File].
func (f *File) Read(columns []int, first, last int) ([]table.Column, error) {
	out := make([]table.Column, len(columns))
	var parts []*part
	for i, k := range columns {
		j := f.chosen[k]
		for g := f.group(first); first < last && g < len(f.starts)-1 && f.starts[g] < last; g++ {
			from, to := max(first, f.starts[g]), min(last, f.starts[g+1])
			if from >= to {
				continue
			}
			if _, err := f.index(g, j); err != nil { // before memory is taken: there are as many rows as it says
				return nil, err
			}
			parts = append(parts, &part{group: g, leaf: j, from: from - f.starts[g], to: to - f.starts[g], at: from - first, out: &out[i]})
		}
	}
	if err := memory.Check(fmt.Sprintf("%d rows of %d columns", last-first, len(columns)), 8, last-first, max(1, len(columns))); err != nil {
		return nil, err
	}
	for i, k := range columns {
		l := f.leaves[f.chosen[k]]
		out[i] = table.New(l.name, l.kind(), last-first)
	}
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, p := range parts {
		group.Go(func() error { return f.part(p) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for _, p := range parts {
		if p.missing == nil {
			continue
		}
		if p.out.Missing == nil {
			p.out.Missing = make([]bool, last-first)
		}
		copy(p.out.Missing[p.at:], p.missing)
	}
	return out, nil
}

// part reads rows of a group into a column.
func (f *File) part(p *part) (err error) {
	defer damaged(&err)
	index, err := f.index(p.group, p.leaf)
	if err != nil {
		return err
	}
	l := f.leaves[p.leaf]
	row := f.starts[p.group]
	wrap := func(at int, err error) error {
		return fmt.Errorf("column %q, %s: %w", l.name, table.Row(row+at), err)
	}
	for _, other := range index.others {
		if err := other.check(f.source); err != nil {
			return wrap(0, err)
		}
	}
	start := index.at(p.from)
	for i := start; i < len(index.pages) && index.rows[i] < p.to; i++ {
		if err := index.pages[i].check(f.source); err != nil {
			return wrap(index.rows[i], err)
		}
	}
	pages := reader{f.source, index.pages[0].offset, index.pages[start].offset - index.pages[0].offset}
	in, err := file.NewParquetReader(pages, file.WithReadProps(properties()), file.WithMetadata(f.about))
	if err != nil {
		return err
	}
	column, err := in.RowGroup(p.group).Column(p.leaf)
	if err != nil {
		return wrap(0, fmt.Errorf("it can't be unpacked: %w", err))
	}
	defer column.Close()
	d := decoder{leaf: l, part: p, row: index.rows[start]}
	if err := d.column(column); err != nil {
		return wrap(d.row, err)
	}
	return nil
}

// decoder reads values into a column, from a row on that may be before those that are wanted.
type decoder struct {
	leaf leaf
	part *part
	row  int // the next one in the group

	texts texter
}

func (d *decoder) column(c file.ColumnChunkReader) error {
	switch out := d.part.out.Values.(type) {
	case []float64:
		switch c := c.(type) {
		case *file.Float64ColumnChunkReader:
			return pour(d, c, out, nil)
		case *file.Int32ColumnChunkReader:
			return pour(d, c, out, d.decimal32)
		case *file.Int64ColumnChunkReader:
			return pour(d, c, out, d.decimal64)
		case *file.ByteArrayColumnChunkReader:
			return pour(d, c, out, func(b parquet.ByteArray) (float64, error) { return d.decimal(b) })
		case *file.FixedLenByteArrayColumnChunkReader:
			return pour(d, c, out, func(b parquet.FixedLenByteArray) (float64, error) { return d.decimal(b) })
		}
	case []float32:
		switch c := c.(type) {
		case *file.Float32ColumnChunkReader:
			return pour(d, c, out, nil)
		case *file.FixedLenByteArrayColumnChunkReader:
			return pour(d, c, out, half)
		}
	case []int64:
		switch c := c.(type) {
		case *file.Int64ColumnChunkReader:
			if d.leaf.as == unsigned {
				return pour(d, c, out, fits)
			}
			return pour(d, c, out, nil)
		case *file.Int32ColumnChunkReader:
			if d.leaf.as == unsigned {
				return pour(d, c, out, func(v int32) (int64, error) { return int64(uint32(v)), nil })
			}
			return pour(d, c, out, func(v int32) (int64, error) { return int64(v), nil })
		case *file.Int96ColumnChunkReader:
			return pour(d, c, out, nano)
		}
	case []bool:
		if c, ok := c.(*file.BooleanColumnChunkReader); ok {
			return pour(d, c, out, nil)
		}
	case []string:
		if c, ok := c.(*file.ByteArrayColumnChunkReader); ok {
			return pour(d, c, out, d.texts.text)
		}
	}
	return fmt.Errorf("its values are stored as %v, which can't be read as %v", d.leaf.stored, d.part.out.Kind())
}

// batches is what all of the library's readers of columns have.
type batches[S any] interface {
	HasNext() bool
	Err() error
	ReadBatch(n int64, values []S, definitions, repetitions []int16) (rows int64, values_ int, err error)
}

// batch is how many values are read at once.
const batch = 8192

// pour reads until the wanted rows are there. convert makes a column's value of a stored one;
// nil where they are of one type.
func pour[S, T any](d *decoder, from batches[S], out []T, convert func(S) (T, error)) error {
	values, levels := make([]S, batch), make([]int16, batch)
	optional := d.leaf.level > 0
	p := d.part
	for d.row < p.to {
		if !from.HasNext() {
			if err := from.Err(); err != nil {
				return fmt.Errorf("it is damaged, or packed in a way that can't be read: %w", err)
			}
			return errors.New("it is damaged: the column ends here")
		}
		n := min(batch, p.to-d.row)
		if d.row < p.from {
			n = min(n, p.from-d.row)
		}
		// What is of one type, and may not be missing, goes straight to its place.
		direct := any(values).([]S)
		same, isSame := any(out).([]S)
		if convert == nil && isSame && d.row >= p.from {
			direct = same[p.at+d.row-p.from:]
		}
		rows, got, err := from.ReadBatch(int64(n), direct[:n], levels[:n], nil)
		if err != nil {
			return fmt.Errorf("it is damaged, or packed in a way that can't be read: %w", err)
		}
		if rows == 0 {
			return errors.New("it is damaged: the column has no values here")
		}
		if d.row >= p.from {
			if optional && got < int(rows) || convert != nil {
				var theirs []int16
				if optional {
					theirs = levels
				}
				if bad, err := spread(d, out[p.at+d.row-p.from:], direct[:got], theirs, int(rows), convert); err != nil {
					d.row += bad
					return err
				}
			}
		}
		d.row += int(rows)
	}
	return nil
}

// spread puts values to the rows that have one, by their levels, from the last on: they may
// be in the same memory. bad is the first row that has an error.
func spread[S, T any](d *decoder, out []T, values []S, levels []int16, rows int, convert func(S) (T, error)) (bad int, err error) {
	at := len(values)
	for i := rows - 1; i >= 0; i-- {
		if levels != nil && levels[i] != d.leaf.level {
			var none T
			switch none := any(&none).(type) {
			case *float64:
				*none = nan
			case *float32:
				*none = float32(nan)
			default:
				d.miss(d.row + i - d.part.from)
			}
			out[i] = none
			continue
		}
		if at--; at < 0 {
			return i, errors.New("it is damaged: there are fewer values than it says")
		}
		if convert == nil {
			out[i] = any(values).([]T)[at]
			continue
		}
		v, wrong := convert(values[at])
		if wrong != nil {
			bad, err = i, wrong
		}
		out[i] = v
	}
	return bad, err
}

// miss notes a missing value, by its number in the part.
func (d *decoder) miss(i int) {
	if d.part.missing == nil {
		d.part.missing = make([]bool, d.part.to-d.part.from)
	}
	d.part.missing[i] = true
}
