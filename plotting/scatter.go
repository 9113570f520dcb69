package plotting

import (
	"math"

	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Scatter draws points of the plane: float32 or float64, any leading shape + [2]. A
// unit is as long on both axes, and the more points there are the smaller and the
// more transparent they are; above 2000 they are pixels in an SVG too, ten million take
// seconds. Points that are not finite are left out, and the figure says how many. It
// takes [Title], [Size], [XLabel], [YLabel], [Limits], [XLimits], [YLimits] and [Name].
func Scatter(points *tensors.Tensor, opts ...Option) Figure {
	s, err := settle("Scatter", append([]string{"Name"}, axesOptions...), opts)
	if err != nil {
		return Figure{err: err}
	}
	data, err := readPlane(points)
	if err != nil {
		return failed("Scatter: %w", err)
	}
	p := s.panel("scatter", "x₁", "x₂")
	p.aspect = widened
	cloud := newCloud(data)
	cloud.frame(p)
	p.note = leftOut(cloud.dropped, data.len()/2, "points", "not finite")
	p.empty = cloud.kept == 0
	l := layer{marks: []mark{cloud.mark(0)}, colours: 1, busy: cloud.some()}
	if s.name != "" {
		l.legend = []legendEntry{{s.name, dotIcon(0)}}
	}
	p.layers = []layer{l}
	// The frame has about the shape of the data, within reason.
	return single(p, s, cloudWidth, (0.55+3.5*p.shape(0.6, 1.1))*vg.Inch)
}

// cloudWidth is the usual width of a figure of points.
const cloudWidth = 4.2 * vg.Inch

// cloud is a set of points, of which those that are not finite don't count.
type cloud struct {
	data          numbers
	weights       []float64 // of the points; nil for all alike
	x, y          span
	kept, dropped int
}

func newCloud(data numbers) cloud { return newWeightedCloud(data, nil) }

func newWeightedCloud(data numbers, weights []float64) cloud {
	c := cloud{data: data, weights: weights, x: nothing(), y: nothing()}
	c.each(func(x, y float64) {
		c.x, c.y = c.x.include(x), c.y.include(y)
		c.kept++
	})
	c.dropped = data.len()/2 - c.kept
	return c
}

func (c cloud) each(point func(x, y float64)) {
	c.eachWeighted(func(x, y, _ float64) { point(x, y) })
}

func (c cloud) eachWeighted(point func(x, y, weight float64)) {
	for i := 0; i < c.data.len(); i += 2 {
		x, y, w := c.data.at(i), c.data.at(i+1), 1.0
		if c.weights != nil {
			w = c.weights[i/2]
		}
		if finite(x) && finite(y) && finite(w) {
			point(x, y, w)
		}
	}
}

// frame gives a panel the ranges of the points.
func (c cloud) frame(p *panel) {
	p.x.cover(c.x, 0.05)
	p.y.cover(c.y, 0.05)
}

// some is about a thousand of the points.
func (c cloud) some() (out [][2]float64) {
	stride := max(1, c.data.len()/2000) * 2
	for i := 0; i < c.data.len(); i += stride {
		if x, y := c.data.at(i), c.data.at(i+1); finite(x) && finite(y) {
			out = append(out, [2]float64{x, y})
		}
	}
	return out
}

// vectorPoints is the number of points up to which they are drawn one by one.
const vectorPoints = 2000

// mark draws the points in the i-th colour of their layer.
func (c cloud) mark(i int) mark {
	n := float64(max(1, c.kept))
	opacity := min(0.85, max(0.1, 20/math.Sqrt(n)))
	if n > 40_000 {
		opacity = max(0.01, 0.1*math.Sqrt(40_000/n))
	}
	radius := vg.Length(min(2.2, max(0.8, 9/math.Pow(n, 0.25))))
	return func(s *stage) {
		color := faint(s.color(i), opacity)
		if c.kept > vectorPoints {
			s.splat(color, radius, c.each)
			return
		}
		style := draw.GlyphStyle{Color: color, Radius: radius, Shape: draw.CircleGlyph{}}
		c.each(func(x, y float64) { s.DrawGlyph(style, s.at(x, y)) })
	}
}

func dotIcon(i int) func(*stage) {
	return func(s *stage) {
		s.DrawGlyphNoClip(draw.GlyphStyle{Color: s.color(i), Radius: 2.6, Shape: draw.CircleGlyph{}}, s.Center())
	}
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
