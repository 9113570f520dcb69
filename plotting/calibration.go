package plotting

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"sort"

	"gonum.org/v1/gonum/stat/distuv"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// bandMass is the probability with which calibrated results stay within a band.
const bandMass = 0.95

// RankHistogram draws the ranks of true values among posterior draws, which are uniform
// on 0..draws if the posterior is calibrated (simulation-based calibration, Talts et al.
// 2018, arXiv:1804.06788): a valley shows a posterior that is too narrow, a hill one too
// wide, a slope a bias. A series is one parameter, its values the whole numbers 0 to
// draws. Heights are in units of the number expected; the band holds each with
// probability 95 % if calibrated, for the shortest series. Ranks that are not finite are
// left out, and the figure says how many. It takes [Title], [Size], [XLabel], [YLabel],
// and [Bins] (default: the largest number up to 20 that divides draws+1, 20 if there is
// none from 5 on).
func RankHistogram(series []Series, draws int, opts ...Option) Figure {
	s, err := settle("RankHistogram", []string{"XLabel", "YLabel", "Bins"}, opts)
	if err != nil {
		return Figure{err: err}
	}
	if draws < 1 {
		return failed("RankHistogram: %d posterior draws: give 1 or more", draws)
	}
	bins := s.bins
	if bins == 0 {
		bins = evenBins(draws + 1)
	}
	if bins > draws+1 {
		return failed("RankHistogram: %d bins for %d ranks: give at most as many", bins, draws+1)
	}
	// width[j] is the share of the ranks in bin j, which differ where bins don't divide them.
	width := make([]float64, bins)
	for r := range draws + 1 {
		width[r*bins/(draws+1)] += 1 / float64(draws+1)
	}
	p := s.panel("rank histogram", fmt.Sprintf("rank among %d draws", draws), "count / expected")
	l := layer{colours: len(series)}
	over := span{0, float64(draws + 1)}
	tallest, fewest, dropped, total := 1.0, 0, 0, 0
	var outlines []mark
	for i, one := range series {
		if one.Weights != nil {
			return failed("RankHistogram: series %d (%q) has Weights: ranks take none", i, one.Name)
		}
		heights := make([]float64, bins)
		kept := 0
		for j, v := range one.Values {
			if !finite(v) {
				continue
			}
			if v < 0 || v > float64(draws) || v != math.Trunc(v) {
				return failed("RankHistogram: series %d (%q): rank %d is %g: give whole numbers 0 to %d, how many of the draws are below the true value", i, one.Name, j, v, draws)
			}
			heights[int(v)*bins/(draws+1)]++
			kept++
		}
		dropped, total = dropped+len(one.Values)-kept, total+len(one.Values)
		if kept == 0 {
			continue
		}
		if fewest == 0 || kept < fewest {
			fewest = kept
		}
		for j := range heights {
			heights[j] /= float64(kept) * width[j]
			tallest = max(tallest, heights[j])
		}
		h := stairs{heights: heights, over: over}
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
	p.empty = fewest == 0
	p.note = leftOut(dropped, total, "ranks", "not finite")
	if fewest > 0 {
		low, high := binomialBand(fewest, slices.Min(width))
		low, high = low/slices.Min(width), high/slices.Min(width)
		tallest = max(tallest, high)
		l.marks = append(l.marks, func(s *stage) {
			s.bar(faint(s.look.paleInk, 0.25), s.x.at(over.lo), s.x.at(over.hi), s.y.at(low), s.y.at(high))
			s.StrokeLine2(draw.LineStyle{Color: s.look.paleInk, Width: 1}, s.x.at(over.lo), s.y.at(1), s.x.at(over.hi), s.y.at(1))
		})
		l.legend = append(l.legend, expectedEntry)
	}
	l.marks = append(l.marks, outlines...)
	p.layers = []layer{l}
	p.x.over, p.y.over = over, span{0, 1.25 * tallest}
	return single(p, s, wide, low)
}

// evenBins divides a number of ranks evenly where that gives 5 to 20 bins.
func evenBins(ranks int) int {
	for bins := min(20, ranks); bins >= 5; bins-- {
		if ranks%bins == 0 {
			return bins
		}
	}
	return min(20, ranks)
}

// binomialBand are the shares of n that a share p takes with the band's probability.
func binomialBand(n int, p float64) (low, high float64) {
	b := distuv.Binomial{N: float64(n), P: p}
	quantile := func(q float64) float64 {
		return float64(sort.Search(n, func(k int) bool { return b.CDF(float64(k)) >= q })) / float64(n)
	}
	return quantile((1 - bandMass) / 2), quantile((1 + bandMass) / 2)
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
// figure says how many. It takes [Title], [Size], [XLabel] and [YLabel].
func Coverage(series []Series, opts ...Option) Figure {
	s, err := settle("Coverage", []string{"XLabel", "YLabel"}, opts)
	if err != nil {
		return Figure{err: err}
	}
	p := s.panel("coverage", "nominal probability", "share of truths within")
	p.x.over, p.y.over, p.aspect = span{0, 1}, span{0, 1}, boxed
	l := layer{colours: len(series)}
	fewest, dropped, total := 0, 0, 0
	var curves []mark
	for i, one := range series {
		if one.Weights != nil {
			return failed("Coverage: series %d (%q) has Weights: probabilities take none", i, one.Name)
		}
		var good []float64
		for j, v := range one.Values {
			if !finite(v) {
				continue
			}
			if v < 0 || v > 1 {
				return failed("Coverage: series %d (%q): value %d is %g: give probabilities from 0 to 1", i, one.Name, j, v)
			}
			good = append(good, v)
		}
		dropped, total = dropped+len(one.Values)-len(good), total+len(one.Values)
		if len(good) == 0 {
			continue
		}
		if fewest == 0 || len(good) < fewest {
			fewest = len(good)
		}
		slices.Sort(good)
		line := cumulative(good)
		l.busy = append(l.busy, line...)
		style := func(s *stage) draw.LineStyle { return s.line(i, 1.5) }
		curves = append(curves, func(s *stage) { s.polyline(style(s), s.path(line)) })
		if len(series) > 1 || one.Name != "" {
			l.legend = append(l.legend, legendEntry{nameOf(series, i), lineIcon(style)})
		}
	}
	p.empty = fewest == 0
	p.note = leftOut(dropped, total, "values", "not finite")
	if fewest > 0 {
		half := math.Sqrt(math.Log(2/(1-bandMass)) / (2 * float64(fewest)))
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
