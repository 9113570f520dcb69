package metric

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"
	"golang.org/x/sync/errgroup"
)

// SlicedWasserstein returns the sliced 2-Wasserstein distance of two samples: the root of
// the mean, over directions drawn uniformly from seed, of the squared 2-Wasserstein
// distance of the samples projected on them (Rabin et al. 2011; Bonneel et al. 2015, J.
// Math. Imaging Vis. 51). x and y are float32 or float64 [n]+event and [m]+event with n
// and m at least 1. For two distributions that differ by a shift it is the shift's length
// over √d, d the size of an event. One direction is enough for d = 1.
//
// Errors are as for [Nearest], and fewer than one projection.
func SlicedWasserstein(x, y *tensors.Tensor, projections int, seed int64) (float64, error) {
	a, b, err := readPair("SlicedWasserstein", x, y)
	if err != nil {
		return 0, err
	}
	if projections < 1 {
		return 0, fmt.Errorf("metric.SlicedWasserstein: %d projections: give 1 or more, such as 100", projections)
	}
	squares := make([]float64, projections)
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for p := range squares {
		group.Go(func() error {
			along := direction(uint64(seed), uint64(p), a.size)
			squares[p] = squaredWasserstein(projected(a, along), projected(b, along))
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	sum := 0.0
	for _, s := range squares {
		sum += s
	}
	return result("SlicedWasserstein", math.Sqrt(sum/float64(projections)))
}

// readPair reads two samples of the same kind of event, neither empty.
func readPair(name string, x, y *tensors.Tensor) (a, b events, err error) {
	if a, err = readEvents("x", x); err == nil {
		if b, err = readEvents("y", y); err == nil {
			err = sameEvent("x", x, "y", y)
		}
	}
	for _, s := range []struct {
		name string
		x    *tensors.Tensor
		of   events
	}{{"x", x, a}, {"y", y, b}} {
		if err == nil && s.of.count == 0 {
			err = fmt.Errorf("%s is empty (shape %s): give at least one event", s.name, s.x.Shape())
		}
	}
	if err != nil {
		return a, b, fmt.Errorf("metric.%s: %w", name, err)
	}
	return a, b, nil
}

// result reports a distance too large for a float64.
func result(name string, v float64) (float64, error) {
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return 0, fmt.Errorf("metric.%s: the squared distances overflow float64: scale the data down", name)
	}
	return v, nil
}

// direction is the p-th of the seed's unit vectors.
func direction(seed, p uint64, size int) []float64 {
	rng := rand.New(rand.NewPCG(seed, p))
	along := make([]float64, size)
	norm := 0.0
	for norm == 0 {
		for i := range along {
			along[i] = rng.NormFloat64()
			norm += along[i] * along[i]
		}
	}
	for i := range along {
		along[i] /= math.Sqrt(norm)
	}
	return along
}

func projected(e events, along []float64) []float64 {
	out := make([]float64, e.count)
	for i := range out {
		for k, v := range e.row(i) {
			out[i] += v * along[k]
		}
	}
	slices.Sort(out)
	return out
}

// squaredWasserstein is the integral of the squared difference of the quantile functions
// of two sorted samples, which may differ in number.
func squaredWasserstein(a, b []float64) float64 {
	sum, at := 0.0, 0.0
	for i, j := 0, 0; i < len(a) && j < len(b); {
		endA, endB := float64(i+1)/float64(len(a)), float64(j+1)/float64(len(b))
		end := min(endA, endB)
		d := a[i] - b[j]
		sum += d * d * (end - at)
		at = end
		// Ends that are equal as fractions are equal whatever their rounding.
		switch left, right := (i+1)*len(b), (j+1)*len(a); {
		case left == right:
			i, j = i+1, j+1
		case left < right:
			i++
		default:
			j++
		}
	}
	return sum
}
