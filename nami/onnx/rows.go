package onnx

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
)

// Numbers of rows for which a graph is built that is to serve any: a length in which they
// differ is so many for each row.
const rowsA, rowsB = 7919, 7907

// join makes of r, a recording for rowsA, and the one for rowsB that of a graph for any number
// of rows. It is an error if they differ in more than lengths that are proportional to it.
func (r *recording) join(other *recording) error {
	if len(r.values) != len(other.values) {
		return depends("the graph has %d values for %d rows and %d for %d", len(r.values), rowsA, len(other.values), rowsB)
	}
	for i, v := range r.values {
		if err := v.join(other.values[i]); err != nil {
			return err
		}
	}
	return nil
}

func (v *value) join(w *value) (err error) {
	if v.shape.DType != w.shape.DType || v.shape.Rank() != w.shape.Rank() || (v.by == nil) != (w.by == nil) || (v.sizes == nil) != (w.sizes == nil) {
		return depends("a value is %s for %d rows and %s for %d", v.shape, rowsA, w.shape, rowsB)
	}
	if v.perRow, err = perRow(wide(v.shape.Dimensions), wide(w.shape.Dimensions)); err != nil {
		return err
	}
	switch {
	case v.constant != nil:
		if !bytes.Equal(v.constant, w.constant) {
			return depends("a constant of shape %s has another value, as the divisor of a mean over rows has", v.shape)
		}
	case v.sizes != nil:
		v.sizes.per, err = perRow(v.sizes.of, w.sizes.of)
		return err
	case v.by != nil:
		return v.by.same(w.by)
	}
	return nil
}

// same is an error if the operations differ.
func (o *operation) same(p *operation) error {
	numbers := func(values []*value) (out []int) {
		for _, v := range values {
			out = append(out, v.number)
		}
		return out
	}
	if o.kind != p.kind || !slices.Equal(numbers(o.inputs), numbers(p.inputs)) || !reflect.DeepEqual(o.attributes, p.attributes) {
		return depends("it does %s for %d rows where it does %s for %d", o.kind, rowsA, p.kind, rowsB)
	}
	if o.body != nil && !(slices.Equal(numbers(o.body.results), numbers(p.body.results)) && slices.Equal(numbers(o.condition.results), numbers(p.condition.results))) {
		return depends("a loop is another one")
	}
	return nil
}

// perRow is how many of each length there are for each row; 0 for one that doesn't depend on
// their number.
func perRow(a, b []int64) ([]int64, error) {
	if len(a) != len(b) {
		return nil, depends("lengths of axes are %v for %d rows and %v for %d", a, rowsA, b, rowsB)
	}
	per := make([]int64, len(a))
	for i := range a {
		if a[i] == b[i] {
			continue
		}
		if per[i] = a[i] / rowsA; per[i]*rowsA != a[i] || per[i]*rowsB != b[i] {
			return nil, depends("a length is %d for %d rows and %d for %d", a[i], rowsA, b[i], rowsB)
		}
	}
	return per, nil
}

func depends(format string, args ...any) error {
	return fmt.Errorf("onnx: the graph isn't the same one for every number of rows: %s. Give Options.Rows, the number of rows that the file is to serve", fmt.Sprintf(format, args...))
}
