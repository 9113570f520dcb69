package plotting

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Scatter draws points of the plane: float32 or float64, any leading shape + [2]. A
// unit is as long on both axes, and the more points there are the smaller and the
// more transparent they are. Points that are not finite are left out, and the figure
// says how many. It takes [Title], [Size], [XLabel], [YLabel] and [Limits].
func Scatter(points *tensors.Tensor, opts ...Option) Figure {
	s, err := settle("Scatter", axesOptions, opts)
	if err != nil {
		return Figure{err: err}
	}
	flat, dims, err := read(points)
	if err != nil {
		return failed("Scatter: %w", err)
	}
	if len(dims) == 0 || dims[len(dims)-1] != 2 {
		return failed("Scatter: points have shape %s: the last axis must have size 2, as [1000, 2]", points.Shape())
	}
	p := &panel{kind: "scatter", title: s.title, xlabel: or(s.xlabel, "x₁"), ylabel: or(s.ylabel, "x₂"), equal: true, x: s.x, y: s.y}
	total := len(flat) / 2
	good := make([][2]float64, 0, total)
	x, y := nothing(), nothing()
	for i := 0; i < len(flat); i += 2 {
		if finite(flat[i]) && finite(flat[i+1]) {
			good = append(good, [2]float64{flat[i], flat[i+1]})
			x, y = x.include(flat[i]), y.include(flat[i+1])
		}
	}
	if s.x.isEmpty() {
		p.x, p.y = x.padded(0.05), y.padded(0.05)
	}
	if dropped := total - len(good); dropped > 0 {
		p.note = fmt.Sprintf("%d of %d points not finite, left out", dropped, total)
	}
	p.empty = len(good) == 0
	n := float64(max(1, len(good)))
	style := draw.GlyphStyle{
		Color:  faint(colorOf(0), min(0.85, max(0.1, 25/math.Sqrt(n)))),
		Radius: vg.Length(min(2.4, max(0.9, 12/math.Pow(n, 0.26)))),
		Shape:  draw.CircleGlyph{},
	}
	p.marks = []mark{func(c draw.Canvas, x, y func(float64) vg.Length) {
		for _, point := range good {
			c.DrawGlyph(style, vg.Point{X: x(point[0]), Y: y(point[1])})
		}
	}}
	// The frame has about the shape of the data, within reason.
	shape := min(1.1, max(0.6, (p.y.hi-p.y.lo)/(p.x.hi-p.x.lo)))
	width, height := s.sized(4.2*vg.Inch, vg.Length(0.55+3.5*shape)*vg.Inch)
	return single(p, width, height)
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
