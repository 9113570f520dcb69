package metric

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sort"

	"github.com/gomlx/gomlx/core/tensors"
	"golang.org/x/sync/errgroup"
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
	// Only differences count, and far from 0 projections would lose their last digits.
	origin := slices.Clone(a.row(0))
	a.shift(origin)
	b.shift(origin)
	if projections < 1 {
		return 0, fmt.Errorf("metric.SlicedWasserstein: %d projections: give 1 or more, such as 100", projections)
	}
	squares := make([]float64, projections)
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for p := range squares {
		group.Go(func() error {
			along := direction(uint64(seed), uint64(p), a.size)
			squares[p] = squaredWasserstein(a.projected(along), b.projected(along))
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

// readPair reads two samples of the same kind of event, neither empty, called x and y.
func readPair(name string, x, y *tensors.Tensor, settings []Option) (a, b events, err error) {
	return readNamed(name, [2]string{"x", "y"}, x, y, settings)
}

func readNamed(name string, names [2]string, x, y *tensors.Tensor, settings []Option) (a, b events, err error) {
	fail := func(err error) (events, events, error) {
		return events{}, events{}, fmt.Errorf("metric.%s: %w", name, err)
	}
	o, err := configure(settings, 2)
	if err != nil {
		return fail(err)
	}
	var both [2]events
	for i, x := range []*tensors.Tensor{x, y} {
		if both[i], err = readEvents(names[i], x); err != nil {
			return fail(err)
		}
	}
	if err := sameEvent(names[0], x, names[1], y); err != nil {
		return fail(err)
	}
	for i, x := range []*tensors.Tensor{x, y} {
		if both[i].count == 0 {
			return fail(fmt.Errorf("%s is empty (shape %s): give at least one event", names[i], x.Shape()))
		}
		if both[i].weights, err = o.of(i, names[i], both[i].count); err != nil {
			return fail(err)
		}
	}
	return both[0], both[1], nil
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

// shift subtracts origin from each event.
func (e events) shift(origin []float64) {
	for i := range e.count {
		for k := range e.row(i) {
			e.row(i)[k] -= origin[k]
		}
	}
}

// onLine are events on a line, in order, and how much each counts; nil for all alike.
type onLine struct{ at, weights []float64 }

func (e events) projected(along []float64) onLine {
	out := onLine{at: make([]float64, e.count)}
	for i := range out.at {
		for k, v := range e.row(i) {
			out.at[i] += v * along[k]
		}
	}
	if e.weights == nil {
		slices.Sort(out.at)
		return out
	}
	out.weights = slices.Clone(e.weights)
	sort.Sort(out)
	return out
}

// Len, Less and Swap implement [sort.Interface].
func (l onLine) Len() int           { return len(l.at) }
func (l onLine) Less(i, j int) bool { return l.at[i] < l.at[j] }
func (l onLine) Swap(i, j int) {
	l.at[i], l.at[j] = l.at[j], l.at[i]
	l.weights[i], l.weights[j] = l.weights[j], l.weights[i]
}

// squaredWasserstein is the integral of the squared difference of the quantile functions
// of two sorted samples, which may differ in number.
func squaredWasserstein(a, b onLine) float64 {
	if a.weights != nil || b.weights != nil {
		return weightedWasserstein(a, b)
	}
	sum, at := 0.0, 0.0
	for i, j := 0, 0; i < len(a.at) && j < len(b.at); {
		endA, endB := float64(i+1)/float64(len(a.at)), float64(j+1)/float64(len(b.at))
		end := min(endA, endB)
		d := a.at[i] - b.at[j]
		sum += d * d * (end - at)
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

// weightedWasserstein moves weight from the lowest event that has some left to the lowest
// that lacks some. What rounding leaves over at the end is next to nothing.
func weightedWasserstein(a, b onLine) (sum float64) {
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
		d := a.at[i] - b.at[j]
		sum += moved * d * d
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
