package plotting

import (
	"fmt"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Series is a named list of numbers: a curve of a [Line], or a sample of a
// [Histogram].
type Series struct {
	// Name stands in the legend.
	Name string
	// X places each value on the horizontal axis of a Line; nil counts from 0.
	X []float64
	// Values are the numbers.
	Values []float64
}

// smoothFrom is the number of values from which a Line is smoothed; fewer are read
// one by one.
const smoothFrom = 100

// Line draws curves such as loss histories. From 100 values on, the values are drawn
// faintly, with their centred moving average over a fortieth of the curve on top.
// Values that are not finite break the curve, and the figure says how many. It takes
// [Title], [Size], [XLabel], [YLabel], [Limits], [LogY] and [Reference].
func Line(series []Series, opts ...Option) Figure {
	s, err := settle("Line", append([]string{"LogY", "Reference"}, axesOptions...), opts)
	if err != nil {
		return Figure{err: err}
	}
	p := &panel{kind: "line", title: s.title, xlabel: or(s.xlabel, "step"), ylabel: s.ylabel, x: s.x, y: s.y, logY: s.logY}
	if s.logY && !s.y.isEmpty() && s.y.lo <= 0 {
		return failed("Line: Limits from y = %g with LogY: a logarithm needs limits above 0", s.y.lo)
	}
	if s.logY && s.reference != nil && s.reference.lo <= 0 {
		return failed("Line: Reference at y = %g with LogY: a logarithm needs a value above 0", s.reference.lo)
	}
	x, y := nothing(), nothing()
	dropped, total := 0, 0
	var smooth []mark
	for i, one := range series {
		if one.X != nil && len(one.X) != len(one.Values) {
			return failed("Line: series %d (%q) has %d X for %d Values: give as many, or X nil to count from 0", i, one.Name, len(one.X), len(one.Values))
		}
		xs, values := make([]float64, len(one.Values)), make([]float64, len(one.Values))
		for j, v := range one.Values {
			xs[j], values[j] = float64(j), v
			if one.X != nil {
				xs[j] = one.X[j]
			}
			total++
			if !finite(v) || !finite(xs[j]) || (s.logY && v <= 0) {
				values[j] = math.NaN()
				dropped++
				continue
			}
			x, y = x.include(xs[j]), y.include(v)
		}
		style := draw.LineStyle{Color: colorOf(i), Width: 1.5}
		if len(values) >= smoothFrom {
			raw := draw.LineStyle{Color: faint(colorOf(i), 0.28), Width: 0.6}
			p.marks = append(p.marks, curve(raw, xs, values))
			values = movingAverage(values, len(values)/40)
		}
		smooth = append(smooth, curve(style, xs, values))
		if len(series) > 1 || (one.Name != "" && s.reference != nil) {
			p.legend = append(p.legend, legendEntry{or(one.Name, fmt.Sprintf("series %d", i+1)), lineIcon(style)})
		}
	}
	p.marks = append(p.marks, smooth...)
	p.empty = total == dropped
	if dropped > 0 {
		what := "not finite"
		if s.logY {
			what = "not finite or not positive"
		}
		p.note = fmt.Sprintf("%d of %d values %s, left out", dropped, total, what)
	}
	p.addReference(s)
	if s.reference != nil {
		y = y.union(*s.reference)
	}
	if s.x.isEmpty() {
		p.x = x.padded(0.02)
		p.y = y.padded(0.05)
		if s.logY {
			p.y = logPadded(y)
		}
	}
	width, height := s.sized(5.2*vg.Inch, 3.4*vg.Inch)
	return single(p, width, height)
}

func logPadded(y span) span {
	if y.isEmpty() {
		return span{0.1, 1}
	}
	log := span{math.Log10(y.lo), math.Log10(y.hi)}.padded(0.05)
	return span{math.Pow(10, log.lo), math.Pow(10, log.hi)}
}

func curve(style draw.LineStyle, xs, values []float64) mark {
	return func(c draw.Canvas, x, y func(float64) vg.Length) {
		var run []vg.Point
		flush := func() {
			if len(run) == 1 {
				c.DrawGlyph(draw.GlyphStyle{Color: style.Color, Radius: style.Width, Shape: draw.CircleGlyph{}}, run[0])
			} else if len(run) > 1 {
				polyline(c, style, run)
			}
			run = nil
		}
		for i, v := range values {
			if math.IsNaN(v) {
				flush()
				continue
			}
			run = append(run, vg.Point{X: x(xs[i]), Y: y(v)})
		}
		flush()
	}
}

// movingAverage is the mean of the values up to half a window away on both sides, as
// far as there are any. NaN stays NaN and counts for nothing.
func movingAverage(values []float64, window int) []float64 {
	sums, counts := make([]float64, len(values)+1), make([]int, len(values)+1)
	for i, v := range values {
		sums[i+1], counts[i+1] = sums[i], counts[i]
		if !math.IsNaN(v) {
			sums[i+1] += v
			counts[i+1]++
		}
	}
	out := make([]float64, len(values))
	for i, v := range values {
		lo, hi := max(0, i-window/2), min(len(values), i+window/2+1)
		out[i] = (sums[hi] - sums[lo]) / float64(counts[hi]-counts[lo])
		if math.IsNaN(v) {
			out[i] = math.NaN()
		}
	}
	return out
}

func (p *panel) addReference(s settings) {
	if s.reference == nil {
		return
	}
	style := draw.LineStyle{Color: ink, Width: 1, Dashes: []vg.Length{4, 3}}
	at := s.reference.lo
	p.marks = append(p.marks, func(c draw.Canvas, _, y func(float64) vg.Length) {
		if c.ContainsY(y(at)) {
			c.StrokeLine2(style, c.Min.X, y(at), c.Max.X, y(at))
		}
	})
	if s.referenceName != "" {
		p.legend = append(p.legend, legendEntry{s.referenceName, lineIcon(style)})
	}
}
