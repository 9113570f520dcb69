package data

import (
	"errors"
	"fmt"
	"math"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/transform"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
)

// Standardizer shifts and scales each feature, the values along the last axis:
// z = (x - Mean)/Std. Networks learn features of mean 0 and variance 1 best.
type Standardizer struct {
	Mean, Std []float64
}

// FitStandardizer measures the features of the events, [n, ..., features]: their means and
// standard deviations over all rows and all axes but the last. With a mask, [n, objects],
// padding isn't counted, and the events are (objects, features); with weights w, the mean is Σwx/Σw and the variance
// Σw(x-mean)²/(Σw - Σw²/Σw), which is that with the divisor n-1 where all weights are alike.
// A feature that is constant has Std 1. It is an error if fewer than two values of a
// feature count, if a value that counts is not finite, and if weights leave no positive
// variance. Context and source are left alone.
func FitStandardizer(e Events) (Standardizer, error) {
	s, err := fitStandardizer(e)
	if err != nil {
		return Standardizer{}, fmt.Errorf("data.FitStandardizer: %w", err)
	}
	return s, nil
}

func fitStandardizer(e Events) (Standardizer, error) {
	counted := Events{X: e.X, Mask: e.Mask, Weight: e.Weight}
	if err := counted.checkShapes(); err != nil {
		return Standardizer{}, err
	}
	if e.Mask != nil && e.X.Rank() != 3 {
		return Standardizer{}, fmt.Errorf("the data is %s and has a mask: expected [n, objects, features], one axis of features", e.X.Shape())
	}
	if e.X.Rank() < 2 {
		return Standardizer{}, fmt.Errorf("the data is %s: expected [n, ..., features], with an axis of features", e.X.Shape())
	}
	if e.Weight != nil {
		if err := errors.Join(checkFinite(Part{"weight", e.Weight}), e.checkWeight()); err != nil {
			return Standardizer{}, err
		}
	}
	fitted, err := transform.Standardize{Constant: 1}.Fit(transform.Data{X: e.X, Mask: e.Mask, Weight: e.Weight})
	if err != nil {
		return Standardizer{}, err
	}
	s := fitted.(transform.Standardize)
	return Standardizer{Mean: s.Mean, Std: s.Std}, nil
}

// Validate reports a mean and a standard deviation of different lengths, values that are
// not finite, and a standard deviation that is not positive.
func (s Standardizer) Validate() error {
	if len(s.Mean) != len(s.Std) || len(s.Mean) == 0 {
		return fmt.Errorf("data.Standardizer: Mean has %d values and Std %d: both need one for each feature", len(s.Mean), len(s.Std))
	}
	for j := range s.Mean {
		if math.IsNaN(s.Mean[j]) || math.IsInf(s.Mean[j], 0) || !(s.Std[j] > 0) || math.IsInf(s.Std[j], 1) {
			return fmt.Errorf("data.Standardizer: feature %d has Mean %g and Std %g: both must be finite, and Std positive", j, s.Mean[j], s.Std[j])
		}
	}
	return nil
}

// Apply returns (x - Mean)/Std, of x's shape lead+[features] and dtype. A value that the
// dtype can't hold is an error.
func (s Standardizer) Apply(x *tensors.Tensor) (*tensors.Tensor, error) {
	return s.Masked(nil).Apply(x)
}

// Inverse returns x·Std + Mean, which undoes Apply.
func (s Standardizer) Inverse(x *tensors.Tensor) (*tensors.Tensor, error) {
	return s.Masked(nil).Inverse(x)
}

// LogDet is the logarithm of the volume by which Apply multiplies, -Σ log Std: the
// log-density of x, with the features of one row as event, is that of Apply(x) plus LogDet.
func (s Standardizer) LogDet() float64 {
	sum := 0.0
	for _, std := range s.Std {
		sum -= math.Log(std)
	}
	return sum
}

// Masked returns the standardizer of events with padding, as nami.Process.Masked returns
// a process of them: mask is 1 for an object and 0 for padding, of the shape of the axes
// before the features, or the last of them: then it is the same for all the others. What it
// returns has zeros in the padding, whatever stood there. A nil mask is none.
func (s Standardizer) Masked(mask *tensors.Tensor) MaskedStandardizer {
	return MaskedStandardizer{s, mask}
}

// MaskedStandardizer is a [Standardizer] that leaves padding at zero: see
// [Standardizer.Masked]. It has no LogDet, which would differ between events: that of an
// event is the standardizer's LogDet times the number of its objects.
type MaskedStandardizer struct {
	standardizer Standardizer
	mask         *tensors.Tensor
}

// Apply returns (x - Mean)/Std, and zeros in the padding.
func (m MaskedStandardizer) Apply(x *tensors.Tensor) (*tensors.Tensor, error) {
	return m.each("Apply", x, func(v, mean, std float64) float64 { return (v - mean) / std })
}

// Inverse returns x·Std + Mean, and zeros in the padding.
func (m MaskedStandardizer) Inverse(x *tensors.Tensor) (*tensors.Tensor, error) {
	return m.each("Inverse", x, func(v, mean, std float64) float64 { return v*std + mean })
}

func (m MaskedStandardizer) each(method string, x *tensors.Tensor, f func(v, mean, std float64) float64) (*tensors.Tensor, error) {
	s := m.standardizer
	if err := s.Validate(); err != nil {
		return nil, err
	}
	features, err := newFeatures(x, len(s.Mean), m.mask)
	if err != nil {
		return nil, fmt.Errorf("data.Standardizer.%s: %w", method, err)
	}
	largest := math.MaxFloat64
	if x.DType() == dtypes.Float32 {
		largest = math.MaxFloat32
	}
	out := make([]float64, x.Size())
	features.each(func(i, j int, v float64) {
		if out[i] = f(v, s.Mean[j], s.Std[j]); err == nil && !(math.Abs(out[i]) <= largest) {
			err = fmt.Errorf("data.Standardizer.%s: %g, feature %d of row %d, becomes %g with Mean %g and Std %g, which %s can't hold",
				method, v, j, row(x, i), out[i], s.Mean[j], s.Std[j], x.DType())
		}
	})
	if err != nil {
		return nil, err
	}
	return gomlx.FromFloats(x.DType(), out, x.Shape().Dimensions...), nil
}
