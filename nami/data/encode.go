package data

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/nami-flow/go-nami/nami/internal/table"
	"github.com/nami-flow/go-nami/nami/internal/table/csv"

	"github.com/gomlx/gomlx/core/tensors"
)

// Events makes events of the table. Values become floats of the events' dtype; it is an error
// if one is missing, infinite, a text, or too large, if an integer can't be held, as float32
// holds those up to 2²⁴ only, and if a class isn't among the names, or has none: see
// [Columns.Fit].
func (t *Table) Events(columns Columns) (Events, error) {
	if err := columns.Validate(); err != nil {
		return Events{}, err
	}
	events, err := columns.events(t)
	if err != nil {
		return Events{}, fmt.Errorf("data.Table.Events: %w", err)
	}
	return events, nil
}

// Context makes contexts of the table, [n, Columns.ContextSize()], as Events does. Of the
// columns it needs those of Context and Classes only.
func (t *Table) Context(columns Columns) (*tensors.Tensor, error) {
	err := columns.validateClasses()
	if err == nil && len(columns.contexts()) == 0 {
		err = fmt.Errorf("the columns have neither Context nor Classes: a context has at least one value")
	}
	var context *tensors.Tensor
	if err == nil && columns.Float64 {
		context, err = contextOf[float64](columns, t)
	} else if err == nil {
		context, err = contextOf[float32](columns, t)
	}
	if err != nil {
		return nil, fmt.Errorf("data.Table.Context: %w", err)
	}
	return context, nil
}

// number is the type of a tensor's values.
type number interface{ float32 | float64 }

func (c Columns) events(t *Table) (Events, error) {
	if t.Len() == 0 {
		return Events{}, fmt.Errorf("the table has no rows: events need one")
	}
	if _, err := table.Choose(t.Names(), c.Names()); err != nil {
		if t.origin.file != "" {
			err = fmt.Errorf("%s: %w", t.origin.file, err)
		}
		return Events{}, err
	}
	if c.Float64 {
		return eventsOf[float64](c, t)
	}
	return eventsOf[float32](c, t)
}

func eventsOf[T number](c Columns, t *Table) (Events, error) {
	var e Events
	var err error
	var mask []T
	n := t.Len()
	shape := []int{n, len(c.X)}
	absent := anyPresent
	if len(c.Mask) > 0 {
		if mask, err = matrix[T](t, c.Mask, len(c.Mask), func(int) func(int) bool { return anyPresent }); err != nil {
			return Events{}, err
		}
		e.Mask = tensors.FromFlatDataAndDimensions(mask, n, len(c.Mask))
		if err := checkBinary(e.Mask); err != nil {
			return Events{}, fmt.Errorf("columns %s: %w", table.List(c.Mask), err)
		}
		shape = []int{n, len(c.Mask), len(c.X) / len(c.Mask)}
	}
	padding := func(j int) func(int) bool {
		if mask == nil {
			return absent
		}
		object := j / (len(c.X) / len(c.Mask))
		return func(row int) bool { return mask[row*len(c.Mask)+object] == 0 }
	}
	values, err := matrix[T](t, c.X, len(c.X), padding)
	if err != nil {
		return Events{}, err
	}
	e.X = tensors.FromFlatDataAndDimensions(values, shape...)
	if len(c.Source) > 0 {
		if values, err = matrix[T](t, c.Source, len(c.Source), padding); err != nil {
			return Events{}, err
		}
		e.Source = tensors.FromFlatDataAndDimensions(values, shape...)
	}
	if len(c.contexts()) > 0 {
		if e.Context, err = contextOf[T](c, t); err != nil {
			return Events{}, err
		}
	}
	if c.Weight != "" {
		if values, err = matrix[T](t, []string{c.Weight}, 1, func(int) func(int) bool { return anyPresent }); err != nil {
			return Events{}, err
		}
		e.Weight = tensors.FromFlatDataAndDimensions(values, n)
	}
	return e, nil
}

// contextOf is the context of each row.
func contextOf[T number](c Columns, t *Table) (*tensors.Tensor, error) {
	width := c.ContextSize()
	for _, class := range c.Classes {
		if len(class.Names) == 0 {
			return nil, fmt.Errorf("the classes of %q have no names: columns.Fit(table) fills in those of a table, and the same columns then serve all its parts", class.Column)
		}
	}
	values, err := matrix[T](t, c.Context, width, func(int) func(int) bool { return anyPresent })
	if err != nil {
		return nil, err
	}
	at := len(c.Context)
	for _, class := range c.Classes {
		column, err := t.column(class.Column)
		if err != nil {
			return nil, err
		}
		if err := oneHot(values, width, at, class, column, t.origin); err != nil {
			return nil, err
		}
		at += len(class.Names)
	}
	return tensors.FromFlatDataAndDimensions(values, t.Len(), width), nil
}

// oneHot puts 1 into the place of each row's class.
func oneHot[T number](values []T, width, at int, class Class, c table.Column, from origin) error {
	numbers, texts := map[int64]int{}, map[string]int{}
	for i, name := range class.Names {
		texts[name] = i
		if n, err := strconv.ParseInt(name, 10, 64); err == nil {
			numbers[n] = i
		}
	}
	integer := c.Kind() != table.Text && c.Kind() != table.Boolean
	return eachClass(c, from, func(row int, number int64, text string) error {
		i, known := texts[text]
		if integer {
			i, known = numbers[number]
		}
		if !known {
			return fmt.Errorf("%s, column %q: %s is none of the classes %s: map it to one of them, or drop the row", from.at(row), c.Name, table.Short(c.Text(row)), table.List(class.Names))
		}
		values[row*width+at+i] = 1
		return nil
	})
}

// matrix has the columns, in this order, in rows of a width of which they fill the start.
func matrix[T number](t *Table, names []string, width int, absent func(j int) func(row int) bool) ([]T, error) {
	out := make([]T, t.Len()*width)
	for j, name := range names {
		c, err := t.column(name)
		if err != nil {
			return nil, err
		}
		if err := fill(out, width, j, c, t.origin, absent(j)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// anyPresent says of each row that its value must be there.
func anyPresent(int) bool { return false }

// anyMissing says of each row that its value may be missing, and becomes NaN.
var anyMissing func(row int) bool

// fill puts a column into every width-th place of out, from a place on. What is absent
// becomes 0; with anyMissing what is missing becomes NaN.
func fill[T number](out []T, width, at int, c table.Column, from origin, absent func(row int) bool) error {
	switch v := c.Values.(type) {
	case []float64:
		return floats(out, width, at, v, c.Name, from, absent)
	case []float32:
		return floats(out, width, at, v, c.Name, from, absent)
	case []int64:
		return wholes(out, width, at, v, c, from, absent)
	case []bool:
		for row, b := range v {
			switch {
			case absent != nil && absent(row):
			case c.IsMissing(row):
				return missingError(from, row, c.Name)
			case b:
				out[row*width+at] = 1
			}
		}
		return nil
	}
	if err := notNumber(from, c); err != nil {
		return err
	}
	return advise(": name it in Classes if its values are classes", "column %q is text, such as %s", c.Name, table.Short(c.Text(0)))
}

// floats fills in floats.
func floats[T, S number](out []T, width, at int, v []S, name string, from origin, absent func(row int) bool) error {
	largest := 0.0
	for row, value := range v {
		to := T(value)
		if to-to == 0 { // neither NaN nor infinite
			out[row*width+at] = to
			largest = max(largest, math.Abs(float64(value)))
			continue
		}
		switch {
		case absent == nil:
			out[row*width+at] = to
			continue
		case absent(row):
			continue
		case value != value:
			return missingError(from, row, name)
		case math.IsInf(float64(value), 0):
			return table.Advised{
				Fact: fmt.Sprintf("%s, column %q: the value is %v", from.at(row), name, value), Kind: ErrMissing,
				Advice: ": data.Where drops such rows, or mend the file",
			}
		}
		return advise(": rescale the column, or set Columns.Float64", "%s, column %q: %v is larger than float32 holds", from.at(row), name, value)
	}
	if T(largest) == 0 && largest > 0 {
		return advise(": rescale the column, or set Columns.Float64", "column %q: its largest value is %v, which float32 takes for 0", name, largest)
	}
	return nil
}

// wholes fills in integers.
func wholes[T number](out []T, width, at int, v []int64, c table.Column, from origin, absent func(row int) bool) error {
	_, single := any(out).([]float32)
	exact := int64(1 << 53)
	if single {
		exact = 1 << 24
	}
	for row, value := range v {
		switch {
		case c.Missing != nil && c.Missing[row]:
			switch {
			case absent == nil:
				out[row*width+at] = T(math.NaN())
			case !absent(row):
				return missingError(from, row, c.Name)
			}
			continue
		case value > exact || value < -exact:
			if to := T(value); to >= 1<<63 || int64(to) != value {
				if absent != nil && absent(row) {
					continue
				}
				if single {
					return advise(": set Columns.Float64, take the difference to a typical value, or name the column in Classes if its values are classes", "%s, column %q: float32 can't hold the integer %d, and would make it %.0f", from.at(row), c.Name, value, to)
				}
				return advise(": take the difference to a typical value, or name the column in Classes if its values are classes", "%s, column %q: float64 can't hold the integer %d, and would make it %.0f", from.at(row), c.Name, value, to)
			}
		}
		out[row*width+at] = T(value)
	}
	return nil
}

// ErrMissing is in an error (see [errors.Is]) of a value that is missing or infinite, where an
// event needs one.
var ErrMissing = errors.New("a value is missing")

// advise is an error with advice to programs.
func advise(advice, format string, args ...any) error {
	return table.Advised{Fact: fmt.Sprintf(format, args...), Advice: advice}
}

// missingError is that of a value that is missing where it can't be.
func missingError(from origin, row int, column string) error {
	return table.Advised{
		Fact: fmt.Sprintf("%s, column %q: the value is missing", from.at(row), column), Kind: ErrMissing,
		Advice: ": Table.Complete drops such rows, and says how many",
	}
}

// notNumber is the error of a column of texts of which some are numbers: it names the first
// that isn't one. It is nil if none is.
func notNumber(from origin, c table.Column) error {
	texts, ok := c.Values.([]string)
	if !ok || !slices.ContainsFunc(texts, csv.Number) {
		return nil
	}
	for row, s := range texts {
		if !c.IsMissing(row) && !csv.Number(s) {
			return advise(", list the text in Options.Missing if it stands for a missing value, or name the column in Classes if its values are classes",
				"%s, column %q: %s isn't a number, while others in the column are: mend the file", from.at(row), c.Name, table.Short(s))
		}
	}
	return advise(", leave the column out of Options.Text, or name it in Classes if its values are classes", "column %q holds numbers as texts, such as %s: write them without quotes", c.Name, table.Short(texts[0]))
}
