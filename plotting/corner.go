package plotting

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
)

// Sample is a named set of events.
type Sample struct {
	// Name stands in the legend.
	Name string

	// Points are the events: float32 or float64, any leading shape + [d].
	Points *tensors.Tensor

	// Weights say how much each event counts: float32 or float64 of the leading shape, with
	// a positive sum; nil for all alike.
	Weights *tensors.Tensor
}

// mostInCorner is the number of events of a sample from which some are left out.
const mostInCorner = 1_000_000

// cornerMost is the number of dimensions up to which a corner plot can be read.
const cornerMost = 12

// Corner draws the distribution of d-dimensional samples, such as data beside samples of a
// model: on the diagonal the density of each coordinate, below it for each pair the
// outlines of the regions of highest density that hold 50 and 90 % of a sample, from a
// histogram smoothed by Scott's rule (1992), with the events' weights. The first sample is
// tinted. The ranges hold the central 99.8 % of each coordinate over all samples, unless
// [LimitsOf] says otherwise. Events that are not finite, or whose weights aren't, are left
// out, and of more than a million events only every second, every third and so on is drawn;
// the figure says how many. It takes [Title], [Size], [Labels], [LimitsOf], [Bins] and
// [Masses]; one dimension, [n, 1], gives a single histogram.
func Corner(samples []Sample, opts ...Option) Figure {
	s, err := settle("Corner", []string{"Labels", "LimitsOf", "Bins", "Masses"}, opts)
	if err != nil {
		return Figure{err: err}
	}
	if len(samples) == 0 {
		return failed("Corner: no samples: give at least one")
	}
	if s.masses == nil {
		s.masses = []float64{0.5, 0.9}
	}
	c, err := readCorner(samples)
	if err != nil {
		return failed("Corner: %w", err)
	}
	if s.labels == nil {
		for k := range c.d {
			s.labels = append(s.labels, "x"+subscript(k+1))
		}
	}
	if len(s.labels) != c.d {
		return failed("Corner: %d labels for %d dimensions: give as many", len(s.labels), c.d)
	}
	ranges := make([]span, c.d)
	for k := range ranges {
		ranges[k] = c.centralRange(k)
	}
	for _, l := range s.limitsOf {
		k := slices.Index(s.labels, l.label)
		if k < 0 {
			return failed("Corner: LimitsOf %q, but the dimensions are %s: give one of these labels", l.label, quoted(s.labels))
		}
		ranges[k] = l.over
	}
	g := &grid{title: s.title, tight: true}
	for r := range c.d {
		row := make([]node, c.d)
		g.widths, g.heights = append(g.widths, 1), append(g.heights, 1)
		for k := range r + 1 {
			p := &panel{kind: "corner plot", empty: c.empty}
			p.x = axis{label: s.labels[k], over: ranges[k], unlabelled: r < c.d-1}
			if k == r {
				p.diagonal(c, k, s.bins)
			} else {
				p.y = axis{label: s.labels[r], over: ranges[r], unlabelled: k > 0}
				for i := range samples {
					p.layers = append(p.layers, pairLayer(c.columns[i][k], c.columns[i][r], c.weights[i], ranges[k], ranges[r], s.masses, i == 0))
				}
			}
			row[k] = p
		}
		g.cells = append(g.cells, row)
	}
	first := g.cells[0][0].(*panel)
	first.note = c.note
	if c.d == 1 {
		for i, sample := range samples {
			first.layers[i].legend = legendOf(sample, i, len(samples))
		}
	} else {
		g.cells[0][c.d-1] = legendPanel(samples)
	}
	side := min(9, 0.8+1.35*vg.Length(c.d))
	if c.d == 1 {
		side = 3.4
	}
	width, height := s.sized(side*vg.Inch, side*vg.Inch)
	return Figure{root: g, width: width, height: height}
}

// legendPanel names the samples where a corner plot is empty.
func legendPanel(samples []Sample) *panel {
	p := &panel{bare: true, x: axis{over: span{0, 1}}, y: axis{over: span{0, 1}}}
	for i, sample := range samples {
		p.layers = append(p.layers, layer{colours: 1, legend: legendOf(sample, i, len(samples))})
	}
	return p
}

func legendOf(s Sample, i, of int) []legendEntry {
	if s.Name == "" && of == 1 {
		return nil
	}
	return []legendEntry{{or(s.Name, "sample "+strconv.Itoa(i+1)), boxIcon(0, 0.3)}}
}

// cornerData are the finite events of all samples.
type cornerData struct {
	columns [][][]float64 // by sample, coordinate and event
	weights [][]float64   // by sample and event; nil for all alike
	d       int
	note    string
	empty   bool
}

func readCorner(samples []Sample) (c cornerData, err error) {
	dropped, total, sparse := 0, 0, ""
	c.empty = true
	for i, sample := range samples {
		name := fmt.Sprintf("sample %d (%q)", i+1, sample.Name)
		data, err := read(sample.Points)
		if err != nil {
			return c, fmt.Errorf("%s: %w", name, err)
		}
		rank := len(data.dims)
		if rank == 0 || data.dims[rank-1] < 1 || data.dims[rank-1] > cornerMost {
			return c, fmt.Errorf("%s has shape %s: the last axis must have size 1 to %d, as [1000, 3]; choose some of more dimensions", name, sample.Points.Shape(), cornerMost)
		}
		if i > 0 && data.dims[rank-1] != c.d {
			return c, fmt.Errorf("%s has %d dimensions, the first %d: give all the same", name, data.dims[rank-1], c.d)
		}
		c.d = data.dims[rank-1]
		n := data.len() / c.d
		stride := max(1, (n+mostInCorner-1)/mostInCorner)
		if stride > 1 {
			sparse = fmt.Sprintf("1 of %d events of sample %d drawn", stride, i+1)
		}
		weights, err := readWeights(sample.Weights, n)
		if err != nil {
			return c, fmt.Errorf("%s: %w", name, err)
		}
		good, weights, bad := data.columns(c.d, stride, weights)
		total, dropped = total+(n+stride-1)/stride, dropped+bad
		c.empty = c.empty && len(good[0]) == 0
		if sum := (weighted{good[0], weights}).total(); len(good[0]) > 0 && !(sum > 0) {
			return c, fmt.Errorf("%s has weights that add up to %g: a density needs a positive sum", name, sum)
		}
		c.columns, c.weights = append(c.columns, good), append(c.weights, weights)
	}
	c.note = joined(leftOut(dropped, total, "events", "not finite"), sparse)
	return c, nil
}

// columns returns the values of each coordinate and the weights, of those of each stride-th
// event that are finite and whose weight isn't 0, and how many are not finite. Weights that are
// all alike are none, as densities are drawn.
func (n numbers) columns(d, stride int, weights []float64) (out [][]float64, kept []float64, bad int) {
	out = make([][]float64, d)
	alike := true
	for i := 0; i < n.len(); i += d * stride {
		good := weights == nil || finite(weights[i/d])
		for k := range d {
			good = good && finite(n.at(i+k))
		}
		switch {
		case !good:
			bad++
			continue
		case weights != nil && weights[i/d] == 0:
			continue
		}
		for k := range d {
			out[k] = append(out[k], n.at(i+k))
		}
		if weights != nil {
			kept = append(kept, weights[i/d])
			alike = alike && kept[0] == weights[i/d]
		}
	}
	if alike && (len(kept) == 0 || kept[0] > 0) {
		kept = nil
	}
	return out, kept, bad
}

// centralRange holds nearly all values of a coordinate, of every sample.
func (c cornerData) centralRange(k int) span {
	all := nothing()
	for i, sample := range c.columns {
		if len(sample[k]) > 0 {
			sorted := weighted{sample[k], c.weights[i]}.sorted()
			all = all.union(span{sorted.past(1, 1000, false), sorted.past(1, 1000, true)})
		}
	}
	return all.padded(0.06)
}

// diagonal draws the densities of one coordinate.
func (p *panel) diagonal(c cornerData, k, bins int) {
	var samples []weighted
	for i, sample := range c.columns {
		samples = append(samples, weighted{sample[k], c.weights[i]})
	}
	b := binning{over: p.x.over, n: bins}
	if bins == 0 {
		b.n = min(60, chooseBins(samples, p.x.over))
	}
	lowest, tallest := 0.0, 0.0
	for i, sample := range samples {
		h := sample.binned(b)
		if len(sample.values) > 0 {
			h = h.divided(sample.total())
		}
		lowest, tallest = min(lowest, slices.Min(h.heights)), max(tallest, slices.Max(h.heights))
		l := layer{marks: []mark{h.line(0)}, colours: 1}
		if i == 0 {
			l.marks = []mark{h.fill(0), h.line(0)}
		}
		p.layers = append(p.layers, l)
	}
	p.y = axis{over: span{1.08 * lowest, max(1e-300, 1.08*tallest)}, ticks: []plot.Tick{}}
}

// fewForContours is the number of events below which they are drawn as points.
const fewForContours = 100

func pairLayer(xs, ys, weights []float64, x, y span, masses []float64, filled bool) layer {
	pairs := numbers{long: make([]float64, 0, 2*len(xs))}
	for i := range xs {
		pairs.long = append(pairs.long, xs[i], ys[i])
	}
	points := newWeightedCloud(pairs, weights)
	if len(xs) < fewForContours {
		return layer{marks: []mark{points.mark(0)}, colours: 1}
	}
	const n = 64
	counts := binned2D(points, x, y, n)
	// Scott's bandwidth in two dimensions, in cells.
	shrink := math.Pow(weighted{xs, weights}.effective(), -1./6)
	wide := func(values []float64, over span) float64 {
		return min(6, max(0.7, weighted{values, weights}.robustWidth(over)*shrink/(over.hi-over.lo)*n))
	}
	smooth := blurred(counts.counts, n, wide(xs, x), wide(ys, y))
	half := func(s span) float64 { return (s.hi - s.lo) / (2 * n) }
	f := surface{Plane{x.lo + half(x), x.hi - half(x), y.lo + half(y), y.hi - half(y), n, n}, smooth}
	return contourLayer(f, f.massLevels(masses), filled)
}

// robustWidth is the scale of the values that lie within a range: their standard deviation,
// or that of a normal distribution with their quartiles if it is smaller (Silverman 1986,
// eq. 3.30). What lies outside is not drawn, and must not set how smooth the rest is. Negative
// weights count by their size.
func (w weighted) robustWidth(over span) float64 {
	var within weighted
	for i, v := range w.values {
		if over.contains(v) {
			within.values = append(within.values, v)
			if w.weights != nil {
				within.weights = append(within.weights, math.Abs(w.weights[i]))
			}
		}
	}
	if len(within.values) < 2 {
		return 0
	}
	within = within.sorted()
	quartiles := span{quantile(within.values, 0.25), quantile(within.values, 0.75)}
	width := stat.StdDev(within.values, nil)
	if within.weights != nil {
		quartiles = within.quartiles()
		_, variance := stat.PopMeanVariance(within.values, within.weights)
		width = math.Sqrt(variance)
	}
	if between := (quartiles.hi - quartiles.lo) / 1.349; between > 0 {
		width = min(width, between)
	}
	return width
}

// blurred is a square grid convolved with a normal density, widths in cells.
func blurred(values []float64, n int, across, up float64) []float64 {
	pass := func(in []float64, width float64, step, line int) []float64 {
		out := make([]float64, len(in))
		reach := int(math.Ceil(3 * width))
		var kernel []float64
		sum := 0.0
		for k := -reach; k <= reach; k++ {
			kernel = append(kernel, math.Exp(-float64(k*k)/(2*width*width)))
			sum += kernel[len(kernel)-1]
		}
		for a := range n {
			for b := range n {
				for k, w := range kernel {
					if at := b + k - reach; at >= 0 && at < n {
						out[a*line+b*step] += w / sum * in[a*line+at*step]
					}
				}
			}
		}
		return out
	}
	return pass(pass(values, across, 1, n), up, n, 1)
}
