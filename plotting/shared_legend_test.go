package plotting

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
)

func TestSharedLegend(t *testing.T) {
	two := []Series{{Name: "data", Values: []float64{1, 2, 3}}, {Name: "model", Values: []float64{1, 2, 2}}}
	f := Row(Histogram(two), Histogram(two, Ratio("model")), Histogram(two, Reference(1, "goal"))).Titled("all").SharedLegend()
	svg, err := f.SVG()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"data", "model", "goal"} {
		if n := bytes.Count(svg, []byte(">"+name+"<")); n != 1 {
			t.Errorf("%q stands %d times, want once", name, n)
		}
	}
	draws(t, "shared legend", f)
	// It is below all panels and within the page, and takes its own height.
	l := arrange(f.page(), f.pixel(), f.root)
	for p := range f.root.panels() {
		if at := l.fits[p]; at.frame.Min.Y-at.insets.bottom < margin+legendLine {
			t.Errorf("a panel's numbers reach down to %g, into the legend", at.frame.Min.Y-at.insets.bottom)
		}
	}
	if got := f.height - Row(Histogram(two, Ratio("model"))).Titled("all").height; math.Abs(float64(got-legendLine-8)) > 1e-9 {
		t.Errorf("the legend adds %g points", got)
	}
	// What doesn't fit one row goes on in the next.
	many := Row(Line(manyLines(30))).SharedLegend()
	legend := many.root.(*grid).legend
	if rows := legend.rows(300); len(rows) < 5 {
		t.Errorf("30 names take %d rows of 300 points", len(rows))
	}
	for _, row := range legend.rows(300) {
		width := -entriesApart
		for _, e := range row {
			width += e.width() + entriesApart
		}
		if width > 300 {
			t.Errorf("a row of names is %g points wide, in 300", width)
		}
	}
	draws(t, "many names", many)
	draws(t, "narrow", many.Sized(1, 4))
	if _, err := Slider("w", []float64{1, 2}, f, f).HTML(); err != nil {
		t.Errorf("slides with a shared legend: %v", err)
	}
}

func TestLimitsEverywhere(t *testing.T) {
	logp := demoPlane.Eval(mixture)
	ranks := []Series{{Values: []float64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}}}
	for name, f := range map[string]Figure{
		"density":   Density(demoPlane, logp, Limits(-1, 0, 0.5, 1)),
		"heat map":  HeatMap(demoPlane, logp, XLimits(-1, 0), YLimits(0.5, 1)),
		"contours":  Contours(demoPlane, logp, Filled(), Limits(-1, 0, 0.5, 1)),
		"overlay":   Overlay(Density(demoPlane, logp, Limits(-1, 0, 0.5, 1)), Contours(demoPlane, logp), Scatter(moons(1, 90))),
		"ranks":     RankHistogram(ranks, 9, Limits(-1, 0, 0.5, 1)),
		"coverage":  Coverage([]Series{{Values: []float64{0.1, 0.5, 0.9}}}, Limits(-1, 0, 0.5, 1)),
		"histogram": Histogram([]Series{{Values: []float64{-2, -0.5}}}, Limits(-1, 0, 0.5, 1)),
		"elsewhere": Density(demoPlane, logp, Limits(7, 8, 7, 8)),
	} {
		draws(t, name, f)
		if p := only(t, f); name != "elsewhere" && (p.x.over != span{-1, 0} || p.y.over != span{0.5, 1}) {
			t.Errorf("%s: the ranges are %v and %v, want −1 to 0 and 0.5 to 1", name, p.x.over, p.y.over)
		}
	}
	f := Corner([]Sample{{Points: normals(1, 900, 3)}}, Labels("a", "b", "c"), LimitsOf("b", -1, 2), LimitsOf("c", 0, 9))
	draws(t, "corner", f)
	g := f.root.(*grid)
	if low := g.cells[2][1].(*panel); low.x.over != (span{-1, 2}) || low.y.over != (span{0, 9}) {
		t.Errorf("c over b is drawn over %v and %v", low.x.over, low.y.over)
	}
	f = Row(Histogram(spectra(), Ratio("model")), Histogram(spectra(), Ratio("model"), RatioLimits(-5, 9))).SharedAxes()
	var ratios, others []span
	for p := range f.root.panels() {
		if p.kind == ratioKind {
			ratios = append(ratios, p.y.over)
		} else {
			others = append(others, p.y.over)
		}
	}
	if len(ratios) != 2 || ratios[0] != (span{-5, 9}) || ratios[0] != ratios[1] || others[0] != others[1] || others[0].hi > 1 {
		t.Errorf("ratios share %v, densities %v", ratios, others)
	}
}

func TestColoursOnALogarithmicScale(t *testing.T) {
	s := shading{over: span{1, 10_000}, log: true}
	for v, share := range map[float64]float64{1: 0, 100: 0.5, 1e4: 1, 1e6: 1, 1e-3: 0, 0: 0, -3: 0} {
		if s.color(v) != viridis(share) {
			t.Errorf("%g has the colour %v, want %v", v, s.color(v), viridis(share))
		}
	}
	x := tensors.FromValue([][]float64{{0, 0}, {0, 0}, {0, 0}, {1, 1}, {1, 0}})
	p := only(t, Histogram2D(x, LogValues(), Bins(2)))
	if !p.bar.log || p.bar.over != (span{1, 3}) {
		t.Errorf("counts of 1 and 3 have the range %v", p.bar.over)
	}
	p = only(t, Histogram2D(x, LogValues(), Bins(2), Weights(tensors.FromValue([]float64{1, 1, 1, 2, -1}))))
	if p.note != "1 of 4 cells negative, left blank" || p.bar.over != (span{2, 3}) {
		t.Errorf("the figure says %q, its range is %v", p.note, p.bar.over)
	}
	plane := Plane{XMax: 1, YMax: 1, Across: 2, Up: 2}
	p = only(t, HeatMap(plane, tensors.FromValue([]float64{1, 100, -1, 0}), LogValues()))
	if p.note != "2 of 4 values not positive" || p.bar.over != (span{1, 100}) {
		t.Errorf("the figure says %q, its range is %v", p.note, p.bar.over)
	}
	p = only(t, Density(plane, tensors.FromValue([]float64{math.Log(2), 0, -100, math.Inf(-1)}), LogValues()))
	if p.note != "" {
		t.Errorf("the figure says %q", p.note)
	}
	within(t, "the least density", p.bar.over.lo, 2e-6, 1e-15)
	for name, f := range map[string]Figure{
		"cells": Histogram2D(x, LogValues(), ValueRange(0.5, 50)), "joint": Joint(x, LogValues()), "none": Histogram2D(normals(1, 0, 2), LogValues()),
		"all alike": HeatMap(plane, tensors.FromValue([]float64{3, 3, 3, 3}), LogValues()), "not finite": HeatMap(plane, tensors.FromValue([]float64{math.NaN(), math.NaN(), math.NaN(), math.NaN()}), LogValues()),
	} {
		draws(t, name, f)
	}
}

func TestNewOptionsTeach(t *testing.T) {
	a, b := Series{Name: "a", Values: []float64{1, 2}}, Series{Name: "b", Values: []float64{1, 2}}
	both := []Series{a, b}
	x, w := moons(1, 4), tensors.FromValue([]float64{1, -1, 1, -1})
	below := tensors.FromValue([]float64{-1, -1, -1, -1})
	plane := Plane{XMax: 1, YMax: 1, Across: 2, Up: 2}
	line := func(name string, points bool) Figure {
		if points {
			return Line([]Series{{Name: name, Values: []float64{1, 2}}}, Markers())
		}
		return Line([]Series{{Name: name, Values: []float64{1, 2}}})
	}
	for want, err := range map[string]error{
		`Ratio to "c", but the series are "a", "b"`:                       Histogram(both, Ratio("c")).Err(),
		`Ratio to "a", the only series`:                                   Histogram(both[:1], Ratio("a")).Err(),
		`two series have this name`:                                       Histogram([]Series{a, b, b}, Ratio("b")).Err(),
		`RatioLimits without Ratio`:                                       Histogram(both, RatioLimits(0, 2)).Err(),
		`option RatioLimits: range from 2 to 0`:                           Histogram(both, Ratio("a"), RatioLimits(2, 0)).Err(),
		`LogY, but no bin is positive, of 2 in all`:                       Histogram([]Series{{Values: []float64{1, 2}, Weights: []float64{-1, -1}}}, Bins(2), LogY()).Err(),
		`Limits from y = 0 on a logarithmic axis`:                         Histogram(both, LogY(), YLimits(0, 1)).Err(),
		`Reference at y = 0 with LogY`:                                    Histogram(both, LogY(), Reference(0, "")).Err(),
		`Counts draws sums of weights`:                                    Histogram([]Series{{Values: []float64{1}, Weights: []float64{-1}}, a}).Err(),
		`Bars: option LogY has no meaning here, as a bar begins at 0`:     Bars(nil, nil, LogY()).Err(),
		`Scatter: option LogX has no meaning here, as coordinates may`:    Scatter(x, LogX()).Err(),
		`Corner: option LogY has no meaning here, as coordinates may`:     Corner([]Sample{{Points: x}}, LogY()).Err(),
		`RankHistogram: option LogY has no meaning here, as heights`:      RankHistogram(nil, 9, LogY()).Err(),
		`Coverage: option LogY has no meaning here, as probabilities`:     Coverage(nil, LogY()).Err(),
		`ImageGrid: option LogY has no meaning here, as an image`:         ImageGrid(normals(1, 1, 2, 2), LogY()).Err(),
		`option Weights has no meaning here, as each series`:              Histogram(both, Weights(w)).Err(),
		`weight 1 is -1: a dot can't take others away`:                    Scatter(x, Weights(w)).Err(),
		`Scatter: there are 2 weights, of shape (Float64)[2], for 4`:      Scatter(x, Weights(tensors.FromValue([]float64{1, 2}))).Err(),
		`LogValues, but no cell of 4 is positive`:                         Histogram2D(x, Weights(below), LogValues(), Bins(2)).Err(),
		`Joint: LogValues, but no cell of 4 is positive`:                  Joint(x, Weights(below), LogValues(), Bins(2)).Err(),
		`LogValues, but none of 4 values is positive`:                     HeatMap(plane, below, LogValues()).Err(),
		`both LogValues and Diverging`:                                    HeatMap(plane, below, LogValues(), Diverging()).Err(),
		`ValueRange from 0 with LogValues`:                                Density(plane, below, LogValues(), ValueRange(0, 1)).Err(),
		`LimitsOf "c", but the dimensions are "x₁", "x₂"`:                 Corner([]Sample{{Points: x}}, LimitsOf("c", 0, 1)).Err(),
		`option LimitsOf: range from 1 to 0`:                              Corner([]Sample{{Points: x}}, LimitsOf("x₁", 1, 0)).Err(),
		`option XLimits: range from 3 to 2`:                               Coverage(nil, XLimits(3, 2)).Err(),
		`has Points: give Name, Values, X, Errors alone`:                  Line([]Series{{Values: []float64{1}, Points: true}}).Err(),
		`RankHistogram: series 0 ("") has X: give Name, Values alone`:     RankHistogram([]Series{{X: []float64{1}, Values: []float64{1}}}, 9).Err(),
		`Coverage: series 0 ("") has Errors: give Name, Values alone`:     Coverage([]Series{{Errors: []float64{1}, Values: []float64{1}}}).Err(),
		`Overlay: figure 0 has several panels`:                            Overlay(Histogram(both, Ratio("a")), Histogram(both)).Err(),
		`SharedLegend: nothing has a name`:                                Row(Scatter(x)).SharedLegend().Err(),
		`SharedLegend: two panels draw "a" in two ways`:                   Row(line("a", false), line("a", true)).SharedLegend().Err(),
		`SharedLegend: "a" and "b" look alike`:                            Row(line("a", false), line("b", false)).SharedLegend().Err(),
		`plotting.Scatter: the tensor is nil`:                             Scatter(nil).SharedLegend().Err(),
		`SharedAxes: some panels are logarithmic and some not`:            Row(Histogram(both, Ratio("a"), LogY()), Histogram(both, Ratio("a"))).SharedAxes().Err(),
		`option Ratio has no meaning here`:                                Line(both, Ratio("a")).Err(),
		`Joint: option ErrorBars has no meaning here: it takes [Title`:    Joint(x, ErrorBars()).Err(),
		`series 0 ("") has 1 Weights for 2 Values: give as many, or none`: Histogram([]Series{{Values: []float64{1, 2}, Weights: []float64{1}}}).Err(),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %q", err, want)
		}
	}
}
