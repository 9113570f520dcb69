package plotting

import (
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

const markerSize = vg.Length(2.8)

// marker draws a point of the layer's i-th series, whose shape tells it apart even without
// colours.
func (s *stage) marker(i int, at vg.Point) {
	shapes := []draw.GlyphDrawer{draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}, draw.RingGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{}, draw.CrossGlyph{}}
	s.DrawGlyphNoClip(draw.GlyphStyle{Color: s.color(i), Radius: markerSize, Shape: shapes[(s.first+i)%len(shapes)]}, at)
}

// markers draws each value as a point.
func markers(i int, xs, values []float64) mark {
	return func(s *stage) {
		for j, v := range values {
			if at := s.at(xs[j], v); !math.IsNaN(v) && s.Contains(at) {
				s.marker(i, at)
			}
		}
	}
}

// errorBars draws a bar of half a length about each value.
func errorBars(i int, xs, values, halves []float64) mark {
	return func(s *stage) {
		style := draw.LineStyle{Color: s.color(i), Width: 1}
		for j, v := range values {
			if math.IsNaN(v) || !finite(halves[j]) || !s.ContainsX(s.x.at(xs[j])) {
				continue
			}
			x, cap := s.x.at(xs[j]), vg.Length(2)
			for _, end := range []float64{v - halves[j], v + halves[j]} {
				y := s.Min.Y // where a logarithm has no end
				if !s.y.log || end > 0 {
					y = s.y.at(end)
				}
				from, to := max(s.Min.Y, min(s.Max.Y, s.y.at(v))), max(s.Min.Y, min(s.Max.Y, y))
				s.StrokeLine2(style, x, from, x, to)
				if s.ContainsY(y) && (!s.y.log || end > 0) {
					s.StrokeLine2(style, x-cap, y, x+cap, y)
				}
			}
		}
	}
}
