package shape

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
)

// Spec says what one event is: the shape and the dtype of its values.
type Spec struct {
	// Shape is the event's shape; empty for a scalar event.
	Shape []int

	// DType is the type of each value.
	DType dtypes.DType
}

// SpecOf is the spec of a tensor's or a node's events, the last rank axes of shape. It
// is an error if rank is negative or exceeds the number of axes.
func SpecOf(shape shapes.Shape, rank int) (Spec, error) {
	_, event, err := Split(shape.Dimensions, rank)
	if err != nil {
		return Spec{}, err
	}
	return Spec{Shape: slices.Clone(event), DType: shape.DType}, nil
}

// Rank is the number of axes of one event.
func (s Spec) Rank() int { return len(s.Shape) }

// Size is the number of values in one event.
func (s Spec) Size() int { return Size(s.Shape) }

// Validate reports how shape, of a tensor or a node, differs from a lead followed by
// this event, in shape or dtype. A nil lead accepts any lead; an empty one means none.
func (s Spec) Validate(shape shapes.Shape, lead []int) error {
	if err := Validate(shape.Dimensions, s.Shape, lead); err != nil {
		return err
	}
	if shape.DType != s.DType {
		return fmt.Errorf("the dtype is %s, expected %s", shape.DType, s.DType)
	}
	return nil
}

// String describes the spec, as in "(4, 5) of Float32, 20 values".
func (s Spec) String() string {
	values := "values"
	if s.Size() == 1 {
		values = "value"
	}
	return fmt.Sprintf("%s of %s, %d %s", Format(s.Shape), s.DType, s.Size(), values)
}
