package plotting

import (
	"fmt"
	"math"
	"slices"
)

// Histogram draws the distribution of each series, laid over each other on the same
// bins: counts, or sums of weights, for one series or with [Counts], else densities (area 1),
// which may differ in number; with [LogX] the density is that of the logarithm to base 10. The
// bins are those of Freedman and Diaconis (1981), or those of Sturges where half of the values
// are equal, for the series that asks for the fewest, 5 to 100, unless [Bins] or [Edges] say
// otherwise. Where a series has integers, each bin holds as many of them, in its middle: with
// another width some would hold one more than their neighbours, or none.
//
// [ErrorBars] shows the standard error √Σw² of each bin, Points of a [Series] draws one as
// measured data are, and [Ratio] shows below how the series compare:
//
//	figure := plotting.Histogram([]plotting.Series{
//		{Name: "data", Values: measured, Points: true},
//		{Name: "model", Values: drawn, Weights: weights},
//	}, plotting.Ratio("model"), plotting.LogY(), plotting.XLabel("mass (GeV)"))
//
// With [LogY], bins that are not positive lie below the axis, and the figure says how many of
// them are negative. Values that are not finite, or whose weights aren't, are left out, and
// the figure says how many; those of weight 0 count for nothing. It takes [Title], [Size],
// [XLabel], [YLabel], [Limits], [XLimits], [YLimits], [Bins], [Edges], [Counts], [ErrorBars], [Ratio],
// [RatioLimits], [LogX], [LogY], [Reference] and [ReferenceX].
func Histogram(series []Series, opts ...Option) Figure {
	s, err := settle("Histogram", append([]string{"Bins", "Edges", "Counts", "ErrorBars", "Ratio", "RatioLimits", "LogX", "LogY", "Reference", "ReferenceX"}, axesOptions...), opts)
	if err == nil {
		err = s.checkLogs("Histogram")
	}
	if err != nil {
		return Figure{err: err}
	}
	p := s.panel("histogram", "", "count")
	samples, all, dropped, total, err := readSeries(series, s.logX)
	if err != nil {
		return Figure{err: err}
	}
	p.note = leftOut(dropped, total, "values", notFinite(s.logX))
	p.empty = all.isEmpty()
	density := len(series) > 1 && !s.counts
	if density {
		p.y.label = or(s.ylabel, "density")
	} else if slices.ContainsFunc(series, func(one Series) bool { return one.Weights != nil }) {
		p.y.label = or(s.ylabel, "sum of weights")
	}
	bins, b, err := s.histograms(series, samples, all, density)
	if err != nil {
		return Figure{err: err}
	}
	l, up := histogramLayer(series, bins, s)
	if s.logY && !p.empty {
		if up.isEmpty() {
			return failed("Histogram: LogY, but no bin is positive, of %d in all: a logarithm needs counts or sums of weights above 0", b.n*len(bins))
		}
		p.note = joined(p.note, negativeBins(bins))
	}
	l.refer(s)
	p.layers = []layer{l}
	across := span{b.at(0, 0), b.at(b.n, 0)}
	across, up = s.withReferences(across, up)
	p.x.cover(across, 0.03)
	if p.empty {
		p.y.cover(nothing(), 0)
	} else if !p.y.fixed {
		p.y.over = up.headroom(s.logY)
	}
	if s.ratio == nil {
		if !s.ratioLimits.isEmpty() {
			return failed("Histogram: RatioLimits without Ratio: give Ratio the name of the series that the others are divided by")
		}
		return single(p, s, wide, low)
	}
	return withRatio(p, series, bins, s)
}

// histograms counts each series in the same bins, as densities or as they are.
func (s settings) histograms(series []Series, samples []weighted, all span, density bool) (bins []stairs, b binning, err error) {
	if b, err = s.binning(samples, all); err != nil {
		return nil, b, err
	}
	for i, one := range samples {
		h := one.binned(b)
		if density && len(one.values) > 0 {
			total := one.total()
			if !(total > 0) {
				return nil, b, fmt.Errorf("plotting.Histogram: series %d (%q) has weights that add up to %g: a density needs a positive sum; Counts draws sums of weights", i, series[i].Name, total)
			}
			h = h.per(func(bin int) float64 { return total * b.width(bin) })
		}
		bins = append(bins, h)
	}
	return bins, b, nil
}

// binning are the bins of a histogram's series, whose values have the range all.
func (s settings) binning(samples []weighted, all span) (binning, error) {
	if s.edges != nil {
		edges := slices.Clone(s.edges)
		for i, e := range edges {
			if s.logX && e < leastOnLog {
				return binning{}, fmt.Errorf("plotting.Histogram: Edges from %g with LogX: a logarithm needs edges above 0", edges[0])
			}
			if s.logX {
				edges[i] = math.Log10(e)
			}
		}
		return binning{over: span{edges[0], edges[len(edges)-1]}, n: len(edges) - 1, log: s.logX, edges: edges}, nil
	}
	b := binning{over: all, n: s.bins, log: s.logX}
	if !s.x.isEmpty() {
		b.over = s.x
		if s.logX {
			b.over = span{math.Log10(s.x.lo), math.Log10(s.x.hi)}
		}
	} else if all.isEmpty() || all.lo == all.hi {
		b.over = all.padded(0)
	}
	if b.n > 0 {
		return b, nil
	}
	b.n = chooseBins(samples, b.over)
	if !s.logX && slices.ContainsFunc(samples, weighted.areWhole) {
		if whole, ok := wholeBins(b.over, b.n); ok {
			return whole, nil
		}
	}
	return b, nil
}

// readSeries returns what each series of a histogram counts, the range of it, in logarithms on
// a logarithmic axis, and how many values are left out.
func readSeries(series []Series, log bool) (samples []weighted, all span, dropped, total int, err error) {
	all = nothing()
	for i, one := range series {
		if err := one.check("Histogram", i, "Weights", "Points"); err != nil {
			return nil, all, 0, 0, err
		}
		var good weighted
		if one.Weights != nil {
			good.weights = []float64{}
		}
		total += len(one.Values)
		for j, v := range one.Values {
			if !finite(v) || log && v < leastOnLog || one.Weights != nil && !finite(one.Weights[j]) {
				dropped++
				continue
			}
			if one.Weights != nil {
				if one.Weights[j] == 0 {
					continue
				}
				good.weights = append(good.weights, one.Weights[j])
			}
			if log {
				v = math.Log10(v)
			}
			good.values = append(good.values, v)
			all = all.include(v)
		}
		samples = append(samples, good)
	}
	return samples, all, dropped, total, nil
}

// histogramLayer draws outlines, error bars and points, and returns the range of their heights.
func histogramLayer(series []Series, bins []stairs, s settings) (l layer, up span) {
	l.colours, up = len(series), nothing()
	outlined := 0
	for _, one := range series {
		if !one.Points {
			outlined++
		}
	}
	var lines, bars, points []mark
	for i, h := range bins {
		icon := boxIcon(i, 0.3)
		if series[i].Points {
			points = append(points, h.dots(i))
			icon = dotIconWithBar(i)
		} else {
			l.marks = append(l.marks, h.fill(i))
			if s.errorBars {
				bars = append(bars, h.bars(i, apart(len(bars), outlined)))
			}
			lines = append(lines, h.line(i))
		}
		up = up.union(h.reach(s.errorBars || series[i].Points, s.logY))
		l.busy = append(l.busy, h.tops()...)
		if len(series) > 1 || series[i].Name != "" {
			l.legend = append(l.legend, legendEntry{nameOf(series, i), icon})
		}
	}
	l.marks = slices.Concat(l.marks, lines, bars, points)
	return l, up
}

// apart is where in a bin the i-th of n bars stands, so that none hides another.
func apart(i, n int) float64 { return 0.5 + min(0.2, 0.6/float64(n))*(float64(i)-float64(n-1)/2) }

// negativeBins is the note on the bins that a logarithmic axis doesn't show.
func negativeBins(bins []stairs) string {
	negative, total := 0, 0
	for _, h := range bins {
		total += h.n
		for _, height := range h.heights {
			if height < 0 {
				negative++
			}
		}
	}
	if negative == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d bins negative, below the axis", negative, total)
}

// headroom is the range with some room beyond its ends, but for 0.
func (s span) headroom(log bool) span {
	if !log {
		return span{1.06 * s.lo, max(1.06*s.hi, math.SmallestNonzeroFloat32)}
	}
	// The lowest bin stands out, unless it is what rounding left of weights that cancel.
	lo := max(leastOnLog, s.lo/2, 1e-12*s.hi)
	return span{lo, s.hi * max(1.3, math.Pow(s.hi/lo, 0.06))}
}

func notFinite(log bool) string {
	if log {
		return "not finite or not positive"
	}
	return "not finite"
}
