// Package plotting draws samples, densities, fields and diagnostics. A [Figure] is a
// value: build it with one call, lay several over each other with [Overlay] or beside
// each other with [Row] and [Grid], which nest, and render it with [Figure.PNG],
// [Figure.SVG], [Figure.PDF], [Figure.Save], or [Show], which draws inline in a notebook and
// writes a file elsewhere. [Figure.Dark] and [Figure.Resolution] return the same figure for a
// dark page and for print. Films are an [Animation], figures to choose from [Slides],
// numbers a [Table].
//
// Bad input is kept inside the figure and comes back as an error when the figure is
// rendered, so that calls nest:
//
//	err := plotting.Show(plotting.Scatter(samples))
//
// Events may have weights: those of a [Series], of a [Sample], or the option [Weights].
// [Figure.SharedAxes] and [Figure.SharedLegend] make panels comparable.
//
// What draws what:
//   - points of the plane: [Scatter], [Histogram2D], [Joint]; of more or fewer dimensions,
//     several samples at once: [Corner]
//   - numbers: [Histogram], with a [Ratio] below it; [Bars]; over time or steps: [Line],
//     [Curve], [Quantiles]; while they are made: [Live]
//   - functions of the plane, at the points of a [Plane]: [Density], [HeatMap], [Contours],
//     [VectorField], [Streamlines]
//   - the way from noise to data: [Trajectories], [FilmStrip], [Animate]
//   - figures one at a time, at the reader's choice: [Slider], [Picker]
//   - images: [ImageGrid]
//   - calibration: [RankHistogram], [Coverage]; distances of samples: [Compare]
//
// Values that are NaN or infinite are left out, and the figure says how many. The same
// input always gives the same bytes. Colours are those of Okabe and Ito (2008), and
// viridis for values: colour-blind readers can tell them apart. Nothing is fetched from
// a network, and pictures are part of the notebook, so they survive its export. Text is
// Unicode: x₁, σ², 10⁻³, ∇·v, w ∝ σ; a character that no font has is drawn as □, and the
// figure says which.
package plotting

import (
	"fmt"
	"math"

	"gonum.org/v1/plot/vg"
)

// Figure is a picture to be rendered: one panel, or several in a grid. The zero value
// is empty and an error to render.
type Figure struct {
	root          node
	width, height vg.Length
	look          *look   // nil is light
	perInch       int     // 0 is pixelsPerInch
	placed        *layout // nil until it is rendered, unless others have a say in it
	err           error
}

// Err returns what is wrong with the figure's input, nil if it can be rendered.
func (f Figure) Err() error {
	if f.err == nil && f.root == nil {
		return fmt.Errorf("plotting: the figure is empty: make one with Scatter, Line, Histogram or their like")
	}
	return f.err
}

// Dark returns the figure in light colours on the background of JupyterLab's dark theme.
func (f Figure) Dark() Figure {
	f.look = &dark
	return f
}

// Resolution returns the figure with the number of pixels per inch of its PNG, and of
// what is made of pixels within its SVG and PDF: 48 to 1200. The default, 192, is sharp on
// screens; print asks for 300 to 600.
func (f Figure) Resolution(pixelsPerInch int) Figure {
	if (pixelsPerInch < 48 || pixelsPerInch > 1200) && f.err == nil {
		return failed("Resolution: %d pixels per inch: give 48 to 1200, such as 300 for print", pixelsPerInch)
	}
	f.perInch = pixelsPerInch
	return f
}

func (f Figure) colours() *look {
	if f.look == nil {
		return &light
	}
	return f.look
}

func (f Figure) resolution() int {
	if f.perInch == 0 {
		return pixelsPerInch
	}
	return f.perInch
}

// span is a closed interval of data values; lo > hi holds nothing.
type span struct{ lo, hi float64 }

func nothing() span { return span{math.Inf(1), math.Inf(-1)} }

func (s span) isEmpty() bool { return s.lo > s.hi }

func (s span) include(v float64) span { return span{min(s.lo, v), max(s.hi, v)} }

func (s span) union(o span) span { return span{min(s.lo, o.lo), max(s.hi, o.hi)} }

func (s span) intersect(o span) span { return span{max(s.lo, o.lo), min(s.hi, o.hi)} }

func (s span) contains(v float64) bool { return v >= s.lo && v <= s.hi }

// at is the i-th of n+1 equally spaced values.
func (s span) at(i, n int) float64 { return s.lo + (s.hi-s.lo)*float64(i)/float64(n) }

// share is the place of a value between lo, at 0, and hi, at 1; beyond them it is theirs.
func (s span) share(v float64) float64 {
	share := (v - s.lo) / (s.hi - s.lo)
	if !(share > 0) { // a range below the resolution of a float64 gives NaN
		return 0
	}
	return min(1, share)
}

// padded adds a margin of share on both sides, and gives width to a single value.
func (s span) padded(share float64) span {
	if s.isEmpty() {
		return span{0, 1}
	}
	margin := share * (s.hi - s.lo)
	if s.hi-s.lo <= max(1e-300, 1e-9*max(math.Abs(s.lo), math.Abs(s.hi))) {
		margin = max(0.5, 0.05*math.Abs(s.lo))
	}
	return span{s.lo - margin, s.hi + margin}
}

// logPadded is padded on a logarithmic axis.
func (s span) logPadded(share float64) span {
	if s.isEmpty() {
		return span{0.1, 1}
	}
	log := span{math.Log10(s.lo), math.Log10(s.hi)}.padded(share)
	return span{max(leastOnLog/1e5, math.Pow(10, log.lo)), math.Pow(10, log.hi)}
}

// widened has the given width about the same centre.
func (s span) widened(width float64) span {
	centre := s.lo/2 + s.hi/2
	return span{centre - width/2, centre + width/2}
}

func single(p *panel, s settings, width, height vg.Length) Figure {
	width, height = s.sized(width, height)
	return Figure{root: p, width: width, height: height}
}

func failed(format string, args ...any) Figure {
	return Figure{err: fmt.Errorf("plotting."+format, args...)}
}
