package toy

import (
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
)

// Standardizer shifts and scales each feature, the values along the last axis:
// z = (x - Mean)/Std. Networks learn features of mean 0 and variance 1 best.
type Standardizer struct {
	Mean, Std []float64
}

// FitStandardizer measures the features of x, lead+[features], over all rows: their means,
// and their standard deviations with the divisor n-1. A constant feature has Std 1. It is
// an error if there are fewer than two rows, or a value is not finite.
func FitStandardizer(x *tensors.Tensor) (Standardizer, error) {
	flat, err := values("toy.FitStandardizer", x, 0)
	if err != nil {
		return Standardizer{}, err
	}
	d := x.Shape().Dim(-1)
	if len(flat) < 2*d || d == 0 {
		return Standardizer{}, fmt.Errorf("toy.FitStandardizer: the points are %s: a standard deviation needs at least 2 of them", x.Shape())
	}
	n := float64(len(flat) / d)
	s := Standardizer{Mean: make([]float64, d), Std: make([]float64, d)}
	constant := slices.Repeat([]bool{true}, d)
	for i, v := range flat {
		s.Mean[i%d] += v / n
		constant[i%d] = constant[i%d] && v == flat[i%d]
	}
	for i, v := range flat {
		s.Std[i%d] += (v - s.Mean[i%d]) * (v - s.Mean[i%d])
	}
	for j := range s.Std {
		s.Std[j] = math.Sqrt(s.Std[j] / (n - 1))
		if constant[j] { // rounding of the mean must not make a scale
			s.Mean[j], s.Std[j] = flat[j], 1
		}
	}
	if err := s.Validate(); err != nil { // the squares overflowed, or vanished
		return Standardizer{}, fmt.Errorf("toy.FitStandardizer: the points, %s, are too large or too close to each other: %w", x.Shape(), err)
	}
	return s, nil
}

// Validate reports a mean and a standard deviation of different lengths, values that are
// not finite, and a standard deviation that is not positive.
func (s Standardizer) Validate() error {
	if len(s.Mean) != len(s.Std) || len(s.Mean) == 0 {
		return fmt.Errorf("toy.Standardizer: Mean has %d values and Std %d: both need one for each feature", len(s.Mean), len(s.Std))
	}
	for j := range s.Mean {
		if math.IsNaN(s.Mean[j]) || math.IsInf(s.Mean[j], 0) || !(s.Std[j] > 0) || math.IsInf(s.Std[j], 1) {
			return fmt.Errorf("toy.Standardizer: feature %d has Mean %g and Std %g: both must be finite, and Std positive", j, s.Mean[j], s.Std[j])
		}
	}
	return nil
}

// Apply returns (x - Mean)/Std, of x's shape lead+[features] and dtype. A value that the
// dtype can't hold is an error.
func (s Standardizer) Apply(x *tensors.Tensor) (*tensors.Tensor, error) {
	return s.each("Apply", x, func(v, mean, std float64) float64 { return (v - mean) / std })
}

// Inverse returns x·Std + Mean, which undoes Apply.
func (s Standardizer) Inverse(x *tensors.Tensor) (*tensors.Tensor, error) {
	return s.each("Inverse", x, func(v, mean, std float64) float64 { return v*std + mean })
}

func (s Standardizer) each(method string, x *tensors.Tensor, f func(v, mean, std float64) float64) (*tensors.Tensor, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	d := len(s.Mean)
	flat, err := values("toy.Standardizer."+method, x, d)
	if err != nil {
		return nil, err
	}
	largest := math.MaxFloat64
	if x.DType() == dtypes.Float32 {
		largest = math.MaxFloat32
	}
	for i, v := range flat {
		if flat[i] = f(v, s.Mean[i%d], s.Std[i%d]); !(math.Abs(flat[i]) <= largest) {
			return nil, fmt.Errorf("toy.Standardizer.%s: %g becomes %g with Mean %g and Std %g, which %s can't hold", method, v, flat[i], s.Mean[i%d], s.Std[i%d], x.DType())
		}
	}
	return tensor(x.DType(), flat, x.Shape().Dimensions...), nil
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
