package plotting

import (
	"fmt"
	"slices"
	"strings"
)

// Series is a named list of numbers: a curve of a [Line], a sample of a [Histogram], or the
// ranks or probabilities of a [RankHistogram] or [Coverage].
type Series struct {
	// Name stands in the legend.
	Name string
	// X places each value on the horizontal axis of a Line; nil counts from 0.
	X []float64
	// Values are the numbers.
	Values []float64
	// Errors are the half lengths of the error bars of a Line's values, such as standard
	// errors; nil draws none, nor does one that is not finite.
	Errors []float64
	// Weights say how much each value of a Histogram counts; nil for all alike. They may be
	// negative, as those of simulated events are.
	Weights []float64
	// Points draws what a Histogram counts as points with error bars, as measured data are,
	// in place of an outline.
	Points bool

	// exact series are never smoothed.
	exact bool
}

// check reports what the i-th series of a kind of figure has and that kind doesn't take, and
// lists of unequal length.
func (one Series) check(kind string, i int, takes ...string) error {
	for _, field := range []struct {
		name string
		set  bool
		n    int
	}{
		{"X", one.X != nil, len(one.X)},
		{"Errors", one.Errors != nil, len(one.Errors)},
		{"Weights", one.Weights != nil, len(one.Weights)},
		{"Points", one.Points, len(one.Values)},
	} {
		switch {
		case !field.set:
		case !slices.Contains(takes, field.name):
			return fmt.Errorf("plotting.%s: series %d (%q) has %s: give %s alone", kind, i, one.Name, field.name, strings.Join(append([]string{"Name", "Values"}, takes...), ", "))
		case field.n != len(one.Values):
			return fmt.Errorf("plotting.%s: series %d (%q) has %d %s for %d Values: give as many, or none", kind, i, one.Name, field.n, field.name, len(one.Values))
		}
	}
	return nil
}

// Curve is a function at 201 equally spaced arguments from lo to hi, as a series of a
// [Line], such as a schedule's alpha and sigma.
func Curve(name string, f func(float64) float64, lo, hi float64) Series {
	s := Series{Name: name, exact: true}
	for i := range 201 {
		x := span{lo, hi}.at(i, 200)
		s.X, s.Values = append(s.X, x), append(s.Values, f(x))
	}
	return s
}

func nameOf(series []Series, i int) string {
	return or(series[i].Name, fmt.Sprintf("series %d", i+1))
}
