// Package shape holds the arithmetic of shapes: which axes of a tensor are one event, and which
// stand before it.
//
// A tensor's shape is sample_shape + batch_shape + event_shape. The axes before
// the event are its lead; the event rank says how many trailing axes make one
// event. Functions on dimensions return errors; functions on graph nodes panic,
// as GoMLX's do.
package shape

import (
	"fmt"
	"slices"
	"strings"
)

// Split divides dims into the lead and the event, the last rank axes. It is an
// error if rank is negative or exceeds the number of axes. The results alias dims.
func Split(dims []int, rank int) (lead, event []int, err error) {
	if rank < 0 {
		return nil, nil, fmt.Errorf("shape.Split: the event rank is %d: it must be 0 or more", rank)
	}
	if rank > len(dims) {
		return nil, nil, fmt.Errorf("shape.Split: shape %s has %d axes, fewer than the event rank %d",
			Format(dims), len(dims), rank)
	}
	cut := len(dims) - rank
	return dims[:cut:cut], dims[cut:], nil
}

// Size is the number of values in one event, the product of its axes: 1 for a scalar event.
func Size(event []int) int {
	size := 1
	for _, d := range event {
		size *= d
	}
	return size
}

// Validate reports how dims differs from what is expected: an event, and a lead
// before it. A nil lead accepts any lead; an empty one means none.
func Validate(dims, event, lead []int) error {
	gotLead, gotEvent, err := Split(dims, len(event))
	if err != nil {
		return fmt.Errorf("shape %s is too short for events of shape %s", Format(dims), Format(event))
	}
	if !slices.Equal(gotEvent, event) {
		return fmt.Errorf("shape %s ends in %s, expected events of shape %s%s",
			Format(dims), Format(gotEvent), Format(event), firstDifference(gotEvent, event))
	}
	if lead != nil && !slices.Equal(gotLead, lead) {
		return fmt.Errorf("shape %s begins with %s, expected the lead %s%s",
			Format(dims), Format(gotLead), Format(lead), firstDifference(gotLead, lead))
	}
	return nil
}

// firstDifference names the first axis in which two shapes of one rank differ.
func firstDifference(got, want []int) string {
	if len(got) != len(want) {
		return ""
	}
	for axis := range got {
		if got[axis] != want[axis] {
			return fmt.Sprintf(" (axis %d is %d, not %d)", axis, got[axis], want[axis])
		}
	}
	return ""
}

// Format writes a shape as (5, 4), and the shape of a scalar as ().
func Format(dims []int) string {
	parts := make([]string, len(dims))
	for i, d := range dims {
		parts[i] = fmt.Sprint(d)
	}
	return "(" + strings.Join(parts, ", ") + ")"
}
