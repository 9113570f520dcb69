package plotting

import (
	"fmt"
	"math"
	"slices"

	"github.com/nami-flow/go-nami/nami/data"
)

// Rows are a table's rows as [Marginals] compares them.
type Rows struct {
	// Name stands in the legend.
	Name string

	// Table has the columns.
	Table *data.Table

	// Weight is the column that says how much each row counts; "" for all alike.
	Weight string

	// Points draws points with error bars, as measured data are, in place of an outline.
	Points bool
}

// name is that of the i-th table.
func (r Rows) name(i int) string { return or(r.Name, fmt.Sprintf("table %d", i+1)) }

// Marginals compares the distributions of columns, one by one: a [Histogram] of each, in rows of
// up to three, with the ratio to the last of the tables below it, and one legend for all.
//
//	figure := plotting.Marginals([]plotting.Rows{
//		{Name: "data", Table: test, Weight: "weight", Points: true},
//		{Name: "model", Table: samples},
//	}, columns.X, plotting.Units(file.Units))
//
// The axis of a column is logarithmic where its positive values go over more than a factor of 10
// without the hundredth part at either end, or of 1000 for integers, whose bins are otherwise
// whole ones. Samples that were drawn one for each row of weighted data have the weights of those
// rows, as their contexts do: give them that column, with data.Table.With.
//
// Missing values are left out, and the figure says how many. It takes [Title], [Columns], [Units] and
// [Size], and for all histograms [Bins], [Counts], [ErrorBars], [LogX], [LogY], [YLabel],
// [RatioLimits], 0.5 to 1.5 otherwise, and [Ratio], with the name of another table.
func Marginals(tables []Rows, columns []string, opts ...Option) Figure {
	ofAll := []string{"Columns", "Units"}
	s, err := settle("Marginals", append([]string{"Bins", "Counts", "ErrorBars", "LogX", "LogY", "YLabel", "RatioLimits", "Ratio"}, ofAll...), opts)
	if err != nil {
		return Figure{err: err}
	}
	if len(tables) == 0 || len(columns) == 0 {
		return failed("Marginals: there are %d tables and %d columns: give at least one of each", len(tables), len(columns))
	}
	ofEach := []Option{}
	if len(tables) > 1 {
		ofEach = append(ofEach, Ratio(tables[len(tables)-1].name(len(tables)-1)), RatioLimits(0.5, 1.5))
	}
	for _, o := range opts {
		if !slices.Contains(append(ofAll, everyKind...), o.name) {
			ofEach = append(ofEach, o)
		}
	}
	var figures []Figure
	for _, name := range columns {
		series, err := marginal(tables, name)
		if err != nil {
			return failed("Marginals: %v", err)
		}
		label := name
		if unit := s.units[name]; unit != "" {
			label += " (" + unit + ")"
		}
		each := append(slices.Clone(ofEach), XLabel(label))
		if wantsLog(series) {
			each = append(each, LogX())
		}
		figures = append(figures, Histogram(series, each...))
	}
	perRow := s.columns
	if perRow == 0 {
		perRow = 3
		if len(columns) == 4 {
			perRow = 2
		}
	}
	figure := Grid(perRow, figures...)
	if len(tables) > 1 {
		figure = figure.SharedLegend()
	}
	if s.title != "" {
		figure = figure.Titled(s.title)
	}
	if s.width > 0 && figure.Err() == nil {
		figure.width, figure.height = s.width, s.height
	}
	return figure
}

// marginal is a column of each table.
func marginal(tables []Rows, column string) ([]Series, error) {
	var series []Series
	for i, rows := range tables {
		if rows.Table == nil {
			return nil, fmt.Errorf("table %d (%q) is nil", i, rows.Name)
		}
		one := Series{Name: rows.name(i), Points: rows.Points}
		var err error
		if one.Values, err = rows.Table.Floats(column); err == nil && rows.Weight != "" {
			one.Weights, err = rows.Table.Floats(rows.Weight)
		}
		if err != nil {
			return nil, fmt.Errorf("table %d (%q): %w", i, rows.Name, err)
		}
		series = append(series, one)
	}
	return series, nil
}

// wantsLog says whether a logarithmic axis suits values: all of them are positive, and the inner
// ones go over decades.
func wantsLog(series []Series) bool {
	factor := 10.0
	var all []float64
	for _, one := range series {
		whole := weighted{values: one.Values}
		if whole.areWhole() {
			factor = 1000
		}
		for _, v := range one.Values {
			if finite(v) {
				all = append(all, v)
			}
		}
	}
	if len(all) == 0 {
		return false
	}
	slices.Sort(all)
	return all[0] >= leastOnLog && quantile(all, 0.99) > factor*math.Max(quantile(all, 0.01), leastOnLog)
}
