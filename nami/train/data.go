package train

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/nami-flow/go-nami/nami/coupling"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
)

// checkData refuses what can't be trained on.
func checkData(x *tensors.Tensor, c config) error {
	batchSize := c.batchSize
	if x == nil {
		return errors.New("train: the data is nil")
	}
	if x.Rank() < 1 || x.Size() == 0 {
		return fmt.Errorf("train: the data is %s: expected [n, event...] with at least one event", x.Shape())
	}
	n := x.Shape().Dimensions[0]
	if batchSize > n {
		return fmt.Errorf("train: BatchSize is %d, and the data has %d events: a batch can't be larger than the data", batchSize, n)
	}
	if err := checkFinite("data", x); err != nil {
		return err
	}
	if err := c.checkContext(x); err != nil {
		return err
	}
	if err := c.checkMask(x); err != nil {
		return err
	}
	return cmp.Or(c.checkSource(x), c.checkWeight(x))
}

func (c config) checkContext(x *tensors.Tensor) error {
	if c.context == nil {
		return nil
	}
	n := x.Shape().Dimensions[0]
	if c.context.Rank() != 2 || c.context.Size() == 0 || c.context.Shape().Dimensions[0] != n || c.context.DType() != x.DType() {
		return fmt.Errorf("train: the context is %s, the data %s: expected a context of shape [%d, context_dim], context_dim at least 1, with the data's dtype",
			c.context.Shape(), x.Shape(), n)
	}
	return checkFinite("context", c.context)
}

func (c config) checkMask(x *tensors.Tensor) error {
	if c.mask == nil {
		return nil
	}
	dims := x.Shape().Dimensions
	if x.Rank() < 3 || !slices.Equal(c.mask.Shape().Dimensions, dims[:2]) || c.mask.DType() != x.DType() {
		return fmt.Errorf("train: the mask is %s, the data %s: expected data of shape [n, objects, features...] and a mask [n, objects] of its dtype",
			c.mask.Shape(), x.Shape())
	}
	if err := checkFinite("mask", c.mask); err != nil {
		return err
	}
	at, odd := -1, 0.0
	err := gomlx.EachFloat(c.mask, func(i int, v float64) {
		if at < 0 && v != 0 && v != 1 {
			at, odd = i, v
		}
	})
	if err == nil && at >= 0 {
		err = fmt.Errorf("train: value %d of the mask, %s, is %v: expected 1 for an object and 0 for padding", at, c.mask.Shape(), odd)
	}
	return err
}

func (c config) checkSource(x *tensors.Tensor) error {
	if c.source == nil && c.coupling == nil {
		return nil
	}
	if c.mask != nil {
		return fmt.Errorf("train: there are a source or a coupling and a mask, %s: which objects would be paired with which isn't defined; leave out one of them", c.mask.Shape())
	}
	if _, independent := c.coupling.(coupling.Independent); c.coupling != nil && !independent && c.context != nil {
		return fmt.Errorf("train: the coupling %T would pair noise with data across conditions, which makes the model of a condition wrong (Cheng & Schwing 2025, arXiv:2503.10636): leave it out where there is a context", c.coupling)
	}
	if c.source == nil {
		return nil
	}
	dims := c.source.Shape().Dimensions
	if c.source.DType() != x.DType() || len(dims) != x.Rank() || dims[0] < c.batchSize || !slices.Equal(dims[1:], x.Shape().Dimensions[1:]) {
		return fmt.Errorf("train: the source is %s, the data %s, BatchSize %d: expected source events of the data's shape and dtype, at least one batch of them",
			c.source.Shape(), x.Shape(), c.batchSize)
	}
	return checkFinite("source", c.source)
}

func (c config) checkWeight(x *tensors.Tensor) error {
	if c.weight == nil {
		return nil
	}
	n := x.Shape().Dimensions[0]
	if c.weight.Rank() != 1 || c.weight.Shape().Dimensions[0] != n || c.weight.DType() != x.DType() {
		return fmt.Errorf("train: the weights are %s, the data %s: expected one weight for each event, [%d] with the data's dtype", c.weight.Shape(), x.Shape(), n)
	}
	if err := checkFinite("weights", c.weight); err != nil {
		return err
	}
	sum, size := 0.0, 0.0
	err := gomlx.EachFloat(c.weight, func(_ int, w float64) { sum, size = sum+w, size+math.Abs(w) })
	if err == nil && math.Abs(sum) <= 1e-6*size {
		err = fmt.Errorf("train: the %d weights add up to %g, and their sizes to %g: a loss is divided by the sum, which must not be 0", n, sum, size)
	}
	return err
}

// checkFinite refuses values that are NaN or infinite, and dtypes that aren't float.
func checkFinite(what string, x *tensors.Tensor) error {
	if x.DType() != dtypes.Float32 && x.DType() != dtypes.Float64 {
		return fmt.Errorf("train: the %s is %s: expected Float32 or Float64", what, x.Shape())
	}
	bad, first, err := gomlx.NonFinite(x)
	if err != nil {
		return err
	}
	if bad > 0 {
		row := first / max(1, x.Size()/x.Shape().Dimensions[0])
		return fmt.Errorf("train: %d of %d values of the %s are NaN or infinite, the first in row %d: remove or mend them before training",
			bad, x.Size(), what, row)
	}
	return nil
}
