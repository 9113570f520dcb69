package plotting

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Contours draws the outlines of the regions of highest density that hold given shares
// of the probability within the plane, by default 50, 90 and 99 %, from the logarithm of
// the density at the points of a plane, as [Density] takes it. Lay it over a [Scatter] or
// a [Density] with [Overlay]. It takes [Title], [Size], [XLabel], [YLabel], [Limits],
// [XLimits], [YLimits], [Name], [Masses], [Filled], and [Levels] for lines at values of the
// tensor itself.
func Contours(plane Plane, logDensity *tensors.Tensor, opts ...Option) Figure {
	s, err := settle("Contours", append([]string{"Name", "Masses", "Levels", "Filled"}, axesOptions...), opts)
	if err != nil {
		return Figure{err: err}
	}
	if s.masses != nil && s.levels != nil {
		return failed("Contours: both Masses and Levels are given: give one")
	}
	n, err := plane.readOn(logDensity, 1)
	if err != nil {
		return failed("Contours: %w", err)
	}
	surface := plane.surface(n, 0, 1)
	p := s.panel("contours", "x₁", "x₂")
	p.show(plane)
	bad := 0
	for _, v := range surface.values {
		if math.IsNaN(v) || math.IsInf(v, 1) || (s.levels != nil && math.IsInf(v, -1)) {
			bad++
		}
	}
	if bad > 0 {
		p.note = fmt.Sprintf("%d of %d values not finite", bad, len(surface.values))
	}
	levels := s.levels
	if levels == nil {
		surface = surface.relative()
		levels = surface.massLevels(s.shares())
	}
	p.empty = bad == len(surface.values)
	l := contourLayer(surface, levels, s.filled)
	name := s.name
	if name == "" && s.levels == nil {
		name = percents(s.shares())
	}
	if name != "" {
		l.legend = []legendEntry{{name, lineIcon(func(s *stage) draw.LineStyle { return draw.LineStyle{Color: s.color(0), Width: 1.2} })}}
	}
	p.layers = []layer{l}
	return single(p, s, cloudWidth, (0.75+3.5*p.shape(0.4, 1.4))*vg.Inch)
}

func (s settings) shares() []float64 {
	if s.masses == nil {
		return []float64{0.5, 0.9, 0.99}
	}
	return s.masses
}

// percents writes shares as "50, 90 and 99 %".
func percents(shares []float64) string {
	var words []string
	for _, m := range shares {
		words = append(words, fmt.Sprintf("%.4g", 100*m))
	}
	last := len(words) - 1
	if last == 0 {
		return words[0] + " %"
	}
	return strings.Join(words[:last], ", ") + " and " + words[last] + " %"
}

// relative is the density with a largest value of 1, 0 where it is not known.
func (s surface) relative() surface {
	top := math.Inf(-1)
	for _, v := range s.values {
		if finite(v) {
			top = max(top, v)
		}
	}
	out := surface{plane: s.plane, values: make([]float64, len(s.values))}
	for i, v := range s.values {
		if finite(v) {
			out.values[i] = math.Exp(v - top)
		}
	}
	return out
}

// massLevels returns for each share of the sum the density that the region holding it
// is above.
func (s surface) massLevels(shares []float64) []float64 {
	sorted := slices.Clone(s.values)
	slices.Sort(sorted)
	slices.Reverse(sorted)
	total := 0.0
	for _, v := range sorted {
		total += v
	}
	var levels []float64
	for _, share := range shares {
		sum, level := 0.0, 0.0
		for _, v := range sorted {
			if sum += v; sum >= share*total {
				level = v
				break
			}
		}
		levels = append(levels, level)
	}
	return levels
}

// contourLayer draws lines at the levels, in one colour.
func contourLayer(f surface, levels []float64, filled bool) layer {
	l := layer{colours: 1}
	if filled {
		l.marks = append(l.marks, func(s *stage) {
			s.raster(func(x, y float64) color.NRGBA {
				v, above := f.at(x, y), 0
				for _, level := range levels {
					if v >= level && v > 0 {
						above++
					}
				}
				return faint(s.color(0), 0.5*float64(above)/float64(len(levels)))
			})
		})
	}
	var lines [][][2]float64
	for _, level := range levels {
		lines = append(lines, f.isolines(level)...)
	}
	for _, line := range lines {
		for i := 0; i < len(line); i += 1 + len(line)/100 {
			l.busy = append(l.busy, line[i])
		}
	}
	l.marks = append(l.marks, func(s *stage) {
		style := draw.LineStyle{Color: s.color(0), Width: 1.2}
		for _, line := range lines {
			s.polyline(style, s.path(line))
		}
	})
	return l
}

// path places a list of data points.
func (s *stage) path(line [][2]float64) []vg.Point {
	points := make([]vg.Point, len(line))
	for i, p := range line {
		points[i] = s.at(p[0], p[1])
	}
	return points
}
