package plotting

import (
	"fmt"
	"image/color"
	"math"

	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// flow is a vector for each point of a plane.
type flow struct{ x, y surface }

func (f flow) at(x, y float64) (vx, vy float64) { return f.x.at(x, y), f.y.at(x, y) }

func vectorPanel(name, kind string, plane Plane, vectors *tensors.Tensor, opts []Option) (*panel, flow, settings, error) {
	s, err := settle(name, append([]string{"Name"}, axesOptions...), opts)
	if err != nil {
		return nil, flow{}, s, err
	}
	n, err := plane.readOn(vectors, 2)
	if err != nil {
		return nil, flow{}, s, fmt.Errorf("plotting.%s: %w", name, err)
	}
	f := flow{plane.surface(n, 0, 2), plane.surface(n, 1, 2)}
	p := s.panel(kind, "x₁", "x₂")
	p.show(plane)
	bad := 0
	for i := range f.x.values {
		if !finite(f.x.values[i]) || !finite(f.y.values[i]) {
			bad++
		}
	}
	if bad > 0 {
		p.note = fmt.Sprintf("%d of %d vectors not finite, left out", bad, len(f.x.values))
	}
	p.empty = bad == len(f.x.values)
	return p, f, s, nil
}

// arrowsAcross is the number of arrows along the longer side.
const arrowsAcross = 20

// VectorField draws an arrow from each of about 20 × 20 places of a plane, as long as the
// vector there in the units of the longest, whose length the figure says. The vectors are
// those at [Plane.Points], float32 or float64 [points, 2], such as a velocity at one time;
// for several times put several in a [Row]. It takes [Title], [Size], [XLabel], [YLabel],
// [Limits], [XLimits], [YLimits] and [Name].
func VectorField(plane Plane, vectors *tensors.Tensor, opts ...Option) Figure {
	p, f, s, err := vectorPanel("VectorField", "vector field", plane, vectors, opts)
	if err != nil {
		return Figure{err: err}
	}
	type arrow struct{ x, y, vx, vy float64 }
	var arrows []arrow
	longest := 0.0
	x, y := p.x.over.intersect(plane.x()), p.y.over.intersect(plane.y())
	step := max(x.hi-x.lo, y.hi-y.lo) / arrowsAcross
	across, up := lattice(x, step), lattice(y, step)
	for _, y := range up {
		for _, x := range across {
			vx, vy := f.at(x, y)
			if finite(vx) && finite(vy) {
				arrows = append(arrows, arrow{x, y, vx, vy})
				longest = max(longest, math.Hypot(vx, vy))
			}
		}
	}
	if len(arrows) > 0 {
		p.note = joined(p.note, fmt.Sprintf("longest arrow: %.3g", longest))
	}
	unit := 0.0
	if longest > 0 {
		unit = 0.95 * step / longest
	}
	l := layer{colours: 1, marks: []mark{func(s *stage) {
		for _, a := range arrows {
			dx, dy := unit*a.vx/2, unit*a.vy/2
			s.arrow(s.at(a.x-dx, a.y-dy), s.at(a.x+dx, a.y+dy), 0.9, s.color(0))
		}
	}}}
	if s.name != "" {
		l.legend = []legendEntry{{s.name, arrowIcon}}
	}
	p.layers = []layer{l}
	return single(p, s, cloudWidth, (0.75+3.5*p.shape(0.4, 1.4))*vg.Inch)
}

// lattice is equally spaced values about the middle of a range, none at its ends.
func lattice(r span, step float64) (out []float64) {
	if r.isEmpty() {
		return nil
	}
	n := max(1, int(math.Round((r.hi-r.lo)/step)))
	for i := range n {
		out = append(out, r.at(2*i+1, 2*n))
	}
	return out
}

func arrowIcon(s *stage) {
	y := s.Center().Y
	s.arrow(vg.Point{X: s.Min.X, Y: y}, vg.Point{X: s.Max.X, Y: y}, 1, s.color(0))
}

// arrow draws a line with a head, the head no longer than half the line.
func (s *stage) arrow(from, to vg.Point, width vg.Length, c color.Color) {
	along := to.Sub(from)
	length := vg.Length(math.Hypot(float64(along.X), float64(along.Y)))
	if length < 0.5 {
		return
	}
	head := min(4.5*width+1, length/2)
	s.StrokeLine2(draw.LineStyle{Color: c, Width: width}, from.X, from.Y, to.X-along.X*head/length*0.8, to.Y-along.Y*head/length*0.8)
	s.head(to, along, head, c)
}

// head draws the head of an arrow that ends at a point.
func (s *stage) head(at, along vg.Point, size vg.Length, c color.Color) {
	length := vg.Length(math.Hypot(float64(along.X), float64(along.Y)))
	if length == 0 || !s.Contains(at) {
		return
	}
	u := along.Scale(size / length)
	base := at.Sub(u)
	side := vg.Point{X: -u.Y, Y: u.X}.Scale(0.42)
	s.FillPolygon(c, []vg.Point{at, base.Add(side), base.Sub(side)})
}
