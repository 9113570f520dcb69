package metric

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
)

// Calibration is the test whether the ranks of true values among posterior draws are uniform on
// 0 to Draws, as they are if the posterior is right.
type Calibration struct {
	// Test is that of the whole curve: its Value is the largest distance of Shares from Levels, in
	// standard deviations of a share. Its null values are simulated, as the law of the ranks is
	// known exactly.
	Test

	// Bias tests whether the mean rank is a half of Draws: its Value is the mean of rank/Draws.
	// Spread tests whether the ranks vary as they should: its Value is the standard deviation of
	// rank/Draws over the expected one. Both have normal laws, for some 20 ranks and more.
	Bias, Spread Test

	// Shares are how many of the ranks are below each of Levels·(Draws+1), up to 100 of them, as
	// a share: what is drawn as a curve of coverage. From Lower to Upper is a band that holds the
	// whole curve with the probability [BandMass].
	Levels, Shares, Lower, Upper []float64

	// Ranks are those that were tested, Dropped how many were NaN or infinite.
	Ranks   []float64
	Draws   int
	Dropped int

	// Finding says in plain words what is wrong, or that nothing was found.
	Finding string
}

// Overall is the p-value of Test, Bias and Spread together: the smallest of the three adjusted by
// [Holm].
func (c Calibration) Overall() float64 {
	return slices.Min(Holm([]float64{c.Test.P, c.Bias.P, c.Spread.P}))
}

// String is the finding, with its numbers.
func (c Calibration) String() string {
	return fmt.Sprintf("%s: %s (p %s; mean rank %.3f, %.3f to %.3f expected; spread %.3f, %.3f to %.3f expected)",
		c.Name, c.Finding, Probability(c.Overall()), c.Bias.Value, c.Bias.Low, c.Bias.High, c.Spread.Value, c.Spread.Low, c.Spread.High)
}

// simulated is how many sets of ranks the null distribution is counted from.
const simulated = 1999

// rankWords are what ranks that are too high, too low, spread too far and too little mean.
type rankWords struct{ high, low, wide, narrow string }

var parameterWords = rankWords{
	high:   "biased: the true values are above the draws too often",
	low:    "biased: the true values are below the draws too often",
	wide:   "overconfident: the true values are in the tails too often, so the posterior is too narrow",
	narrow: "underconfident: the true values are in the middle too often, so the posterior is too wide",
}

// Uniform tests whether ranks of true values among a number of draws are uniform on 0 to draws
// (simulation-based calibration, Talts et al. 2018, arXiv:1804.06788). One rank belongs to one pair
// of truth and observation, the pairs drawn independently from prior and simulator. Ranks must be
// whole numbers from 0 to draws; NaN and infinite ones are left out and counted. Its words are those
// for the ranks of a parameter.
//
// No rank that is finite, and anything else than whole numbers, is an error.
func Uniform(ranks []float64, draws int) (Calibration, error) {
	c, err := uniform("ranks", ranks, draws, parameterWords)
	if err != nil {
		return c, fmt.Errorf("metric.Uniform: %w", err)
	}
	return c, nil
}

func uniform(name string, ranks []float64, draws int, words rankWords) (c Calibration, err error) {
	if draws < 1 {
		return c, fmt.Errorf("%d posterior draws: give 1 or more", draws)
	}
	c.Draws = draws
	for i, r := range ranks {
		switch {
		case math.IsNaN(r) || math.IsInf(r, 0):
			c.Dropped++
			continue
		case r < 0 || r > float64(draws) || r != math.Trunc(r):
			return c, fmt.Errorf("rank %d is %g: give whole numbers 0 to %d, how many of the draws are below the true value", i, r, draws)
		}
		c.Ranks = append(c.Ranks, r)
	}
	n := len(c.Ranks)
	if n == 0 {
		return c, fmt.Errorf("none of the %d ranks is finite: there is nothing to test", len(ranks))
	}
	c.curve(name)
	// The moments of a uniform law on 0, 1/draws, …, 1, of which the fourth is summed up.
	steps := float64(draws)
	variance := (steps + 2) / (12 * steps)
	fourth := 0.0
	for k := range draws + 1 {
		fourth += math.Pow(float64(k)/steps-0.5, 4) / (steps + 1)
	}
	mean, squares := 0.0, 0.0
	for _, r := range c.Ranks {
		u := r/steps - 0.5
		mean, squares = mean+u/float64(n), squares+u*u/float64(n)
	}
	root := math.Sqrt(float64(n))
	c.Bias = Test{
		Name: name + ", mean rank", Value: mean + 0.5,
		Means: fmt.Sprintf("above ½ %s; below ½ %s", words.high, words.low),
	}.normal(0.5, math.Sqrt(variance)/root, bothSides)
	c.Spread = Test{
		Name: name + ", spread of ranks", Value: squares / variance,
		Means: fmt.Sprintf("above 1 %s; below 1 %s", words.wide, words.narrow),
	}.normal(1, math.Sqrt(max(0, fourth-variance*variance))/variance/root, bothSides)
	c.Spread.Low = max(0, c.Spread.Low)
	c.Spread.Value, c.Spread.Low, c.Spread.High = math.Sqrt(c.Spread.Value), math.Sqrt(c.Spread.Low), math.Sqrt(c.Spread.High)
	c.Finding = c.finding(words)
	return c, nil
}

// finding says which of the tests are significant, adjusted for their number.
func (c Calibration) finding(words rankWords) string {
	adjusted := Holm([]float64{c.Test.P, c.Bias.P, c.Spread.P})
	var found []string
	if adjusted[1] <= 1-BandMass {
		found = append(found, either(c.Bias.Value > 0.5, words.high, words.low))
	}
	if adjusted[2] <= 1-BandMass {
		found = append(found, either(c.Spread.Value > 1, words.wide, words.narrow))
	}
	switch {
	case len(found) > 0:
		return strings.Join(found, "; ")
	case adjusted[0] <= 1-BandMass:
		return "not calibrated: the ranks are not uniform, though neither too high or low, nor too far spread or too little"
	}
	return "no sign of miscalibration"
}

func either(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}

// curve is the share of ranks below each level, with the band that the null distribution gives.
func (c *Calibration) curve(name string) {
	n, values := float64(len(c.Ranks)), c.Draws+1
	points := min(100, c.Draws)
	var below []int // ranks less than these are counted
	for i := 1; i <= points; i++ {
		if k := i * values / (points + 1); len(below) == 0 || k > below[len(below)-1] {
			below = append(below, max(1, k))
		}
	}
	bin := make([]int, values) // of each rank: the first level that counts it
	for r := range bin {
		bin[r] = sort.SearchInts(below, r+1)
	}
	counts := make([]int, len(below)+1)
	for _, r := range c.Ranks {
		counts[bin[int(r)]]++
	}
	deviations := make([]float64, len(below))
	for i, k := range below {
		level := float64(k) / float64(values)
		c.Levels = append(c.Levels, level)
		deviations[i] = math.Sqrt(level * (1 - level) / n)
	}
	farthest := func(counts []int) (most float64, shares []float64) {
		sum := 0
		for i, level := range c.Levels {
			sum += counts[i]
			shares = append(shares, float64(sum)/n)
			most = max(most, math.Abs(shares[i]-level)/deviations[i])
		}
		return most, shares
	}
	c.Test = Test{Name: name, Means: "standard deviations that the curve of coverage is away from the diagonal at most; large where it isn't calibrated"}
	c.Value, c.Shares = farthest(counts)
	null := make([]float64, simulated)
	each(simulated, func(i int) {
		random := rand.New(rand.NewPCG(uint64(i), 1))
		counts := make([]int, len(below)+1)
		for range c.Ranks {
			counts[bin[random.IntN(values)]]++
		}
		null[i], _ = farthest(counts)
	})
	c.Test = c.Test.counted(null, above)
	for i, level := range c.Levels {
		c.Lower = append(c.Lower, max(0, level-c.High*deviations[i]))
		c.Upper = append(c.Upper, min(1, level+c.High*deviations[i]))
	}
}
