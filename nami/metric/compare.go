package metric

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/stat"
)

const (
	// mostCompared bounds the time of the distances that compare all pairs.
	mostCompared = 2000
	projections  = 200
)

// Comparison says how far a sample is from a reference.
type Comparison struct {
	// SlicedWasserstein, Energy and MMD are the results of [SlicedWasserstein] with 200
	// projections, [EnergyDistance], and [MMD] with the median distance as its bandwidth.
	SlicedWasserstein, Energy, MMD float64

	// Shift is the largest shift of a coordinate's mean, in units of the reference's
	// standard deviation.
	Shift float64

	// Ratio is the ratio of the sample's standard deviation to the reference's, of the
	// coordinate for which it is furthest from 1.
	Ratio float64

	// Dropped counts the sample's events that aren't finite and were left out.
	Dropped int
}

// Comparisons are what [Compare] returns.
type Comparisons struct {
	// Floor compares two halves of the reference: no model can be expected to do better.
	Floor Comparison

	// Samples are the comparisons of the samples, in the order in which they were given.
	Samples []Comparison

	// Events is how many events of each sample were compared.
	Events int
}

// Compare compares samples with a reference, all float32 or float64 [n]+event with the same
// event shape. The reference needs at least 4 events, each sample at least 2. The same number
// of events of each, up to 2000, is drawn at random with the seed, so that the results can be
// compared; so are the halves of the reference, as many data sets are sorted, or alternate
// between classes. Events that are not finite are left out and counted. [Weights], which must
// not be negative, are those of the reference and then of the samples.
func Compare(reference *tensors.Tensor, samples []*tensors.Tensor, seed int64, settings ...Option) (c Comparisons, err error) {
	o, err := configure(settings, 1+len(samples))
	if err != nil {
		return c, fmt.Errorf("metric.Compare: %w", err)
	}
	all, err := readCompared(o, 0, "the reference", reference, 4)
	if err != nil {
		return c, fmt.Errorf("metric.Compare: %w", err)
	}
	shuffled := all.pick(rand.New(rand.NewPCG(uint64(seed), 0)).Perm(all.count))
	half := shuffled.part(0, (all.count+1)/2)
	rows := []events{shuffled.part((all.count+1)/2, all.count)}
	c.Events = min(mostCompared, rows[0].count)
	dropped := []int{all.dropped}
	for i, x := range samples {
		name := fmt.Sprintf("sample %d", i+1)
		s, err := readCompared(o, 1+i, name, x, 2)
		if err == nil && s.size != all.size {
			err = fmt.Errorf("%s has shape %s and the reference %s: the events must have the same size", name, x.Shape(), reference.Shape())
		}
		if err != nil {
			return c, fmt.Errorf("metric.Compare: %w", err)
		}
		c.Events = min(c.Events, s.count)
		rows, dropped = append(rows, s.events), append(dropped, s.dropped)
	}
	against := half.part(0, c.Events)
	for i, row := range rows {
		what := "the halves of the reference"
		if i > 0 { // the halves are shuffled
			what = fmt.Sprintf("sample %d", i)
			row = row.pick(rand.New(rand.NewPCG(uint64(seed), uint64(i))).Perm(row.count))
		}
		one, err := compared(against, row.part(0, c.Events), seed)
		if err != nil {
			return c, fmt.Errorf("metric.Compare: %s: %w", what, err)
		}
		one.Dropped = dropped[i]
		if i == 0 {
			c.Floor = one
		} else {
			c.Samples = append(c.Samples, one)
		}
	}
	return c, nil
}

// finiteEvents are the events of a sample that are finite.
type finiteEvents struct {
	events
	dropped int
}

func readCompared(o options, i int, name string, x *tensors.Tensor, least int) (out finiteEvents, err error) {
	e, err := readAny(name, x)
	if err != nil {
		return out, err
	}
	if x.Rank() < 2 {
		return out, fmt.Errorf("%s has shape %s: give [n]+event, such as [1000, 2]", name, x.Shape())
	}
	if e.weights, err = o.of(i, name, e.count); err == nil {
		err = e.notNegative(name)
	}
	if err != nil {
		return out, err
	}
	var good []int
	for k := range e.count {
		fine := true
		for _, v := range e.row(k) {
			fine = fine && !math.IsNaN(v) && !math.IsInf(v, 0)
		}
		if fine {
			good = append(good, k)
		}
	}
	out = finiteEvents{e.pick(good), e.count - len(good)}
	if out.count < least {
		return out, fmt.Errorf("%s has %d finite events (shape %s): give at least %d", name, out.count, x.Shape(), least)
	}
	return out, nil
}

// pick is the events of those numbers, with their weights.
func (e events) pick(numbers []int) events {
	out := events{count: len(numbers), size: e.size}
	for _, i := range numbers {
		out.flat = append(out.flat, e.row(i)...)
		if e.weights != nil {
			out.weights = append(out.weights, e.weights[i])
		}
	}
	return out
}

// part is the events from first to end, exclusive.
func (e events) part(first, end int) events {
	out := events{count: end - first, size: e.size, flat: e.flat[first*e.size : end*e.size]}
	if e.weights != nil {
		out.weights = e.weights[first:end]
	}
	return out
}

// tensors are the events and their weights.
func (e events) tensors() (x, weights *tensors.Tensor) {
	if e.weights != nil {
		weights = tensors.FromFlatDataAndDimensions(e.weights, e.count)
	}
	return tensors.FromFlatDataAndDimensions(e.flat, e.count, e.size), weights
}

// column is coordinate k of all events.
func (e events) column(k int) []float64 {
	out := make([]float64, e.count)
	for i := range out {
		out[i] = e.row(i)[k]
	}
	return out
}

func compared(reference, sample events, seed int64) (c Comparison, err error) {
	x, wx := reference.tensors()
	y, wy := sample.tensors()
	weights := Weights(wx, wy)
	if c.SlicedWasserstein, err = SlicedWasserstein(x, y, projections, seed, weights); err != nil {
		return c, err
	}
	if c.Energy, err = EnergyDistance(x, y, weights); err != nil {
		return c, err
	}
	if c.MMD, err = MMD(x, y, 0, weights); err != nil {
		return c, err
	}
	c.Ratio = 1
	for k := range reference.size {
		meanR, sigmaR := stat.PopMeanStdDev(reference.column(k), reference.weights)
		meanS, sigmaS := stat.PopMeanStdDev(sample.column(k), sample.weights)
		if sigmaR == 0 {
			continue // a coordinate that is constant has no scale
		}
		if s := (meanS - meanR) / sigmaR; math.Abs(s) > math.Abs(c.Shift) {
			c.Shift = s
		}
		if r := sigmaS / sigmaR; math.Abs(math.Log(r)) > math.Abs(math.Log(c.Ratio)) {
			c.Ratio = r
		}
	}
	return c, nil
}
