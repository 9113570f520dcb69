package metric

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/mat"
)

// TypicalNeighbour is to which of the nearest simulations [Misspecification] looks.
const TypicalNeighbour = 5

// Misspecification tests for each observation whether it is like the simulations at all: [m]+event
// against [n]+event, float32 or float64, in the form that a network would see. Value is the distance
// to the fifth-nearest of half of the simulations, in units in which these have no correlations and a
// spread of 1. P is the share, among the other half and the observation, that is at least as far: an
// observation that is drawn as the simulations are has a P of at most a with a probability of at most
// a, whatever their distribution (conformal prediction: Papadopoulos et al. 2002,
// doi:10.1007/3-540-36755-1_29). Confident answers to an observation with a small P are
// extrapolations. Of several observations, adjust P by [Holm].
//
// The halves are drawn with the seed, from 20,000 simulations at most. Fewer than 20 simulations,
// values that aren't finite and shapes that don't fit are errors.
func Misspecification(simulations, observations *tensors.Tensor, seed int64) ([]Test, error) {
	s, o, err := readNamed("Misspecification", [2]string{"simulations", "observations"}, simulations, observations, nil)
	if err != nil {
		return nil, err
	}
	if s.count < leastSimulations {
		return nil, fmt.Errorf("metric.Misspecification: there are %d simulations: give %d or more", s.count, leastSimulations)
	}
	n := min(s.count, mostSimulations)
	s = s.pick(rand.New(rand.NewPCG(uint64(seed), 0)).Perm(s.count)[:n])
	whiten, err := whitening(s.part(0, n/2))
	if err != nil {
		return nil, fmt.Errorf("metric.Misspecification: %w", err)
	}
	known := whiten(s.part(0, n/2))
	far := func(e events) []float64 {
		e = whiten(e)
		out := make([]float64, e.count)
		each(e.count, func(i int) { out[i] = math.Sqrt(known.nearestTo(e.row(i), TypicalNeighbour)[TypicalNeighbour-1]) })
		return out
	}
	others, values := far(s.part(n/2, n)), far(o)
	tests := make([]Test, len(values))
	for i, v := range values {
		if _, err := result("Misspecification", v); err != nil {
			return nil, err
		}
		tests[i] = Test{
			Name: fmt.Sprintf("observation %d, distance to the simulations", i+1), Value: v,
			Means: "large where the observation is unlike all simulations, so that the model doesn't describe it",
		}.counted(slices.Clone(others), above)
	}
	return tests, nil
}

const leastSimulations, mostSimulations = 20, 20_000

// nearestTo are the squared distances from a point to the k nearest events, in rising order; fewer
// if there are fewer.
func (e events) nearestTo(point []float64, k int) []float64 {
	nearest := make([]float64, 0, k+1)
	for j := range e.count {
		d := squaredDistance(point, e.row(j))
		if len(nearest) == k && d >= nearest[k-1] {
			continue
		}
		at, _ := slices.BinarySearch(nearest, d)
		nearest = slices.Insert(nearest, at, d)[:min(len(nearest)+1, k)]
	}
	return nearest
}

// whitening is the map to units in which events like those have the mean 0 and the covariance 1, in
// the directions in which they have a spread. Of directions in which they have none, relative to the
// values themselves, a change counts in units of the smallest spread that can be told from 0.
func whitening(e events) (func(events) events, error) {
	mean, scale := make([]float64, e.size), make([]float64, e.size)
	standard := events{count: e.count, size: e.size, flat: slices.Clone(e.flat)}
	for k := range e.size {
		m := e.moment(k)
		mean[k], scale[k] = m.mean, m.deviation
		if least := 1e-9 * math.Max(1e-300, math.Abs(m.mean)); !(scale[k] > least) {
			scale[k] = math.Max(least, 1e-9)
		}
	}
	centre := func(row []float64) {
		for k := range row {
			row[k] = (row[k] - mean[k]) / scale[k]
		}
	}
	for i := range e.count {
		centre(standard.row(i))
	}
	_, covariance := standard.moments()
	var eigen mat.EigenSym
	if !eigen.Factorize(covariance, true) {
		return nil, fmt.Errorf("the covariance of the %d events has no axes that can be found: are values of very different size?", e.count)
	}
	var axes mat.Dense
	eigen.VectorsTo(&axes)
	values := eigen.Values(nil)
	for k := range e.size {
		length := math.Sqrt(max(values[k], 1e-6))
		for i := range e.size {
			axes.Set(i, k, axes.At(i, k)/length)
		}
	}
	return func(x events) events {
		flat := slices.Clone(x.flat)
		for i := range x.count {
			centre(flat[i*x.size : (i+1)*x.size])
		}
		var out mat.Dense
		out.Mul(mat.NewDense(x.count, x.size, flat), &axes)
		return events{count: x.count, size: x.size, flat: out.RawMatrix().Data}
	}, nil
}
