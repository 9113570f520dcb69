package transform

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
)

// Data is what a transform is fitted to. Only X is always there.
type Data struct {
	// X are the events, of shape [n, event...], of Float32 or Float64.
	X *tensors.Tensor

	// Mask is 1 for an object of an event and 0 for padding, of shape [n, objects], for events
	// of shape (objects, ..., columns). Padding isn't looked at.
	Mask *tensors.Tensor

	// Weight says how much each event counts, of shape [n]. Weights may be negative.
	Weight *tensors.Tensor

	// What a step of a transform gets is traced back to the data that was given.
	given   *tensors.Tensor   // nil for X
	columns []int             // the numbers of X's columns there; nil where they are the same
	ends    []*tensors.Tensor // the least and the largest values that noise can make of X's; nil without noise
}

// width is the number of columns, the size of the last axis; 1 for events that are scalars.
func (d Data) width() int {
	if d.X.Rank() < 2 {
		return 1
	}
	return d.X.Shape().Dim(-1)
}

// event is the shape of an event.
func (d Data) event() []int { return d.X.Shape().Dimensions[1:] }

// column is the number that the user knows column j by.
func (d Data) column(j int) int {
	if d.columns == nil {
		return j
	}
	return d.columns[j]
}

// source is the data that was given.
func (d Data) source() *tensors.Tensor {
	if d.given == nil {
		return d.X
	}
	return d.given
}

// origin is the flat index in the data that was given of what value i of X was made of.
func (d Data) origin(i int) int {
	from := Data{X: d.source()}
	return i/d.width()*from.width() + d.column(i%d.width())
}

// place names a value in errors.
func (d Data) place(i int) string {
	from, at := Data{X: d.source()}, d.origin(i)
	return fmt.Sprintf("row %d, column %d of the data, %s,", at/(from.X.Size()/from.X.Shape().Dimensions[0]), at%from.width(), from.X.Shape())
}

// rows are the values of data that count, with their weights.
type rows struct {
	width    int // how many values each is given together with
	perEvent int
	flat     []float64
	mask     []float64
	weight   []float64
}

// rows reads the data, and refuses what can't be used.
func (d Data) rows() (r rows, err error) {
	if err := d.checkShapes(); err != nil {
		return r, err
	}
	r = rows{width: d.width(), perEvent: d.X.Size() / d.X.Shape().Dimensions[0]}
	for _, part := range []struct {
		from *tensors.Tensor
		to   *[]float64
	}{{d.X, &r.flat}, {d.Mask, &r.mask}, {d.Weight, &r.weight}} {
		if part.from == nil {
			continue
		}
		*part.to = make([]float64, part.from.Size())
		if err := gomlx.EachFloat(part.from, func(i int, v float64) { (*part.to)[i] = v }); err != nil {
			return r, err
		}
	}
	for i, m := range r.mask {
		if m != 0 && m != 1 {
			return r, fmt.Errorf("the mask, %s, has %v in row %d: expected 1 for an object and 0 for padding", d.Mask.Shape(), m, i/d.Mask.Shape().Dim(-1))
		}
	}
	for i, w := range r.weight {
		if math.IsNaN(w) || math.IsInf(w, 0) {
			return r, fmt.Errorf("the weight of row %d is %v: it must be finite", i, w)
		}
	}
	return r, r.eachValue(func(i int, v float64) error {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("the value in %s is %v: it must be finite", d.place(i), v)
		}
		return nil
	})
}

// each calls do with the weight and the values of each row of the last axis, or of each event,
// that isn't padding.
func (r rows) each(do func(weight float64, x []float64)) {
	perObject := 1
	if r.mask != nil {
		perObject = len(r.flat) / len(r.mask)
	}
	for i := 0; i < len(r.flat); i += r.width {
		if r.mask != nil && r.mask[i/perObject] == 0 {
			continue
		}
		w := 1.0
		if r.weight != nil {
			w = r.weight[i/r.perEvent]
		}
		do(w, r.flat[i:i+r.width])
	}
}

// eachValue calls do with the place of each value that isn't padding, until one is refused.
func (r rows) eachValue(do func(i int, v float64) error) error {
	perObject := 1
	if r.mask != nil {
		perObject = len(r.flat) / len(r.mask)
	}
	for i, v := range r.flat {
		if r.mask != nil && r.mask[i/perObject] == 0 {
			continue
		}
		if err := do(i, v); err != nil {
			return err
		}
	}
	return nil
}

func (d Data) checkShapes() error {
	if d.X == nil {
		return errors.New("the data is nil: give the events as transform.Data{X: …}")
	}
	if dtype := d.X.DType(); dtype != dtypes.Float32 && dtype != dtypes.Float64 || d.X.Rank() < 1 || d.X.Size() == 0 {
		return fmt.Errorf("the data is %s: expected [n, event...] of Float32 or Float64 with at least one event", d.X.Shape())
	}
	dims := d.X.Shape().Dimensions
	fits := func(p *tensors.Tensor, dims ...int) bool {
		return p == nil || p.DType() == d.X.DType() && slices.Equal(p.Shape().Dimensions, dims)
	}
	switch {
	case d.Mask != nil && (len(dims) < 3 || !fits(d.Mask, dims[:2]...)):
		return fmt.Errorf("the mask is %s, the data %s: expected data of shape [n, objects, ..., columns] and a mask [n, objects], with the data's dtype", d.Mask.Shape(), d.X.Shape())
	case !fits(d.Weight, dims[0]):
		return fmt.Errorf("the weight is %s, the data %s: expected one number for each event, [%d], with the data's dtype", d.Weight.Shape(), d.X.Shape(), dims[0])
	}
	return nil
}
