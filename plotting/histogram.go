package plotting

import (
	"fmt"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Histogram draws the distribution of each series, laid over each other on the same
// bins: counts for one series, densities (area 1) for several, which may differ in
// number. The bins are those of Freedman and Diaconis (1981), or those of Sturges
// where half of the values are equal, for the series that asks for the fewest, 5 to
// 100, unless [Bins] says otherwise. Values that are not finite are left out, and the
// figure says how many. It takes [Title], [Size], [XLabel], [YLabel], [Limits] and
// [Bins].
func Histogram(series []Series, opts ...Option) Figure {
	s, err := settle("Histogram", append([]string{"Bins"}, axesOptions...), opts)
	if err != nil {
		return Figure{err: err}
	}
	p := &panel{kind: "histogram", title: s.title, xlabel: s.xlabel, x: s.x, y: s.y}
	all := nothing()
	var clean [][]float64
	total, kept := 0, 0
	for i, one := range series {
		if one.X != nil {
			return failed("Histogram: series %d (%q) has X: a histogram takes Values alone", i, one.Name)
		}
		var good []float64
		for _, v := range one.Values {
			if finite(v) {
				good = append(good, v)
				all = all.include(v)
			}
		}
		slices.Sort(good)
		clean = append(clean, good)
		total, kept = total+len(one.Values), kept+len(good)
	}
	if kept < total {
		p.note = fmt.Sprintf("%d of %d values not finite, left out", total-kept, total)
	}
	p.empty = kept == 0
	over := all
	if !s.x.isEmpty() {
		over = s.x
	} else if all.isEmpty() || all.lo == all.hi {
		over = all.padded(0)
	}
	bins := s.bins
	if bins == 0 {
		bins = chooseBins(clean, over)
	}
	tallest := 0.0
	var outlines []mark
	for i, values := range clean {
		heights := binned(values, over, bins)
		if len(series) > 1 && len(values) > 0 {
			for j := range heights {
				heights[j] /= float64(len(values)) * (over.hi - over.lo) / float64(bins)
			}
		}
		tallest = max(tallest, slices.Max(heights))
		c := colorOf(i)
		p.marks = append(p.marks, filled(faint(c, 0.3), heights, over))
		outlines = append(outlines, stairs(draw.LineStyle{Color: c, Width: 1.3}, heights, over))
		if len(series) > 1 {
			p.legend = append(p.legend, legendEntry{or(series[i].Name, fmt.Sprintf("series %d", i+1)), boxIcon(faint(c, 0.3), c)})
		}
	}
	p.marks = append(p.marks, outlines...)
	p.ylabel = or(s.ylabel, "count")
	if len(series) > 1 {
		p.ylabel = or(s.ylabel, "density")
	}
	if s.x.isEmpty() {
		p.x = over.padded(0.03)
		p.y = span{0, max(tallest*1.06, math.SmallestNonzeroFloat32)}
		if p.empty {
			p.y = span{0, 1}
		}
	}
	width, height := s.sized(5.2*vg.Inch, 3.4*vg.Inch)
	return single(p, width, height)
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

func binned(values []float64, over span, bins int) []float64 {
	heights := make([]float64, bins)
	for _, v := range values {
		if v < over.lo || v > over.hi {
			continue
		}
		heights[min(bins-1, int(float64(bins)*((v-over.lo)/(over.hi-over.lo))))]++
	}
	return heights
}

func (s span) at(i, n int) float64 { return s.lo + (s.hi-s.lo)*float64(i)/float64(n) }

func steps(heights []float64, over span, x, y func(float64) vg.Length) []vg.Point {
	points := []vg.Point{{X: x(over.lo), Y: y(0)}}
	for i, h := range heights {
		points = append(points,
			vg.Point{X: x(over.at(i, len(heights))), Y: y(h)},
			vg.Point{X: x(over.at(i+1, len(heights))), Y: y(h)})
	}
	return append(points, vg.Point{X: x(over.hi), Y: y(0)})
}

func filled(fill color.Color, heights []float64, over span) mark {
	return func(c draw.Canvas, x, y func(float64) vg.Length) {
		c.FillPolygon(fill, c.ClipPolygonXY(steps(heights, over, x, y)))
	}
}

func stairs(style draw.LineStyle, heights []float64, over span) mark {
	return func(c draw.Canvas, x, y func(float64) vg.Length) {
		polyline(c, style, steps(heights, over, x, y))
	}
}
