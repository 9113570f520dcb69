package plotting

import (
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// smoothFrom is the number of values from which a Line is smoothed; fewer are read
// one by one.
const smoothFrom = 100

// Line draws curves such as loss histories, one for each series: the runs of a comparison,
// a loss and its validation. From 100 values on, the values are drawn faintly, with their
// centred moving average over a fortieth of the curve on top; see [Smooth]. The horizontal
// axis counts steps unless a series has its own X. Values that are not finite break the
// curve, and the figure says how many. It takes [Title], [Size], [XLabel], [YLabel],
// [Limits], [XLimits], [YLimits], [LogX], [LogY], [Reference], [ReferenceX], [Smooth] and
// [Markers].
func Line(series []Series, opts ...Option) Figure {
	s, err := settle("Line", append([]string{"LogX", "LogY", "Reference", "ReferenceX", "Smooth", "Markers"}, axesOptions...), opts)
	if err == nil {
		err = s.checkLogs("Line")
	}
	if err != nil {
		return Figure{err: err}
	}
	p := s.panel("line", "step", "")
	x, y := nothing(), nothing()
	dropped, total := 0, 0
	var l layer
	var smooth []mark
	for i, one := range series {
		if err := one.check("Line", i, "X", "Errors"); err != nil {
			return Figure{err: err}
		}
		if one.X != nil {
			p.x.label = s.xlabel // not steps
		}
		xs, values := make([]float64, len(one.Values)), make([]float64, len(one.Values))
		for j, v := range one.Values {
			xs[j], values[j] = float64(j), v
			if one.X != nil {
				xs[j] = one.X[j]
			}
			total++
			if !finite(v) || !finite(xs[j]) || (s.logY && v < leastOnLog) || (s.logX && xs[j] < leastOnLog) {
				values[j] = math.NaN()
				dropped++
				continue
			}
			x, y = x.include(xs[j]), y.include(v)
			if one.Errors != nil && finite(one.Errors[j]) {
				y = y.include(v + one.Errors[j])
				if low := v - one.Errors[j]; !s.logY || low >= leastOnLog {
					y = y.include(low)
				}
			}
		}
		window := 1
		switch {
		case one.exact:
		case s.smooth != nil:
			window = *s.smooth
		case len(values) >= smoothFrom:
			window = len(values) / 40
		}
		if window > 1 {
			l.marks = append(l.marks, curve(i, 0.28, 0.6, xs, values))
			values = movingAverage(values, window)
		}
		smooth = append(smooth, curve(i, 1, 1.5, xs, values))
		if one.Errors != nil {
			smooth = append(smooth, errorBars(i, xs, values, one.Errors, 2))
		}
		if s.markers {
			smooth = append(smooth, markers(i, xs, values))
		}
		stride := max(1, len(values)/500)
		for j := 0; j < len(values); j += stride {
			if !math.IsNaN(values[j]) {
				l.busy = append(l.busy, [2]float64{xs[j], values[j]})
			}
		}
		if len(series) > 1 || one.Name != "" {
			icon := lineIcon(func(s *stage) draw.LineStyle { return s.line(i, 1.5) })
			if s.markers {
				icon = func(s *stage) {
					s.StrokeLine2(s.line(i, 1.5), s.Min.X, s.Center().Y, s.Max.X, s.Center().Y)
					s.marker(i, s.Center(), markerSize)
				}
			}
			l.legend = append(l.legend, legendEntry{nameOf(series, i), icon})
		}
	}
	l.marks = append(l.marks, smooth...)
	l.colours = len(series)
	p.empty = total == dropped
	p.note = leftOut(dropped, total, "values", notFinite(s.logX || s.logY))
	l.refer(s)
	p.layers = []layer{l}
	x, y = s.withReferences(x, y)
	p.x.cover(x, 0.02)
	p.y.cover(y, 0.05)
	return single(p, s, wide, low)
}

// curve draws a line in the layer's i-th colour, broken at NaN; a value alone is a dot.
func curve(i int, opacity float64, width vg.Length, xs, values []float64) mark {
	return func(s *stage) {
		// A tint, not a veil: a line that crosses itself often would be darker there.
		style := s.line(i, width)
		style.Color = mixed(s.color(i), s.look.paper, opacity)
		run := make([]vg.Point, 0, len(values))
		flush := func() {
			if len(run) == 1 {
				s.DrawGlyph(draw.GlyphStyle{Color: style.Color, Radius: style.Width, Shape: draw.CircleGlyph{}}, run[0])
			} else if len(run) > 1 {
				s.polyline(style, s.thinned(run))
			}
			run = run[:0]
		}
		for i, v := range values {
			if math.IsNaN(v) {
				flush()
				continue
			}
			run = append(run, s.at(xs[i], v))
		}
		flush()
	}
}

// thinned is a line of no more points than can be told apart: of those in one column of
// pixels the first, the lowest, the highest and the last.
func (s *stage) thinned(points []vg.Point) []vg.Point {
	pixel := vg.Length(vg.Inch) / vg.Length(s.perInch)
	column := func(p vg.Point) int { return int(p.X / pixel) }
	var out []vg.Point
	for start := 0; start < len(points); {
		end, low, high := start+1, start, start
		for ; end < len(points) && column(points[end]) == column(points[start]); end++ {
			if points[end].Y < points[low].Y {
				low = end
			}
			if points[end].Y > points[high].Y {
				high = end
			}
		}
		before := -1
		for _, i := range []int{start, min(low, high), max(low, high), end - 1} {
			if i != before {
				out = append(out, points[i])
			}
			before = i
		}
		start = end
	}
	return out
}

// movingAverage is the mean of the values up to half a window away on both sides, as
// far as there are any. NaN stays NaN and counts for nothing.
//
// Nothing is ever subtracted from a sum, so that a value leaves no trace where the window
// has left it: in blocks as long as the window, each window is the end of one block and the
// beginning of the next (van Herk 1992, Pattern Recognit. Lett. 13, 517, for maxima).
func movingAverage(values []float64, window int) []float64 {
	n, half := len(values), window/2
	length := 2*half + 1
	share := 1 / float64(length) // so that no sum overflows
	type sum struct {
		value float64
		count int
	}
	plus := func(s sum, v float64) sum {
		if math.IsNaN(v) {
			return s
		}
		return sum{s.value + v*share, s.count + 1}
	}
	begun, left := make([]sum, n), make([]sum, n) // of a block up to a value, and from it on
	for i, v := range values {
		if i%length > 0 {
			begun[i] = begun[i-1]
		}
		begun[i] = plus(begun[i], v)
	}
	for i := n - 1; i >= 0; i-- {
		if i+1 < n && (i+1)%length > 0 {
			left[i] = left[i+1]
		}
		left[i] = plus(left[i], values[i])
	}
	out := make([]float64, n)
	for i, v := range values {
		lo, hi := max(0, i-half), min(n-1, i+half)
		total := left[lo]
		switch {
		case lo/length != hi/length:
			total = sum{total.value + begun[hi].value, total.count + begun[hi].count}
		case lo%length == 0:
			total = begun[hi]
		}
		out[i] = total.value / (share * float64(total.count))
		if math.IsNaN(v) {
			out[i] = math.NaN()
		}
	}
	return out
}
