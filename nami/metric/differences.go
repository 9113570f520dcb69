package metric

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// Difference is a property of one value of the events, or of two, that is compared between a sample
// and a reference.
type Difference struct {
	// Column is the value's number, from 0; Other is that of the second one of a correlation, else -1.
	Column, Other int

	// Property is what is compared: the mean, the spread, the distribution or the correlation, or
	// whether a value is constant.
	Property Property

	// Reference and Sample are the property of each: a mean, a standard deviation or a correlation;
	// of a distribution function, that at the place where they differ most.
	Reference, Sample float64

	// Test has the difference: of means in units of the reference's standard deviation, of the
	// logarithms of standard deviations, of correlations by Fisher's transformation, and Kolmogorov's
	// and Smirnov's distance. Adjusted is its P adjusted by [Holm] for all that were compared.
	Test
	Adjusted float64

	// Words says what differs.
	Words string
}

// Property is what a [Difference] is one of.
type Property string

// The properties that are compared.
const (
	Mean         Property = "mean"
	Spread       Property = "spread"
	Distribution Property = "distribution"
	Correlation  Property = "correlation"
	Constant     Property = "constant"
)

// String is what differs, and how sure that is.
func (d Difference) String() string { return d.Words + ", p " + Probability(d.Adjusted) }

// mostCorrelated bounds the number of values whose correlations are compared.
const mostCorrelated = 20

// influence is an estimate, and how much each event moves it: the sum of the squares is its variance
// (Huber 1981, Robust Statistics, section 1.5), whatever the distribution, with weights too.
type influence struct {
	value float64
	of    []float64
}

func (e events) influence(value float64, of func(i int) float64) influence {
	out := influence{value, make([]float64, e.count)}
	for i := range out.of {
		out.of[i] = e.weight(i) * of(i)
	}
	return out
}

func (i influence) variance() (sum float64) {
	for _, v := range i.of {
		sum += v * v
	}
	return sum
}

// differences are all means, standard deviations, distribution functions and correlations of two
// samples whose weights aren't negative, the clearest first.
func differences(reference, sample events, names []string) []Difference {
	var all []Difference
	compare := func(d Difference, r, s influence) {
		d.Value = s.value - r.value
		d.Test = d.normal(0, math.Sqrt(r.variance()+s.variance()), bothSides)
		all = append(all, d)
	}
	moments := func(e events) (out []moment) {
		for k := range e.size {
			out = append(out, e.moment(k))
		}
		return out
	}
	ofR, ofS := moments(reference), moments(sample)
	name := func(k int) string {
		if k < len(names) {
			return names[k]
		}
		return fmt.Sprintf("column %d", k+1)
	}
	for k := range reference.size {
		r, s := ofR[k], ofS[k]
		if r.constant() || s.constant() {
			if d, differ := fixed(k, name(k), r, s); differ {
				all = append(all, d)
			}
			continue
		}
		mean := func(e events, m moment) influence {
			return e.influence(m.mean/r.deviation, func(i int) float64 { return (e.row(i)[k] - m.mean) / r.deviation })
		}
		shift := (s.mean - r.mean) / r.deviation
		compare(Difference{
			Column: k, Other: -1, Reference: r.mean, Sample: s.mean,
			Property: Mean,
			Test:     Test{Name: name(k) + ", mean", Means: "shift of the mean in standard deviations of the reference"},
			Words:    fmt.Sprintf("%s: mean too %s by %s standard deviations", name(k), either(shift > 0, "large", "small"), short(math.Abs(shift))),
		}, mean(reference, r), mean(sample, s))
		spread := func(e events, m moment) influence {
			return e.influence(math.Log(m.deviation), func(i int) float64 {
				z := (e.row(i)[k] - m.mean) / m.deviation
				return (z*z - 1) / 2
			})
		}
		compare(Difference{
			Column: k, Other: -1, Reference: r.deviation, Sample: s.deviation,
			Property: Spread,
			Test:     Test{Name: name(k) + ", spread", Means: "logarithm of the ratio of standard deviations; negative where the sample's is too small"},
			Words:    fmt.Sprintf("%s: spread %s", name(k), ratio(s.deviation/r.deviation)),
		}, spread(reference, r), spread(sample, s))
		all = append(all, shape(reference, sample, k, name(k)))
	}
	if reference.size <= mostCorrelated {
		for k := range reference.size {
			for j := k + 1; j < reference.size; j++ {
				if ofR[k].constant() || ofR[j].constant() || ofS[k].constant() || ofS[j].constant() {
					continue
				}
				r, valueR := reference.correlation(k, j, ofR)
				s, valueS := sample.correlation(k, j, ofS)
				compare(Difference{
					Column: k, Other: j, Reference: valueR, Sample: valueS,
					Property: Correlation,
					Test:     Test{Name: name(k) + " and " + name(j) + ", correlation", Means: "difference of the correlations by Fisher's transformation"},
					Words:    fmt.Sprintf("%s and %s: correlation %.2f, should be %.2f", name(k), name(j), valueS, valueR),
				}, r, s)
			}
		}
	}
	p := make([]float64, len(all))
	for i, d := range all {
		p[i] = d.P
	}
	for i, adjusted := range Holm(p) {
		all[i].Adjusted = adjusted
	}
	slices.SortStableFunc(all, func(a, b Difference) int {
		switch {
		case a.P < b.P:
			return -1
		case a.P > b.P:
			return 1
		}
		return 0
	})
	return all
}

// constant says that the values have no spread but rounding.
func (m moment) constant() bool { return !(m.deviation > 1e-12*math.Abs(m.mean)) }

// fixed compares a value that is constant in one of the samples, where no test is needed.
func fixed(k int, name string, r, s moment) (Difference, bool) {
	d := Difference{Column: k, Other: -1, Property: Constant, Reference: r.mean, Sample: s.mean, Test: Test{Name: name + ", constant", Value: 1, Means: "1 where one of them is constant and the other isn't, or is another constant"}}
	switch same := math.Abs(r.mean-s.mean) <= 1e-6*math.Max(math.Abs(r.mean), math.Abs(s.mean)); {
	case r.constant() && s.constant() && same:
		return d, false
	case r.constant() && s.constant():
		d.Words = fmt.Sprintf("%s: constant %s, should be %s", name, short(s.mean), short(r.mean))
	case r.constant():
		d.Words = fmt.Sprintf("%s: varies, should be the constant %s", name, short(r.mean))
	default:
		d.Words = fmt.Sprintf("%s: constant %s, should vary", name, short(s.mean))
	}
	return d, true
}

func ratio(r float64) string {
	if r < 0.5 || r > 2 {
		return short(r) + " times what it should be"
	}
	return fmt.Sprintf("%s %% too %s", short(100*math.Abs(r-1)), either(r > 1, "large", "small"))
}

// correlation is Fisher's transformation of the correlation of two values, and the correlation.
func (e events) correlation(k, j int, of []moment) (influence, float64) {
	z := func(i int) (a, b float64) {
		row := e.row(i)
		return (row[k] - of[k].mean) / of[k].deviation, (row[j] - of[j].mean) / of[j].deviation
	}
	r := 0.0
	for i := range e.count {
		a, b := z(i)
		r += e.weight(i) * a * b
	}
	r = max(-1+1e-9, min(1-1e-9, r)) // values that are equal but for rounding
	return e.influence(math.Atanh(r), func(i int) float64 {
		a, b := z(i)
		return (a*b - r*(a*a+b*b)/2) / (1 - r*r)
	}), r
}

// shape is the test of Kolmogorov and Smirnov, and where the distribution functions differ most.
func shape(reference, sample events, k int, name string) Difference {
	xs, xw := reference.sorted(k)
	ys, yw := sample.sorted(k)
	d := Difference{Column: k, Other: -1, Property: Distribution, Test: kolmogorovSmirnov(stat.KolmogorovSmirnov(xs, xw, ys, yw), reference.effective(), sample.effective(), name)}
	at, most := xs[0], 0.0
	fx, fy, j := 0.0, 0.0, 0
	for i, v := range xs {
		fx += weightAt(xw, i, len(xs))
		for ; j < len(ys) && ys[j] <= v; j++ {
			fy += weightAt(yw, j, len(ys))
		}
		if gap := math.Abs(fx - fy); gap > most && (i+1 == len(xs) || xs[i+1] > v) {
			at, most, d.Reference, d.Sample = v, gap, fx, fy
		}
	}
	d.Words = fmt.Sprintf("%s: distribution differs, %.1f %% below %s, should be %.1f %%", name, 100*d.Sample, short(at), 100*d.Reference)
	return d
}

func weightAt(weights []float64, i, n int) float64 {
	if weights == nil {
		return 1 / float64(n)
	}
	return weights[i]
}
