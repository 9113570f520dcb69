package plotting

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nami-flow/go-nami/nami/metric"
)

// Compare returns a table of how far samples are from a reference, by [metric.Comparer]: a row for each
// sample and a column for each test, in units of the reference's standard deviations, with a star
// where a test is significant (p ≤ 0.05, adjusted for the number of tests), and the clearest difference of
// a column, in words. Pairs are those of up to 2,000 events of each. The first row says what is to be
// expected of a sample of the reference's distribution, as large as the first sample. For the picture, see [Differences] and [Corner]. An
// error of metric.Comparer is the table's.
func Compare(reference Sample, others []Sample, seed int64) Table {
	t := Table{Title: "Distance to " + or(reference.Name, "the reference")}
	if len(others) == 0 {
		t.err = errors.New("plotting.Compare: no samples: give at least one")
	}
	for i, other := range others {
		name := or(other.Name, fmt.Sprintf("sample %d", i+1))
		c, err := metric.Comparer{Events: 2000, Tests: metric.Tests{Seed: seed}}.Compare(context.Background(), reference.Points, other.Points, metric.Weights(reference.Weights, other.Weights))
		if err != nil {
			t.err = fmt.Errorf("plotting.Compare: %s: %w", name, err)
			return t
		}
		if i == 0 {
			expected := []string{"expected of equal ones"}
			t.Header = []string{"sample"}
			for _, test := range c.Tests {
				t.Header = append(t.Header, brief(test.Name))
				expected = append(expected, briefly(test.Expected()))
			}
			t.Header = append(t.Header, "left out", "clearest difference")
			t.Rows = append(t.Rows, append(expected, "", ""))
		}
		row := []string{name}
		for _, header := range t.Header[1 : len(t.Header)-2] {
			at := slices.IndexFunc(c.Tests, func(t metric.Test) bool { return brief(t.Name) == header })
			if at < 0 {
				row = append(row, "–")
				continue
			}
			star := ""
			if c.Adjusted[at] <= 1-metric.BandMass {
				star = " *"
			}
			row = append(row, minus(fmt.Sprintf("%.3g", c.Tests[at].Value))+star)
		}
		clearest := "none"
		if found := c.Clear(); len(found) > 0 {
			clearest = found[0].String()
		}
		t.Rows = append(t.Rows, append(row, fmt.Sprint(c.Sample.Dropped), clearest))
	}
	return t
}

// brief is the name of a test that fits above a column.
func brief(name string) string {
	for long, short := range map[string]string{
		"energy distance": "energy", "maximum mean discrepancy": "MMD",
		"sliced Wasserstein distance": "sliced W₂", "Wasserstein distance of order 2": "W₂",
	} {
		if name == long {
			return short
		}
	}
	return name
}

func briefly(expected string) string {
	expected = strings.Replace(expected, "at most ", "≤ ", 1)
	return strings.Replace(strings.Replace(expected, "at least ", "≥ ", 1), " to ", "–", 1)
}

// mostDifferences is how many columns are drawn.
const mostDifferences = 6

// Differences draws where a sample and its reference differ, as a comparison of theirs found, which
// [metric.Compare] returns: one [Histogram] over the other of up to six values of the events, those that
// differ most clearly first, with what differs in words, or of the first six values if none does. Both have
// the shape [n]+event that they were compared in.
func Differences(reference, other Sample, c metric.Comparison) Figure {
	r, err := readMarginals(or(reference.Name, "reference"), reference)
	if err != nil {
		return failed("Differences: %w", err)
	}
	s, err := readMarginals(or(other.Name, "sample"), other)
	if err != nil {
		return failed("Differences: %w", err)
	}
	if len(r.columns) != len(s.columns) {
		return failed("Differences: an event of %s has %d values, one of %s %d: give samples that were compared", r.name, len(r.columns), s.name, len(s.columns))
	}
	if r.name == s.name {
		r.name, s.name = "reference", "sample"
	}
	var order []int
	words := map[int]string{}
	note := func(column int, says string) {
		if column < 0 {
			return
		}
		if _, known := words[column]; !known {
			order, words[column] = append(order, column), says
		}
	}
	for _, d := range c.Clear() {
		note(d.Column, d.Words)
		note(d.Other, d.Words)
	}
	if len(order) == 0 {
		for _, d := range c.Differences {
			note(d.Column, d.Name[:strings.LastIndex(d.Name, ", ")]+": no difference found")
		}
		slices.Sort(order)
	}
	var figures []Figure
	for _, k := range order[:min(len(order), mostDifferences)] {
		if k >= len(r.columns) {
			return failed("Differences: the comparison is of value %d, and an event has %d: give the samples that were compared", k+1, len(r.columns))
		}
		column, says, _ := strings.Cut(words[k], ": ")
		figures = append(figures, Histogram([]Series{
			{Name: r.name, Values: r.columns[k], Weights: r.weights, Points: true},
			{Name: s.name, Values: s.columns[k], Weights: s.weights},
		}, XLabel(column), Title(says)))
	}
	if len(figures) == 0 {
		return failed("Differences: the comparison has no Differences: those of weights that aren't negative are compared")
	}
	figure := Grid(min(3, len(figures)), figures...)
	if len(figures) > 1 {
		figure = figure.SharedLegend()
	}
	return figure
}

type marginals struct {
	name    string
	columns [][]float64
	weights []float64
}

func readMarginals(name string, sample Sample) (m marginals, err error) {
	data, err := read(sample.Points)
	if err == nil && (len(data.dims) < 1 || data.dims[0] == 0 || data.len() == 0) {
		err = fmt.Errorf("the shape is %s: give [n]+event", sample.Points.Shape())
	}
	if err == nil {
		m.weights, err = readWeights(sample.Weights, data.dims[0])
	}
	if err != nil {
		return m, fmt.Errorf("%s: %w", name, err)
	}
	m.name = name
	size := data.len() / data.dims[0]
	for k := range size {
		column := make([]float64, data.dims[0])
		for i := range column {
			column[i] = data.at(i*size + k)
		}
		m.columns = append(m.columns, column)
	}
	return m, nil
}
