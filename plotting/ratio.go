package plotting

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// ratioKind is the kind of panel that shows ratios.
const ratioKind = "ratio"

// ratioHeight is that of a ratio's frame, of the histogram's above it.
const ratioHeight = 0.32

// withRatio puts below a histogram the ratios of its series to one of them.
func withRatio(top *panel, series []Series, bins []stairs, s settings) Figure {
	names := make([]string, len(series))
	for i := range series {
		names[i] = nameOf(series, i)
	}
	to := slices.Index(names, *s.ratio)
	switch {
	case to < 0:
		return failed("Histogram: Ratio to %q, but the series are %s: give the name of one of them", *s.ratio, quoted(names))
	case len(series) < 2:
		return failed("Histogram: Ratio to %q, the only series: give another one, which is divided by it", *s.ratio)
	case slices.Contains(names[to+1:], names[to]):
		return failed("Histogram: Ratio to %q, but two series have this name: give each its own", *s.ratio)
	}
	p := &panel{kind: ratioKind, x: top.x, empty: top.empty, y: axis{label: "ratio to " + names[to], over: s.ratioLimits, fixed: !s.ratioLimits.isEmpty()}}
	top.x.unlabelled = true
	if len(series) == 2 {
		p.y.label = names[1-to] + " / " + names[to]
	}
	l := layer{colours: len(series), marks: []mark{func(s *stage) {
		if y := s.y.at(1); s.ContainsY(y) {
			s.StrokeLine2(draw.LineStyle{Color: s.look.paleInk, Width: 1, Dashes: dashes[0]}, s.Min.X, y, s.Max.X, y)
		}
	}}}
	var shown []stairs
	none, drawn := 0, 0
	for i, h := range bins {
		if i == to {
			continue
		}
		r, without := h.over(bins[to])
		none = max(none, without)
		l.marks = append(l.marks, r.ratios(i, apart(drawn, len(bins)-1)))
		shown = append(shown, r)
		drawn++
	}
	if none > 0 {
		top.note = joined(top.note, fmt.Sprintf("no ratio in %d of %d bins, where %s is not positive", none, bins[to].n, names[to]))
	}
	if !p.y.fixed {
		p.y.over = ratioRange(shown)
	}
	upright := settings{}
	for _, r := range s.references {
		if r.upright {
			r.name = "" // it stands in the legend above
			upright.references = append(upright.references, r)
		}
	}
	l.refer(upright)
	p.layers = []layer{l}
	width, height := s.sized(wide, low*(1+ratioHeight))
	return Figure{
		root: &grid{
			tight: true, cells: [][]node{{top}, {p}},
			widths: []float64{1}, heights: []float64{1, ratioHeight},
		},
		width: width, height: height,
	}
}

func quoted(names []string) string {
	var out []string
	for _, name := range names {
		out = append(out, fmt.Sprintf("%q", name))
	}
	return strings.Join(out, ", ")
}

// over is the ratio to another histogram of the same bins, with the errors of both, as those
// of independent samples: for r = a/b, σ² = (σ_a² + r²σ_b²)/b². It is NaN where the other is
// not positive, and without says in how many of these bins one of them has events.
func (h stairs) over(b stairs) (r stairs, without int) {
	r = stairs{binning: h.binning, heights: make([]float64, h.n), errors: make([]float64, h.n)}
	for j, below := range b.heights {
		if !(below > 0) {
			r.heights[j], r.errors[j] = math.NaN(), math.NaN()
			if h.errors[j] > 0 || b.errors[j] > 0 {
				without++
			}
			continue
		}
		r.heights[j] = h.heights[j] / below
		r.errors[j] = math.Hypot(h.errors[j], r.heights[j]*b.errors[j]) / below
	}
	return r, without
}

// ratios draws a point with its error bar for each ratio, and an arrow at the edge for one
// that lies beyond it.
func (h stairs) ratios(i int, share float64) mark {
	bars := h.bars(i, share)
	return func(s *stage) {
		bars(s)
		size := narrow(h.apart(s))
		for j, r := range h.heights {
			at := vg.Point{X: s.x.at(h.at(j, share)), Y: s.y.at(r)}
			switch {
			case math.IsNaN(r) || !s.ContainsX(at.X):
			case at.Y > s.Max.Y:
				s.head(vg.Point{X: at.X, Y: s.Max.Y}, vg.Point{Y: 1}, 2*size, s.color(i))
			case at.Y < s.Min.Y:
				s.head(vg.Point{X: at.X, Y: s.Min.Y}, vg.Point{Y: -1}, 2*size, s.color(i))
			default:
				s.marker(i, at, size)
			}
		}
	}
}

// ratioRange is a range about 1 that holds nine tenths of the ratios with their errors, from 0.9
// to 1.1 at least and 0 to 2 at most: the few of nearly empty bins, which are hardly known,
// would make the others unreadable.
func ratioRange(shown []stairs) span {
	var away []float64
	for _, h := range shown {
		for j, r := range h.heights {
			if !math.IsNaN(r) {
				away = append(away, min(10, math.Abs(r-1)+h.errors[j]))
			}
		}
	}
	if len(away) == 0 {
		return span{0, 2}
	}
	slices.Sort(away)
	half := max(0.1, min(1, 1.1*quantile(away, 0.9)))
	return span{1 - half, 1 + half}
}
