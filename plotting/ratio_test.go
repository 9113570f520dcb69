package plotting

import (
	"bytes"
	"fmt"
	"image"
	"math"
	"regexp"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"pgregory.net/rapid"

	"github.com/nami-flow/go-nami/tests/property"
)

// about compares numbers, NaN with NaN.
func about(t *testing.T, what string, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	for i := range got {
		if math.IsNaN(got[i]) != math.IsNaN(want[i]) || math.Abs(got[i]-want[i]) > 1e-12*max(1, math.Abs(want[i])) {
			t.Errorf("%s: %v, want %v", what, got, want)
			return
		}
	}
}

// repeated is a value several times.
func repeated(counts map[float64]int) (out []float64) {
	for v, n := range counts {
		out = append(out, slices.Repeat([]float64{v}, n)...)
	}
	slices.Sort(out)
	return out
}

func TestErrorsOfBins(t *testing.T) {
	b := binning{over: span{0, 3}, n: 3}
	h := weighted{[]float64{0, 0.5, 1, 1.5, 9}, []float64{3, -4, 2, 2, 100}}.binned(b)
	about(t, "sums", h.heights, []float64{-1, 4, 0})
	about(t, "√Σw²", h.errors, []float64{5, math.Sqrt(8), 0})
	about(t, "√n", weighted{values: []float64{0, 0, 0, 0, 2.5}}.binned(b).errors, []float64{2, 0, 1})
	about(t, "errors that are drawn", h.known(), []float64{5, math.Sqrt(8), math.NaN()})
	about(t, "densities' errors", h.divided(2).errors, []float64{2.5, math.Sqrt(2), 0})
}

// The error of a ratio, against the formula written out, and against the spread of ratios of
// random counts.
func TestRatioErrors(t *testing.T) {
	nan := math.NaN()
	b := binning{over: span{0, 6}, n: 6}
	above := stairs{binning: b, heights: []float64{9, 0, 4, 5, 0, -2}, errors: []float64{3, 0, 2, 1, 0, 2}}
	below := stairs{binning: b, heights: []float64{4, 2, 0, -1, 0, 8}, errors: []float64{2, 1, 0, 3, 0, 2}}
	r, without := above.over(below)
	about(t, "ratios", r.heights, []float64{9. / 4, 0, nan, nan, nan, -0.25})
	// 9/4·√((3/9)² + (2/4)²), 0, and ¼·√((2/2)² + (2/8)²)
	about(t, "errors", r.errors, []float64{9. / 4 * math.Sqrt(1./9+1./4), 0, nan, nan, nan, math.Sqrt(1+1./16) / 4})
	if without != 2 {
		t.Errorf("%d bins have events and no ratio, want 2: a bin that is empty in both lacks nothing", without)
	}
	// 400 independent pairs of bins with 400 and 900 events expected: the mean of ((r − r₀)/σ)²
	// is 1 with a standard error of √(2/400) = 0.07; 4 of them is a false alarm in 16,000.
	u := uniform(3, 400*(400+900)*2, 1)
	pulls := 0.0
	for i := range 400 {
		var a, b weighted
		for _, v := range u[i*2600 : i*2600+800] {
			if v < 0.5 {
				a.values = append(a.values, 0)
			}
		}
		for _, v := range u[i*2600+800 : (i+1)*2600] {
			if v < 0.5 {
				b.values = append(b.values, 0)
			}
		}
		one := binning{over: span{-1, 1}, n: 1}
		r, _ := a.binned(one).over(b.binned(one))
		pull := (r.heights[0] - 400./900) / r.errors[0]
		pulls += pull * pull / 400
	}
	// Counts of trials of chance ½ have half of the variance of Poisson's.
	within(t, "mean square of pulls", 2*pulls, 1, 0.28)
}

// The ratio of densities is that of counts, but for the numbers of events.
func TestRatioOfDensitiesAndOfCounts(t *testing.T) {
	series := []Series{
		{Name: "data", Values: repeated(map[float64]int{0.5: 30, 1.5: 10}), Points: true},
		{Name: "model", Values: []float64{0.5, 1.5, 1.5}, Weights: []float64{4, 1, 3}},
	}
	ratios := func(opts ...Option) (out [][2]float64) {
		f := Histogram(series, append(opts, Ratio("model"), Bins(2), XLimits(0, 2))...)
		svg, err := f.SVG()
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Count(svg, []byte(">data / model<")) != 1 {
			t.Error("the ratio's axis isn't called data / model")
		}
		g := f.root.(*grid)
		if top := g.cells[0][0].(*panel); !top.x.unlabelled || top.y.unlabelled {
			t.Error("numbers stand between the panels")
		}
		return out
	}
	ratios()
	ratios(Counts())
	b := binning{over: span{0, 2}, n: 2}
	data, model := weighted{values: series[0].Values}.binned(b), weighted{series[1].Values, series[1].Weights}.binned(b)
	counts, _ := data.over(model)
	about(t, "ratio of counts", counts.heights, []float64{7.5, 2.5})
	// σ²: 30/16 + 7.5², and (10 + 2.5²·10)/16
	about(t, "errors", counts.errors, []float64{math.Sqrt(30./16 + 7.5*7.5), math.Sqrt((10 + 62.5) / 16)})
	densities, _ := data.divided(40).over(model.divided(8))
	about(t, "ratio of densities", densities.heights, []float64{1.5, 0.5})
	about(t, "their errors", densities.errors, []float64{counts.errors[0] / 5, counts.errors[1] / 5})
}

// Points, bars and ratios are where their numbers are.
func TestRatioPixels(t *testing.T) {
	f := Histogram([]Series{
		{Name: "data", Values: repeated(map[float64]int{0.5: 9, 1.5: 4}), Points: true},
		{Name: "model", Values: []float64{0.5, 1.5}, Weights: []float64{9, 8}},
	}, Counts(), Ratio("model"), Bins(2), Limits(0, 2, 0, 16), RatioLimits(0, 2), ErrorBars())
	img := decode(t, f)
	l := arrange(f.page(), f.pixel(), f.root)
	pixels := func(p node) image.Rectangle {
		frame := l.fits[p.(*panel)].frame
		at := func(v float64) int { return int(math.Round(v / 72 * 192)) }
		height := img.Bounds().Dy()
		return image.Rect(at(float64(frame.Min.X)), height-at(float64(frame.Max.Y)), at(float64(frame.Max.X)), height-at(float64(frame.Min.Y)))
	}
	g := f.root.(*grid)
	top, low := pixels(g.cells[0][0]), pixels(g.cells[1][0])
	// The second bin, below the legend.
	second := func(r image.Rectangle) image.Rectangle {
		return image.Rect((r.Min.X+r.Max.X)/2+60, r.Min.Y+r.Dy()/3, r.Max.X-60, r.Max.Y-3)
	}
	// The bar of 4 ± 2 of 16, whose marker is wider than it.
	box, _ := coloured(img, second(top), light.color(0))
	within(t, "upper end of the bar", float64(top.Max.Y-box.Min.Y)/float64(top.Dy()), 6./16, 0.01)
	within(t, "lower end of the bar", float64(top.Max.Y-box.Max.Y)/float64(top.Dy()), 2./16, 0.01)
	// 4/8 ± √(4 + ¼·64)/8 = 0.5 ± √20/8, cut at 0.
	box, _ = coloured(img, second(low).Union(image.Rect(low.Max.X-200, low.Min.Y+3, low.Max.X-60, low.Max.Y-3)), light.color(0))
	within(t, "upper end of the ratio's bar", float64(low.Max.Y-box.Min.Y)/float64(low.Dy()), (0.5+math.Sqrt(20)/8)/2, 0.02)
	x, _ := centre(box)
	within(t, "place of the ratio", (x-float64(low.Min.X))/float64(low.Dx()), 0.75, 0.01)
}

// A logarithmic axis shows counts where they belong, and starts below the lowest.
func TestHistogramOnALogarithmicAxis(t *testing.T) {
	values := repeated(map[float64]int{0.5: 10, 1.5: 1000})
	first, second := twoBins(t, Histogram([]Series{{Values: values}}, Bins(2), LogY(), Limits(0, 2, 1, 10_000)))
	within(t, "10 between 1 and 10⁴", first, 0.25, 0.02)
	within(t, "1000 between 1 and 10⁴", second, 0.75, 0.02)
	p := only(t, Histogram([]Series{{Values: values}}, Bins(3), LogY()))
	within(t, "the lower end", p.y.over.lo, 5, 1e-9)
	if p.y.over.hi < 1200 || p.y.over.hi > 2000 {
		t.Errorf("the upper end is %g for 1000", p.y.over.hi)
	}
	f := Histogram([]Series{{Values: []float64{0, 1, 2}, Weights: []float64{-1, 2, 3}}}, Bins(3), LogY())
	if got := only(t, f).note; got != "1 of 3 bins negative, below the axis" {
		t.Errorf("the figure says %q", got)
	}
	draws(t, "negative", f)
	// What rounding leaves of weights that cancel doesn't set the axis.
	p = only(t, Histogram([]Series{{Values: []float64{0, 0, 0, 1}, Weights: []float64{0.1, 0.2, -0.3, 50}}}, Bins(2), LogY()))
	if p.y.over.lo < 1e-11 {
		t.Errorf("the axis starts at %g", p.y.over.lo)
	}
}

// ones are weights that say nothing.
func ones(n int) []float64 { return slices.Repeat([]float64{1}, n) }

// Weights of 1 are no weights, to the byte, in every kind of figure.
func TestWeightsOfOneAreNone(t *testing.T) {
	for _, n := range []int{60, 700, 4000} {
		points := moons(uint64(n), n)
		values := floats(points)[:n]
		w := tensors.FromFlatDataAndDimensions(ones(n), n)
		with := func(weights []float64) []Series {
			return []Series{{Name: "a", Values: values, Weights: weights, Points: true}, {Name: "b", Values: floats(points)[n:], Weights: weights}}
		}
		for name, pair := range map[string][2]Figure{
			"histogram":    {Histogram(with(nil)[:1], ErrorBars(), YLabel("n")), Histogram(with(ones(n))[:1], ErrorBars(), YLabel("n"))},
			"densities":    {Histogram(with(nil), ErrorBars(), LogY()), Histogram(with(ones(n)), ErrorBars(), LogY())},
			"ratio":        {Histogram(with(nil), Ratio("b"), Counts(), YLabel("n")), Histogram(with(ones(n)), Ratio("b"), Counts(), YLabel("n"))},
			"histogram 2D": {Histogram2D(points, LogValues(), ValueLabel("n")), Histogram2D(points, LogValues(), ValueLabel("n"), Weights(w))},
			"joint":        {Joint(points), Joint(points, Weights(w))},
			"scatter":      {Scatter(points), Scatter(points, Weights(w))},
			"corner":       {Corner([]Sample{{Points: points}}), Corner([]Sample{{Points: points, Weights: w}})},
		} {
			for format, render := range map[string]func(Figure) ([]byte, error){"PNG": Figure.PNG, "SVG": Figure.SVG} {
				a, errA := render(pair[0])
				b, errB := render(pair[1])
				if errA != nil || errB != nil || !bytes.Equal(a, b) {
					t.Errorf("%s of %d as %s: with weights of 1 it differs (errors %v, %v)", name, n, format, errA, errB)
				}
			}
		}
	}
}

// An event of weight k is k events, wherever weights are added up: bins, ranges, quartiles. One
// of weight 0 is none.
func TestAnyWeightsAreCounts(t *testing.T) {
	property.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(-5, 5), 1, 30).Draw(t, "values")
		var once, many weighted
		for _, v := range values {
			k := rapid.IntRange(0, 4).Draw(t, "weight")
			if k == 0 {
				continue
			}
			once.values, once.weights = append(once.values, v), append(once.weights, float64(k))
			many.values = append(many.values, slices.Repeat([]float64{v}, k)...)
		}
		if len(once.values) == 0 {
			return
		}
		b := binning{over: span{-4, 4}, n: rapid.IntRange(1, 9).Draw(t, "bins")}
		if got, want := once.binned(b).heights, many.binned(b).heights; !slices.Equal(got, want) {
			t.Fatalf("sums are %v, counts %v", got, want)
		}
		one, other := once.sorted(), many.sorted()
		for _, above := range []bool{false, true} {
			of, in := float64(rapid.IntRange(0, 7).Draw(t, "of")), 8.0
			if got, want := one.past(of, in, above), other.past(of, in, above); got != want {
				t.Fatalf("past %g/%g is %g with weights, %g with repeated events", of, in, got, want)
			}
		}
		if n := many.effective(); math.Abs(n-float64(len(many.values))) > 1e-9 {
			t.Fatalf("%d events of weight 1 count as %g", len(many.values), n)
		}
	})
	// The same values, with some of weight 0 far away that don't move the axes.
	far := Series{Values: []float64{1, 2, 3, 99}, Weights: []float64{1, 1, 1, 0}}
	near := Series{Values: []float64{1, 2, 3}, Weights: []float64{1, 1, 1}}
	a, errA := Histogram([]Series{far}).SVG()
	b, errB := Histogram([]Series{near}).SVG()
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Errorf("an event of weight 0 changes a histogram (errors %v, %v)", errA, errB)
	}
	x := tensors.FromValue([][]float64{{0, 0}, {1, 2}, {2, 1}, {50, 50}})
	y := tensors.FromValue([][]float64{{0, 0}, {1, 2}, {2, 1}})
	w := Weights(tensors.FromValue([]float64{2, 1, 1, 0}))
	v := Weights(tensors.FromValue([]float64{2, 1, 1}))
	for name, pair := range map[string][2]Figure{
		"scatter": {Scatter(x, w), Scatter(y, v)}, "histogram 2D": {Histogram2D(x, w), Histogram2D(y, v)},
		"corner": {
			Corner([]Sample{{Points: x, Weights: tensors.FromValue([]float64{2, 1, 1, 0})}}),
			Corner([]Sample{{Points: y, Weights: tensors.FromValue([]float64{2, 1, 1})}}),
		},
	} {
		a, errA := pair[0].SVG()
		b, errB := pair[1].SVG()
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s: an event of weight 0 is drawn (errors %v, %v)", name, errA, errB)
		}
	}
}

// A dot of weight k is as dark as k dots over each other.
func TestScatterWeights(t *testing.T) {
	at := [][]float64{{0, 0}, {1, 0}}
	// Three effective points: 2 and 1 of Σw = 3, Σw² = 5 are 9/5; each unit of weight is 3/5.
	c := newWeightedCloud(numbers{long: []float64{0, 0, 1, 0}}, []float64{2, 1})
	if got := c.effective(); math.Abs(got-1.8) > 1e-12 {
		t.Errorf("weights of 2 and 1 are %g points, want 1.8", got)
	}
	svg, err := Scatter(tensors.FromValue(at), Weights(tensors.FromValue([]float64{2, 1}))).SVG()
	if err != nil {
		t.Fatal(err)
	}
	var seen []float64
	for _, found := range regexp.MustCompile(`fill:#007[12]B[12];fill-opacity:([\d.]+)`).FindAllSubmatch(svg, -1) {
		var v float64
		if _, err := fmt.Sscan(string(found[1]), &v); err != nil {
			t.Fatal(err)
		}
		seen = append(seen, v)
	}
	if len(seen) != 2 {
		t.Fatalf("%d dots, want 2", len(seen))
	}
	for i, times := range []float64{1.2, 0.6} {
		within(t, "opacity", seen[i], 1-math.Pow(0.15, times), 0.005)
	}
}

func TestRatioRange(t *testing.T) {
	wide := stairs{heights: []float64{1, 1.2, math.NaN(), 80}, errors: []float64{0, 0.1, math.NaN(), 80}}
	if got := ratioRange([]stairs{wide}); got != (span{0, 2}) {
		t.Errorf("ratios up to 80 are shown over %v", got)
	}
	close := stairs{heights: []float64{1, 1.01}, errors: []float64{0, 0.01}}
	if got := ratioRange([]stairs{close}); math.Abs(got.lo-0.9) > 1e-12 || math.Abs(got.hi-1.1) > 1e-12 {
		t.Errorf("ratios within 2 %% of 1 are shown over %v", got)
	}
	if got := ratioRange(nil); got != (span{0, 2}) {
		t.Errorf("no ratios are shown over %v", got)
	}
}

// teaches is what the errors of histograms may say, whatever the weights.
var teaches = regexp.MustCompile(`a density needs a positive sum|a logarithm needs|a dot can't take others away`)

// Whatever the weights, a figure can be drawn or its error teaches.
func TestAnyWeightsCanBeDrawn(t *testing.T) {
	property.CheckPart(t, 30, func(t *rapid.T) {
		some := rapid.SampledFrom([]float64{0, 1, 2.5, -1, -1e-9, 1e12, 1e300, math.NaN(), math.Inf(1), -1e308, 5e-324})
		n := rapid.IntRange(0, 8).Draw(t, "n")
		values := rapid.SliceOfN(rapid.OneOf(some, rapid.Float64Range(-5, 5)), 2*n, 2*n).Draw(t, "values")
		weights := rapid.SliceOfN(some, n, n).Draw(t, "weights")
		series := []Series{{Name: "a", Values: values[:n], Weights: weights, Points: true}, {Name: "b", Values: values[n:]}}
		points := tensors.FromFlatDataAndDimensions(values, n, 2)
		w := tensors.FromFlatDataAndDimensions(weights, n)
		opts := []Option{Ratio(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "to"))}
		for _, o := range []Option{LogX(), LogY(), Counts(), ErrorBars(), Bins(3), XLimits(0.5, 2), YLimits(0.5, 9)} {
			if rapid.Bool().Draw(t, o.name) {
				opts = append(opts, o)
			}
		}
		kind := rapid.SampledFrom([]string{"histogram", "scatter", "cells", "joint", "corner"}).Draw(t, "kind")
		var f Figure
		switch kind {
		case "histogram":
			f = Histogram(series, opts...)
		case "scatter":
			f = Scatter(points, Weights(w))
		case "cells":
			f = Histogram2D(points, Weights(w), LogValues())
		case "joint":
			f = Joint(points, Weights(w))
		case "corner":
			f = Corner([]Sample{{Points: points, Weights: w}})
		}
		if err := f.Err(); err == nil {
			draws(t, kind, f)
		} else if !teaches.MatchString(err.Error()) {
			t.Errorf("%s: %v", kind, err)
		}
	})
}

func ExampleRatio() {
	measured, drawn, weights := []float64{1, 1, 2, 3}, []float64{1, 2, 2, 3}, []float64{2, 0.5, 1, 1}
	f := Histogram([]Series{
		{Name: "data", Values: measured, Points: true},
		{Name: "model", Values: drawn, Weights: weights},
	}, Ratio("model"), Counts(), LogY(), XLabel("mass (GeV)"), YLabel("events"))
	fmt.Println(f.Err())
	// Output: <nil>
}
