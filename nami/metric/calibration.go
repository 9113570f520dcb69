package metric

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"gonum.org/v1/gonum/stat/distuv"
)

// BandMass is the probability with which calibrated results stay within a band.
const BandMass = 0.95

// RankCounts say how the ranks of true values among posterior draws are distributed.
type RankCounts struct {
	// Heights are the counts of the bins in units of those expected.
	Heights []float64

	// Low and High hold each height with the probability [BandMass] if the posterior is
	// calibrated.
	Low, High float64

	// Ranks is the number of ranks, Dropped how many values weren't finite and were left out.
	Ranks, Dropped int
}

// Ranks counts the ranks of true values among posterior draws, which are uniform on
// 0..draws if the posterior is calibrated (simulation-based calibration, Talts et al. 2018,
// arXiv:1804.06788): a valley shows a posterior that is too narrow, a hill one too wide, a
// slope a bias. The values are whole numbers from 0 to draws, and anything else is an error.
// 0 bins stands for the largest number from 5 to 20 that divides draws+1, or if none does 20,
// or draws+1 if that is less.
func Ranks(values []float64, draws, bins int) (c RankCounts, err error) {
	if draws < 1 {
		return c, fmt.Errorf("metric.Ranks: %d posterior draws: give 1 or more", draws)
	}
	if bins == 0 {
		bins = evenBins(draws + 1)
	}
	if bins < 1 || bins > draws+1 {
		return c, fmt.Errorf("metric.Ranks: %d bins for %d ranks: give at least 1 and at most as many as ranks", bins, draws+1)
	}
	share := make([]float64, bins) // of the ranks in each bin, which differ where bins don't divide them
	for r := range draws + 1 {
		share[r*bins/(draws+1)] += 1 / float64(draws+1)
	}
	c.Heights = make([]float64, bins)
	for i, v := range values {
		switch {
		case math.IsNaN(v) || math.IsInf(v, 0):
			c.Dropped++
			continue
		case v < 0 || v > float64(draws) || v != math.Trunc(v):
			return c, fmt.Errorf("metric.Ranks: rank %d is %g: give whole numbers 0 to %d, how many of the draws are below the true value", i, v, draws)
		}
		c.Heights[int(v)*bins/(draws+1)]++
		c.Ranks++
	}
	if c.Ranks == 0 {
		return c, nil
	}
	for j := range c.Heights {
		c.Heights[j] /= float64(c.Ranks) * share[j]
	}
	least := slices.Min(share)
	low, high := binomialBand(c.Ranks, least)
	c.Low, c.High = low/least, high/least
	return c, nil
}

// evenBins divides a number of ranks evenly where that gives 5 to 20 bins.
func evenBins(ranks int) int {
	for bins := min(20, ranks); bins >= 5; bins-- {
		if ranks%bins == 0 {
			return bins
		}
	}
	return min(20, ranks)
}

// binomialBand are the shares of n that a share p takes with the band's probability.
func binomialBand(n int, p float64) (low, high float64) {
	b := distuv.Binomial{N: float64(n), P: p}
	quantile := func(q float64) float64 {
		return float64(sort.Search(n, func(k int) bool { return b.CDF(float64(k)) >= q })) / float64(n)
	}
	return quantile((1 - BandMass) / 2), quantile((1 + BandMass) / 2)
}

// CoverageCurve says how often truth lies within credible regions.
type CoverageCurve struct {
	// Probabilities are the finite values in rising order: a share of (i+1)/n of them is at
	// most Probabilities[i].
	Probabilities []float64

	// Band is the half-width of a band around the diagonal that holds the whole curve with a
	// probability of at least [BandMass] if the regions are calibrated (Dvoretzky, Kiefer and
	// Wolfowitz 1956 with the constant of Massart 1990).
	Band float64

	// Dropped is how many values weren't finite.
	Dropped int
}

// Coverage is the curve of values that are, for each test, the probability of the smallest
// credible region that holds the truth, or a probability integral transform: from 0 to 1.
func Coverage(values []float64) (c CoverageCurve, err error) {
	for i, v := range values {
		switch {
		case math.IsNaN(v) || math.IsInf(v, 0):
			c.Dropped++
			continue
		case v < 0 || v > 1:
			return c, fmt.Errorf("metric.Coverage: value %d is %g: give probabilities from 0 to 1", i, v)
		}
		c.Probabilities = append(c.Probabilities, v)
	}
	slices.Sort(c.Probabilities)
	if n := len(c.Probabilities); n > 0 {
		c.Band = math.Sqrt(math.Log(2/(1-BandMass)) / (2 * float64(n)))
	}
	return c, nil
}
