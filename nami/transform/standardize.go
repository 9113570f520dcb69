package transform

import (
	"errors"
	"fmt"
	"math"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Standardize shifts and scales: y = (x - Mean)/Std. Networks learn values of mean 0 and
// variance 1 best. Mean and Std hold one number for all values, one for each column of the
// event's last axis, or one for each value of the event, in row-major order. The zero value
// is to be fitted: see [Fit].
type Standardize struct {
	Mean, Std []float64

	// PerValue fits a mean and a standard deviation to each value of the event, such as each
	// pixel of an image. The zero value fits them to each column of the last axis, over all
	// rows of the event.
	PerValue bool

	// Constant is the Std that a column gets which is constant in the data it is fitted to, such
	// as a pixel at the border of all images. With 0 such a column is an error: it has no
	// density, but it may be in a context.
	Constant float64
}

var _ Fitter = Standardize{}

// Forward implements [Transform].
func (s Standardize) Forward(_ distribution.Random, x *Node) (y, logDet *Node) {
	mean, std := s.parameters(x)
	return Div(Sub(x, mean), std), everywhere(x, Neg(Log(std)))
}

// Inverse implements [Transform].
func (s Standardize) Inverse(y *Node) (x, logDet *Node) {
	mean, std := s.parameters(y)
	return Add(Mul(y, std), mean), everywhere(y, Neg(Log(std)))
}

// ModelShape implements [Transform].
func (s Standardize) ModelShape(event []int) ([]int, error) {
	if err := s.validate(); err != nil {
		return nil, err
	}
	if s.axes(event) == nil {
		return nil, fmt.Errorf("transform.Standardize: Mean has %d values, and an event the shape %s: expected one for all values, one for each column of its last axis, or one for each value", len(s.Mean), shape.Format(event))
	}
	return same(event), nil
}

func (s Standardize) parameters(x *Node) (mean, std *Node) {
	must(s.validate())
	dims := s.axes(x.Shape().Dimensions)
	if dims == nil {
		exceptions.Panicf("transform.Standardize: Mean has %d values and x is %s: its last axes don't hold that many", len(s.Mean), x.Shape())
	}
	return constant(x, s.Mean, dims), constant(x, s.Std, dims)
}

// axes are the last axes of dims that Mean has a value for each place of; nil if there are
// none.
func (s Standardize) axes(dims []int) []int {
	n := len(s.Mean)
	if n == 1 {
		return []int{}
	}
	for first := len(dims) - 1; first >= 0; first-- {
		if shape.Size(dims[first:]) == n {
			return dims[first:]
		}
	}
	return nil
}

func (s Standardize) validate() error {
	if len(s.Mean) == 0 && len(s.Std) == 0 {
		return errors.New("transform.Standardize: Mean and Std are empty: fit them with transform.Fit, or give them")
	}
	if s.Constant < 0 || math.IsNaN(s.Constant) || math.IsInf(s.Constant, 0) {
		return fmt.Errorf("transform.Standardize: Constant is %v: it must be positive, or 0 where no column is constant", s.Constant)
	}
	if len(s.Mean) != len(s.Std) {
		return fmt.Errorf("transform.Standardize: Mean has %d values and Std %d: expected as many", len(s.Mean), len(s.Std))
	}
	for i, mean := range s.Mean {
		if std := s.Std[i]; math.IsNaN(mean) || math.IsInf(mean, 0) || !(std > 0) || math.IsInf(std, 0) {
			return fmt.Errorf("transform.Standardize: value %d of Mean and Std is %g and %g: both must be finite, and Std positive", i, mean, std)
		}
	}
	return nil
}

// Fit implements [Fitter]: the means and standard deviations of the data. With weights w they
// are Σwx/Σw and the root of Σw(x-mean)²/(Σw - Σw²/Σw), whose divisor is n-1 where all weights
// are 1. It is an error if a column is constant and Constant is 0, if fewer than two of its values count, and if
// the weights leave no positive variance.
func (s Standardize) Fit(d Data) (Transform, error) {
	if len(s.Mean) > 0 || len(s.Std) > 0 {
		return s, s.validate()
	}
	m, err := d.moments(s.PerValue)
	if err != nil {
		return nil, fmt.Errorf("transform.Standardize: %w", err)
	}
	variances, err := m.variances()
	if err != nil {
		return nil, fmt.Errorf("transform.Standardize: %w", err)
	}
	if err := m.spread(); err != nil && s.Constant == 0 {
		return nil, fmt.Errorf("transform.Standardize: %w; or set Constant to 1", err)
	}
	s.Mean = m.mean
	for j, v := range variances {
		std := math.Sqrt(v)
		if m.constant[j] {
			std = s.Constant
		}
		s.Std = append(s.Std, std)
	}
	return s, s.validate()
}
