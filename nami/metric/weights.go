package metric

import (
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"
)

// Option changes how a metric counts its samples.
type Option func(*options)

type options struct{ weights []*tensors.Tensor }

// Weights says how much each event of the samples counts, in the order in which they are
// given: float32 or float64 of shape [n] for a sample of n events, or nil, for all alike.
// Only their ratios matter. They may be negative, as those of simulated events are, where a
// metric doesn't say otherwise; their sum must be positive.
func Weights(ofSamples ...*tensors.Tensor) Option {
	return func(o *options) { o.weights = ofSamples }
}

// configure reads the settings of a metric of so many samples.
func configure(settings []Option, samples int) (o options, err error) {
	for i, option := range settings {
		if option == nil {
			return o, fmt.Errorf("option %d of %d is nil", i, len(settings))
		}
		option(&o)
	}
	if len(o.weights) > samples {
		return o, fmt.Errorf("Weights has %d tensors, and there are %d samples in all, with the reference: give at most one for each, in their order", len(o.weights), samples)
	}
	return o, nil
}

// of reads the weights of sample i, called name, of n events: their sum is 1.
func (o options) of(i int, name string, n int) ([]float64, error) {
	if i >= len(o.weights) || o.weights[i] == nil {
		return nil, nil
	}
	e, err := readEvents("the weights of "+name, o.weights[i])
	if err != nil {
		return nil, err
	}
	if shape := o.weights[i].Shape(); shape.Rank() != 1 || e.count != n {
		return nil, fmt.Errorf("the weights of %s are %s, and it has %d events: give one weight for each, of shape [%d]", name, shape, n, n)
	}
	sum, size := 0.0, 0.0
	for _, w := range e.flat {
		sum, size = sum+w, size+math.Abs(w)
	}
	if !(sum > 1e-9*size) {
		return nil, fmt.Errorf("the %d weights of %s add up to %g: their sum must be positive", n, name, sum)
	}
	for i := range e.flat {
		e.flat[i] /= sum
	}
	return e.flat, nil
}

// weight is how much event i counts; all together count 1.
func (e events) weight(i int) float64 {
	if e.weights == nil {
		return 1 / float64(e.count)
	}
	return e.weights[i]
}

// notNegative refuses negative weights.
func (e events) notNegative(name string) error {
	if at := slices.IndexFunc(e.weights, func(w float64) bool { return w < 0 }); at >= 0 {
		return fmt.Errorf("weight %d of %s is negative: what is moved from one sample to another needs weights of at least 0", at, name)
	}
	return nil
}
