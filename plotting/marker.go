package plotting

import (
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

const markerSize = vg.Length(2.8)

// marker draws a point of the layer's i-th series, whose shape tells it apart even without
// colours.
func (s *stage) marker(i int, at vg.Point, radius vg.Length) {
	shapes := []draw.GlyphDrawer{draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}, draw.RingGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{}, draw.CrossGlyph{}}
	s.DrawGlyphNoClip(draw.GlyphStyle{Color: s.color(i), Radius: radius, Shape: shapes[(s.first+i)%len(shapes)]}, at)
}

// markers draws each value as a point.
func markers(i int, xs, values []float64) mark {
	return func(s *stage) {
		for j, v := range values {
			if at := s.at(xs[j], v); !math.IsNaN(v) && s.Contains(at) {
				s.marker(i, at, markerSize)
			}
		}
	}
}

// narrow is the size of markers that stand a distance apart.
func narrow(apart vg.Length) vg.Length { return max(1.3, min(markerSize, 0.42*apart)) }

// errorBars draws a bar of half a length about each value, with a cap of half a length across.
func errorBars(i int, xs, values, halves []float64, cap vg.Length) mark {
	return func(s *stage) {
		style := draw.LineStyle{Color: s.color(i), Width: 1}
		for j, v := range values {
			if math.IsNaN(v) || !finite(halves[j]) || !s.ContainsX(s.x.at(xs[j])) {
				continue
			}
			x := s.x.at(xs[j])
			for _, end := range []float64{v - halves[j], v + halves[j]} {
				y := s.y.orFloor(end)
				from, to := max(s.Min.Y, min(s.Max.Y, s.y.orFloor(v))), max(s.Min.Y, min(s.Max.Y, y))
				s.StrokeLine2(style, x, from, x, to)
				if cap > 0 && s.ContainsY(y) && (!s.y.log || end > 0) {
					s.StrokeLine2(style, x-cap, y, x+cap, y)
				}
			}
		}
	}
}
