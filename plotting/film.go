package plotting

import (
	"fmt"

	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/plot/vg"
)

// FilmStrip draws points of the plane at several of the times given, beside each other on
// the same axes: float32 or float64 [times, n, 2], as a process's Trajectory returns them
// for these times. It shows the first, the last and those equally far between them in
// number. Points that are not finite are left out, and the figure says how many. It takes
// [Title], [Size], [XLabel], [YLabel], [Limits], [XLimits], [YLimits],
// [Columns] for the number of pictures, 6 unless there are fewer times, and [Name], which is
// written at the left: for strips below each other in a [Grid].
func FilmStrip(paths *tensors.Tensor, times []float64, opts ...Option) Figure {
	s, err := settle("FilmStrip", append([]string{"Columns", "Name"}, axesOptions...), opts)
	if err != nil {
		return Figure{err: err}
	}
	ways, err := readFilm(paths, times)
	if err != nil {
		return failed("FilmStrip: %w", err)
	}
	n := s.columns
	if n == 0 {
		n = 6
	}
	n = min(n, ways.times)
	at := ways.frames(s)
	g := &grid{title: s.title, name: s.name, tight: true, cells: [][]node{{}}, heights: []float64{1}}
	for i := range n {
		k := 0
		if n > 1 {
			k = (i*(ways.times-1) + (n-1)/2) / (n - 1)
		}
		frame := at(k, "t = "+shortTime(times[k]))
		frame.y.unlabelled = i > 0
		g.cells[0] = append(g.cells[0], frame)
		g.widths = append(g.widths, 1)
	}
	says(g, s.title+s.name)
	first := g.cells[0][0].(*panel)
	each := vg.Length(min(1.9, 11.4/float64(n))) * vg.Inch
	width, height := s.sized(vg.Length(n)*each+0.5*vg.Inch, first.shape(0.6, 1.6)*each+0.75*vg.Inch)
	if s.title != "" && s.height == 0 {
		height += titleBand
	}
	if s.name != "" && s.width == 0 {
		width += titleBand
	}
	return Figure{root: g, width: width, height: height}
}

// Animate draws points of the plane at each of the times given, one after the other: what
// [FilmStrip] draws beside each other. A round takes four seconds, where that gives a
// frame 0.04 to 0.5, and stays a while at its end. It takes [Title], [Size], [XLabel],
// [YLabel], [Limits], [XLimits] and [YLimits].
func Animate(paths *tensors.Tensor, times []float64, opts ...Option) Animation {
	s, err := settle("Animate", axesOptions, opts)
	if err != nil {
		return Animation{Frames: []Figure{{err: err}}}
	}
	ways, err := readFilm(paths, times)
	if err != nil {
		return Animation{Frames: []Figure{failed("Animate: %w", err)}}
	}
	title := s.title
	if title != "" {
		title += ", "
	}
	at := ways.frames(s)
	a := Animation{Delay: 4 / float64(ways.times)}
	a.Delay = min(0.5, max(0.04, a.Delay))
	for k := range ways.times {
		frame := at(k, title+"t = "+shortTime(times[k]))
		a.Frames = append(a.Frames, single(frame, s, cloudWidth, (0.75+3.5*frame.shape(0.6, 1.1))*vg.Inch))
	}
	return a
}

func readFilm(paths *tensors.Tensor, times []float64) (ways, error) {
	w, err := readPaths(paths)
	if err != nil {
		return w, err
	}
	if len(times) != w.times || len(times) == 0 {
		return w, fmt.Errorf("%d times for paths of shape %s: give one for each of the first axis, at least one", len(times), paths.Shape())
	}
	for i, t := range times {
		if !finite(t) {
			return w, fmt.Errorf("times[%d] is %v: give finite times", i, t)
		}
	}
	return w, nil
}

// frames returns what draws the k-th time; all have the same axes.
func (w ways) frames(s settings) func(k int, title string) *panel {
	all := newCloud(w.data)
	return func(k int, title string) *panel {
		p := s.panel("film", "x₁", "x₂")
		p.title, p.aspect = title, widened
		all.frame(p)
		at := newCloud(w.frame(k))
		p.empty = at.kept == 0
		p.note = leftOut(at.dropped, w.n, "points", "not finite")
		p.layers = []layer{{marks: []mark{at.mark(0)}, colours: 1}}
		return p
	}
}

// shortTime writes a time with two decimals.
func shortTime(t float64) string { return minus(fmt.Sprintf("%.2f", t)) }
