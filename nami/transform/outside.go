package transform

import (
	"errors"
	"fmt"
)

// ErrOutside is in an error (see [errors.Is]) that reports a value outside a [Domain].
var ErrOutside = errors.New("a value is outside the domain of a transform")

// OutsideError is the error of a value outside a [Domain], with [ErrOutside] in it: it is of the
// data as they were given, before any transform.
type OutsideError struct {
	// Row is the number of the event, from 0, and Place that of the value in it: its column, or,
	// in an event of several axes, how many values are before it.
	Row, Place int

	// Value is what stands there.
	Value float64

	// Rows are the numbers of all events with such a value, rising.
	Rows []int

	// Err says what is expected.
	Err error

	where string // how errors call the data
}

// Error says which value is outside, and what is expected.
func (e *OutsideError) Error() string {
	return fmt.Sprintf("the value in %s is %v: %v", e.where, e.Value, e.Err)
}

// Is implements what [errors.Is] asks for.
func (e *OutsideError) Is(target error) bool { return target == ErrOutside }

// Unwrap implements what [errors.As] asks for.
func (e *OutsideError) Unwrap() error { return e.Err }

// From is the error for data of which the events that it is about, or the first n of them, are
// those from number first on.
func (e *OutsideError) From(first, n int) *OutsideError {
	moved := *e
	moved.Row += first
	moved.Rows = nil
	for _, row := range e.Rows {
		if row < n {
			moved.Rows = append(moved.Rows, row+first)
		}
	}
	if first > 0 {
		moved.where = fmt.Sprintf("row %d, place %d of the event,", moved.Row, moved.Place)
	}
	return &moved
}

// and is the error with one more value: that of flat index i among events of so many values. where
// is what errors call the first one's place.
func (e *OutsideError) and(i, perEvent int, value float64, err error, where func() string) *OutsideError {
	row := i / perEvent
	if e == nil {
		e = &OutsideError{Row: row, Place: i % perEvent, Value: value, Err: err, where: where()}
	}
	if n := len(e.Rows); n == 0 || e.Rows[n-1] != row {
		e.Rows = append(e.Rows, row)
	}
	return e
}
