package data

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/nami-flow/go-nami/nami/internal/table"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
)

// Table has named columns of numbers, booleans and texts, with a value, or a missing one, in
// each row. It is read from a file with [Read], made of slices with [NewTable], or of samples
// with [FromTensor]. A table doesn't change: what chooses rows or columns makes another.
//
//	table, err := data.Read("events.parquet")
//	clean, dropped, err := table.Complete("x", "y", "kind")
//	events, err := clean.Events(data.Columns{X: []string{"x", "y"}})
type Table struct {
	columns []table.Column
	length  int
	origin  origin
}

// origin is where rows come from, for errors.
type origin struct {
	file  string               // "" for none
	where func(row int) string // names a row of the file
	rows  []int                // those of the file, by row; nil if they are the same
}

// at names a row.
func (o origin) at(row int) string {
	where := table.Row
	if o.where != nil {
		where = o.where
	}
	if o.rows != nil {
		row = o.rows[row]
	}
	if o.file != "" {
		return o.file + ": " + where(row)
	}
	return where(row)
}

// Column is a column of a [Table], made with [NewColumn].
type Column struct{ column table.Column }

// Value is what a column can be made of. All integers are kept as int64.
type Value interface {
	float64 | float32 | int64 | int32 | int | bool | string
}

// NewColumn is a column of values, which it keeps: they must not be changed any more. A NaN
// is a missing value.
func NewColumn[T Value](name string, values []T) Column {
	c := table.Column{Name: name}
	switch v := any(values).(type) {
	case []int:
		c.Values = integers(v)
	case []int32:
		c.Values = integers(v)
	default:
		c.Values = v
	}
	return Column{c}
}

func integers[T int | int32](values []T) []int64 {
	out := make([]int64, len(values))
	for i, v := range values {
		out[i] = int64(v)
	}
	return out
}

// WithMissing is the column with the values of these rows missing. It panics if there is no
// such row, as an index does.
func (c Column) WithMissing(rows ...int) Column {
	all := make([]int, c.column.Len())
	for i := range all {
		all[i] = i
	}
	out := c.column.Rows(all)
	for _, row := range rows {
		out.SetMissing(row)
	}
	return Column{out}
}

// NewTable is a table of columns, which must have different names and one length.
func NewTable(columns ...Column) (*Table, error) {
	t := &Table{}
	if err := t.add(columns); err != nil {
		return nil, fmt.Errorf("data.NewTable: %w", err)
	}
	return t, nil
}

// add adds columns, in the place of those with the same names.
func (t *Table) add(columns []Column) error {
	var names []string
	for _, c := range columns {
		names = append(names, c.column.Name)
	}
	if _, err := table.Choose(names, nil); err != nil {
		return err
	}
	for _, c := range columns {
		if c.column.Values == nil {
			return fmt.Errorf("column %q has no values: make it with data.NewColumn", c.column.Name)
		}
		if n := c.column.Len(); len(t.columns) == 0 {
			t.length = n
		} else if n != t.length {
			return fmt.Errorf("column %q has %d values, and column %q %d: expected as many in each", c.column.Name, n, t.columns[0].Name, t.length)
		}
		if i := slices.IndexFunc(t.columns, func(other table.Column) bool { return other.Name == c.column.Name }); i >= 0 {
			t.columns[i] = c.column
		} else {
			t.columns = append(t.columns, c.column)
		}
	}
	return nil
}

// FromTensor is a table of events, such as samples: a tensor of the shape lead+event, with a row
// for each place of lead, in their order, and a name for each value of an event. So samples of
// the shape (n)+batch_shape+event_shape become n rows for each of the batch, and those of masked
// events a column for each feature of each object. With one name it takes numbers of the shape
// [n], such as log-densities, or lead+[1]. The values are copied.
func FromTensor(x *tensors.Tensor, names ...string) (*Table, error) {
	if x == nil {
		return nil, errors.New("data.FromTensor: the tensor is nil")
	}
	if d := x.DType(); d != dtypes.Float32 && d != dtypes.Float64 || !endsIn(x.Shape().Dimensions, len(names)) {
		return nil, fmt.Errorf("data.FromTensor: the tensor is %s, and there are %d names: expected Float32 or Float64 values, a row for each place of the first axes, whose last axes have %d values, one for each name", x.Shape(), len(names), len(names))
	}
	columns := make([]Column, len(names))
	err := x.ConstFlatData(func(flat any) {
		for j, name := range names {
			switch flat := flat.(type) {
			case []float64:
				columns[j] = NewColumn(name, every(flat, j, len(names)))
			case []float32:
				columns[j] = NewColumn(name, every(flat, j, len(names)))
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return NewTable(columns...)
}

// endsIn says whether the last axes of dims, at least one of them, have so many values; of one
// value, the axis may be left out behind a single one of rows.
func endsIn(dims []int, values int) bool {
	if values == 1 && len(dims) == 1 {
		return true
	}
	size := 1
	for i := len(dims) - 1; i >= 0; i-- {
		if size *= dims[i]; size == values {
			return true
		}
	}
	return false
}

// every is each stride-th value, from the first on.
func every[T any](flat []T, first, stride int) []T {
	out := make([]T, len(flat)/stride)
	for i := range out {
		out[i] = flat[first+i*stride]
	}
	return out
}

// Len is the number of rows.
func (t *Table) Len() int { return t.length }

// Place says where a row comes from, as errors do: the file, with its line or row there.
func (t *Table) Place(row int) string { return t.origin.at(row) }

// Names are the names of the columns.
func (t *Table) Names() []string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.Name
	}
	return names
}

// Column is the column of that name.
func (t *Table) Column(name string) (Column, error) {
	c, err := t.column(name)
	if err != nil {
		return Column{}, fmt.Errorf("data.Table.Column: %w", err)
	}
	return Column{c}, nil
}

// Select is the table of these columns, in this order.
func (t *Table) Select(names ...string) (*Table, error) {
	chosen, err := table.Choose(t.Names(), append([]string{}, names...))
	if err != nil {
		return nil, t.wrap("Select", err)
	}
	out := &Table{length: t.length, origin: t.origin}
	for _, i := range chosen {
		out.columns = append(out.columns, t.columns[i])
	}
	return out, nil
}

// With is the table with further columns, or others in the place of those with the same
// names. Each has a value for each row.
func (t *Table) With(columns ...Column) (*Table, error) {
	out := &Table{columns: slices.Clone(t.columns), length: t.length, origin: t.origin}
	if err := out.add(columns); err != nil {
		return nil, t.wrap("With", err)
	}
	return out, nil
}

// Rows is the table of these rows, in this order; the first is 0, and one may occur more than
// once.
func (t *Table) Rows(rows ...int) (*Table, error) {
	for _, row := range rows {
		if row < 0 || row >= t.length {
			return nil, t.wrap("Rows", fmt.Errorf("row %d is asked for, and there are %d: the first is 0", row, t.length))
		}
	}
	return t.pick(rows), nil
}

// pick is Rows without its checks.
func (t *Table) pick(rows []int) *Table {
	out := &Table{length: len(rows), origin: t.origin}
	out.origin.rows = slices.Clone(rows)
	if t.origin.rows != nil {
		for i, row := range rows {
			out.origin.rows[i] = t.origin.rows[row]
		}
	}
	for _, c := range t.columns {
		out.columns = append(out.columns, c.Rows(rows))
	}
	return out
}

// Head is the table of the first n rows, or of all if there are fewer.
func (t *Table) Head(n int) *Table {
	rows := make([]int, max(0, min(n, t.length)))
	for i := range rows {
		rows[i] = i
	}
	return t.pick(rows)
}

// column finds a column.
func (t *Table) column(name string) (table.Column, error) {
	i, err := table.Choose(t.Names(), []string{name})
	if err != nil {
		return table.Column{}, err
	}
	return t.columns[i[0]], nil
}

// wrap says which method of which table an error is of.
func (t *Table) wrap(method string, err error) error {
	if t.origin.file != "" {
		return fmt.Errorf("data.Table.%s: %s: %w", method, t.origin.file, err)
	}
	return fmt.Errorf("data.Table.%s: %w", method, err)
}

// String lists the columns, with kind, number of missing values, and the first values of
// each.
func (t *Table) String() string {
	const most, shown = 40, 5
	var out strings.Builder
	if t.origin.file != "" {
		out.WriteString(t.origin.file + ": ")
	}
	fmt.Fprintf(&out, "%d rows, %d columns\n", t.length, len(t.columns))
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "column\tkind\tmissing\tfirst values")
	for i, c := range t.columns {
		if i == most {
			fmt.Fprintf(w, "and %d more\t\t\t\n", len(t.columns)-most)
			break
		}
		var first []string
		for row := range min(shown, c.Len()) {
			value := c.Text(row)
			switch {
			case c.IsMissing(row):
				value = "–"
			case c.Kind() == table.Text:
				value = table.Short(value)
			}
			first = append(first, value)
		}
		if c.Len() > shown {
			first = append(first, "…")
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", c.Name, c.Kind(), c.Missed(), strings.Join(first, ", "))
	}
	w.Flush()
	return out.String()
}
