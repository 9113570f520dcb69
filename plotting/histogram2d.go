package plotting

import (
	"fmt"
	"image/color"
	"math"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
)

// Histogram2D draws how many points of the plane, float32 or float64, any leading shape +
// [2], fall into each cell, or what their weights add up to; empty cells stay blank, and with
// [LogValues] negative ones, of which the figure says how many. Unless [Bins] says otherwise
// there are 1.6·∛n cells each way, 10 to 100. Points that are not finite, or whose weights
// aren't, are left out, and the figure says how many. It takes [Title], [Size], [XLabel],
// [YLabel], [Limits], [XLimits], [YLimits], [Bins], [Weights], [ValueRange], [ValueLabel] and
// [LogValues].
func Histogram2D(points *tensors.Tensor, opts ...Option) Figure {
	s, c, err := settleHistogram2D("Histogram2D", points, opts)
	if err != nil {
		return Figure{err: err}
	}
	p, _, err := histogram2D("Histogram2D", c, s)
	if err != nil {
		return Figure{err: err}
	}
	p.aspect = boxed
	return single(p, s, 4.6*vg.Inch, (0.75+3.2*p.shape(0.4, 1.4))*vg.Inch)
}

// Joint draws a [Histogram2D] with the histograms of both coordinates along its sides. It
// takes what a Histogram2D takes; LogValues are those of the colours alone.
func Joint(points *tensors.Tensor, opts ...Option) Figure {
	s, c, err := settleHistogram2D("Joint", points, opts)
	if err != nil {
		return Figure{err: err}
	}
	title := s.title
	s.title = ""
	p, cells, err := histogram2D("Joint", c, s)
	if err != nil {
		return Figure{err: err}
	}
	p.bar = nil
	across, up := cells.sums()
	above, beside := &panel{kind: "marginal histogram"}, &panel{kind: "marginal histogram"}
	above.x, above.y = axis{over: p.x.over, unlabelled: true}, axis{over: countSpan(across).headroom(false), ticks: []plot.Tick{}}
	beside.y, beside.x = axis{over: p.y.over, unlabelled: true}, axis{over: countSpan(up).headroom(false), ticks: []plot.Tick{}}
	h := stairs{binning: binning{over: p.x.over, n: cells.n}, heights: across}
	v := stairs{binning: binning{over: p.y.over, n: cells.n}, heights: up, upright: true}
	above.layers = []layer{{marks: []mark{h.fill(0), h.line(0)}, colours: 1}}
	beside.layers = []layer{{marks: []mark{v.fill(0), v.line(0)}, colours: 1}}
	g := &grid{
		title: title, tight: true, cells: [][]node{{above, nil}, {p, beside}},
		widths: []float64{4, 1}, heights: []float64{1, 4},
	}
	width, height := s.sized(4.4*vg.Inch, 4.4*vg.Inch)
	return Figure{root: g, width: width, height: height}
}

// settleHistogram2D reads what a figure of that name is given.
func settleHistogram2D(name string, points *tensors.Tensor, opts []Option) (s settings, c cloud, err error) {
	s, err = settle(name, append([]string{"Bins", "Weights", "ValueRange", "ValueLabel", "LogValues"}, axesOptions...), opts)
	if err != nil {
		return s, c, err
	}
	data, err := readPlane(points)
	if err != nil {
		return s, c, fmt.Errorf("plotting.%s: %w", name, err)
	}
	weights, err := readWeights(s.weights, data.len()/2)
	if err != nil {
		return s, c, fmt.Errorf("plotting.%s: %w", name, err)
	}
	return s, newWeightedCloud(data, weights), nil
}

// countSpan is the range of counts, or of sums of weights, with 0 in it.
func countSpan(heights []float64) span {
	over := span{min(0, slices.Min(heights)), slices.Max(heights)}
	if over.hi <= over.lo {
		over.hi = over.lo + 1
	}
	return over
}

// cells are counts on a grid over two ranges, row by row from below.
type cells struct {
	x, y   span
	n      int
	counts []float64
}

func (c cells) index(x, y float64) int {
	if !c.x.contains(x) || !c.y.contains(y) {
		return -1
	}
	i := min(c.n-1, int(float64(c.n)*((x-c.x.lo)/(c.x.hi-c.x.lo))))
	j := min(c.n-1, int(float64(c.n)*((y-c.y.lo)/(c.y.hi-c.y.lo))))
	return j*c.n + i
}

func (c cells) sums() (across, up []float64) {
	across, up = make([]float64, c.n), make([]float64, c.n)
	for i, v := range c.counts {
		across[i%c.n] += v
		up[i/c.n] += v
	}
	return across, up
}

func binned2D(c cloud, x, y span, n int) cells {
	out := cells{x, y, n, make([]float64, n*n)}
	c.each(func(x, y, weight float64) {
		if i := out.index(x, y); i >= 0 {
			out.counts[i] += weight
		}
	})
	return out
}

func histogram2D(name string, c cloud, s settings) (*panel, cells, error) {
	p := s.panel("2-D histogram", "x₁", "x₂")
	p.x.cover(c.x, 0.02)
	p.y.cover(c.y, 0.02)
	p.x.fixed, p.y.fixed = true, true
	n := s.bins
	if n == 0 {
		n = int(min(100, max(10, math.Round(1.6*math.Cbrt(c.effective())))))
	}
	counts := binned2D(c, p.x.over, p.y.over, n)
	p.empty = c.kept == 0
	p.note = leftOut(c.dropped, c.data.len()/2, "points", "not finite")
	over, label := countSpan(counts.counts), "count"
	if c.weights != nil {
		label = "sum of weights"
	}
	if s.logValues {
		over, _ = positive(counts.counts)
		if over.isEmpty() && !p.empty {
			return nil, counts, fmt.Errorf("plotting.%s: LogValues, but no cell of %d is positive: a logarithm needs counts or sums of weights above 0", name, n*n)
		}
		negative := 0
		for _, v := range counts.counts {
			if v < 0 {
				negative++
			}
		}
		if negative > 0 {
			p.note = joined(p.note, fmt.Sprintf("%d of %d cells negative, left blank", negative, n*n))
		}
	}
	shading, err := s.shading(over)
	if err != nil {
		return nil, counts, fmt.Errorf("plotting.%s: %w", name, err)
	}
	bar := &colourBar{shading, or(s.valueLabel, label)}
	p.bar = bar
	p.layers = []layer{{colours: 1, marks: []mark{func(s *stage) {
		s.raster(func(x, y float64) color.NRGBA {
			if i := counts.index(x, y); i >= 0 && counts.counts[i] != 0 && !(shading.log && counts.counts[i] < 0) {
				return bar.color(counts.counts[i])
			}
			return color.NRGBA{}
		})
	}}}}
	return p, counts, nil
}
