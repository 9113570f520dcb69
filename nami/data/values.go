package data

import (
	"fmt"
	"slices"

	"github.com/nami-flow/go-nami/nami/internal/table"
)

// Floats are the values of a column of numbers. Those that are missing are NaN. A column of
// texts or booleans, and an integer that float64 can't hold, beyond ±2⁵³, are errors.
func (t *Table) Floats(name string) ([]float64, error) {
	c, err := t.column(name)
	if err != nil {
		return nil, t.wrap("Floats", err)
	}
	out := make([]float64, c.Len())
	switch v := c.Values.(type) {
	case []bool:
		return nil, t.wrap("Floats", t.kindError(c, "numbers", "Bools"))
	case []string:
		return nil, t.wrap("Floats", t.kindError(c, "numbers", "Texts"))
	case []float64:
		copy(out, v)
		return out, nil
	}
	if err := fill(out, 1, 0, c, t.origin, anyMissing); err != nil {
		return nil, fmt.Errorf("data.Table.Floats: %w", err)
	}
	return out, nil
}

// Ints are the values of a column of integers. It is an error if one is missing.
func (t *Table) Ints(name string) ([]int64, error) { return valuesOf[int64](t, "Ints", name) }

// Texts are the values of a column of texts. It is an error if one is missing.
func (t *Table) Texts(name string) ([]string, error) { return valuesOf[string](t, "Texts", name) }

// Bools are the values of a column of booleans. It is an error if one is missing.
func (t *Table) Bools(name string) ([]bool, error) { return valuesOf[bool](t, "Bools", name) }

func valuesOf[T any](t *Table, method, name string) ([]T, error) {
	c, err := t.column(name)
	if err != nil {
		return nil, t.wrap(method, err)
	}
	values, ok := c.Values.([]T)
	if !ok {
		other := map[table.Kind]string{table.Float64: "Floats", table.Float32: "Floats", table.Integer: "Ints", table.Text: "Texts", table.Boolean: "Bools"}[c.Kind()]
		what := map[string]string{"Ints": "integers", "Texts": "texts", "Bools": "booleans"}[method]
		return nil, t.wrap(method, t.kindError(c, what, other))
	}
	if row := slices.Index(c.Missing, true); row >= 0 {
		return nil, fmt.Errorf("data.Table.%s: %w", method, missingError(t.origin, row, name))
	}
	return slices.Clone(values), nil
}

// kindError is that of a column of another kind.
func (t *Table) kindError(c table.Column, expected, method string) error {
	if c.Kind() == table.Text && expected != "booleans" {
		if err := notNumber(t.origin, c); err != nil {
			return err
		}
	}
	return fmt.Errorf("column %q is of the kind %s: expected %s; %s reads it", c.Name, c.Kind(), expected, method)
}
