package plotting

import (
	"fmt"
	"image/color"
	"slices"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/nami-flow/go-nami/nami/metric"
)

// RankHistogram draws the ranks of true values among posterior draws, which are uniform
// on 0..draws if the posterior is calibrated (simulation-based calibration, Talts et al.
// 2018, arXiv:1804.06788): a valley shows a posterior that is too narrow, a hill one too
// wide, a slope a bias. A series is one parameter, its values the whole numbers 0 to
// draws. Heights are in units of the number expected; the band holds each with
// probability 95 % if calibrated, for the shortest series. Ranks that are not finite are
// left out, and the figure says how many. It takes [Title], [Size], [XLabel], [YLabel],
// [Limits], [XLimits], [YLimits] and [Bins] (default: the largest number from 5 to 20 that
// divides draws+1, or 20 if none does).
func RankHistogram(series []Series, draws int, opts ...Option) Figure {
	s, err := settle("RankHistogram", append([]string{"Bins"}, axesOptions...), opts)
	if err != nil {
		return Figure{err: err}
	}
	if _, err := metric.Ranks(nil, draws, s.bins); err != nil { // of no series, too
		return failed("RankHistogram: %w", err)
	}
	p := s.panel("rank histogram", fmt.Sprintf("rank among %d draws", draws), "count / expected")
	l := layer{colours: len(series)}
	over := span{0, float64(draws + 1)}
	tallest, dropped, total := 1.0, 0, 0
	var fewest metric.RankCounts // of the shortest series
	var outlines []mark
	for i, one := range series {
		if err := one.check("RankHistogram", i); err != nil {
			return Figure{err: err}
		}
		counts, err := metric.Ranks(one.Values, draws, s.bins)
		if err != nil {
			return failed("RankHistogram: series %d (%q): %w", i, one.Name, err)
		}
		dropped, total = dropped+counts.Dropped, total+len(one.Values)
		if counts.Ranks == 0 {
			continue
		}
		if fewest.Ranks == 0 || counts.Ranks < fewest.Ranks {
			fewest = counts
		}
		heights := counts.Heights
		tallest = max(tallest, slices.Max(heights))
		h := stairs{binning: binning{over: over, n: len(heights)}, heights: heights}
		if len(series) == 1 {
			l.marks = append(l.marks, h.fill(i))
		}
		outlines = append(outlines, h.line(i))
		l.busy = append(l.busy, h.tops()...)
		if len(series) > 1 || one.Name != "" {
			opacity := 0.3
			if len(series) > 1 {
				opacity = 0 // not filled, as they hide each other
			}
			l.legend = append(l.legend, legendEntry{nameOf(series, i), boxIcon(i, opacity)})
		}
	}
	p.empty = fewest.Ranks == 0
	p.note = leftOut(dropped, total, "ranks", "not finite")
	if fewest.Ranks > 0 {
		low, high := fewest.Low, fewest.High
		tallest = max(tallest, high)
		l.marks = append(l.marks, func(s *stage) {
			s.bar(faint(s.look.paleInk, 0.25), s.x.at(over.lo), s.x.at(over.hi), s.y.at(low), s.y.at(high))
			s.polyline(draw.LineStyle{Color: s.look.paleInk, Width: 1}, []vg.Point{s.at(over.lo, 1), s.at(over.hi, 1)})
		})
		l.legend = append(l.legend, expectedEntry)
	}
	l.marks = append(l.marks, outlines...)
	p.layers = []layer{l}
	if !p.x.fixed {
		p.x.over = over
	}
	if !p.y.fixed {
		p.y.over = span{0, 1.25 * tallest}
	}
	return single(p, s, wide, low)
}

var expectedEntry = legendEntry{"calibrated, 95 %", func(s *stage) {
	s.SetColor(faint(s.look.paleInk, 0.25))
	s.Fill(s.Path())
	s.StrokeLine2(draw.LineStyle{Color: s.look.paleInk, Width: 1}, s.Min.X, s.Center().Y, s.Max.X, s.Center().Y)
}}

// Coverage draws how often truth lies within credible regions, against their nominal
// probability: on the diagonal if calibrated, below it if regions are too small, above if
// too large. A series' values are, for each test, the probability of the smallest credible
// region that holds the truth, or a probability integral transform, in which case the curve
// is a P–P plot; all are within 0 to 1. The band holds the whole curve with probability at
// least 95 % if calibrated, for the shortest series (Dvoretzky, Kiefer and Wolfowitz 1956
// with the constant of Massart 1990). Values that are not finite are left out, and the
// figure says how many. It takes [Title], [Size], [XLabel], [YLabel], [Limits], [XLimits] and
// [YLimits].
func Coverage(series []Series, opts ...Option) Figure {
	s, err := settle("Coverage", axesOptions, opts)
	if err != nil {
		return Figure{err: err}
	}
	p := s.panel("coverage", "nominal probability", "share of truths within")
	p.show(Plane{XMax: 1, YMax: 1})
	l := layer{colours: len(series)}
	half, dropped, total := 0.0, 0, 0 // half is that of the band, for the shortest series
	var curves []mark
	for i, one := range series {
		if err := one.check("Coverage", i); err != nil {
			return Figure{err: err}
		}
		c, err := metric.Coverage(one.Values)
		if err != nil {
			return failed("Coverage: series %d (%q): %w", i, one.Name, err)
		}
		dropped, total = dropped+c.Dropped, total+len(one.Values)
		if len(c.Probabilities) == 0 {
			continue
		}
		half = max(half, c.Band)
		line := cumulative(c.Probabilities)
		l.busy = append(l.busy, line...)
		style := func(s *stage) draw.LineStyle { return s.line(i, 1.5) }
		curves = append(curves, func(s *stage) { s.polyline(style(s), s.path(line)) })
		if len(series) > 1 || one.Name != "" {
			l.legend = append(l.legend, legendEntry{nameOf(series, i), lineIcon(style)})
		}
	}
	p.empty = half == 0
	p.note = leftOut(dropped, total, "values", "not finite")
	if half > 0 {
		below := [][2]float64{{0, 0}, {min(1, half), 0}, {1, max(0, 1-half)}}
		above := [][2]float64{{0, min(1, half)}, {max(0, 1-half), 1}, {1, 1}}
		l.marks = append(l.marks,
			band(below, above, func(s *stage) color.Color { return faint(s.look.paleInk, 0.25) }),
			func(s *stage) {
				s.polyline(draw.LineStyle{Color: s.look.paleInk, Width: 1}, []vg.Point{s.at(0, 0), s.at(1, 1)})
			})
		l.legend = append(l.legend, expectedEntry)
	}
	l.marks = append(l.marks, curves...)
	p.layers = []layer{l}
	return single(p, s, 3.9*vg.Inch, 3.8*vg.Inch)
}

// cumulative is the share of sorted values up to each, as steps, at most 1000 of them.
func cumulative(sorted []float64) [][2]float64 {
	n := float64(len(sorted))
	line := [][2]float64{{0, 0}}
	stride := max(1, len(sorted)/1000)
	for i := 0; i < len(sorted); i += stride {
		line = append(line, [2]float64{sorted[i], float64(i) / n}, [2]float64{sorted[i], float64(min(len(sorted), i+stride)) / n})
	}
	return append(line, [2]float64{1, 1})
}
