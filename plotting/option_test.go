package plotting

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
)

func only(t *testing.T, f Figure) *panel {
	t.Helper()
	if err := f.Err(); err != nil {
		t.Fatal(err)
	}
	return f.root.(*panel)
}

func TestLimitsOfOneAxis(t *testing.T) {
	series := []Series{{Values: []float64{1, 2, 9}}}
	for name, f := range map[string]Figure{
		"line":      Line(series, YLimits(0, 3)),
		"bars":      Bars([]string{"a", "b"}, []float64{1, 2}, YLimits(0, 3)),
		"histogram": Histogram(series, YLimits(0, 3)),
		"quantiles": Quantiles([]float64{1, 2}, normals(1, 2, 9), YLimits(0, 3)),
		"scatter":   Scatter(moons(1, 9), YLimits(0, 3)),
		"ways":      Trajectories(asPaths(moons(1, 9)), YLimits(0, 3)),
		"overlay":   Overlay(Line(series, YLimits(0, 3)), Line([]Series{{X: []float64{70}, Values: []float64{50}}})),
		"vectors":   VectorField(demoPlane, swirl(), YLimits(0, 3)),
	} {
		draws(t, name, f)
		p := only(t, f)
		if p.y.over != (span{0, 3}) {
			t.Errorf("%s: y is %v, want 0 to 3", name, p.y.over)
		}
		if p.x.over.isEmpty() || name == "overlay" && p.x.over.hi < 70 {
			t.Errorf("%s: x is %v", name, p.x.over)
		}
	}
	if p := only(t, Histogram(series, XLimits(0, 4))); p.x.over != (span{0, 4}) || p.y.over.hi < 1 || p.y.over.hi > 2 {
		t.Errorf("a histogram of 1 and 2 from 0 to 4 shows %v and %v", p.x.over, p.y.over)
	}
}

// Within limits, arrows and lines are as close as without; beyond the plane there are none.
func TestFieldsWithinLimits(t *testing.T) {
	f := flow{demoPlane.surface(mustRead(t, swirl()), 0, 2), demoPlane.surface(mustRead(t, swirl()), 1, 2)}
	for _, line := range f.streamlines(span{-1, 1}, span{0, 1}) {
		for _, p := range line {
			if p[0] < -1 || p[0] > 1 || p[1] < 0 || p[1] > 1 {
				t.Fatalf("a line passes through %v", p)
			}
		}
	}
	for name, f := range map[string]Figure{
		"vectors":     VectorField(demoPlane, swirl(), Limits(10, 11, 10, 11)),
		"streamlines": Streamlines(demoPlane, swirl(), Limits(10, 11, 10, 11)),
		"part":        Streamlines(demoPlane, swirl(), Limits(2, 11, -9, 11)),
	} {
		draws(t, name, f)
	}
}

func TestReferenceLinesAreWithinTheRanges(t *testing.T) {
	p := only(t, Line([]Series{{Values: []float64{1, 2}}}, ReferenceX(40, "step"), Reference(-7, "goal"), Reference(9, "")))
	if !p.x.over.contains(40) || !p.y.over.contains(-7) || !p.y.over.contains(9) {
		t.Errorf("ranges are %v and %v", p.x.over, p.y.over)
	}
	if n := len(p.layers[0].legend); n != 2 {
		t.Errorf("%d lines are named, want 2", n)
	}
	svg, err := Histogram([]Series{{Values: []float64{1, 2, 3}}}, ReferenceX(2, "truth"), Reference(1, "")).SVG()
	if err != nil || !bytes.Contains(svg, []byte(">truth<")) || bytes.Count(svg, []byte("stroke-dasharray")) != 3 {
		t.Errorf("the SVG has %d dashed lines (error %v), want 3", bytes.Count(svg, []byte("stroke-dasharray")), err)
	}
}

func TestMarkersAndErrorBars(t *testing.T) {
	nan := math.NaN()
	series := []Series{
		{Name: "a", Values: []float64{1, nan, 3}, Errors: []float64{0.5, 1, nan}},
		{Name: "b", X: []float64{1, 10, 100}, Values: []float64{2, 2, 2}, Errors: []float64{3, 0, 0.1}},
	}
	for name, f := range map[string]Figure{
		"line":   Line(series, Markers()),
		"logs":   Line(series[1:], Markers(), LogX(), LogY()),
		"limits": Line(series, Markers(), Limits(0, 2, 1.2, 1.4)),
		"many":   Line(manyLines(40), Markers()),
	} {
		draws(t, name, f)
	}
	if p := only(t, Line(series)); !p.y.over.contains(-1) || !p.y.over.contains(5) {
		t.Errorf("y is %v, want the error bars in it", p.y.over)
	}
}

func TestNoTwoSeriesLookAlike(t *testing.T) {
	for name, l := range map[string]*look{"light": &light, "dark": &dark} {
		seen := map[string]int{}
		for i := range 2 * len(l.palette) {
			c := l.color(i)
			key := string([]byte{c.R, c.G, c.B})
			if j, is := seen[key]; is {
				t.Errorf("%s: series %d has the colour of series %d", name, i, j)
			}
			seen[key] = i
			s := stage{look: l}
			if dashed := s.line(i, 1).Dashes != nil; dashed != (i >= len(l.palette)) {
				t.Errorf("%s: dashes of series %d: %v", name, i, dashed)
			}
		}
	}
}

func TestLegendsFitTheirFrame(t *testing.T) {
	draws(t, "40 lines", Line(manyLines(40)))
	draws(t, "400 lines", Line(manyLines(400), Size(1, 1)))
}

func TestDivergingColoursAreCentredAtZero(t *testing.T) {
	s := shading{over: span{-1, 4}, diverging: true}
	if middle := s.color(0); middle != diverging(0) || middle.R != middle.B {
		t.Errorf("zero is %v", middle)
	}
	if s.color(9) != diverging(1) || s.color(-9) != diverging(-0.25) {
		t.Errorf("ends are %v and %v", s.color(-9), s.color(9))
	}
	// As light on both sides, and lighter toward the middle.
	lightness := func(v float64) float64 {
		c := diverging(v)
		return 0.2126*float64(c.R) + 0.7152*float64(c.G) + 0.0722*float64(c.B)
	}
	for v := 0.1; v <= 1; v += 0.1 {
		within(t, "lightness", lightness(v), lightness(-v), 25)
		if lightness(v) >= lightness(v-0.1) || lightness(-v) >= lightness(0.1-v) {
			t.Errorf("colours don't darken at %g", v)
		}
	}
	p := only(t, HeatMap(demoPlane, demoPlane.Eval(func(x, _ float64) float64 { return x - 1 }), Diverging()))
	if p.bar.over != (span{-3.5, 3.5}) {
		t.Errorf("values from -3.5 to 1.5 have the range %v", p.bar.over)
	}
}

func TestStripsAreNamed(t *testing.T) {
	f := FilmStrip(asPaths(moons(1, 9)), []float64{1, 0}, Name("moons"))
	svg, err := Grid(1, f, f).SVG()
	if err != nil || bytes.Count(svg, []byte(">moons<")) != 2 {
		t.Errorf("the names stand %d times (error %v), want 2", bytes.Count(svg, []byte(">moons<")), err)
	}
}

func TestSizedFigures(t *testing.T) {
	f := Row(Line(nil), Line(nil)).Sized(6, 2)
	if f.width != 6*72 || f.height != 2*72 {
		t.Errorf("the figure is %g × %g points, want 432 × 144", f.width, f.height)
	}
	draws(t, "sized", f)
}

func TestOptionsTeach(t *testing.T) {
	line := []Series{{Name: "a", Values: []float64{1, 2}, Errors: []float64{1}}}
	ways := asPaths(moons(1, 9))
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"one axis":       {Line(nil, XLimits(1, 1)).Err(), "option XLimits: range from 1 to 1"},
		"other axis":     {Line(nil, YLimits(math.NaN(), 1)).Err(), "option YLimits: range from NaN to 1"},
		"log axis":       {Line(nil, LogY(), YLimits(0, 1)).Err(), "above 0"},
		"upright":        {Line(nil, LogX(), ReferenceX(-1, "")).Err(), "ReferenceX at x = -1 with LogX"},
		"infinite":       {Line(nil, ReferenceX(math.Inf(1), "")).Err(), "give a finite number"},
		"bars":           {Bars(nil, nil, ReferenceX(1, "")).Err(), "option ReferenceX has no meaning here"},
		"errors":         {Line(line).Err(), `series 0 ("a") has 1 Errors for 2 Values`},
		"histogram":      {Histogram(line).Err(), `series 0 ("a") has Errors`},
		"density":        {Density(demoPlane, normals(1, 100, 100), Diverging()).Err(), "option Diverging has no meaning here"},
		"colours":        {ImageGrid(normals(1, 2, 2, 2, 3), Diverging()).Err(), "colours of their own"},
		"two maps":       {ImageGrid(normals(1, 2, 2, 2), Diverging(), Viridis()).Err(), "give one of them"},
		"ends":           {Trajectories(ways, Labels("a")).Err(), "1 labels: give two"},
		"sized":          {Row(Scatter(ways)).Sized(0, 1).Err(), "0 × 1: give inches"},
		"sized, failing": {Scatter(nil).Sized(1, 1).Err(), "plotting.Scatter"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%s: error is %v, want %q in it", name, c.err, c.want)
		}
	}
}

func mustRead(t *testing.T, x *tensors.Tensor) numbers {
	n, err := read(x)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
