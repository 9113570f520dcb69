// Package diagnostic measures how well-behaved a field and its solves are: the sizes of its
// values and of its divergence, whether a solve back leads to where it began, how straight the
// trajectories are, and how fast a solve converges.
package diagnostic

import (
	"fmt"
	"math"
	"slices"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"
)

// Stats sums up a number that each event has.
type Stats struct {
	// Mean and Std are the mean and the standard deviation, with the divisor n.
	Mean, Std float64

	// Min and Max are the smallest and the largest.
	Min, Max float64
}

// String shows them on one line.
func (s Stats) String() string {
	return fmt.Sprintf("%.3g ± %.2g, from %.3g to %.3g", s.Mean, s.Std, s.Min, s.Max)
}

// statsOf is an error if a value is not finite: a diagnosis of its own.
func statsOf(what string, values []float64) (Stats, error) {
	bad := 0
	for _, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			bad++
		}
	}
	switch {
	case len(values) == 0:
		return Stats{}, fmt.Errorf("diagnostic: %s: there are no events", what)
	case bad > 0:
		return Stats{}, fmt.Errorf("diagnostic: %s is NaN or infinite for %d of %d events", what, bad, len(values))
	}
	mean, std := stat.PopMeanStdDev(values, nil)
	return Stats{Mean: mean, Std: std, Min: slices.Min(values), Max: slices.Max(values)}, nil
}

// distances are |a - b| of each event, whose shape is that of the last axes.
func distances(a, b *tensors.Tensor, event []int) ([]float64, error) {
	x, err := gomlx.Floats("the first solve", a)
	if err != nil {
		return nil, err
	}
	y, err := gomlx.Floats("the second solve", b)
	if err != nil {
		return nil, err
	}
	size := shape.Size(event)
	out := make([]float64, len(x)/size)
	for i := range out {
		out[i] = floats.Distance(x[i*size:(i+1)*size], y[i*size:(i+1)*size], 2)
	}
	return out, nil
}
