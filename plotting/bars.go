package plotting

import (
	"gonum.org/v1/plot"
)

// Bars draws a bar from 0 for each value, such as an accuracy per class, with its
// label below. Values that are not finite have no bar, and the figure says how many.
// It takes [Title], [Size], [XLabel], [YLabel], [Limits], [XLimits], [YLimits] and
// [Reference].
func Bars(labels []string, values []float64, opts ...Option) Figure {
	s, err := settle("Bars", append([]string{"Reference"}, axesOptions...), opts)
	if err != nil {
		return Figure{err: err}
	}
	if len(labels) != len(values) {
		return failed("Bars: %d labels for %d values: give as many", len(labels), len(values))
	}
	p := s.panel("bars", "", "")
	var l layer
	heights := span{0, 0}
	dropped := 0
	var ticks plot.ConstantTicks
	for i, v := range values {
		ticks = append(ticks, plot.Tick{Value: float64(i), Label: labels[i]})
		if !finite(v) {
			dropped++
			continue
		}
		heights = heights.include(v)
		at := float64(i)
		l.marks = append(l.marks, func(s *stage) {
			s.bar(s.color(0), s.x.at(at-0.4), s.x.at(at+0.4), s.y.at(min(0, v)), s.y.at(max(0, v)))
		})
	}
	p.x.ticks = ticks
	p.empty = dropped == len(values)
	p.note = leftOut(dropped, len(values), "values", "not finite")
	l.refer(s)
	l.colours = 1
	p.layers = []layer{l}
	_, heights = s.withReferences(nothing(), heights)
	if !p.x.fixed {
		p.x.over = span{-0.6, float64(max(1, len(values))) - 0.4}
	}
	if !p.y.fixed {
		p.y.over = heights.padded(0.05)
		if heights.lo == 0 {
			p.y.over.lo = 0
		}
		if len(l.legend) > 0 && heights.hi > 0 {
			p.y.over.hi += 0.13 * (p.y.over.hi - p.y.over.lo) // room for the legend above the bars
		}
	}
	return single(p, s, wide, low)
}
