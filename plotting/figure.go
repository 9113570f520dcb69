// Package plotting draws samples and diagnostics. A [Figure] is a value: build it
// with one call, put several together with [Row] and [Grid], and render it with
// [Figure.PNG], [Figure.SVG], [Figure.Save], or [Show], which draws inline in a
// notebook and writes a file elsewhere.
//
// Bad input is kept inside the figure and comes back as an error when the figure is
// rendered, so that calls nest:
//
//	err := plotting.Show(plotting.Scatter(samples))
//
// The same input always gives the same bytes. Colours are those of Okabe and Ito
// (2008), which colour-blind readers can tell apart.
package plotting

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
)

// Figure is a picture to be rendered: one panel, or several in rows. The zero value
// is empty and an error to render.
type Figure struct {
	rows          [][]*panel
	width, height vg.Length
	shared        bool
	err           error
}

// Err returns what is wrong with the figure's input, nil if it can be rendered.
func (f Figure) Err() error {
	if f.err == nil && len(f.rows) == 0 {
		return fmt.Errorf("plotting: the figure is empty: make one with Scatter, ImageGrid, Line, Bars or Histogram")
	}
	return f.err
}

// panel is one set of axes and what is drawn within them.
type panel struct {
	kind                  string
	title, xlabel, ylabel string
	x, y                  span
	// equal makes a unit as long on both axes.
	equal bool
	logY  bool
	// bare panels have neither axes nor a frame.
	bare   bool
	xticks plot.Ticker
	marks  []mark
	legend []legendEntry
	// note is what the reader must know about the data, such as values left out.
	note string
	// empty panels say that there is no data.
	empty bool
}

// span is a closed interval of data values; lo > hi holds nothing.
type span struct{ lo, hi float64 }

func nothing() span { return span{math.Inf(1), math.Inf(-1)} }

func (s span) isEmpty() bool { return s.lo > s.hi }

func (s span) include(v float64) span { return span{min(s.lo, v), max(s.hi, v)} }

func (s span) union(o span) span { return span{min(s.lo, o.lo), max(s.hi, o.hi)} }

// padded adds a margin of share on both sides, and gives width to a single value.
func (s span) padded(share float64) span {
	if s.isEmpty() {
		return span{0, 1}
	}
	margin := share * (s.hi - s.lo)
	if s.hi-s.lo <= 1e-9*max(math.Abs(s.lo), math.Abs(s.hi)) {
		margin = max(0.5, 0.05*math.Abs(s.lo))
	}
	return span{s.lo - margin, s.hi + margin}
}

// widened has the given width about the same centre.
func (s span) widened(width float64) span {
	centre := s.lo/2 + s.hi/2
	return span{centre - width/2, centre + width/2}
}

func single(p *panel, width, height vg.Length) Figure {
	return Figure{rows: [][]*panel{{p}}, width: width, height: height}
}

func failed(format string, args ...any) Figure {
	return Figure{err: fmt.Errorf("plotting."+format, args...)}
}
