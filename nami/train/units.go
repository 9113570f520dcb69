package train

import (
	"fmt"

	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/transform"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
)

// units are the transforms of a loss from the data's units to its field's; nil where they are
// the same.
type units struct{ event, context transform.Transform }

func unitsOf(l loss.Loss) (u units) {
	if in, ok := l.(loss.InUnits); ok {
		u.event, u.context = in.Units()
	}
	return u
}

// shapes are those of an event and of a context, nil for none, in the field's units.
func (u units) shapes(event, context []int) (inModel, contextInModel []int, err error) {
	inModel, contextInModel = event, context
	if u.event != nil {
		if inModel, err = u.event.ModelShape(event); err != nil {
			return nil, nil, fmt.Errorf("the loss's Transform: %w", err)
		}
	}
	if u.context != nil && context != nil {
		if contextInModel, err = u.context.ModelShape(context); err != nil {
			return nil, nil, fmt.Errorf("the loss's ContextTransform: %w", err)
		}
	}
	return inModel, contextInModel, nil
}

// admit refuses events and contexts that the transforms aren't defined at, as far as a look at
// the values tells.
func (u units) admit(e data.Events) error {
	if u.event != nil {
		if err := transform.Admit(u.event, e.X, e.Mask, e.X.Shape().Dimensions[1:]); err != nil {
			return fmt.Errorf("the data: %w", err)
		}
	}
	if u.context != nil && e.Context != nil {
		if err := transform.Admit(u.context, e.Context, nil, e.Context.Shape().Dimensions[1:]); err != nil {
			return fmt.Errorf("the context: %w", err)
		}
	}
	return nil
}

// validate refuses transforms that don't fit events, or that a value of these makes infinite.
func (u units) validate(backend compute.Backend, e data.Events) error {
	if u.event != nil {
		if err := transform.Validate(backend, u.event, transform.Data{X: e.X, Mask: e.Mask}); err != nil {
			return fmt.Errorf("the loss's Transform: %w", err)
		}
	}
	if u.context != nil && e.Context != nil {
		if err := transform.Validate(backend, u.context, transform.Data{X: e.Context}); err != nil {
			return fmt.Errorf("the loss's ContextTransform: %w", err)
		}
	}
	return nil
}

// toModel maps events, with a mask or nil, and contexts to the field's units, without noise.
func (u units) toModel(x, mask, c *Node) (y, d *Node) {
	if u.event != nil && x != nil {
		event := u.event
		if mask != nil {
			event = transform.Masked(event, mask)
		}
		x, _ = event.Forward(nil, x)
	}
	if u.context != nil && c != nil {
		c, _ = u.context.Forward(nil, c)
	}
	return x, c
}
