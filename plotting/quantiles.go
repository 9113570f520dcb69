package plotting

import (
	"image/color"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/plot/vg/draw"
)

// Quantiles draws how a number is distributed at each x: the median, and bands that hold
// the central 50 and 90 %. values are float32 or float64 [len(x), n]: the divergence along
// the trajectories of n samples at times x, for example, or an error by the number of
// steps. Values that are not finite are left out, and the figure says how many. It takes
// [Title], [Size], [XLabel] (default t), [YLabel], [Limits], [XLimits], [YLimits], [LogX],
// [LogY], [Reference], [ReferenceX] and [Name].
func Quantiles(x []float64, values *tensors.Tensor, opts ...Option) Figure {
	s, err := settle("Quantiles", append([]string{"LogX", "LogY", "Reference", "ReferenceX", "Name"}, axesOptions...), opts)
	if err == nil {
		err = s.checkLogs("Quantiles")
	}
	if err != nil {
		return Figure{err: err}
	}
	data, err := read(values)
	if err != nil {
		return failed("Quantiles: %w", err)
	}
	if len(data.dims) != 2 || data.dims[0] != len(x) {
		return failed("Quantiles: values have shape %s for %d x: give [%d, n]", values.Shape(), len(x), len(x))
	}
	n := data.dims[1]
	p := s.panel("quantiles", "t", "")
	dropped := 0
	over, up := nothing(), nothing()
	shares := []float64{0.05, 0.25, 0.5, 0.75, 0.95}
	var at []float64
	lines := make([][][2]float64, len(shares))
	for i, t := range x {
		var good []float64
		for j := range n {
			if v := data.at(i*n + j); finite(v) && finite(t) && !(s.logY && v < leastOnLog) && !(s.logX && t < leastOnLog) {
				good = append(good, v)
			}
		}
		dropped += n - len(good)
		if len(good) == 0 {
			continue
		}
		slices.Sort(good)
		at = append(at, t)
		over = over.include(t)
		for k, share := range shares {
			q := quantile(good, share)
			lines[k] = append(lines[k], [2]float64{t, q})
			up = up.include(q)
		}
	}
	p.empty = len(at) == 0
	p.note = leftOut(dropped, data.len(), "values", notFinite(s.logX || s.logY))
	l := layer{colours: 1, busy: slices.Concat(lines...)}
	tint := func(opacity float64) func(*stage) color.Color {
		return func(s *stage) color.Color { return faint(s.color(0), opacity) }
	}
	l.marks = []mark{
		band(lines[0], lines[4], tint(0.18)),
		band(lines[1], lines[3], tint(0.3)),
		func(s *stage) {
			s.polyline(draw.LineStyle{Color: s.color(0), Width: 1.5}, s.path(lines[2]))
		},
	}
	l.legend = []legendEntry{{or(s.name, "median"), lineIcon(func(s *stage) draw.LineStyle {
		return draw.LineStyle{Color: s.color(0), Width: 1.5}
	})}}
	if s.name == "" {
		l.legend = append(l.legend, legendEntry{"central 50 and 90 %", boxIcon(0, 0.3)})
	}
	l.refer(s)
	over, up = s.withReferences(over, up)
	p.layers = []layer{l}
	p.x.cover(over, 0.02)
	p.y.cover(up, 0.05)
	return single(p, s, wide, low)
}

// quantile is that of sorted values, interpolated between the two nearest: definition 7 of
// Hyndman & Fan (1996, Am. Stat. 50, 361), that of NumPy and R, by which the median of an
// even number of values is the mean of the middle two.
func quantile(sorted []float64, share float64) float64 {
	at := share * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	part := at - float64(i)
	return sorted[i]*(1-part) + sorted[i+1]*part
}

// band tints what lies between two lines.
func band(below, above [][2]float64, tint func(*stage) color.Color) mark {
	return func(s *stage) {
		if len(below) == 0 {
			return
		}
		outline := slices.Clone(below)
		for i := range above {
			outline = append(outline, above[len(above)-1-i])
		}
		s.FillPolygon(tint(s), s.ClipPolygonXY(s.path(outline)))
	}
}
