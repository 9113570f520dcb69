package modelfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/nami/transform"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// Table is a table of samples, lead+Event, with a row for each and the names of Columns.X, or x0,
// x1 and so on: see [data.FromTensor]. A column that [transform.Whole] knows for whole numbers, as
// counts are behind a transform.Dequantize, is one of integers.
func (f File) Table(samples *tensors.Tensor) (*data.Table, error) {
	t, err := f.table(samples)
	if err != nil {
		return nil, fmt.Errorf("modelfile.File.Table: %w", err)
	}
	return t, nil
}

func (f File) table(samples *tensors.Tensor) (*data.Table, error) {
	p, err := partsOf(f.Model)
	if err != nil {
		return nil, err
	}
	event, names := f.Event, f.Columns.X
	if p != nil {
		event = p.units.Shape
	}
	if event == nil {
		return nil, errors.New("the Event is nil, and so it isn't known how many values an event has")
	}
	if len(names) == 0 {
		for i := range shape.Size(event) {
			names = append(names, "x"+strconv.Itoa(i))
		}
	}
	t, err := data.FromTensor(samples, names...)
	if err != nil || p == nil || p.units.Event == nil || len(event) == 0 {
		return t, err
	}
	for i, name := range names {
		if !transform.Whole(p.units.Event, i%event[len(event)-1]) {
			continue
		}
		values, err := t.Floats(name)
		if err != nil {
			return nil, err
		}
		whole := make([]int64, len(values))
		for row, v := range values {
			if whole[row] = int64(v); float64(whole[row]) != v {
				return nil, fmt.Errorf("row %d of %q is %v, and the model's Transform makes whole numbers there: are these its samples?", row, name, v)
			}
		}
		if t, err = t.With(data.NewColumn(name, whole)); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// Example is a context that the model takes, of the shape Context, with which programs can be
// compiled; nil for a model without contexts. Its numbers are what the model's ContextTransform
// takes for 0, such as the mean of the training's contexts, or 0 without one, and of each of
// Columns.Classes it has the first class.
func (f File) Example() (*tensors.Tensor, error) {
	f, err := f.settled()
	if err == nil && f.Context == nil {
		return nil, nil
	}
	var example *tensors.Tensor
	if err == nil {
		example, err = f.example()
	}
	if err != nil {
		return nil, fmt.Errorf("modelfile.File.Example: %w", err)
	}
	return example, nil
}

func (f File) example() (*tensors.Tensor, error) {
	values := make([]float64, shape.Size(f.Context))
	p, err := partsOf(f.Model)
	if err != nil {
		return nil, err
	}
	if p != nil && p.units.Context != nil {
		backend, err := gomlx.PureGo()
		if err != nil {
			return nil, err
		}
		inModel, err := p.units.ContextShape(f.Context)
		if err != nil {
			return nil, err
		}
		x, err := CallOnce(backend, func(g *Graph) *Node {
			x, _ := p.units.Context.Inverse(Zeros(g, shapes.Make(dtypes.Float64, slices.Concat([]int{1}, inModel)...)))
			return x
		})
		if err != nil {
			return nil, err
		}
		defer x.MustFinalizeAll()
		if err := gomlx.EachFloat(x, func(i int, v float64) { values[i] = v }); err != nil {
			return nil, err
		}
	}
	at := len(f.Columns.Context)
	for _, class := range f.Columns.Classes {
		for i := range class.Names {
			values[at+i] = 0
		}
		values[at] = 1
		at += len(class.Names)
	}
	if i := slices.IndexFunc(values, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }); i >= 0 {
		return nil, fmt.Errorf("the ContextTransform makes %v of 0 for value %d of a context", values[i], i)
	}
	return gomlx.FromFloats(f.DType(), values, f.Context...), nil
}

// Metadata says in texts, by name, what the values of events and contexts are, for files of other
// formats that the model is exported to, such as onnx.Options.Metadata:
//
//	columns  ["pt", "mass"]                    the values of an event, in their order
//	context  ["energy", "kind=gluon", "kind=quark"]  those of a context; a class is 1 where it is, else 0
//	units    {"pt": "GeV"}                     of columns
//
// The texts are JSON. What the file doesn't say isn't there.
func (f File) Metadata() map[string]string {
	about := map[string]string{}
	add := func(name string, value any, is bool) {
		if is {
			text, _ := json.Marshal(value) // of strings it doesn't fail
			about[name] = string(text)
		}
	}
	context := slices.Clone(f.Columns.Context)
	for _, class := range f.Columns.Classes {
		for _, name := range class.Names {
			context = append(context, class.Column+"="+name)
		}
	}
	add("columns", f.Columns.X, len(f.Columns.X) > 0)
	add("context", context, len(context) > 0)
	add("units", f.Units, len(f.Units) > 0)
	return about
}
