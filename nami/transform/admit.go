package transform

import (
	"fmt"
	"math"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/gomlx/core/tensors"
)

// Admit reports the first value of x, lead+event, outside the [Domain] of the transform that
// gets it: an [OutsideError]. It reads the values once and builds no graph, so it looks at the
// first step of each [Chain] only, and at a second one behind [Dequantize]: [Validate] looks at all. What the
// mask, the last axes of lead and then [objects], marks as padding isn't looked at; nil is no
// mask. event is the shape of an event.
func Admit(t Transform, x, mask *tensors.Tensor, event []int) error {
	width := 1
	if len(event) > 0 {
		width = event[len(event)-1]
	}
	domains, any := make([]Domain, width), false
	for column := range domains {
		domains[column] = first(t, column)
		any = any || domains[column] != nil
	}
	if !any {
		return nil
	}
	var objects []float64
	perObject := 1
	if mask != nil {
		objects, perObject = make([]float64, mask.Size()), shape.Size(event[1:])
		if err := gomlx.EachFloat(mask, func(i int, v float64) { objects[i] = v }); err != nil {
			return err
		}
	}
	var refused *OutsideError
	err := gomlx.EachFloat(x, func(i int, v float64) {
		domain := domains[i%width]
		if domain == nil || objects != nil && objects[i/perObject%len(objects)] == 0 {
			return
		}
		if err := domain.Admit(v); err != nil {
			refused = refused.and(i, shape.Size(event), v, err, func() string {
				return fmt.Sprintf("row %d, column %d of %s", i/shape.Size(event), i%width, x.Shape())
			})
		}
	})
	if err != nil || refused == nil {
		return err
	}
	return refused
}

// first is the domain of what a column of the data is given to first, and of a step right after
// noise; nil if that is defined for all numbers.
func first(t Transform, column int) Domain {
	switch t := t.(type) {
	case Chain:
		if len(t) == 0 {
			return nil
		}
		domain := first(t[0], column)
		if counts, ok := domain.(Dequantize); ok {
			if next := first(t[1:], column); next != nil {
				return noisy{counts, next}
			}
		}
		return domain
	case Columns:
		for _, g := range t {
			for place, of := range g.Of {
				if of == column {
					return first(g.By, place)
				}
			}
		}
		return nil
	}
	domain, _ := t.(Domain)
	return domain
}

// Whole says whether a column of the data, of the last axis, holds whole numbers alone, as far as
// the transform tells: it is given to [Dequantize] first, with a Step that is one.
func Whole(t Transform, column int) bool {
	domain := first(t, column)
	if n, ok := domain.(noisy); ok {
		domain = n.Dequantize
	}
	counts, ok := domain.(Dequantize)
	return ok && counts.step() == math.Trunc(counts.step())
}

// noisy is the domain of counts that are given noise, and then to a transform with a domain of its
// own, which all that the noise can make of them must be in.
type noisy struct {
	Dequantize
	next Domain
}

// Admit implements [Domain].
func (n noisy) Admit(x float64) error {
	if err := n.Dequantize.Admit(x); err != nil {
		return err
	}
	low, high := n.ends(x)
	for _, y := range []float64{low, high} {
		if err := n.next.Admit(y); err != nil {
			return fmt.Errorf("%w, and transform.Dequantize makes a number between %.6g and %.6g of it", err, low, high)
		}
	}
	return nil
}
