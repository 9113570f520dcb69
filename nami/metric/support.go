package metric

import (
	"cmp"
	"context"
	"fmt"
	"math"
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
// have no such formula: see [Tests.Support].
//
// Every pair is compared, on all processors, in O((n+m)²·size) time; each event's nearest ones are
// kept, some 50 if the samples have as many events. Errors are as for [Nearest].
func CompareSupport(reference, samples *tensors.Tensor, k int, settings ...Option) (SupportOverlap, error) {
	n, err := readSupport(context.Background(), "CompareSupport", reference, samples, k, settings)
	if err != nil {
		return SupportOverlap{}, err
	}
	return n.actual(), nil
}

// SupportTests are the numbers of [SupportOverlap] as tests. Small values are those that are bad, but
// for Density, which may be too large as well.
type SupportTests struct{ Precision, Recall, Density, Coverage Test }

// Support tests by [CompareSupport]. The nearest events are searched once, so that permutations take
// little time.
func (t Tests) Support(ctx context.Context, reference, samples *tensors.Tensor, k int, settings ...Option) (s SupportTests, err error) {
	near, err := readSupport(ctx, "Tests.Support", reference, samples, k, settings)
	if err != nil {
		return s, err
	}
	if s, err = t.support(ctx, near); err != nil {
		return s, fmt.Errorf("metric.Tests.Support: %w", err)
	}
	return s, nil
}

func (t Tests) support(ctx context.Context, near *supports) (s SupportTests, err error) {
	splits, err := t.splits(near.all, near.ofReference)
	if err != nil {
		return s, err
	}
	firsts, scales, err := splits.labels(ctx)
	null := make([]SupportOverlap, splits.count)
	if err == nil {
		err = parallel(ctx, splits.count, func(p int) { null[p] = near.overlap(firsts[p], scales[p]) })
	}
	if err != nil {
		return s, err
	}
	value := near.actual()
	test := func(name, means string, far tail, get func(SupportOverlap) float64) Test {
		values := make([]float64, len(null))
		for i, v := range null {
			values[i] = get(v)
		}
		return Test{Name: name, Value: get(value), Means: means}.counted(values, far)
	}
	return SupportTests{
		Precision: test("precision", "share of samples where the reference is; small where samples are wrong", below, func(s SupportOverlap) float64 { return s.Precision }),
		Recall:    test("recall", "share of the reference where samples are; small where some are missing", below, func(s SupportOverlap) float64 { return s.Recall }),
		Density:   test("density", "how much of the reference is around a sample; small where samples are wrong, large where they crowd", bothSides, func(s SupportOverlap) float64 { return s.Density }),
		Coverage:  test("coverage", "share of the reference that has a sample nearby; small where some are missing", below, func(s SupportOverlap) float64 { return s.Coverage }),
	}, nil
}

// supports are both samples, those of the reference first, with each event's nearest ones.
type supports struct {
	all         events
	columns     [][]float64
	ofReference int
	k           int
	near        [][]neighbour
}

type neighbour struct {
	number  int32
	squared float64
}

func readSupport(ctx context.Context, name string, reference, samples *tensors.Tensor, k int, settings []Option) (*supports, error) {
	a, b, err := readNamed(name, [2]string{"reference", "samples"}, reference, samples, settings)
	if err != nil {
		return nil, err
	}
	if k == 0 {
		k = 5
	}
	if err = cmp.Or(a.notNegative("the reference"), b.notNegative("the samples")); err == nil && (k < 1 || k >= min(a.count, b.count)) {
		err = fmt.Errorf("k is %d, and there are %d and %d events: a ball reaches to another event of its sample, so k must be from 1 to one less than the smaller number", k, a.count, b.count)
	}
	if err == nil {
		var s *supports
		if s, err = newSupports(ctx, a, b, k); err == nil {
			return s, nil
		}
	}
	return nil, fmt.Errorf("metric.%s: %w", name, err)
}

// newSupports keeps of each event as many nearest ones as hold the k-th of its own sample in nearly
// all splits, by the ratio of the samples' numbers; others are searched when they are needed.
func newSupports(ctx context.Context, a, b events, k int) (*supports, error) {
	s := &supports{all: joined(a, b), ofReference: a.count, k: k}
	s.columns = s.all.columns()
	smaller := float64(min(a.count, b.count)) / float64(s.all.count)
	kept := min(s.all.count-1, 400, int(math.Ceil((float64(k)+4*math.Sqrt(float64(k))+4)/smaller)))
	s.near = make([][]neighbour, s.all.count)
	err := eachUntil(ctx, s.all.count, func(i int) { s.near[i] = s.nearest(i, kept) })
	return s, err
}

// nearest are the nearest other events of one, in rising order of their distance.
func (s *supports) nearest(i, kept int) []neighbour {
	const block = 512
	var buffer [block]float64
	out := make([]neighbour, 0, kept+1)
	for at := 0; at < s.all.count; at += block {
		part := buffer[:min(block, s.all.count-at)]
		squaredDistances(s.all.row(i), s.columns, at, part)
		for j, d := range part {
			if at+j == i || len(out) == kept && d >= out[kept-1].squared {
				continue
			}
			place, _ := slices.BinarySearchFunc(out, d, func(n neighbour, d float64) int { return cmp.Compare(n.squared, d) })
			out = slices.Insert(out, place, neighbour{int32(at + j), d})[:min(len(out)+1, kept)]
		}
	}
	return out
}

// ball are the nearest events of one up to the k-th of its own sample, and those that are as far.
func (s *supports) ball(i int, first []uint8) []neighbour {
	near := s.near[i]
	for {
		own, end := 0, 0
		for end < len(near) && (own < s.k || near[end].squared == near[end-1].squared) {
			if first[near[end].number] == first[i] {
				own++
			}
			end++
		}
		if end < len(near) || len(near) == s.all.count-1 {
			return near[:end]
		}
		near = s.nearest(i, min(s.all.count-1, 4*len(near)))
	}
}

// overlap is that of the events of which first is true, the reference, with the others.
func (s *supports) overlap(first []uint8, scales [2]float64) (o SupportOverlap) {
	found := make([]bool, s.all.count) // in a ball of the other sample
	for i := range s.all.count {
		other := false
		for _, n := range s.ball(i, first) {
			if first[n.number] == first[i] {
				continue
			}
			found[n.number], other = true, true
			if first[i] == 1 {
				o.Density += scales[1] * s.counts(int(n.number)) / float64(s.k)
			}
		}
		if first[i] == 1 && other {
			o.Coverage += scales[0] * s.counts(i)
		}
	}
	for i, in := range found {
		switch {
		case !in:
		case first[i] == 1:
			o.Recall += scales[0] * s.counts(i)
		default:
			o.Precision += scales[1] * s.counts(i)
		}
	}
	return o
}

// counts is the weight of an event, beside those of its sample.
func (s *supports) counts(i int) float64 {
	if s.all.weights == nil {
		return 1
	}
	return s.all.weights[i]
}

// actual is the overlap of the samples themselves.
func (s *supports) actual() SupportOverlap {
	first := make([]uint8, s.all.count)
	var sums [2]float64
	for i := range first {
		part := 1
		if i < s.ofReference {
			first[i], part = 1, 0
		}
		sums[part] += s.counts(i)
	}
	return s.overlap(first, [2]float64{1 / sums[0], 1 / sums[1]})
}
