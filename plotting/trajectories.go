package plotting

import (
	"fmt"
	"image/color"
	"math"

	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// mostPaths is the largest number of ways drawn.
const mostPaths = 300

// Trajectories draws the trajectories of points through the plane: float32 or float64
// [times, n, 2], as a process's Trajectory returns them, from noise, drawn grey, to data.
// All ends are drawn; of more than 300 trajectories only every second, every third and so
// on is, and the figure says how many. Points that are not finite break a trajectory, and
// the figure says how many. It takes [Title], [Size], [XLabel], [YLabel], [Limits],
// [XLimits], [YLimits] and, for the names of the ends, [Labels].
func Trajectories(paths *tensors.Tensor, opts ...Option) Figure {
	s, err := settle("Trajectories", append([]string{"Labels"}, axesOptions...), opts)
	if err != nil {
		return Figure{err: err}
	}
	ways, err := readPaths(paths)
	if err != nil {
		return failed("Trajectories: %w", err)
	}
	ends := s.labels
	if ends == nil {
		ends = []string{"noise", "data"}
	}
	if len(ends) != 2 {
		return failed("Trajectories: %d labels: give two, for the start and the end of the ways", len(ends))
	}
	p := s.panel("trajectories", "x₁", "x₂")
	p.aspect = widened
	all := newCloud(ways.data)
	all.frame(p)
	p.empty = all.kept == 0
	p.note = leftOut(all.dropped, ways.data.len()/2, "points", "not finite")
	stride := (ways.n + mostPaths - 1) / mostPaths
	if stride > 1 {
		p.note = joined(p.note, fmt.Sprintf("%d of %d ways drawn", (ways.n+stride-1)/stride, ways.n))
	}
	drawn := ways.n / max(1, stride)
	lines := func(s *stage) {
		style := draw.LineStyle{Color: faint(s.look.ink, min(0.7, 5.5/math.Sqrt(float64(max(1, drawn))))), Width: 0.7}
		for i := 0; i < ways.n; i += max(1, stride) {
			var run []vg.Point
			for k := range ways.times {
				x, y := ways.at(k, i)
				if finite(x) && finite(y) {
					run = append(run, s.at(x, y))
					continue
				}
				s.polyline(style, run)
				run = nil
			}
			s.polyline(style, run)
		}
	}
	l := layer{colours: 1, busy: all.some()}
	if ways.times > 0 {
		start, end := newCloud(ways.frame(0)), newCloud(ways.frame(ways.times-1))
		grey := func(s *stage) {
			grey := *s
			grey.look = &look{palette: []color.NRGBA{mixed(s.look.paleInk, s.look.paper, 0.6)}}
			start.mark(0)(&grey)
		}
		l.marks = []mark{grey, lines, end.mark(0)}
		l.legend = []legendEntry{
			{ends[0], func(s *stage) {
				s.DrawGlyphNoClip(draw.GlyphStyle{Color: s.look.paleInk, Radius: 2.6, Shape: draw.CircleGlyph{}}, s.Center())
			}},
			{ends[1], dotIcon(0)},
		}
	}
	p.layers = []layer{l}
	return single(p, s, cloudWidth, (0.55+3.5*p.shape(0.6, 1.1))*vg.Inch)
}

// ways are the places of n points at several times.
type ways struct {
	data     numbers
	times, n int
}

func readPaths(x *tensors.Tensor) (ways, error) {
	data, err := read(x)
	if err != nil {
		return ways{}, err
	}
	if rank := len(data.dims); rank < 3 || data.dims[rank-1] != 2 {
		return ways{}, fmt.Errorf("paths have shape %s: give [times, n, 2], as Trajectory of a process in the plane returns", x.Shape())
	}
	w := ways{data: data, times: data.dims[0]}
	if w.times > 0 {
		w.n = data.len() / 2 / w.times
	}
	return w, nil
}

func (w ways) at(k, i int) (x, y float64) {
	j := 2 * (k*w.n + i)
	return w.data.at(j), w.data.at(j + 1)
}

// frame is the points at one time.
func (w ways) frame(k int) numbers {
	lo, hi := 2*k*w.n, 2*(k+1)*w.n
	if w.data.short != nil {
		return numbers{short: w.data.short[lo:hi]}
	}
	return numbers{long: w.data.long[lo:hi]}
}
