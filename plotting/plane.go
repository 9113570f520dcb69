package plotting

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
)

// Plane is a rectangle of the plane with equally spaced points, the corners among them,
// on which densities and fields are evaluated.
type Plane struct {
	XMin, XMax, YMin, YMax float64
	// Across and Up are the numbers of points, 2 to 4096; 0 stands for 100.
	Across, Up int
}

func (p Plane) withDefaults() Plane {
	if p.Across == 0 {
		p.Across = 100
	}
	if p.Up == 0 {
		p.Up = 100
	}
	return p
}

func (p Plane) check() error {
	for _, r := range []span{p.x(), p.y()} {
		if err := r.check(); err != nil {
			return fmt.Errorf("the plane has a %w", err)
		}
	}
	for _, n := range []int{p.Across, p.Up} {
		if n != 0 && (n < 2 || n > 4096) {
			return fmt.Errorf("the plane has %d × %d points: give 2 to 4096 each way, or 0 for 100", p.Across, p.Up)
		}
	}
	return nil
}

// show gives a panel the ranges of a plane, but for those that were asked for.
func (p *panel) show(plane Plane) {
	if !p.x.fixed {
		p.x.over = plane.x()
	}
	if !p.y.fixed {
		p.y.over = plane.y()
	}
	p.aspect = boxed
}

func (p Plane) x() span { return span{p.XMin, p.XMax} }
func (p Plane) y() span { return span{p.YMin, p.YMax} }

// Points returns the points, float32 or float64 [Up·Across, 2]: from left to right, row
// by row from below. Give them to a model's LogProb or velocity, and what comes back to
// [Density], [Contours], [VectorField] or [Streamlines]. A plane that is not valid has no
// points, and the figure says why.
func (p Plane) Points(dtype dtypes.DType) *tensors.Tensor {
	if p.check() != nil {
		return tensors.FromShape(shapes.Make(dtype, 0, 2))
	}
	var flat []float64
	p = p.withDefaults()
	for j := range p.Up {
		for i := range p.Across {
			flat = append(flat, p.x().at(i, p.Across-1), p.y().at(j, p.Up-1))
		}
	}
	if dtype == dtypes.Float64 {
		return tensors.FromFlatDataAndDimensions(flat, len(flat)/2, 2)
	}
	short := make([]float32, len(flat))
	for i, v := range flat {
		short[i] = float32(v)
	}
	return tensors.FromFlatDataAndDimensions(short, len(flat)/2, 2)
}

// Eval returns the function's values at the points, float64 [Up, Across].
func (p Plane) Eval(f func(x, y float64) float64) *tensors.Tensor {
	if p.check() != nil {
		return tensors.FromShape(shapes.Make(dtypes.Float64, 0, 0))
	}
	p = p.withDefaults()
	var flat []float64
	for j := range p.Up {
		for i := range p.Across {
			flat = append(flat, f(p.x().at(i, p.Across-1), p.y().at(j, p.Up-1)))
		}
	}
	return tensors.FromFlatDataAndDimensions(flat, p.Up, p.Across)
}

// surface is a value for each point of a plane.
type surface struct {
	plane  Plane
	values []float64
}

// readOn returns the values of a tensor with size values for each point of the plane.
func (p Plane) readOn(x *tensors.Tensor, size int) (numbers, error) {
	if err := p.check(); err != nil {
		return numbers{}, err
	}
	n, err := read(x)
	if err != nil {
		return n, err
	}
	p = p.withDefaults()
	if n.len() != p.Up*p.Across*size {
		return n, fmt.Errorf("values have shape %s for a plane of %d × %d points: give %d values, %d for each of Plane.Points",
			x.Shape(), p.Across, p.Up, p.Up*p.Across*size, size)
	}
	return n, nil
}

func (p Plane) surface(n numbers, first, size int) surface {
	s := surface{plane: p.withDefaults()}
	for i := first; i < n.len(); i += size {
		s.values = append(s.values, n.at(i))
	}
	return s
}

// at is the surface between its points, bilinear; NaN outside.
func (s surface) at(x, y float64) float64 {
	p := s.plane
	u := (x - p.XMin) / (p.XMax - p.XMin) * float64(p.Across-1)
	v := (y - p.YMin) / (p.YMax - p.YMin) * float64(p.Up-1)
	const slack = 1e-6
	if !(u >= -slack && v >= -slack && u <= float64(p.Across-1)+slack && v <= float64(p.Up-1)+slack) {
		return math.NaN()
	}
	i, j := min(max(0, int(u)), p.Across-2), min(max(0, int(v)), p.Up-2)
	a, b := u-float64(i), v-float64(j)
	at := s.values[j*p.Across+i:]
	above := at[p.Across:]
	return (1-b)*((1-a)*at[0]+a*at[1]) + b*((1-a)*above[0]+a*above[1])
}

func (s surface) finiteRange() (r span, bad int) {
	r = nothing()
	for _, v := range s.values {
		if finite(v) {
			r = r.include(v)
		} else {
			bad++
		}
	}
	return r, bad
}
