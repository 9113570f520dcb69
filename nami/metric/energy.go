package metric

import (
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"
)

// EnergyDistance returns 2E|X−Y| − E|X−X′| − E|Y−Y′| for two samples, with Euclidean
// distances of the flattened events and averages over all pairs, an event with itself
// among them (Székely and Rizzo 2013, J. Stat. Plan. Inference 143). It is 0 for equal
// samples and positive otherwise, and has no parameters. x and y are float32 or float64
// [n]+event and [m]+event with n and m at least 1; [Weights] weigh their events.
//
// Every pair is compared, on all processors, in O((n+m)²·size) time. Errors are as for
// [Nearest].
func EnergyDistance(x, y *tensors.Tensor, settings ...Option) (float64, error) {
	a, b, err := readPair("EnergyDistance", x, y, settings)
	if err != nil {
		return 0, err
	}
	return result("EnergyDistance", discrepancy(a, b, func(squared float64) float64 { return -math.Sqrt(squared) }))
}

// MMD returns the maximum mean discrepancy of two samples for the Gaussian kernel
// exp(−|x−y|²/(2h²)): the root of E k(X,X′) + E k(Y,Y′) − 2E k(X,Y) over all pairs, an
// event with itself among them (Gretton et al. 2012, JMLR 13, eq. 5). A bandwidth h of 0
// stands for the median distance of the pairs of up to 500 events of both samples
// together, taken at equal intervals, whatever their weights; or for 1 if that is 0, as when
// more than half of the pairs are of equal events. x and y are float32 or float64 [n]+event and
// [m]+event with n and m at least 1; [Weights] weigh their events. It lies between 0 and √2,
// but can be larger with negative weights.
//
// Time and errors are those of [EnergyDistance]; a bandwidth that is negative or not finite is
// an error, too.
func MMD(x, y *tensors.Tensor, bandwidth float64, settings ...Option) (float64, error) {
	a, b, err := readPair("MMD", x, y, settings)
	if err != nil {
		return 0, err
	}
	if !(bandwidth >= 0) || math.IsInf(bandwidth, 0) {
		return 0, fmt.Errorf("metric.MMD: bandwidth %g: give a positive length, or 0 for the median distance", bandwidth)
	}
	if bandwidth == 0 {
		bandwidth = medianDistance(a, b)
		if bandwidth == 0 {
			bandwidth = 1 // the data have no scale
		}
	}
	scale := -1 / (2 * bandwidth * bandwidth)
	squared := discrepancy(a, b, func(s float64) float64 { return math.Exp(s * scale) })
	return result("MMD", math.Sqrt(squared))
}

// discrepancy is E k(X,X′) + E k(Y,Y′) − 2E k(X,Y), k a function of the squared distance;
// rounding doesn't make it negative.
func discrepancy(a, b events, k func(float64) float64) float64 {
	v := meanOver(a, a, k) + meanOver(b, b, k) - 2*meanOver(a, b, k)
	if v < 0 {
		return 0
	}
	return v
}

func meanOver(a, b events, k func(float64) float64) float64 {
	sums := make([]float64, a.count) // added in order, so that the sum doesn't depend on timing
	each(a.count, func(i int) {
		row := a.row(i)
		for j := range b.count {
			sums[i] += b.weight(j) * k(squaredDistance(row, b.row(j)))
		}
		sums[i] *= a.weight(i)
	})
	sum := 0.0
	for _, s := range sums {
		sum += s
	}
	return sum
}

func squaredDistance(a, b []float64) (sum float64) {
	for k, v := range a {
		d := v - b[k]
		sum += d * d
	}
	return sum
}

func medianDistance(a, b events) float64 {
	const most = 500
	all := events{flat: slices.Concat(a.flat, b.flat), count: a.count + b.count, size: a.size}
	stride := (all.count + most - 1) / most
	var distances []float64
	for i := 0; i < all.count; i += stride {
		for j := 0; j < i; j += stride {
			distances = append(distances, squaredDistance(all.row(i), all.row(j)))
		}
	}
	slices.Sort(distances)
	middle := len(distances) / 2
	if len(distances)%2 == 1 {
		return math.Sqrt(distances[middle])
	}
	return (math.Sqrt(distances[middle-1]) + math.Sqrt(distances[middle])) / 2
}
