package plotting

import (
	"fmt"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Bars draws a bar from 0 for each value, such as an accuracy per class, with its
// label below. Values that are not finite have no bar, and the figure says how many.
// It takes [Title], [Size], [XLabel], [YLabel], [Limits] and [Reference].
func Bars(labels []string, values []float64, opts ...Option) Figure {
	s, err := settle("Bars", append([]string{"Reference"}, axesOptions...), opts)
	if err != nil {
		return Figure{err: err}
	}
	if len(labels) != len(values) {
		return failed("Bars: %d labels for %d values: give as many", len(labels), len(values))
	}
	p := &panel{kind: "bars", title: s.title, xlabel: s.xlabel, ylabel: s.ylabel, x: s.x, y: s.y}
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
		p.marks = append(p.marks, func(c draw.Canvas, x, y func(float64) vg.Length) {
			at := float64(i)
			bar(c, colorOf(0), x(at-0.4), x(at+0.4), y(min(0, v)), y(max(0, v)))
		})
	}
	p.xticks = ticks
	p.empty = dropped == len(values)
	if dropped > 0 {
		p.note = fmt.Sprintf("%d of %d values not finite, left out", dropped, len(values))
	}
	p.addReference(s)
	if s.reference != nil {
		heights = heights.union(*s.reference)
	}
	if s.x.isEmpty() {
		p.x = span{-0.6, float64(max(1, len(values))) - 0.4}
		p.y = heights.padded(0.05)
		if heights.lo == 0 {
			p.y.lo = 0
		}
		if len(p.legend) > 0 && heights.hi > 0 {
			p.y.hi += 0.13 * (p.y.hi - p.y.lo) // room for the legend above the bars
		}
	}
	width, height := s.sized(5.2*vg.Inch, 3.4*vg.Inch)
	return single(p, width, height)
}
