package plotting

import (
	"math"

	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Scatter draws points of the plane: float32 or float64, any leading shape + [2]. A
// unit is as long on both axes, and the more points there are, the smaller and the
// more transparent they are; more than 2000 are pixels in an SVG, too, and ten million take
// seconds. With [Weights], which may not be negative, a point is as dark as several over each
// other, in proportion to its weight; together they are as dark as the effective number of
// points (Kish 1965). Points that are not finite, or whose weights aren't, are left
// out, and the figure says how many. It takes [Title], [Size], [XLabel], [YLabel], [Limits],
// [XLimits], [YLimits], [Weights] and [Name].
func Scatter(points *tensors.Tensor, opts ...Option) Figure {
	s, err := settle("Scatter", append([]string{"Weights", "Name"}, axesOptions...), opts)
	if err != nil {
		return Figure{err: err}
	}
	data, err := readPlane(points)
	if err != nil {
		return failed("Scatter: %w", err)
	}
	weights, err := readWeights(s.weights, data.len()/2)
	if err != nil {
		return failed("Scatter: %w", err)
	}
	for i, w := range weights {
		if w < 0 {
			return failed("Scatter: weight %d is %g: a dot can't take others away; draw negative weights with Histogram2D", i, w)
		}
	}
	p := s.panel("scatter", "x₁", "x₂")
	p.aspect = widened
	cloud := newWeightedCloud(data, weights)
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
	kept, dropped int // weights of 0 are neither
}

func newCloud(data numbers) cloud { return newWeightedCloud(data, nil) }

func newWeightedCloud(data numbers, weights []float64) cloud {
	c := cloud{data: data, weights: weights, x: nothing(), y: nothing()}
	c.each(func(x, y, _ float64) {
		c.x, c.y = c.x.include(x), c.y.include(y)
		c.kept++
	})
	for i := range data.len() / 2 {
		if !c.good(i) {
			c.dropped++
		}
	}
	return c
}

// good tells whether the i-th point and its weight are finite.
func (c cloud) good(i int) bool {
	return finite(c.data.at(2*i)) && finite(c.data.at(2*i+1)) && (c.weights == nil || finite(c.weights[i]))
}

// each calls point with every one that counts, and its weight.
func (c cloud) each(point func(x, y, weight float64)) {
	for i := range c.data.len() / 2 {
		x, y, w := c.data.at(2*i), c.data.at(2*i+1), 1.0
		if c.weights != nil {
			w = c.weights[i]
		}
		if finite(x) && finite(y) && finite(w) && w != 0 {
			point(x, y, w)
		}
	}
}

// effective is as many points as say as much as these, with their weights.
func (c cloud) effective() float64 {
	if c.weights == nil {
		return float64(max(1, c.kept))
	}
	var w weighted
	c.each(func(_, _, weight float64) {
		w.values, w.weights = append(w.values, 0), append(w.weights, weight)
	})
	return w.effective()
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
		if c.good(i / 2) {
			out = append(out, [2]float64{c.data.at(i), c.data.at(i + 1)})
		}
	}
	return out
}

// vectorPoints is the number of points up to which they are drawn one by one.
const vectorPoints = 2000

// mark draws the points in the i-th colour of their layer.
func (c cloud) mark(i int) mark {
	n := c.effective()
	opacity := min(0.85, max(0.1, 20/math.Sqrt(n)))
	if n > 40_000 {
		opacity = max(0.01, 0.1*math.Sqrt(40_000/n))
	}
	radius := vg.Length(min(2.2, max(0.8, 9/math.Pow(n, 0.25))))
	each := c.each
	if c.weights != nil {
		// As many dots as there are effective points, shared out by weight.
		total := 0.0
		c.each(func(_, _, weight float64) { total += max(0, weight) })
		each = func(dot func(x, y, times float64)) {
			c.each(func(x, y, weight float64) { dot(x, y, max(0, weight)*(n/total)) })
		}
	}
	return func(s *stage) {
		if c.kept > vectorPoints {
			s.splat(faint(s.color(i), opacity), radius, each)
			return
		}
		style := draw.GlyphStyle{Radius: radius, Shape: draw.CircleGlyph{}}
		each(func(x, y, times float64) {
			dark := opacity
			if times != 1 {
				dark = 1 - math.Pow(1-opacity, times)
			}
			style.Color = faint(s.color(i), dark)
			s.DrawGlyph(style, s.at(x, y))
		})
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
