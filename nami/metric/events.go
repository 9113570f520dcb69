package metric

import (
	"fmt"
	"math"
	"slices"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
)

// events is a set of flattened events in one row-major block.
type events struct {
	flat        []float64
	count, size int
	weights     []float64 // which add up to 1; nil for all alike
}

func (e events) row(i int) []float64 { return e.flat[i*e.size : (i+1)*e.size] }

// readEvents reads a sample, all of whose values must be finite.
func readEvents(name string, x *tensors.Tensor) (events, error) {
	e, err := readAny(name, x)
	if err != nil {
		return e, err
	}
	bad, first, err := gomlx.NonFinite(x)
	if err != nil {
		return events{}, fmt.Errorf("reading %s: %w", name, err)
	}
	if bad > 0 {
		return events{}, fmt.Errorf("%s has %d values that are NaN or infinite, the first in event %d: no distance to them exists; drop those events", name, bad, first/e.size)
	}
	return e, nil
}

// readAny reads a sample, whatever its values.
func readAny(name string, x *tensors.Tensor) (events, error) {
	if x == nil {
		return events{}, fmt.Errorf("%s is nil: give a tensor of shape [n]+event", name)
	}
	shape := x.Shape()
	if !shape.Ok() {
		return events{}, fmt.Errorf("%s was freed: give a tensor of shape [n]+event", name)
	}
	if shape.Rank() < 1 {
		return events{}, fmt.Errorf("%s is a scalar: give a tensor of shape [n]+event, such as [1000, 2]", name)
	}
	e := events{count: shape.Dimensions[0], size: 1}
	for _, size := range shape.Dimensions[1:] {
		e.size *= size
	}
	if e.size == 0 {
		return events{}, fmt.Errorf("%s has shape %s: an event needs at least one value", name, shape)
	}
	if shape.DType != dtypes.Float64 && shape.DType != dtypes.Float32 {
		return events{}, fmt.Errorf("%s has dtype %s: convert it to Float32 or Float64", name, shape.DType)
	}
	e.flat = make([]float64, shape.Size())
	if err := gomlx.EachFloat(x, func(i int, v float64) { e.flat[i] = v }); err != nil {
		return events{}, fmt.Errorf("reading %s: %w", name, err)
	}
	return e, nil
}

func sameEvent(nameA string, a *tensors.Tensor, nameB string, b *tensors.Tensor) error {
	q, r := a.Shape(), b.Shape()
	differ := func(what string) error {
		return fmt.Errorf("%s is %s, %s is %s: %s; both must be [n]+event with the same event", nameA, q, nameB, r, what)
	}
	if q.Rank() != r.Rank() {
		return differ("the ranks differ")
	}
	for axis := 1; axis < q.Rank(); axis++ {
		if q.Dimensions[axis] != r.Dimensions[axis] {
			return differ(fmt.Sprintf("axis %d differs", axis))
		}
	}
	return nil
}

// readPair reads two samples of the same kind of event, neither empty, called x and y.
func readPair(name string, x, y *tensors.Tensor, settings []Option) (a, b events, err error) {
	return readNamed(name, [2]string{"x", "y"}, x, y, settings)
}

func readNamed(name string, names [2]string, x, y *tensors.Tensor, settings []Option) (a, b events, err error) {
	fail := func(err error) (events, events, error) {
		return events{}, events{}, fmt.Errorf("metric.%s: %w", name, err)
	}
	o, err := configure(settings, 2)
	if err != nil {
		return fail(err)
	}
	var both [2]events
	for i, x := range []*tensors.Tensor{x, y} {
		if both[i], err = readEvents(names[i], x); err != nil {
			return fail(err)
		}
	}
	if err := sameEvent(names[0], x, names[1], y); err != nil {
		return fail(err)
	}
	for i, x := range []*tensors.Tensor{x, y} {
		if both[i].count == 0 {
			return fail(fmt.Errorf("%s is empty (shape %s): give at least one event", names[i], x.Shape()))
		}
		if both[i].weights, err = o.of(i, names[i], both[i].count); err != nil {
			return fail(err)
		}
	}
	return both[0], both[1], nil
}

// pick is the events of those numbers, with their weights.
func (e events) pick(numbers []int) events {
	out := events{count: len(numbers), size: e.size}
	for _, i := range numbers {
		out.flat = append(out.flat, e.row(i)...)
		if e.weights != nil {
			out.weights = append(out.weights, e.weights[i])
		}
	}
	return out
}

// part is the events from first to end, exclusive.
func (e events) part(first, end int) events {
	out := events{count: end - first, size: e.size, flat: e.flat[first*e.size : end*e.size]}
	if e.weights != nil {
		out.weights = e.weights[first:end]
	}
	return out
}

// tensors are the events and their weights.
func (e events) tensors() (x, weights *tensors.Tensor) { return e.shaped([]int{e.size}) }

// shaped are the events, of a shape, and their weights.
func (e events) shaped(event []int) (x, weights *tensors.Tensor) {
	if e.weights != nil {
		weights = tensors.FromFlatDataAndDimensions(e.weights, e.count)
	}
	return tensors.FromFlatDataAndDimensions(e.flat, append([]int{e.count}, event...)...), weights
}

// column is coordinate k of all events.
func (e events) column(k int) []float64 {
	out := make([]float64, e.count)
	for i := range out {
		out[i] = e.row(i)[k]
	}
	return out
}

// columns are the values of the events, one slice for each of an event's.
func (e events) columns() [][]float64 {
	out := make([][]float64, e.size)
	for k := range out {
		out[k] = e.column(k)
	}
	return out
}

// normalised has weights that add up to 1, unless none of them counts.
func (e events) normalised() events {
	if e.weights == nil {
		return e
	}
	sum := 0.0
	for _, w := range e.weights {
		sum += w
	}
	if sum > 0 {
		e.weights = slices.Clone(e.weights)
		for i := range e.weights {
			e.weights[i] /= sum
		}
	}
	return e
}

// moment is a coordinate's mean and deviation.
type moment struct{ mean, deviation float64 }

func (e events) moment(k int) (m moment) {
	column := e.column(k)
	for i, v := range column {
		m.mean += e.weight(i) * v
	}
	for i, v := range column {
		m.deviation += e.weight(i) * (v - m.mean) * (v - m.mean)
	}
	m.deviation = math.Sqrt(m.deviation)
	return m
}
