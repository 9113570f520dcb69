package metric

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"
)

// SlicedWasserstein returns the sliced 2-Wasserstein distance of two samples: the root of
// the mean, over directions drawn uniformly from seed, of the squared 2-Wasserstein
// distance of the samples projected on them (Rabin et al. 2011; Bonneel et al. 2015, J.
// Math. Imaging Vis. 51). x and y are float32 or float64 [n]+event and [m]+event with n
// and m at least 1. For two distributions that differ by a shift it is the shift's length
// over √d, d the size of an event. One direction is enough for d = 1. [Weights], which must
// not be negative, weigh the events.
//
// Errors are those of [Nearest]; fewer than one projection is an error, too.
func SlicedWasserstein(x, y *tensors.Tensor, projections int, seed int64, settings ...Option) (float64, error) {
	a, b, err := readPair("SlicedWasserstein", x, y, settings)
	if err != nil {
		return 0, err
	}
	if err := cmp.Or(a.notNegative("x"), b.notNegative("y")); err != nil {
		return 0, fmt.Errorf("metric.SlicedWasserstein: %w", err)
	}
	v, err := sliced(context.Background(), a, b, projections, seed, nil)
	if err != nil {
		return 0, fmt.Errorf("metric.SlicedWasserstein: %w", err)
	}
	return result("SlicedWasserstein", v)
}

// SlicedWasserstein tests by [SlicedWasserstein], with the directions of Seed. It takes
// O(projections·Permutations·(n+m)) time, as events are sorted once for each direction, and a byte
// for each event and permutation.
func (t Tests) SlicedWasserstein(ctx context.Context, x, y *tensors.Tensor, projections int, settings ...Option) (Test, error) {
	a, b, err := readPair("Tests.SlicedWasserstein", x, y, settings)
	if err == nil {
		if err = cmp.Or(a.notNegative("x"), b.notNegative("y")); err != nil {
			err = fmt.Errorf("metric.Tests.SlicedWasserstein: %w", err)
		}
	}
	if err != nil {
		return Test{}, err
	}
	test, err := t.sliced(ctx, a, b, projections)
	if err != nil {
		return Test{}, fmt.Errorf("metric.Tests.SlicedWasserstein: %w", err)
	}
	return test, nil
}

func (t Tests) sliced(ctx context.Context, a, b events, projections int) (Test, error) {
	all := joined(a, b)
	splits, err := t.splits(all, a.count)
	if err != nil {
		return Test{}, err
	}
	sums := make([]float64, splits.count)
	firsts, scales, err := splits.labels(ctx)
	if err != nil {
		return Test{}, err
	}
	value, err := sliced(ctx, a, b, projections, t.Seed, func(along, origin []float64) {
		line := all.inOrder(all.along(along, origin))
		eachPart(splits.count, func(from, to int) {
			x, y := line.room(a.count), line.room(b.count)
			for p := from; p < to; p++ {
				line.split(firsts[p], scales[p], x, y)
				sums[p] += squaredWasserstein(x.part(a.count), y.part(b.count)) / float64(projections)
			}
		})
	})
	if err == nil {
		value, err = finiteResult(value)
	}
	if err != nil {
		return Test{}, err
	}
	for p, v := range sums {
		sums[p] = math.Sqrt(v)
	}
	return Test{Name: "sliced Wasserstein distance", Value: value, Means: apart}.counted(sums, above), nil
}

// sliced is the distance; also is called, if it is given, for each direction, one at a time.
func sliced(ctx context.Context, a, b events, projections int, seed int64, also func(along, origin []float64)) (float64, error) {
	if projections < 1 {
		return 0, fmt.Errorf("%d projections: give 1 or more, such as 100", projections)
	}
	// Only differences count, and far from 0 projections would lose their last digits.
	origin := slices.Clone(a.row(0))
	squares := make([]float64, projections)
	one := func(p int) {
		along := direction(uint64(seed), uint64(p), a.size)
		squares[p] = squaredWasserstein(a.projected(along, origin), b.projected(along, origin))
		if also != nil {
			also(along, origin)
		}
	}
	if also == nil {
		eachPart(projections, func(from, to int) {
			for p := from; p < to; p++ {
				one(p)
			}
		})
	} else {
		for p := range projections {
			if err := context.Cause(ctx); err != nil {
				return 0, fmt.Errorf("after %d of %d directions: %w", p, projections, err)
			}
			one(p)
		}
	}
	sum := 0.0
	for _, s := range squares {
		sum += s
	}
	return math.Sqrt(sum / float64(projections)), nil
}

// result reports a distance too large for a float64.
func result(name string, v float64) (float64, error) {
	if v, err := finiteResult(v); err != nil {
		return v, fmt.Errorf("metric.%s: %w", name, err)
	}
	return v, nil
}

func finiteResult(v float64) (float64, error) {
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return 0, errors.New("the squared distances overflow float64: scale the data down")
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

// onLine are events on a line, in order, and how much each counts; nil for all alike.
type onLine struct {
	at, weights []float64
	numbers     []int // of the events
}

// along are the places of the events, less the origin, along a direction.
func (e events) along(direction, origin []float64) []float64 {
	at := make([]float64, e.count)
	for i := range at {
		for k, v := range e.row(i) {
			at[i] += (v - origin[k]) * direction[k]
		}
	}
	return at
}

// projected are the events along a direction, in order.
func (e events) projected(along, origin []float64) onLine {
	at := e.along(along, origin)
	if e.weights == nil {
		slices.Sort(at)
		return onLine{at: at}
	}
	return e.inOrder(at)
}

// inOrder are the events at those places on a line, with their numbers.
func (e events) inOrder(at []float64) onLine {
	type place struct {
		at     float64
		number int
	}
	places := make([]place, len(at))
	for i, v := range at {
		places[i] = place{v, i}
	}
	slices.SortFunc(places, func(a, b place) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		}
		return 0
	})
	out := onLine{at: at, numbers: make([]int, len(at))}
	for i, p := range places {
		out.at[i], out.numbers[i] = p.at, p.number
		if e.weights != nil {
			out.weights = append(out.weights, e.weights[p.number])
		}
	}
	return out
}

// split are the events of which first is 1, and the others, where it is 0, with weights times the scales; x
// and y, of the right lengths, are overwritten. Each event is written to both, so that the processor has
// nothing to guess, which takes a third of the time.
func (l onLine) split(first []uint8, scales [2]float64, x, y onLine) {
	in, out := 0, 0
	for i, v := range l.at {
		step := int(first[l.numbers[i]])
		x.at[in], y.at[out] = v, v
		if l.weights != nil {
			x.weights[in], y.weights[out] = scales[0]*l.weights[i], scales[1]*l.weights[i]
		}
		in, out = in+step, out+1-step
	}
}

// room is for so many events, and one that overflows.
func (l onLine) room(n int) onLine {
	out := onLine{at: make([]float64, n+1)}
	if l.weights != nil {
		out.weights = make([]float64, n+1)
	}
	return out
}

func (l onLine) part(n int) onLine {
	l.at = l.at[:n]
	if l.weights != nil {
		l.weights = l.weights[:n]
	}
	return l
}

// squaredWasserstein is the squared 2-Wasserstein distance on a line.
func squaredWasserstein(a, b onLine) float64 {
	if a.weights == nil && b.weights == nil && len(a.at) == len(b.at) {
		sum := 0.0
		for i, v := range a.at {
			sum += (v - b.at[i]) * (v - b.at[i])
		}
		return sum / float64(len(a.at))
	}
	return transported(a, b, func(d float64) float64 { return d * d })
}

// transported is the integral of the cost of the difference of the quantile functions of two sorted
// samples, which may differ in number.
func transported(a, b onLine, cost func(d float64) float64) float64 {
	if a.weights != nil || b.weights != nil {
		return weightedTransport(a, b, cost)
	}
	sum, at := 0.0, 0.0
	for i, j := 0, 0; i < len(a.at) && j < len(b.at); {
		endA, endB := float64(i+1)/float64(len(a.at)), float64(j+1)/float64(len(b.at))
		end := min(endA, endB)
		sum += cost(a.at[i]-b.at[j]) * (end - at)
		at = end
		// Ends that are equal as fractions are equal whatever their rounding.
		switch left, right := (i+1)*len(b.at), (j+1)*len(a.at); {
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

// weightedTransport moves weight from the lowest event that has some left to the lowest
// that lacks some. What rounding leaves over at the end is next to nothing.
func weightedTransport(a, b onLine, cost func(d float64) float64) (sum float64) {
	weight := func(l onLine, i int) float64 {
		if l.weights == nil {
			return 1 / float64(len(l.at))
		}
		return l.weights[i]
	}
	i, j := 0, 0
	has, lacks := weight(a, 0), weight(b, 0)
	for {
		moved := min(has, lacks)
		sum += moved * cost(a.at[i]-b.at[j])
		has, lacks = has-moved, lacks-moved
		if has <= 0 {
			if i++; i == len(a.at) {
				return sum
			}
			has = weight(a, i)
		}
		if lacks <= 0 {
			if j++; j == len(b.at) {
				return sum
			}
			lacks = weight(b, j)
		}
	}
}
