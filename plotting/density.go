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
// Where the logarithm is −∞ the density is 0. It takes [Title], [Size], [XLabel],
// [YLabel], [ValueRange] and [ValueLabel].
func Density(plane Plane, logDensity *tensors.Tensor, opts ...Option) Figure {
	return heat("Density", "density", plane, logDensity, math.Exp, "density", opts)
}

// HeatMap draws values at the points of a plane, as [Density] without the exponential:
// a log-density itself, an error, a speed. It takes [Diverging] too.
func HeatMap(plane Plane, values *tensors.Tensor, opts ...Option) Figure {
	return heat("HeatMap", "heat map", plane, values, nil, "", opts)
}

func heat(name, kind string, plane Plane, values *tensors.Tensor, of func(float64) float64, label string, opts []Option) Figure {
	allowed := []string{"XLabel", "YLabel", "ValueRange", "ValueLabel"}
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
	over, bad := surface.finiteRange()
	p := s.panel(kind, "x₁", "x₂")
	p.x.over, p.y.over, p.aspect = plane.x(), plane.y(), boxed
	p.x.fixed, p.y.fixed = true, true
	if bad > 0 {
		p.note = fmt.Sprintf("%d of %d values not finite", bad, len(surface.values))
	}
	if of != nil && !over.isEmpty() {
		over.lo = 0
	}
	if s.diverging && !over.isEmpty() {
		over = over.symmetric()
	}
	if !s.values.isEmpty() {
		over = s.values
	} else if over.isEmpty() || over.lo == over.hi {
		over = over.padded(0)
	}
	bar := &colourBar{shading{over, s.diverging}, or(s.valueLabel, label)}
	p.bar = bar
	p.layers = []layer{{colours: 1, marks: []mark{func(s *stage) {
		s.raster(func(x, y float64) color.NRGBA {
			v := surface.at(x, y)
			switch {
			case finite(v):
				return bar.color(v)
			case plane.x().contains(x) && plane.y().contains(y):
				return s.look.seam
			}
			return color.NRGBA{}
		})
	}}}}
	return single(p, s, 4.6*vg.Inch, (0.75+3.2*p.shape(0.4, 1.4))*vg.Inch)
}
