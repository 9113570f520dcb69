package metric

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/stat"
)

// KolmogorovSmirnov tests each value of the events by itself: the largest distance between the
// distribution functions of x and y. It sees nothing of how values belong together. x and y are
// float32 or float64 [n]+event and [m]+event with n and m at least 1; the result has a [Test] for
// each of the event's values, in row-major order. Adjust their P by [Holm].
//
// P is Kolmogorov's asymptotic law with the correction of Stephens 1970 (J. Royal Stat. Soc. B 32),
// good to a few percent of itself from 5 events on; where values repeat it is too large. Weights,
// which must not be negative, take Kish's effective numbers of events, (Σw)²/Σw². Errors are as for
// [Nearest].
func KolmogorovSmirnov(x, y *tensors.Tensor, settings ...Option) ([]Test, error) {
	a, b, err := readPair("KolmogorovSmirnov", x, y, settings)
	if err != nil {
		return nil, err
	}
	if err := cmp.Or(a.notNegative("x"), b.notNegative("y")); err != nil {
		return nil, fmt.Errorf("metric.KolmogorovSmirnov: %w", err)
	}
	tests := make([]Test, a.size)
	for k := range tests {
		xs, xw := a.sorted(k)
		ys, yw := b.sorted(k)
		tests[k] = kolmogorovSmirnov(stat.KolmogorovSmirnov(xs, xw, ys, yw), a.effective(), b.effective(), fmt.Sprintf("value %d", k+1))
	}
	return tests, nil
}

func kolmogorovSmirnov(distance, n, m float64, name string) Test {
	root := math.Sqrt(n * m / (n + m))
	factor := root + 0.12 + 0.11/root
	const limit = 1.3581 // above which the limiting statistic is with the probability 1 - BandMass
	return Test{
		Name: name + ", Kolmogorov–Smirnov", Value: distance, Low: math.Inf(-1), High: limit / factor, P: kolmogorov(factor * distance),
		Means: "largest difference of the distribution functions; 0 for equal ones, 1 at most",
	}
}

// effective is Kish's number of events.
func (e events) effective() float64 {
	if e.weights == nil {
		return float64(e.count)
	}
	squares := 0.0 // of weights whose sum is 1
	for _, w := range e.weights {
		squares += w * w
	}
	return 1 / squares
}

// sorted is coordinate k of all events in rising order, with their weights.
func (e events) sorted(k int) (values, weights []float64) {
	values, weights = e.column(k), slices.Clone(e.weights)
	if weights == nil {
		slices.Sort(values)
		return values, nil
	}
	stat.SortWeighted(values, weights)
	return values, weights
}

// kolmogorov is the probability that Kolmogorov's limiting statistic is above z, by the series
// that converges fast there.
func kolmogorov(z float64) float64 {
	if z < 1.18 {
		if z <= 0 {
			return 1
		}
		sum, q := 0.0, -math.Pi*math.Pi/(8*z*z)
		for k := 1; k <= 7; k += 2 {
			sum += math.Exp(q * float64(k*k))
		}
		return 1 - math.Sqrt(2*math.Pi)/z*sum
	}
	sum, sign := 0.0, 1.0
	for k := 1; k <= 4; k++ {
		sum += sign * math.Exp(-2*float64(k*k)*z*z)
		sign = -sign
	}
	return 2 * sum
}
