package plotting

import (
	"fmt"
	"image/color"
	"math"

	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/plot/vg"
)

// Density draws the density whose logarithm is given in nats at the points of a plane,
// float32 or float64 of any shape, in the order of [Plane.Points]:
//
//	logp, err := process.LogProb(ctx, plane.Points(dtypes.Float32), divergence.Exact{})
//	figure := plotting.Density(plane, logp)
//
// Where the logarithm is −∞ the density is 0. With [LogValues] the colours reach six powers of
// ten down from the highest. It takes [Title], [Size], [XLabel], [YLabel], [Limits],
// [XLimits], [YLimits], [ValueRange], [ValueLabel] and [LogValues].
func Density(plane Plane, logDensity *tensors.Tensor, opts ...Option) Figure {
	return heat("Density", "density", plane, logDensity, math.Exp, "density", opts)
}

// HeatMap draws values at the points of a plane, as [Density] without the exponential:
// a log-density itself, an error, a speed. With [LogValues], values that are not positive are
// grey, and the figure says how many. It takes [Diverging] too.
func HeatMap(plane Plane, values *tensors.Tensor, opts ...Option) Figure {
	return heat("HeatMap", "heat map", plane, values, nil, "", opts)
}

func heat(name, kind string, plane Plane, values *tensors.Tensor, of func(float64) float64, label string, opts []Option) Figure {
	allowed := append([]string{"ValueRange", "ValueLabel", "LogValues"}, axesOptions...)
	if of == nil {
		allowed = append(allowed, "Diverging")
	}
	s, err := settle(name, allowed, opts)
	if err != nil {
		return Figure{err: err}
	}
	n, err := plane.readOn(values, 1)
	if err != nil {
		return failed("%s: %w", name, err)
	}
	surface := plane.surface(n, 0, 1)
	if of != nil {
		for i, v := range surface.values {
			surface.values[i] = of(v)
		}
	}
	if s.logValues && s.diverging {
		return failed("%s: both LogValues and Diverging are given: values with a sign have no logarithm; give one", name)
	}
	over, bad := surface.finiteRange()
	p := s.panel(kind, "x₁", "x₂")
	p.show(plane)
	p.x.fixed, p.y.fixed = true, true
	if bad > 0 {
		p.note = fmt.Sprintf("%d of %d values not finite", bad, len(surface.values))
	}
	if s.logValues && bad < len(surface.values) {
		var low int
		over, low = positive(surface.values)
		switch {
		case over.isEmpty():
			return failed("%s: LogValues, but none of %d values is positive: a logarithm needs values above 0", name, len(surface.values))
		case of != nil:
			over.lo = max(over.lo, 1e-6*over.hi)
		case low > 0:
			p.note = joined(p.note, fmt.Sprintf("%d of %d values not positive", low, len(surface.values)))
		}
	} else if of != nil && !over.isEmpty() {
		over.lo = 0
	}
	if s.diverging && !over.isEmpty() {
		over = over.symmetric()
	}
	shading, err := s.shading(over)
	if err != nil {
		return failed("%s: %w", name, err)
	}
	bar := &colourBar{shading, or(s.valueLabel, label)}
	p.bar = bar
	lacking := s.logValues && of == nil // a density of 0 is the lowest there is
	p.layers = []layer{{colours: 1, marks: []mark{func(s *stage) {
		s.raster(func(x, y float64) color.NRGBA {
			v := surface.at(x, y)
			switch {
			case finite(v) && !(lacking && v < leastOnLog):
				return bar.color(v)
			case plane.x().contains(x) && plane.y().contains(y):
				return s.look.seam
			}
			return color.NRGBA{}
		})
	}}}}
	return single(p, s, 4.6*vg.Inch, (0.75+3.2*p.shape(0.4, 1.4))*vg.Inch)
}
