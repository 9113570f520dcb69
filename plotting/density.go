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
// a log-density itself, an error, a speed.
func HeatMap(plane Plane, values *tensors.Tensor, opts ...Option) Figure {
	return heat("HeatMap", "heat map", plane, values, nil, "", opts)
}

func heat(name, kind string, plane Plane, values *tensors.Tensor, of func(float64) float64, label string, opts []Option) Figure {
	s, err := settle(name, []string{"XLabel", "YLabel", "ValueRange", "ValueLabel"}, opts)
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
	p.x.over, p.y.over, p.fixed, p.aspect = plane.x(), plane.y(), true, boxed
	if bad > 0 {
		p.note = fmt.Sprintf("%d of %d values not finite", bad, len(surface.values))
	}
	if of != nil && !over.isEmpty() {
		over.lo = 0
	}
	if !s.values.isEmpty() {
		over = s.values
	} else if over.isEmpty() || over.lo == over.hi {
		over = over.padded(0)
	}
	p.bar = &colourBar{over, or(s.valueLabel, label)}
	p.layers = []layer{{colours: 1, marks: []mark{func(s *stage) {
		s.raster(func(x, y float64) color.NRGBA {
			v := surface.at(x, y)
			if !finite(v) {
				return s.look.seam
			}
			return viridis(p.bar.share(v))
		})
	}}}}
	return single(p, s, 4.6*vg.Inch, planeHeight(plane, 3.2))
}

// planeHeight is the height of a figure whose frame is about so many inches wide.
func planeHeight(p Plane, width float64) vg.Length {
	shape := min(1.4, max(0.4, (p.YMax-p.YMin)/(p.XMax-p.XMin)))
	return vg.Length(0.75+width*shape) * vg.Inch
}
