package dynamics

import (
	"fmt"
	"slices"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/run"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/nami/transform"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Units are the maps between the data's units and those in which a model moves its events.
type Units struct {
	// Event and Context map events and contexts; nil where both units are the same.
	Event, Context transform.Transform

	// Shape is that of an event in the data's units.
	Shape []int

	// Draws says whether mapping an event to the model's units draws random numbers.
	Draws bool
}

// NewUnits are the units of a model whose own events have the given shape.
func NewUnits(backend compute.Backend, event, context transform.Transform, inModel []int) (Units, error) {
	u := Units{Event: event, Context: context, Shape: inModel}
	if event == nil {
		return u, nil
	}
	err := gomlx.Try(func() error {
		g := NewGraph(backend, "units")
		defer g.Finalize()
		x, _ := event.Inverse(Parameter(g, "y", shapes.Make(dtypes.Float32, slices.Concat([]int{1}, inModel)...)))
		u.Shape = slices.Clone(x.Shape().Dimensions[1:])
		back, err := event.ModelShape(u.Shape)
		if err == nil && !slices.Equal(back, inModel) {
			err = fmt.Errorf("it makes events of shape %s of those that it makes of %s: expected the model's shape", shape.Format(back), shape.Format(inModel))
		}
		return err
	})
	if err == nil {
		var numbers int
		numbers, err = transform.Draws(backend, event, u.Shape...)
		u.Draws = numbers > 0
	}
	if err != nil {
		return u, fmt.Errorf("nami: the Transform doesn't fit events of shape %s, which is the model's: %w", shape.Format(inModel), err)
	}
	return u, nil
}

// ContextShape is the shape in the model's units of a context that has the given one in the
// data's; nil for none.
func (u Units) ContextShape(inData []int) ([]int, error) {
	if u.Context == nil || inData == nil {
		return inData, nil
	}
	inModel, err := u.Context.ModelShape(inData)
	if err != nil {
		return nil, fmt.Errorf("nami: the ContextTransform doesn't fit a context of shape %s: %w", shape.Format(inData), err)
	}
	return inModel, nil
}

// ToModel maps events x, lead+Shape, to the model's units. logDet, of the lead's shape, is
// what makes a log-density in the model's units one in the data's.
func (f *Flow) ToModel(random distribution.Random, x *Node, in run.Inputs[Node]) (y, logDet *Node) {
	if f.Units.Event == nil {
		x = f.Clean(x, in)
		return x, perRow(ZerosLike(x), f.Rank())
	}
	y, logDet = f.units(in).Forward(random, x)
	return y, perRow(logDet, f.Rank())
}

// ToData maps events y of the model's back to the data's units. logDet is that of ToModel.
func (f *Flow) ToData(y *Node, in run.Inputs[Node]) (x, logDet *Node) {
	if f.Units.Event == nil {
		return y, perRow(ZerosLike(y), f.Rank())
	}
	x, logDet = f.units(in).Inverse(y)
	return x, perRow(logDet, f.Rank())
}

// units is the transform of events, which leaves padding alone.
func (f *Flow) units(in run.Inputs[Node]) transform.Transform {
	if in.Mask == nil {
		return f.Units.Event
	}
	return transform.Masked(f.Units.Event, in.Mask)
}

// ContextToModel maps contexts to the model's units, without noise.
func (f *Flow) ContextToModel(c *Node) *Node {
	if f.Units.Context == nil || c == nil {
		return c
	}
	y, _ := f.Units.Context.Forward(nil, c)
	return y
}

// perRow is the sum of values over the event's axes.
func perRow(values *Node, rank int) *Node { return ReduceSum(shape.Flatten(values, rank), -1) }
