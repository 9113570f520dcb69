package metric

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Test is a number about samples beside what it would be under the null hypothesis: that the
// samples are of one distribution, or that a posterior is calibrated.
type Test struct {
	// Name says what was measured.
	Name string

	// Value is the statistic, and Means which way is which.
	Value float64
	Means string

	// P is the probability of a value at least as far from what is expected, if the null
	// hypothesis is true.
	P float64

	// Low and High hold the value with the probability [BandMass] under the null hypothesis. Low is
	// -Inf where only large values count, High is +Inf where only small ones do.
	Low, High float64

	// Null are the values that P, Low and High were counted from, in rising order; nil if they
	// have a formula.
	Null []float64
}

// String is the test on one line.
func (t Test) String() string {
	return fmt.Sprintf("%s %s (%s expected), p %s: %s", t.Name, short(t.Value), t.Expected(), Probability(t.P), t.Means)
}

// Expected says in words from where to where the value is expected.
func (t Test) Expected() string {
	switch {
	case math.IsInf(t.Low, -1):
		return "at most " + short(t.High)
	case math.IsInf(t.High, 1):
		return "at least " + short(t.Low)
	}
	return short(t.Low) + " to " + short(t.High)
}

// Probability writes a p-value: two significant digits, and bounds for what is very small.
func Probability(p float64) string {
	if p < 1e-6 {
		return "< 1e-06"
	}
	return fmt.Sprintf("= %.2g", p)
}

// short writes a number with three significant digits.
func short(v float64) string { return fmt.Sprintf("%.3g", v) }

// Holm are the p-values of several tests adjusted for their number (Holm 1979, Scand. J.
// Statistics 6): to call each test significant whose adjusted p-value is at most a is wrong about
// any of them with a probability of at most a, however the tests depend on each other. The p-values
// are given and returned in any order.
func Holm(p []float64) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		if p[i] < p[j] {
			return -1
		}
		return int(math.Copysign(1, p[i]-p[j]))
	})
	adjusted, most := make([]float64, len(p)), 0.0
	for rank, i := range order {
		most = max(most, min(1, p[i]*float64(len(p)-rank)))
		adjusted[i] = most
	}
	return adjusted
}

// tail says which values are far from what is expected.
type tail int

const (
	above tail = iota
	below
	bothSides
)

// counted fills in P, Low and High from values under the null hypothesis. Values that are equal but
// for rounding count as equal.
func (t Test) counted(null []float64, far tail) Test {
	slices.Sort(null)
	t.Null = null
	slack := 1e-9 * math.Abs(t.Value)
	more, less := 0, 0
	for _, v := range null {
		if v >= t.Value-slack {
			more++
		}
		if v <= t.Value+slack {
			less++
		}
	}
	share := func(k int) float64 { return float64(1+k) / float64(1+len(null)) }
	quantile := func(q float64) float64 { return stat.Quantile(q, stat.Empirical, null, nil) }
	t.Low, t.High = math.Inf(-1), math.Inf(1)
	switch far {
	case above:
		t.P, t.High = share(more), quantile(BandMass)
	case below:
		t.P, t.Low = share(less), quantile(1-BandMass)
	default:
		t.P, t.Low, t.High = min(1, 2*share(min(more, less))), quantile((1-BandMass)/2), quantile((1+BandMass)/2)
	}
	return t
}

// normal fills in P, Low and High of a value with a normal law, for one side or both.
func (t Test) normal(mean, deviation float64, far tail) Test {
	z, mass, sides := t.Value-mean, BandMass, 1.0
	if far == bothSides {
		z, mass, sides = math.Abs(z), (1+BandMass)/2, 2
	} else if far == below {
		z = -z
	}
	width := distuv.UnitNormal.Quantile(mass) * deviation
	t.Low, t.High = mean-width, mean+width
	if far == above {
		t.Low = math.Inf(-1)
	} else if far == below {
		t.High = math.Inf(1)
	}
	switch {
	case deviation > 0:
		t.P = sides * distuv.UnitNormal.Survival(z/deviation)
	case z > 0: // it can have no other value
		t.P = 0
	default:
		t.P = 1
	}
	return t
}
