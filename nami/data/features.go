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

// features are the values of a tensor by feature, the place on its last axis.
type features struct {
	x     *tensors.Tensor
	count int
	flat  []float64
	mask  []float64 // 1 for an object, 0 for padding, again and again; nil without padding
}

// newFeatures reads a tensor of so many features, with a mask or nil, and refuses values
// that are not finite anywhere but in the padding.
func newFeatures(x *tensors.Tensor, count int, mask *tensors.Tensor) (features, error) {
	f := features{x: x, count: count}
	if x == nil {
		return f, errors.New("x is nil")
	}
	if d := x.DType(); d != dtypes.Float32 && d != dtypes.Float64 {
		return f, fmt.Errorf("x is %s: expected Float32 or Float64", x.Shape())
	}
	if x.Rank() < 1 || x.Shape().Dim(-1) != count {
		return f, fmt.Errorf("x is %s: its last axis must hold the %d features", x.Shape(), count)
	}
	if mask != nil {
		if err := f.readMask(mask); err != nil {
			return f, err
		}
	}
	f.flat = make([]float64, x.Size())
	if err := gomlx.EachFloat(x, func(i int, v float64) { f.flat[i] = v }); err != nil {
		return f, err
	}
	var err error
	f.each(func(i, j int, v float64) {
		if err == nil && (math.IsNaN(v) || math.IsInf(v, 0)) {
			err = fmt.Errorf("feature %d of row %d of x, %s, is %v: it must be finite", j, row(x, i), x.Shape(), v)
		}
	})
	return f, err
}

func (f *features) readMask(mask *tensors.Tensor) error {
	objects := f.x.Shape().Dimensions[:f.x.Rank()-1]
	dims := mask.Shape().Dimensions
	fits := func(dims []int) bool {
		return len(dims) > 0 && len(dims) <= len(objects) && slices.Equal(objects[len(objects)-len(dims):], dims)
	}
	switch {
	case mask.DType() != f.x.DType() || !fits(dims):
		return fmt.Errorf("the mask is %s, x %s: the mask must have x's dtype, and the shape of the axes before the features or of the last of them", mask.Shape(), f.x.Shape())
	case mask.Size() == 0:
		return nil
	}
	if err := checkBinary(mask); err != nil {
		return err
	}
	f.mask = make([]float64, mask.Size())
	return gomlx.EachFloat(mask, func(i int, v float64) { f.mask[i] = v })
}

// each calls do with the place, the feature and the value of all that isn't padding.
func (f features) each(do func(i, feature int, v float64)) {
	for i, v := range f.flat {
		if f.mask == nil || f.mask[i/f.count%len(f.mask)] == 1 {
			do(i, i%f.count, v)
		}
	}
}
