package plotting

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/plot/vg"
)

// Histogram draws the distribution of each series, laid over each other on the same
// bins: counts, or sums of weights, for one series, densities (area 1) for several, which
// may differ in number; with [LogX] the density is that of the logarithm to base 10. The bins are those
// of Freedman and Diaconis (1981), or those of Sturges where half of the values are
// equal, for the series that asks for the fewest, 5 to 100, unless [Bins] says otherwise.
// Values that are not finite, or whose weights aren't, are left out, and the figure says how
// many. It takes [Title], [Size], [XLabel], [YLabel], [Limits], [XLimits], [YLimits], [Bins], [LogX],
// [Reference] and [ReferenceX].
func Histogram(series []Series, opts ...Option) Figure {
	s, err := settle("Histogram", append([]string{"Bins", "LogX", "Reference", "ReferenceX"}, axesOptions...), opts)
	if err == nil {
		err = s.checkLogs("Histogram")
	}
	if err != nil {
		return Figure{err: err}
	}
	p := s.panel("histogram", "", "count")
	if len(series) > 1 {
		p.y.label = or(s.ylabel, "density")
	}
	on := func(v float64) float64 { return v }
	if s.logX {
		on = math.Log10
	}
	all := nothing()
	var clean []weighted
	total, kept := 0, 0
	for i, one := range series {
		if one.Weights != nil && len(one.Weights) != len(one.Values) {
			return failed("Histogram: series %d (%q) has %d Weights for %d Values: give as many, or nil", i, one.Name, len(one.Weights), len(one.Values))
		}
		if one.Weights != nil && len(series) == 1 {
			p.y.label = or(s.ylabel, "sum of weights")
		}
		if one.X != nil {
			return failed("Histogram: series %d (%q) has X: a histogram takes Values alone", i, one.Name)
		}
		if one.Errors != nil {
			return failed("Histogram: series %d (%q) has Errors: a histogram takes Values alone", i, one.Name)
		}
		var good weighted
		for j, v := range one.Values {
			if !finite(v) || s.logX && v < leastOnLog || one.Weights != nil && !finite(one.Weights[j]) {
				continue
			}
			good.values = append(good.values, on(v))
			if one.Weights != nil {
				good.weights = append(good.weights, one.Weights[j])
			}
			all = all.include(on(v))
		}
		if len(series) > 1 && len(good.values) > 0 && !(good.total() > 0) {
			return failed("Histogram: series %d (%q) has weights that add up to %g: a density needs a positive sum", i, one.Name, good.total())
		}
		clean = append(clean, good)
		total, kept = total+len(one.Values), kept+len(good.values)
	}
	p.note = leftOut(total-kept, total, "values", notFinite(s.logX))
	p.empty = kept == 0
	over := all
	if !s.x.isEmpty() {
		over = span{on(s.x.lo), on(s.x.hi)}
	} else if all.isEmpty() || all.lo == all.hi {
		over = all.padded(0)
	}
	bins := s.bins
	if bins == 0 {
		bins = chooseBins(sortedValues(clean), over)
	}
	var l layer
	lowest, tallest := 0.0, 0.0
	var outlines []mark
	for i, one := range clean {
		heights := one.binned(over, bins)
		if len(series) > 1 && len(one.values) > 0 {
			for j := range heights {
				heights[j] /= one.total() * (over.hi - over.lo) / float64(bins)
			}
		}
		lowest, tallest = min(lowest, slices.Min(heights)), max(tallest, slices.Max(heights))
		stairs := stairs{heights: heights, over: over, log: s.logX}
		l.marks = append(l.marks, stairs.fill(i))
		outlines = append(outlines, stairs.line(i))
		l.busy = append(l.busy, stairs.tops()...)
		if len(series) > 1 || series[i].Name != "" {
			l.legend = append(l.legend, legendEntry{nameOf(series, i), boxIcon(i, 0.3)})
		}
	}
	l.marks = append(l.marks, outlines...)
	l.refer(s)
	l.colours = len(series)
	p.layers = []layer{l}
	if s.logX {
		over = span{math.Pow(10, over.lo), math.Pow(10, over.hi)}
	}
	over, up := s.withReferences(over, span{lowest, tallest})
	p.x.cover(over, 0.03)
	if !p.y.fixed {
		p.y.over = span{lowest * 1.06, max(up.hi*1.06, math.SmallestNonzeroFloat32)}
		if p.empty {
			p.y.over = span{0, 1}
		}
	}
	return single(p, s, wide, low)
}

func nameOf(series []Series, i int) string {
	return or(series[i].Name, fmt.Sprintf("series %d", i+1))
}

func notFinite(log bool) string {
	if log {
		return "not finite or not positive"
	}
	return "not finite"
}

func chooseBins(sorted [][]float64, over span) int {
	fewest := 100
	for _, values := range sorted {
		n := float64(len(values))
		quartiles := span{}
		if len(values) > 1 {
			quartiles = span{values[len(values)/4], values[3*len(values)/4]}
		}
		want := math.Ceil(math.Log2(max(1, n))) + 1
		if width := 2 * (quartiles.hi - quartiles.lo) / math.Cbrt(n); width > 0 {
			want = math.Ceil((over.hi - over.lo) / width)
		}
		if len(values) > 0 {
			fewest = int(min(float64(fewest), want))
		}
	}
	return max(5, fewest)
}

// weighted are values, and how much each counts; nil for all alike.
type weighted struct{ values, weights []float64 }

func (w weighted) weight(i int) float64 {
	if w.weights == nil {
		return 1
	}
	return w.weights[i]
}

// total is the sum of the weights.
func (w weighted) total() (sum float64) {
	for i := range w.values {
		sum += w.weight(i)
	}
	return sum
}

// binned is the sum of the weights in each bin.
func (w weighted) binned(over span, bins int) []float64 {
	heights := make([]float64, bins)
	for i, v := range w.values {
		if v < over.lo || v > over.hi {
			continue
		}
		heights[min(bins-1, int(float64(bins)*((v-over.lo)/(over.hi-over.lo))))] += w.weight(i)
	}
	return heights
}

func sortedValues(samples []weighted) [][]float64 {
	var out [][]float64
	for _, s := range samples {
		values := slices.Clone(s.values)
		slices.Sort(values)
		out = append(out, values)
	}
	return out
}

// stairs is the outline of a histogram. On a logarithmic axis, over holds logarithms;
// upright ones have their counts to the right.
type stairs struct {
	heights      []float64
	over         span
	log, upright bool
}

func (h stairs) edge(i int) float64 {
	v := h.over.at(i, len(h.heights))
	if h.log {
		return math.Pow(10, v)
	}
	return v
}

func (h stairs) points(s *stage) []vg.Point {
	at := s.at
	if h.upright {
		at = func(v, height float64) vg.Point { return s.at(height, v) }
	}
	points := []vg.Point{at(h.edge(0), 0)}
	for i, height := range h.heights {
		points = append(points, at(h.edge(i), height), at(h.edge(i+1), height))
	}
	return append(points, at(h.edge(len(h.heights)), 0))
}

func (h stairs) fill(i int) mark {
	return func(s *stage) { s.FillPolygon(faint(s.color(i), 0.3), s.ClipPolygonXY(h.points(s))) }
}

func (h stairs) line(i int) mark {
	return func(s *stage) { s.polyline(s.line(i, 1.3), h.points(s)) }
}

// tops are places along the outline and below it.
func (h stairs) tops() (places [][2]float64) {
	for i, height := range h.heights {
		x := (h.edge(i) + h.edge(i+1)) / 2
		places = append(places, [2]float64{x, height}, [2]float64{x, 0.8 * height}, [2]float64{x, 0.6 * height})
	}
	return places
}
