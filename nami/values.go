package nami

import (
	"fmt"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	"github.com/gomlx/gomlx/core/tensors"
)

// checkFinite is an error that says how many values of t are NaN or infinite.
func checkFinite(what string, t *tensors.Tensor) error {
	bad, first, err := gomlx.NonFinite(t)
	if err == nil && bad > 0 {
		err = fmt.Errorf("nami: %d of %d values of the %s, of shape %s, are NaN or infinite, the first at flat index %d",
			bad, t.Size(), what, t.Shape(), first)
	}
	return err
}
