package plotting

import (
	"math"

	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Streamlines draws the curves that follow a vector field, evenly spaced and with heads
// that say which way, from its vectors at [Plane.Points], float32 or float64 [points, 2].
// They show the field at one time: where it changes with time, samples take other ways,
// which [Trajectories] shows. It takes [Title], [Size], [XLabel], [YLabel], [Limits],
// [XLimits], [YLimits] and [Name].
func Streamlines(plane Plane, vectors *tensors.Tensor, opts ...Option) Figure {
	p, f, s, err := vectorPanel("Streamlines", "streamlines", plane, vectors, opts)
	if err != nil {
		return Figure{err: err}
	}
	lines := f.streamlines(p.x.over.intersect(plane.x()), p.y.over.intersect(plane.y()))
	l := layer{colours: 1, marks: []mark{func(s *stage) {
		style := draw.LineStyle{Color: s.color(0), Width: 1}
		for _, line := range lines {
			points := s.path(line)
			s.polyline(style, points)
			if k := len(points) / 2; k > 0 {
				s.head(points[k], points[k].Sub(points[max(0, k-3)]), 6, s.color(0))
			}
		}
	}}}
	if s.name != "" {
		l.legend = []legendEntry{{s.name, arrowIcon}}
	}
	p.layers = []layer{l}
	return single(p, s, cloudWidth, (0.75+3.5*p.shape(0.4, 1.4))*vg.Inch)
}

const (
	// streamCells is how many cells the plane has each way; each holds one line at most.
	streamCells = 24
	// streamStep is the length of a step, of the plane.
	streamStep = 1. / 300
	// streamLeast is the length of the shortest line drawn.
	streamLeast = 0.12
)

// streamlines grows a line from each cell that none has entered, both ways, until it
// would enter a cell of another, leave the rectangle, come to rest or turn in a circle.
func (f flow) streamlines(x, y span) (lines [][][2]float64) {
	if x.isEmpty() || y.isEmpty() {
		return nil
	}
	taken := map[[2]int]int{}
	cell := func(u, v float64) [2]int {
		return [2]int{min(streamCells-1, int(u*streamCells)), min(streamCells-1, int(v*streamCells))}
	}
	// Directions are in units of the plane, so that steps are as long everywhere.
	direction := func(u, v float64) (du, dv float64, ok bool) {
		vx, vy := f.at(x.lo+u*(x.hi-x.lo), y.lo+v*(y.hi-y.lo))
		du, dv = vx/(x.hi-x.lo), vy/(y.hi-y.lo)
		size := math.Hypot(du, dv)
		return du / size, dv / size, size > 0 && finite(size)
	}
	grow := func(u, v, sign float64, own int, entered map[[2]int]bool) (line [][2]float64) {
		last, since := cell(u, v), 0
		for range 1500 {
			du, dv, ok := direction(u, v)
			if !ok {
				break
			}
			mu, mv, ok := direction(u+sign*streamStep/2*du, v+sign*streamStep/2*dv)
			if !ok {
				break
			}
			u, v = u+sign*streamStep*mu, v+sign*streamStep*mv
			if u < 0 || u > 1 || v < 0 || v > 1 {
				break
			}
			at := cell(u, v)
			if owner, is := taken[at]; is && owner != own {
				break
			}
			if at == last {
				since++
			} else if entered[at] {
				break // round a circle
			} else {
				last, since = at, 0
			}
			if since > 40 {
				break // about a point of rest
			}
			entered[at] = true
			line = append(line, [2]float64{u, v})
		}
		return line
	}
	for own, seed := range outsideIn(streamCells) {
		if _, is := taken[seed]; is {
			continue
		}
		u, v := (float64(seed[0])+0.5)/streamCells, (float64(seed[1])+0.5)/streamCells
		entered := map[[2]int]bool{seed: true}
		back := grow(u, v, -1, own, entered)
		ahead := grow(u, v, 1, own, entered)
		if float64(len(back)+len(ahead))*streamStep < streamLeast {
			continue
		}
		var line [][2]float64
		for i := range back {
			line = append(line, back[len(back)-1-i])
		}
		line = append(append(line, [2]float64{u, v}), ahead...)
		for i, p := range line {
			line[i] = [2]float64{x.lo + p[0]*(x.hi-x.lo), y.lo + p[1]*(y.hi-y.lo)}
		}
		for at := range entered {
			taken[at] = own
		}
		lines = append(lines, line)
	}
	return lines
}

// outsideIn lists the cells of a square, ring by ring from its edge: lines that start
// there are the longest.
func outsideIn(n int) (order [][2]int) {
	for ring := range (n + 1) / 2 {
		lo, hi := ring, n-1-ring
		for i := lo; i <= hi; i++ {
			order = append(order, [2]int{i, lo})
			if hi > lo {
				order = append(order, [2]int{i, hi})
			}
		}
		for j := lo + 1; j < hi; j++ {
			order = append(order, [2]int{lo, j}, [2]int{hi, j})
		}
	}
	return order
}
