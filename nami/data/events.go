// Package data prepares events for training: tables from files, what belongs to each event,
// sets in memory and streams from files, splits, and one-hot labels.
//
// A [Table] has named columns of numbers, booleans and texts. [Read] reads one from a file,
// and [Columns] says which of its columns become events, contexts, classes and weights:
//
//	table, err := data.Read("events.csv")
//	columns, err := data.Columns{X: []string{"x", "y"}, Classes: []data.Class{{Column: "kind"}}}.Fit(table)
//	events, err := table.Events(columns)
//
// [Open] is for files that are larger than memory. Parquet needs the package
// nami/data/parquet besides.
//
// A [Source] makes the batches that train.Fit learns from, by the number of the step: a
// step has the same batch each time it is asked for, which is why a run that was stopped
// can go on to the same bits.
//
//	Events   a set in memory, in a new random order in each epoch
//	Func     a function of the step
//	Stream   a file that [Open] opens, or whatever else is larger than memory, by blocks
package data

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
)

// Events are events and what belongs to each of them, in rows on the first axis: a set in
// memory, or one step's batch. Only X is always there; what is nil is absent. All are of
// one dtype, Float32 or Float64.
type Events struct {
	// X are the events, of shape [n, event...].
	X *tensors.Tensor

	// Context is the condition of each event, of shape [n, context...], with at least one
	// axis after the first: one number for each event is [n, 1].
	Context *tensors.Tensor

	// Mask is 1 for an object of an event and 0 for padding, of shape [n, objects], for
	// events of shape (objects, features...).
	Mask *tensors.Tensor

	// Source is the event of another distribution that each event belongs to, shaped like X:
	// known pairs. For source events without such pairs, and for their units, see
	// train.StartFrom.
	Source *tensors.Tensor

	// Weight says how much each event counts, of shape [n]. Weights may be negative, as
	// those of simulated events are; their sum must not be 0.
	Weight *tensors.Tensor
}

// Part is one of the tensors of [Events], with its name in errors.
type Part struct {
	Name  string
	Value *tensors.Tensor
}

// Parts lists what there is, X first and called data.
func (e Events) Parts() []Part {
	all := []Part{{"data", e.X}, {"context", e.Context}, {"mask", e.Mask}, {"source", e.Source}, {"weight", e.Weight}}
	return slices.DeleteFunc(all, func(p Part) bool { return p.Value == nil })
}

// each are the events whose parts f makes of these.
func (e Events) each(f func(p Part) (*tensors.Tensor, error)) (Events, error) {
	var made Events
	to := map[string]**tensors.Tensor{
		"data": &made.X, "context": &made.Context, "mask": &made.Mask, "source": &made.Source, "weight": &made.Weight,
	}
	for _, p := range e.Parts() {
		value, err := f(p)
		if err != nil {
			return Events{}, err
		}
		*to[p.Name] = value
	}
	return made, nil
}

// Len is the number of events; 0 without X.
func (e Events) Len() int {
	if e.X == nil || e.X.Rank() == 0 {
		return 0
	}
	return e.X.Shape().Dimensions[0]
}

// Validate reports what training can't use: no events, parts whose shape or dtype doesn't
// fit the events', values that are NaN or infinite, with their row, a mask of anything but
// 0 and 1, and weights that add up to 0.
func (e Events) Validate() error {
	if err := e.checkShapes(); err != nil {
		return err
	}
	for _, p := range e.Parts() {
		if err := checkFinite(p); err != nil {
			return err
		}
	}
	return errors.Join(e.checkMask(), e.checkWeight())
}

func (e Events) checkShapes() error {
	if e.X == nil {
		return errors.New("the data is nil: give the events as data.Events{X: …}")
	}
	if e.X.Rank() < 1 || e.X.Size() == 0 {
		return fmt.Errorf("the data is %s: expected [n, event...] with at least one event", e.X.Shape())
	}
	if d := e.X.DType(); d != dtypes.Float32 && d != dtypes.Float64 {
		return fmt.Errorf("the data is %s: expected Float32 or Float64", e.X.Shape())
	}
	n, dims := e.Len(), e.X.Shape().Dimensions
	wrong := func(p *tensors.Tensor, name, expected string) error {
		return fmt.Errorf("the %s is %s, the data %s: expected %s, with the data's dtype", name, p.Shape(), e.X.Shape(), expected)
	}
	fits := func(p *tensors.Tensor, dims ...int) bool {
		return p == nil || p.DType() == e.X.DType() && p.Size() > 0 && slices.Equal(p.Shape().Dimensions, dims)
	}
	if c := e.Context; c != nil && (c.Rank() < 2 || c.Size() == 0 || c.Shape().Dimensions[0] != n || c.DType() != e.X.DType()) {
		return wrong(c, "context", fmt.Sprintf("a row for each event, [%d, context...] with at least one axis and one value after the first", n))
	}
	switch {
	case e.Mask != nil && (e.X.Rank() < 3 || !fits(e.Mask, dims[:2]...)):
		return wrong(e.Mask, "mask", "data of shape [n, objects, features...] and a mask [n, objects]")
	case !fits(e.Source, dims...):
		return wrong(e.Source, "source", "one event for each of the data's, of the same shape")
	case !fits(e.Weight, n):
		return wrong(e.Weight, "weight", fmt.Sprintf("one number for each event, [%d]", n))
	}
	return nil
}

// checkFinite refuses values that are NaN or infinite.
func checkFinite(p Part) error {
	bad, first, err := gomlx.NonFinite(p.Value)
	if err != nil || bad == 0 {
		return err
	}
	return fmt.Errorf("%d of %d values of the %s are NaN or infinite, the first in row %d: remove or mend them before training",
		bad, p.Value.Size(), p.Name, row(p.Value, first))
}

// row is that of a value.
func row(t *tensors.Tensor, value int) int { return value / (t.Size() / t.Shape().Dimensions[0]) }

func (e Events) checkMask() error {
	if e.Mask == nil {
		return nil
	}
	return checkBinary(e.Mask)
}

// checkBinary refuses a mask of anything but 0 and 1.
func checkBinary(mask *tensors.Tensor) error {
	at, odd := -1, 0.0
	err := gomlx.EachFloat(mask, func(i int, v float64) {
		if at < 0 && v != 0 && v != 1 {
			at, odd = i, v
		}
	})
	if err == nil && at >= 0 {
		err = fmt.Errorf("the mask, %s, has %v in row %d: expected 1 for an object and 0 for padding", mask.Shape(), odd, row(mask, at))
	}
	return err
}

func (e Events) checkWeight() error {
	if e.Weight == nil {
		return nil
	}
	sum, size := 0.0, 0.0
	err := gomlx.EachFloat(e.Weight, func(_ int, w float64) { sum, size = sum+w, size+math.Abs(w) })
	if err == nil && math.Abs(sum) <= 1e-6*size {
		err = fmt.Errorf("the %d weights add up to %g, and their sizes to %g: a loss is divided by the sum, which must not be 0", e.Len(), sum, size)
	}
	return err
}

// Rows picks events by their numbers, in that order; one may occur more than once. It is an
// error if there is no such row, or if parts have different numbers of rows.
func (e Events) Rows(rows ...int) (Events, error) {
	if err := e.checkShapes(); err != nil {
		return Events{}, fmt.Errorf("data.Events.Rows: %w", err)
	}
	chosen := make([]int32, len(rows))
	for i, r := range rows {
		if r < 0 || r >= e.Len() {
			return Events{}, fmt.Errorf("data.Events.Rows: row %d is asked for, and there are %d: the first is 0", r, e.Len())
		}
		chosen[i] = int32(r)
	}
	return e.pick(chosen)
}

// pick is Rows without its checks.
func (e Events) pick(rows []int32) (Events, error) {
	return e.each(func(p Part) (*tensors.Tensor, error) { return gomlx.Rows(p.Value, rows) })
}

// Split divides events at random: a part for each fraction, with so many of them, to the nearest
// number, and a last one of the rest. It is an error if a part would be empty. The seed alone
// decides which event goes where.
//
//	parts, err := events.Split(seed, 0.1)
//	validation, training := parts[0], parts[1]
func (e Events) Split(seed int64, fractions ...float64) (parts []Events, err error) {
	if err := e.checkShapes(); err != nil {
		return nil, fmt.Errorf("data.Events.Split: %w", err)
	}
	ends, err := cuts(fractions, e.Len(), "events")
	if err != nil {
		return nil, fmt.Errorf("data.Events.Split: %w", err)
	}
	rows := make([]int32, e.Len())
	for i, row := range order(e.Len(), seed) {
		rows[i] = int32(row)
	}
	first := 0
	for _, end := range ends {
		part, err := e.pick(rows[first:end])
		if err != nil {
			return nil, err
		}
		parts, first = append(parts, part), end
	}
	return parts, nil
}
