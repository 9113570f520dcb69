package metric

import (
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"
)

// SupportOverlap says how far two samples cover each other's support. All are 1, or near it, for
// samples of one distribution; [CompareSupport] says what is to be expected.
type SupportOverlap struct {
	// Precision is the share of samples within the reference's support: what is not is wrong
	// (Kynkäänniemi et al. 2019, arXiv:1904.06991).
	Precision float64

	// Recall is the share of the reference within the samples' support: what is not is missing.
	Recall float64

	// Density is the mean number of balls of the reference that a sample is in, over the number
	// that is expected: like Precision, but an outlier of the reference counts little (Naeem et
	// al. 2020, arXiv:2002.09797). It may be above 1 where samples crowd.
	Density float64

	// Coverage is the share of the reference whose ball has a sample in it: like Recall, but an
	// outlier among the samples doesn't help (the same).
	Coverage float64
}

// CompareSupport compares the supports of a reference and of samples, float32 or float64 [n]+event and
// [m]+event: balls around each event that reach to the k-th nearest of its own sample, 5 if k is
// 0. Both need more than k events. Weights, which must not be negative, weigh the shares; the balls
// are those of all events alike.
//
// For samples of one distribution Density is 1 on average, and Coverage
// 1 - ∏_{i<k} (n-1-i)/(n+m-1-i), which is 1 - 2⁻ᵏ for large samples of one size. Precision and Recall
// have no such formula: compare with two halves of the data.
//
// Every pair is compared, on all processors, in O((n+m)²·size) time. Errors are as for [Nearest].
func CompareSupport(reference, samples *tensors.Tensor, k int, settings ...Option) (s SupportOverlap, err error) {
	a, b, err := readPair("CompareSupport", reference, samples, settings)
	if err != nil {
		return s, err
	}
	if k == 0 {
		k = 5
	}
	switch {
	case k < 1 || k >= min(a.count, b.count):
		err = fmt.Errorf("metric.Support: k is %d, and there are %d and %d events: a ball reaches to another event of its sample, so k must be from 1 to one less than the smaller number", k, a.count, b.count)
	default:
		if err = a.notNegative("the reference"); err == nil {
			err = b.notNegative("the samples")
		}
	}
	if err != nil {
		return s, fmt.Errorf("metric.CompareSupport: %w", err)
	}
	ofA, ofB := a.reach(k), b.reach(k)
	within := make([]int, b.count) // how many balls of the reference each sample is in
	covered, recalled := make([]bool, a.count), make([]bool, a.count)
	inA := pairs(b, a, func(j, i int, squared float64) bool { return squared <= ofA[i] })
	for j, balls := range inA {
		within[j] = len(balls)
		for _, i := range balls {
			covered[i] = true
		}
	}
	for i, balls := range pairs(a, b, func(_, j int, squared float64) bool { return squared <= ofB[j] }) {
		recalled[i] = len(balls) > 0
	}
	for j, n := range within {
		if n > 0 {
			s.Precision += b.weight(j)
		}
		s.Density += b.weight(j) * float64(n) / float64(k)
	}
	for i := range a.count {
		if recalled[i] {
			s.Recall += a.weight(i)
		}
		if covered[i] {
			s.Coverage += a.weight(i)
		}
	}
	return s, nil
}

// reach is the squared distance of each event to the k-th nearest other one.
func (e events) reach(k int) []float64 {
	out := make([]float64, e.count)
	each(e.count, func(i int) {
		nearest := make([]float64, 0, k+1)
		for j := range e.count {
			if j == i {
				continue
			}
			d := squaredDistance(e.row(i), e.row(j))
			if len(nearest) == k && d >= nearest[k-1] {
				continue
			}
			at, _ := slices.BinarySearch(nearest, d)
			nearest = slices.Insert(nearest, at, d)[:min(len(nearest)+1, k)]
		}
		out[i] = nearest[k-1]
	})
	return out
}

// pairs are, for each event of a, the events of b for which keep is true of their squared distance.
func pairs(a, b events, keep func(i, j int, squared float64) bool) [][]int {
	out := make([][]int, a.count)
	each(a.count, func(i int) {
		for j := range b.count {
			if keep(i, j, squaredDistance(a.row(i), b.row(j))) {
				out[i] = append(out[i], j)
			}
		}
	})
	return out
}
