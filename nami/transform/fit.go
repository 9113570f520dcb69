package transform

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// Fit returns t with the parameters that fit the data: those of each [Fitter] in it that
// weren't given, each step of a [Chain] fitted to what the steps before it made. It is an error
// if t doesn't fit the events' shape, and if a value is NaN, infinite or outside the [Domain] of
// the transform that gets it: the error names its row and column. Noise that a step adds has a
// seed of its own, the same at every call.
func Fit(backend compute.Backend, t Transform, d Data) (Transform, error) {
	return walk(backend, "Fit", true, t, d)
}

// Validate reports what [Fit] would of data for a transform whose parameters are known, before
// the data is given to it. A value outside a [Domain] is [ErrOutside].
func Validate(backend compute.Backend, t Transform, d Data) error {
	_, err := walk(backend, "Validate", false, t, d)
	return err
}

func walk(backend compute.Backend, name string, fit bool, t Transform, d Data) (fitted Transform, err error) {
	if t == nil {
		return nil, fmt.Errorf("transform.%s: the transform is nil", name)
	}
	if backend == nil {
		return nil, fmt.Errorf("transform.%s: %s", name, gomlx.NoBackend)
	}
	if _, err := d.rows(); err != nil {
		return nil, fmt.Errorf("transform.%s: %w", name, err)
	}
	err = gomlx.Try(func() error {
		fitted, err = walker{backend, fit}.step(t, d)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("transform.%s: %w", name, err)
	}
	return fitted, nil
}

// walker goes through the steps of a transform with the data that each of them gets.
type walker struct {
	backend compute.Backend
	fit     bool
}

func (w walker) step(t Transform, d Data) (fitted Transform, err error) {
	switch part := t.(type) {
	case Chain:
		fitted, err = w.chain(part, d)
	case Columns:
		fitted, err = w.columns(part, d)
	case Fitter:
		fitted = part
		if w.fit {
			fitted, err = part.Fit(d)
		}
	default:
		fitted = t
	}
	if err != nil {
		return nil, err
	}
	if _, err := fitted.ModelShape(d.event()); err != nil {
		return nil, err
	}
	if domain, ok := fitted.(Domain); ok {
		return fitted, checkDomain(domain, d)
	}
	return fitted, nil
}

func (w walker) chain(c Chain, d Data) (Transform, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	fitted := make(Chain, len(c))
	for i, step := range c {
		var err error
		if fitted[i], err = w.step(step, d); err != nil {
			return nil, fmt.Errorf("transform.Chain: step %d: %w", i, err)
		}
		if !slices.ContainsFunc(c[i+1:], w.looks) {
			return append(fitted[:i+1], c[i+1:]...), nil
		}
		var free func()
		if d, free, err = w.forward(fitted[i], d); err != nil {
			return nil, fmt.Errorf("transform.Chain: step %d: %w", i, err)
		}
		defer free()
	}
	return fitted, nil
}

func (w walker) columns(c Columns, d Data) (Transform, error) {
	if d.X.Rank() < 2 {
		_, err := c.ModelShape(nil)
		return nil, err
	}
	if err := c.validate(d.width()); err != nil {
		return nil, err
	}
	fitted := slices.Clone(c)
	for i, g := range c {
		part, free, err := w.part(d, g.Of)
		if err != nil {
			return nil, err
		}
		fitted[i].By, err = w.step(g.By, part)
		free()
		if err != nil {
			return nil, fmt.Errorf("transform.Columns: group %d, of the columns %v: %w", i, g.Of, err)
		}
	}
	return fitted, nil
}

// part is the data of some columns, and what frees it.
func (w walker) part(d Data, of []int) (part Data, free func(), err error) {
	part = d
	part.given, part.columns, part.ends = d.source(), nil, nil
	for _, j := range of {
		part.columns = append(part.columns, d.column(j))
	}
	in := []any{d.X}
	for _, end := range d.ends {
		in = append(in, end)
	}
	picked, err := CallOnceN(w.backend, func(in []*Node) []*Node {
		out := make([]*Node, len(in))
		for i, x := range in {
			out[i] = pick(x, of)
		}
		return out
	}, in...)
	if err != nil {
		return part, nil, err
	}
	if part.X = picked[0]; len(picked) > 1 {
		part.ends = picked[1:]
	}
	return part, func() { gomlx.Finalize(picked) }, nil
}

// looks is true for a transform that looks at the data.
func (w walker) looks(t Transform) bool {
	switch t := t.(type) {
	case Chain:
		return slices.ContainsFunc(t, w.looks)
	case Columns:
		return slices.ContainsFunc(t, func(g Group) bool { return w.looks(g.By) })
	case Fitter:
		_, domain := Transform(t).(Domain)
		return w.fit || domain
	case Domain:
		return true
	}
	return true // for its shape
}

// forward is the data as a step gives it to the next one, and what frees it: with noise as Fit
// needs it, and the least and the largest values that noise can make, for domains.
func (w walker) forward(t Transform, d Data) (out Data, free func(), err error) {
	least, largest := d.X, d.X
	if d.ends != nil {
		least, largest = d.ends[0], d.ends[1]
	}
	noise := &witness{}
	in := []any{gomlx.Key(0, 0), d.X, least, largest}
	made, err := CallOnceN(w.backend, func(in []*Node) []*Node {
		low, _ := t.Forward(noise, in[2])
		if noise.asked == 0 && d.ends == nil {
			return []*Node{low}
		}
		high, _ := t.Forward(&witness{most: true}, in[3])
		y, _ := t.Forward(gomlx.NewCounter(in[0], Const(in[0].Graph(), uint32(0))), in[1])
		return []*Node{y, low, high}
	}, in...)
	if err != nil {
		return d, nil, err
	}
	out = d
	out.given, out.X, out.ends = d.source(), made[0], nil
	if len(made) > 1 {
		out.ends = made[1:]
	}
	if out.columns, err = d.columnsAfter(t, out.X.Shape().Dimensions); err != nil {
		return d, nil, err
	}
	return out, func() { gomlx.Finalize(made) }, nil
}

// columnsAfter are the numbers, in the data that was given, of what the columns of t's result are
// made of. Of a transform that makes more columns, those of each stand together.
func (d Data) columnsAfter(t Transform, dims []int) ([]int, error) {
	width := 1
	if len(dims) > 1 {
		width = dims[len(dims)-1]
	}
	columns := make([]int, width)
	if c, ok := t.(Columns); ok {
		places, err := c.placesOfModel(dims)
		if err != nil {
			return nil, err
		}
		model, data := places.model()
		for i, of := range model {
			for j, column := range of {
				columns[column] = d.column(data[i][j*len(data[i])/len(of)])
			}
		}
		return columns, nil
	}
	for j := range columns {
		columns[j] = d.column(j * d.width() / width)
	}
	return columns, nil
}

func checkDomain(t Domain, d Data) error {
	looked := d.ends
	if looked == nil {
		looked = []*tensors.Tensor{d.X}
	}
	source := d.source()
	given := make([]float64, source.Size())
	if err := gomlx.EachFloat(source, func(i int, v float64) { given[i] = v }); err != nil {
		return err
	}
	perEvent := len(given) / source.Shape().Dimensions[0]
	for _, x := range looked {
		as := d
		as.X = x
		rows, err := as.rows()
		if err != nil {
			return err
		}
		var refused *OutsideError
		err = rows.eachValue(func(i int, v float64) error {
			err := t.Admit(v)
			if err == nil {
				return nil
			}
			at := as.origin(i)
			if d.given != nil && v != given[at] {
				err = fmt.Errorf("%w, and gets %s", err, strconv.FormatFloat(v, 'g', -1, x.DType().Bits()))
			}
			refused = refused.and(at, perEvent, given[at], err, func() string { return as.place(i) })
			return nil
		})
		if err != nil {
			return err
		}
		if refused != nil {
			return refused
		}
	}
	return nil
}

// Apply maps data to the model's units: y, [n, event'...], and the log-determinant of each
// event, [n]. What d.Mask marks as padding is zero in y and not counted; weights aren't looked
// at. The seed is that of the noise that t adds, if it does. It compiles at every call. Its
// errors are those of [Validate]; a result that isn't finite is one too.
func Apply(backend compute.Backend, t Transform, d Data, seed int64) (y, logDet *tensors.Tensor, err error) {
	if err := Validate(backend, t, d); err != nil {
		return nil, nil, fmt.Errorf("transform.Apply: %w", err)
	}
	y, logDet, err = call(backend, t, d, func(t Transform, key, x *Node) (*Node, *Node) {
		return t.Forward(gomlx.NewCounter(key, Const(key.Graph(), uint32(0))), x)
	}, seed)
	if err != nil {
		return nil, nil, fmt.Errorf("transform.Apply: %w", err)
	}
	return y, logDet, nil
}

// Invert maps what a model gives, d.X of shape [n, event'...], back to the data's units: x,
// [n, event...], and the log-determinant that Apply gives of it, [n]. Masks, weights and errors
// are as [Apply] has them.
func Invert(backend compute.Backend, t Transform, d Data) (x, logDet *tensors.Tensor, err error) {
	if t == nil || backend == nil {
		return nil, nil, fmt.Errorf("transform.Invert: the transform (%T) or the backend (%T) is nil", t, backend)
	}
	if _, err := d.rows(); err != nil {
		return nil, nil, fmt.Errorf("transform.Invert: %w", err)
	}
	x, logDet, err = call(backend, t, d, func(t Transform, _, y *Node) (*Node, *Node) { return t.Inverse(y) }, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("transform.Invert: %w", err)
	}
	return x, logDet, nil
}

func call(backend compute.Backend, t Transform, d Data, f func(t Transform, key, in *Node) (*Node, *Node), seed int64) (out, logDet *tensors.Tensor, err error) {
	in := []any{gomlx.Key(seed, 0), d.X}
	if d.Mask != nil {
		in = append(in, d.Mask)
	}
	var results []*tensors.Tensor
	err = gomlx.Try(func() error {
		results, err = CallOnceN(backend, func(in []*Node) []*Node {
			t := t
			if len(in) > 2 {
				t = Masked(t, in[2])
			}
			y, logDet := f(t, in[0], in[1])
			return []*Node{y, ReduceSum(shape.Flatten(logDet, logDet.Rank()-1), -1)}
		}, in...)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	for i, what := range []string{"the result", "its log-determinant"} {
		bad, first, e := gomlx.NonFinite(results[i])
		if err = errors.Join(err, e); bad > 0 {
			r := results[i].Shape()
			err = errors.Join(err, fmt.Errorf("%d of %d values of %s, %s, are NaN or infinite, the first in row %d: %s can't hold them", bad, r.Size(), what, r, first/(r.Size()/r.Dimensions[0]), r.DType))
		}
	}
	if err != nil {
		results[0].MustFinalizeAll()
		results[1].MustFinalizeAll()
		return nil, nil, err
	}
	return results[0], results[1], nil
}
