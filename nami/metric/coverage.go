package metric

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/gomlx/gomlx/core/tensors"
)

// SimulationBased is simulation-based calibration (Talts et al. 2018, arXiv:1804.06788): a
// [Calibration] of the rank of each value of the truth among the same value of the draws, in
// row-major order. truths are [n]+event, float32 or float64, the parameters that observation i was
// simulated with, drawn from the prior; draws are [n, L]+event, L independent draws of the posterior
// given observation i. Further quantities, such as a log-likelihood, may stand beside the
// parameters as more values of an event (Modrák et al. 2023, arXiv:2211.02383).
//
// Ties, as of parameters that are whole numbers, are broken at random with the seed, which keeps the
// ranks uniform. A test with a value that isn't finite is left out and counted. Of several
// parameters, adjust Overall by [Holm]. Shapes that don't fit are errors.
func SimulationBased(truths, draws *tensors.Tensor, seed int64) ([]Calibration, error) {
	t, d, count, err := readPosteriors(truths, draws)
	if err != nil {
		return nil, fmt.Errorf("metric.SimulationBased: %w", err)
	}
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	all := make([]Calibration, t.size)
	for k := range all {
		ranks := make([]float64, t.count)
		for i := range ranks {
			row := d.row(i)
			ranks[i] = rank(random, t.row(i)[k], count, func(j int) float64 { return row[j*t.size+k] })
		}
		if all[k], err = uniform(fmt.Sprintf("parameter %d", k+1), ranks, count, parameterWords); err != nil {
			return nil, fmt.Errorf("metric.SimulationBased: parameter %d: %w", k+1, err)
		}
	}
	return all, nil
}

// ExpectedCoverage tests how often the truth is within the smallest credible region, that of highest
// density, of each probability (Hermans et al. 2022, arXiv:2110.06581). truths are the posterior's
// log-densities of the true parameters, float32 or float64 [n], and draws those of L independent draws
// of the posterior given the same observation, [n, L]. Any other function of parameters and
// observation may stand for the log-density.
//
// A rank is the number of draws with a higher density than the truth, which is -Inf for a truth
// outside the posterior's support. Ties are broken at random with the seed. A test with NaN or +Inf
// is left out and counted. Shapes that don't fit are errors.
func ExpectedCoverage(truths, draws *tensors.Tensor, seed int64) (Calibration, error) {
	t, d, count, err := readPosteriors(truths, draws)
	if err == nil && t.size != 1 {
		err = fmt.Errorf("truths is %s: give one log-density for each truth, [n]", truths.Shape())
	}
	var c Calibration
	if err == nil {
		random := rand.New(rand.NewPCG(uint64(seed), 0))
		ranks := make([]float64, t.count)
		for i := range ranks {
			row := d.row(i)
			ranks[i] = rank(random, -finiteLog(t.row(i)[0]), count, func(j int) float64 { return -finiteLog(row[j]) })
		}
		c, err = uniform("expected coverage", ranks, count, rankWords{
			high:   "overconfident: credible regions hold the truth too seldom, so they are too small or in the wrong place",
			low:    "underconfident: credible regions hold the truth too often, so they are too large",
			wide:   "not calibrated: the truth is within the smallest regions or outside the largest too often",
			narrow: "not calibrated: the truth is between the smallest regions and the largest too often",
		})
	}
	if err != nil {
		return c, fmt.Errorf("metric.ExpectedCoverage: %w", err)
	}
	return c, nil
}

// finiteLog has a number for a density of 0.
func finiteLog(v float64) float64 {
	if math.IsInf(v, -1) {
		return -math.MaxFloat64
	}
	return v
}

// TARP tests expected coverage with random points (Lemos et al. 2023, arXiv:2302.03026): a region
// holds all that is nearer to a random point than the truth is. It needs no log-densities. truths
// and draws are those of [SimulationBased]; the points are uniform, with the seed, within the
// range of the truths, and distances are in units of these ranges. A rank is the number of draws
// nearer to the point than the truth.
//
// A test with a value that isn't finite is left out and counted. Shapes that don't fit are errors.
func TARP(truths, draws *tensors.Tensor, seed int64) (Calibration, error) {
	t, d, count, err := readPosteriors(truths, draws)
	if err != nil {
		return Calibration{}, fmt.Errorf("metric.TARP: %w", err)
	}
	low, high := make([]float64, t.size), make([]float64, t.size)
	for k := range low {
		low[k], high[k] = math.Inf(1), math.Inf(-1)
		for i := range t.count {
			if v := t.row(i)[k]; v-v == 0 {
				low[k], high[k] = min(low[k], v), max(high[k], v)
			}
		}
	}
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	point, ranks := make([]float64, t.size), make([]float64, t.count)
	distance := func(row []float64) (sum float64) {
		for k, v := range row {
			if length := high[k] - low[k]; length > 0 {
				sum += ((v - point[k]) / length) * ((v - point[k]) / length)
			} else {
				sum += v - v // NaN if it isn't finite
			}
		}
		return sum
	}
	for i := range ranks {
		for k := range point {
			point[k] = low[k] + random.Float64()*(high[k]-low[k])
		}
		row := d.row(i)
		ranks[i] = rank(random, distance(t.row(i)), count, func(j int) float64 { return distance(row[j*t.size : (j+1)*t.size]) })
	}
	c, err := uniform("TARP coverage", ranks, count, rankWords{
		high:   "biased: the truth is further from random points than the draws are too often",
		low:    "biased: the truth is nearer to random points than the draws are too often",
		wide:   "overconfident or biased: the truth is beyond all draws too often, so the posterior is too narrow or in the wrong place",
		narrow: "underconfident: the truth is in the middle of the draws too often, so the posterior is too wide",
	})
	if err != nil {
		return c, fmt.Errorf("metric.TARP: %w", err)
	}
	return c, nil
}

// rank is how many of so many draws are below the truth, ties broken at random; NaN if a value
// isn't finite.
func rank(random *rand.Rand, truth float64, draws int, draw func(j int) float64) float64 {
	less, equal, finite := 0, 0, truth-truth == 0
	for j := range draws {
		v := draw(j)
		finite = finite && v-v == 0
		if v < truth {
			less++
		} else if v == truth {
			equal++
		}
	}
	if !finite {
		return math.NaN()
	}
	return float64(less + random.IntN(equal+1))
}

// readPosteriors reads true values, [n]+event, and draws for each, [n, L]+event, which may be not
// finite.
func readPosteriors(truths, draws *tensors.Tensor) (t, d events, count int, err error) {
	if t, err = readAny("truths", truths); err != nil {
		return t, d, 0, err
	}
	if d, err = readAny("draws", draws); err != nil {
		return t, d, 0, err
	}
	of, all := truths.Shape().Dimensions, draws.Shape().Dimensions
	fits := len(all) == len(of)+1 && all[0] == of[0] && all[1] > 0
	for axis := 1; fits && axis < len(of); axis++ {
		fits = all[axis+1] == of[axis]
	}
	if !fits {
		return t, d, 0, fmt.Errorf("truths is %s, draws is %s: give [n]+event and [n, draws]+event, draws at least 1", truths.Shape(), draws.Shape())
	}
	return t, d, all[1], nil
}
