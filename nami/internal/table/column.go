// Package table holds named columns of values, and what the readers and writers of files of
// them share.
package table

import (
	"fmt"
	"math"
	"slices"
)

// Kind is what the values of a column are.
type Kind int

// The kinds of values.
const (
	Float64 Kind = iota
	Float32
	Integer // int64
	Boolean
	Text
)

// String is the kind in words.
func (k Kind) String() string {
	return [...]string{"float64", "float32", "integer", "boolean", "text"}[k]
}

// Column is a column of a table.
type Column struct {
	Name string

	// Values is a []float64, []float32, []int64, []bool or []string.
	Values any

	// Missing says which values are missing; nil if none is. A missing value of floats is
	// NaN instead, and they have no Missing.
	Missing []bool
}

// New is a column of n values of a kind, all zero.
func New(name string, kind Kind, n int) Column {
	c := Column{Name: name}
	switch kind {
	case Float64:
		c.Values = make([]float64, n)
	case Float32:
		c.Values = make([]float32, n)
	case Integer:
		c.Values = make([]int64, n)
	case Boolean:
		c.Values = make([]bool, n)
	case Text:
		c.Values = make([]string, n)
	}
	return c
}

// Kind is that of the values.
func (c Column) Kind() Kind {
	switch c.Values.(type) {
	case []float64:
		return Float64
	case []float32:
		return Float32
	case []int64:
		return Integer
	case []bool:
		return Boolean
	case []string:
		return Text
	}
	panic(fmt.Sprintf("table: a column of %T", c.Values))
}

// Len is the number of values, those that are missing too.
func (c Column) Len() int {
	switch v := c.Values.(type) {
	case []float64:
		return len(v)
	case []float32:
		return len(v)
	case []int64:
		return len(v)
	case []bool:
		return len(v)
	case []string:
		return len(v)
	}
	return 0
}

// IsMissing says whether the value of a row is missing.
func (c Column) IsMissing(row int) bool {
	switch v := c.Values.(type) {
	case []float64:
		return math.IsNaN(v[row])
	case []float32:
		return v[row] != v[row]
	}
	return c.Missing != nil && c.Missing[row]
}

// Missed is the number of missing values.
func (c Column) Missed() int {
	n := 0
	for row := range c.Len() {
		if c.IsMissing(row) {
			n++
		}
	}
	return n
}

// SetMissing makes the value of a row missing.
func (c *Column) SetMissing(row int) {
	switch v := c.Values.(type) {
	case []float64:
		v[row] = math.NaN()
	case []float32:
		v[row] = float32(math.NaN())
	default:
		if c.Missing == nil {
			c.Missing = make([]bool, c.Len())
		}
		c.Missing[row] = true
	}
}

// Rows copies rows, in the given order.
func (c Column) Rows(rows []int) Column {
	out := Column{Name: c.Name}
	switch v := c.Values.(type) {
	case []float64:
		out.Values = pick(v, rows)
	case []float32:
		out.Values = pick(v, rows)
	case []int64:
		out.Values = pick(v, rows)
	case []bool:
		out.Values = pick(v, rows)
	case []string:
		out.Values = pick(v, rows)
	}
	if c.Missing != nil {
		if missing := pick(c.Missing, rows); slices.Contains(missing, true) {
			out.Missing = missing
		}
	}
	return out
}

func pick[T any](values []T, rows []int) []T {
	out := make([]T, len(rows))
	for i, row := range rows {
		out[i] = values[row]
	}
	return out
}

// CopyAt copies all values of a column of the same kind into c, from a row on.
func (c *Column) CopyAt(row int, from Column) {
	switch v := c.Values.(type) {
	case []float64:
		copy(v[row:], from.Values.([]float64))
	case []float32:
		copy(v[row:], from.Values.([]float32))
	case []int64:
		copy(v[row:], from.Values.([]int64))
	case []bool:
		copy(v[row:], from.Values.([]bool))
	case []string:
		copy(v[row:], from.Values.([]string))
	}
	if from.Missing != nil && slices.Contains(from.Missing, true) {
		if c.Missing == nil {
			c.Missing = make([]bool, c.Len())
		}
		copy(c.Missing[row:], from.Missing)
	}
}

// Text is a value in words, for errors and previews; "" for a missing one.
func (c Column) Text(row int) string {
	if c.IsMissing(row) {
		return ""
	}
	switch v := c.Values.(type) {
	case []float64:
		return fmt.Sprint(v[row])
	case []float32:
		return fmt.Sprint(v[row])
	case []int64:
		return fmt.Sprint(v[row])
	case []bool:
		return fmt.Sprint(v[row])
	case []string:
		return v[row]
	}
	return ""
}
