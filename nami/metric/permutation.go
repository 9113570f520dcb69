package metric

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"
)

// Tests are two-sample tests: distances beside what they are of two samples of one distribution, by
// permutation (Good 2005, Permutation, Parametric and Bootstrap Tests of Hypotheses, chapter 3). The
// events of both samples, with the weights that belong to them, are mixed and split again at random
// into samples of the same sizes. P is (1+k)/(1+Permutations) if k of the splits are at least as far
// apart, so it is never below 1/(1+Permutations), and a test that rejects where P ≤ a is wrong with a
// probability of at most a.
//
// With weights this holds where those of both samples follow one law, and, for samples of many
// events, where both have the same number of events.
//
// The same seed gives the same splits. ctx is looked at between two of them.
type Tests struct {
	// Permutations is how many splits are compared; 499 if 0.
	Permutations int

	// Seed is that of the splits, and of the directions of [SlicedWasserstein].
	Seed int64
}

// mostPermuted is of how many events in all the null distribution is computed where it is known how
// it depends on their number.
const mostPermuted = 1000

const usualPermutations = 499

// Statistic is how far apart two samples are, such as [EnergyDistance]: 0 for equal ones.
type Statistic func(x, y *tensors.Tensor, settings ...Option) (float64, error)

// Statistic tests by any statistic, which is called once for each split. x and y are float32 or
// float64 [n]+event and [m]+event with n and m at least 1. Errors are those of the statistic.
func (t Tests) Statistic(ctx context.Context, name string, statistic Statistic, x, y *tensors.Tensor, settings ...Option) (Test, error) {
	if statistic == nil {
		return Test{}, errors.New("metric.Tests.Statistic: the statistic is nil: give one, such as metric.EnergyDistance")
	}
	a, b, err := readPair("Tests.Statistic", x, y, settings)
	if err != nil {
		return Test{}, err
	}
	value, err := statistic(x, y, settings...)
	if err != nil {
		return Test{}, fmt.Errorf("metric.Tests.Statistic: %w", err)
	}
	test := Test{Name: name, Value: value, Means: apart}
	test, err = t.by(ctx, test, joined(a, b), a.count, func(x, y events) (float64, error) { return onTensors(statistic, x, y) })
	if err != nil {
		return Test{}, fmt.Errorf("metric.Tests.Statistic: %w", err)
	}
	return test, nil
}

// by is the test whose null values are those of the splits of all into samples of n and the rest.
func (t Tests) by(ctx context.Context, test Test, all events, n int, distance func(x, y events) (float64, error)) (Test, error) {
	splits, err := t.splits(all, n)
	if err != nil {
		return Test{}, err
	}
	null := make([]float64, splits.count)
	for i := range null {
		if err = context.Cause(ctx); err != nil {
			return Test{}, fmt.Errorf("after %d of %d permutations: %w", i, splits.count, err)
		}
		order := splits.order(i)
		if null[i], err = distance(all.pick(order[:n]), all.pick(order[n:])); err != nil {
			return Test{}, fmt.Errorf("permutation %d: %w", i, err)
		}
	}
	return test.counted(null, above), nil
}

const apart = "0 for equal samples, and larger the further they are apart"

// splits are random splits of events into a first sample and the rest.
type splits struct {
	seed     int64
	count    int
	all, ofX int
	weights  []float64
}

func (t Tests) splits(all events, n int) (splits, error) {
	if t.Permutations < 0 {
		return splits{}, fmt.Errorf("%d permutations: give 1 or more, or 0 for %d", t.Permutations, usualPermutations)
	}
	s := splits{seed: t.Seed, count: t.Permutations, all: all.count, ofX: n, weights: all.weights}
	if s.count == 0 {
		s.count = usualPermutations
	}
	return s, nil
}

// order are the numbers of all events, first those of the first sample.
func (s splits) order(i int) []int {
	return rand.New(rand.NewPCG(uint64(s.seed), uint64(i))).Perm(s.all)
}

// labels are those of all splits: 1 for the events of the first sample, 0 for others, and what the weights of the
// first sample and of the second are to be multiplied by so that they add up to 1.
func (s splits) labels(ctx context.Context) (firsts [][]uint8, scales [][2]float64, err error) {
	firsts, scales = make([][]uint8, s.count), make([][2]float64, s.count)
	for p := range firsts {
		if err := context.Cause(ctx); err != nil {
			return nil, nil, err
		}
		order := s.order(p)
		firsts[p] = make([]uint8, s.all)
		for at, e := range order {
			part := 1
			if at < s.ofX {
				firsts[p][e], part = 1, 0
			}
			if s.weights != nil {
				scales[p][part] += s.weights[e]
			} else {
				scales[p][part]++
			}
		}
		for part, sum := range scales[p] {
			if !(sum > 0) {
				return nil, nil, fmt.Errorf("the weights of a random split add up to %g: there are too many negative ones, or ones of 0, among them", sum)
			}
			scales[p][part] = 1 / sum
		}
	}
	return firsts, scales, nil
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

// some are up to so many events of both samples, drawn at random in the ratio of their numbers, and
// by how much the mean square of what differs by chance is larger than that of all.
func (t Tests) some(a, b events, most int) (x, y events, larger float64) {
	if a.count+b.count <= most {
		return a, b, 1
	}
	random := rand.New(rand.NewPCG(uint64(t.Seed), 1<<32))
	share := float64(most) / float64(a.count+b.count)
	part := func(e events) events {
		n := min(e.count, max(2, int(math.Round(share*float64(e.count)))))
		return e.pick(random.Perm(e.count)[:n]).normalised()
	}
	x, y = part(a), part(b)
	return x, y, (1/x.effective() + 1/y.effective()) / (1/a.effective() + 1/b.effective())
}

func onTensors(statistic Statistic, a, b events) (float64, error) {
	x, wx := a.tensors()
	y, wy := b.tensors()
	v, err := statistic(x, y, Weights(wx, wy))
	return v, errors.Join(err, finalize(x, wx, y, wy))
}

func finalize(all ...*tensors.Tensor) (err error) {
	for _, x := range all {
		if x != nil {
			err = errors.Join(err, x.FinalizeAll())
		}
	}
	return err
}
