package metric

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"
)

// Statistic is how far apart two samples are, such as [EnergyDistance]. [MMD] and
// [SlicedWasserstein] are one with their other arguments filled in:
//
//	func(x, y *tensors.Tensor, settings ...metric.Option) (float64, error) {
//		return metric.SlicedWasserstein(x, y, 50, 1, settings...)
//	}
type Statistic func(x, y *tensors.Tensor, settings ...Option) (float64, error)

// Permute tests whether x and y come from one distribution: it mixes their events, with the weights
// that belong to them, splits them again at random into samples of the same sizes, and counts how
// often the statistic is as large as that of x and y (Good 2005, Permutation, Parametric and
// Bootstrap Tests of Hypotheses, chapter 3). P is (1+k)/(1+permutations) if it was k times, so it
// is never below 1/(1+permutations), and a test that rejects where P ≤ a is wrong with a
// probability of at most a.
//
// x and y are float32 or float64 [n]+event and [m]+event with n and m at least 1. The same seed
// gives the same splits. Errors are those of the statistic; no permutation at all is one, and ctx
// is looked at between two of them.
func Permute(ctx context.Context, distance Statistic, x, y *tensors.Tensor, permutations int, seed int64, settings ...Option) (Test, error) {
	if distance == nil {
		return Test{}, errors.New("metric.Permute: the statistic is nil: give one, such as metric.EnergyDistance")
	}
	if permutations < 1 {
		return Test{}, fmt.Errorf("metric.Permute: %d permutations: give 1 or more, such as 199", permutations)
	}
	a, b, err := readPair("Permute", x, y, settings)
	if err != nil {
		return Test{}, err
	}
	value, err := distance(x, y, settings...)
	if err != nil {
		return Test{}, fmt.Errorf("metric.Permute: %w", err)
	}
	both := joined(a, b)
	test := Test{Value: value}
	atLeast := 1
	for i := range permutations {
		if err := context.Cause(ctx); err != nil {
			return Test{}, fmt.Errorf("metric.Permute: after %d of %d permutations: %w", i, permutations, err)
		}
		mixed := both.pick(rand.New(rand.NewPCG(uint64(seed), uint64(i))).Perm(both.count))
		p, wp := mixed.part(0, a.count).tensors()
		q, wq := mixed.part(a.count, both.count).tensors()
		v, err := distance(p, q, Weights(wp, wq))
		err = errors.Join(err, finalize(p, wp, q, wq))
		if err != nil {
			return Test{}, fmt.Errorf("metric.Permute: permutation %d: %w", i, err)
		}
		test.Null = append(test.Null, v)
		// Sums in another order differ in their last digits.
		if v >= value*(1-1e-9) {
			atLeast++
		}
	}
	slices.Sort(test.Null)
	test.P = float64(atLeast) / float64(1+permutations)
	return test, nil
}

// joined are the events of a and b. An event counts as much as before beside those of its own
// sample, and both samples as their numbers of events.
func joined(a, b events) events {
	out := events{count: a.count + b.count, size: a.size, flat: slices.Concat(a.flat, b.flat)}
	if a.weights == nil && b.weights == nil {
		return out
	}
	for _, e := range []events{a, b} {
		for i := range e.count {
			out.weights = append(out.weights, e.weight(i)*float64(e.count))
		}
	}
	return out
}

func finalize(all ...*tensors.Tensor) (err error) {
	for _, x := range all {
		if x != nil {
			err = errors.Join(err, x.FinalizeAll())
		}
	}
	return err
}
