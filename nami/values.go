package nami

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/tensors"
)

// each calls f with all values of a tensor of floats, in order.
func each(t *tensors.Tensor, f func(i int, v float64)) {
	t.MustConstFlatData(func(flat any) {
		switch values := flat.(type) {
		case []float32:
			for i, v := range values {
				f(i, float64(v))
			}
		case []float64:
			for i, v := range values {
				f(i, v)
			}
		}
	})
}

// checkFinite is an error that says how many values of t are NaN or infinite.
func checkFinite(what string, t *tensors.Tensor) error {
	bad, first := 0, -1
	each(t, func(i int, v float64) {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			if bad == 0 {
				first = i
			}
			bad++
		}
	})
	if bad > 0 {
		return fmt.Errorf("nami: %d of %d values of the %s, of shape %s, are NaN or infinite, the first at flat index %d",
			bad, t.Size(), what, t.Shape(), first)
	}
	return nil
}
