package plotting

import (
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/plot/vg"
)

// Option changes how one figure is drawn. An option that a kind of figure has no use
// for is an error, as is a value out of its range.
type Option struct {
	name  string
	apply func(*settings) error
}

type settings struct {
	title, xlabel, ylabel string
	width, height         vg.Length
	x, y                  span
	columns               int
	values                span
	valueLabel            string
	rowLabels             []string
	labels                []string
	viridis               bool
	logX, logY            bool
	references            []reference
	bins                  int
	edges                 []float64
	units                 map[string]string
	weights               *tensors.Tensor
	name                  string
	masses, levels        []float64
	filled                bool
	smooth                *int
	markers               bool
	diverging             bool
	counts, errorBars     bool
	ratio                 *string
	ratioLimits           span
	logValues             bool
	limitsOf              []limitsOf
}

var everyKind = []string{"Title", "Size"}

var axesOptions = []string{"XLabel", "YLabel", "Limits", "XLimits", "YLimits"}

// The usual size of a figure that is not equal in both directions.
const wide, low = 5.2 * vg.Inch, 3.4 * vg.Inch

// panel returns an empty panel with what the options say of its axes.
func (s settings) panel(kind, xlabel, ylabel string) *panel {
	return &panel{
		kind: kind, title: s.title,
		x: axis{label: or(s.xlabel, xlabel), over: s.x, log: s.logX, fixed: !s.x.isEmpty()},
		y: axis{label: or(s.ylabel, ylabel), over: s.y, log: s.logY, fixed: !s.y.isEmpty()},
	}
}

// checkLogs reports limits and a reference that a logarithm doesn't take.
func (s settings) checkLogs(kind string) error {
	for _, a := range []struct {
		name string
		log  bool
		over span
	}{{"x", s.logX, s.x}, {"y", s.logY, s.y}} {
		if a.log && !a.over.isEmpty() && a.over.lo < leastOnLog {
			return fmt.Errorf("plotting.%s: Limits from %s = %g on a logarithmic axis: a logarithm needs limits above 0", kind, a.name, a.over.lo)
		}
	}
	for _, r := range s.references {
		if r.upright && s.logX && r.at < leastOnLog {
			return fmt.Errorf("plotting.%s: ReferenceX at x = %g with LogX: a logarithm needs a value above 0", kind, r.at)
		}
		if !r.upright && s.logY && r.at < leastOnLog {
			return fmt.Errorf("plotting.%s: Reference at y = %g with LogY: a logarithm needs a value above 0", kind, r.at)
		}
	}
	return nil
}

func settle(kind string, allowed []string, opts []Option) (settings, error) {
	s := settings{x: nothing(), y: nothing(), values: nothing(), ratioLimits: nothing()}
	for _, o := range opts {
		if o.apply == nil {
			return s, fmt.Errorf("plotting.%s: an option is the zero Option: make it with Title, Size and their like", kind)
		}
		if !slices.Contains(everyKind, o.name) && !slices.Contains(allowed, o.name) {
			return s, fmt.Errorf("plotting.%s: option %s has no meaning here%s: it takes %v", kind, o.name, whyNot(kind, o.name), slices.Concat(everyKind, allowed))
		}
		if err := o.apply(&s); err != nil {
			return s, fmt.Errorf("plotting.%s: option %s: %w", kind, o.name, err)
		}
	}
	return s, nil
}

// whyNot says why a kind of figure doesn't take an option that others take, "" if there is no
// more to say.
func whyNot(kind, option string) string {
	if option == "LogX" || option == "LogY" {
		switch kind {
		case "Bars":
			return ", as a bar begins at 0, which a logarithm doesn't have (draw a Line with Markers)"
		case "RankHistogram":
			return ", as heights are compared with 1"
		case "Coverage":
			return ", as probabilities are compared with each other, from 0 to 1"
		case "Corner":
			return ", as coordinates may be negative (give their logarithms, and say so in Labels)"
		case "ImageGrid":
			return ", as an image has no axes"
		}
		return ", as coordinates may be negative (give their logarithms, and say so in XLabel and YLabel; LogValues is for colours)"
	}
	if option == "Weights" && (kind == "Histogram" || kind == "Corner") {
		return ", as each series and each sample has its own"
	}
	return ""
}

// sized returns the figure's size: what Size asked for, else the default.
func (s settings) sized(width, height vg.Length) (vg.Length, vg.Length) {
	if s.width > 0 {
		return s.width, s.height
	}
	return width, height
}

// Title writes a line above the panel.
func Title(text string) Option {
	return Option{"Title", func(s *settings) error { s.title = text; return nil }}
}

// XLabel names the horizontal axis. The default is x₁ for points, "step" for a loss.
func XLabel(text string) Option {
	return Option{"XLabel", func(s *settings) error { s.xlabel = text; return nil }}
}

// YLabel names the vertical axis. The default is x₂ for points, "count" or "density"
// for histograms.
func YLabel(text string) Option {
	return Option{"YLabel", func(s *settings) error { s.ylabel = text; return nil }}
}

// Size sets the figure's width and height in inches, 0.5 to 40.
func Size(width, height float64) Option {
	return Option{"Size", func(s *settings) error {
		for _, v := range []float64{width, height} {
			if !(v >= 0.5 && v <= 40) {
				return fmt.Errorf("%g × %g: give inches from 0.5 to 40, such as 5 × 3.5", width, height)
			}
		}
		s.width, s.height = vg.Length(width)*vg.Inch, vg.Length(height)*vg.Inch
		return nil
	}}
}

// Limits sets the ranges of both axes. Points outside are not drawn. On axes of equal
// aspect one of the two is widened to fill the panel.
func Limits(xmin, xmax, ymin, ymax float64) Option {
	return Option{"Limits", func(s *settings) error {
		s.x, s.y = span{xmin, xmax}, span{ymin, ymax}
		for _, r := range []span{s.x, s.y} {
			if err := r.check(); err != nil {
				return err
			}
		}
		return nil
	}}
}

// XLimits sets the range of the horizontal axis alone, as [Limits] that of both.
func XLimits(lo, hi float64) Option {
	return Option{"XLimits", func(s *settings) error {
		s.x = span{lo, hi}
		return s.x.check()
	}}
}

// YLimits sets the range of the vertical axis alone, as [Limits] that of both.
func YLimits(lo, hi float64) Option {
	return Option{"YLimits", func(s *settings) error {
		s.y = span{lo, hi}
		return s.y.check()
	}}
}

func (s span) check() error {
	if !(s.lo < s.hi) || math.IsInf(s.hi-s.lo, 0) {
		return fmt.Errorf("range from %g to %g: give finite numbers, the smaller first", s.lo, s.hi)
	}
	return nil
}

// Columns sets how many images stand in a row of an [ImageGrid], or how many pictures in a
// [FilmStrip]: 1 or more.
func Columns(n int) Option {
	return Option{"Columns", func(s *settings) error {
		if n < 1 {
			return fmt.Errorf("%d: give 1 or more", n)
		}
		s.columns = n
		return nil
	}}
}

// ValueRange sets which values have the first and the last colour; values outside have the
// colour of the nearer end. The default is the range of the finite values.
func ValueRange(lo, hi float64) Option {
	return Option{"ValueRange", func(s *settings) error {
		s.values = span{lo, hi}
		return s.values.check()
	}}
}

// RowLabels writes a label to the left of each row of an [ImageGrid].
func RowLabels(labels ...string) Option {
	return Option{"RowLabels", func(s *settings) error { s.rowLabels = labels; return nil }}
}

// Viridis draws an [ImageGrid] in matplotlib's viridis colours in place of greys.
func Viridis() Option {
	return Option{"Viridis", func(s *settings) error { s.viridis = true; return nil }}
}

// LogX makes the horizontal axis logarithmic, and the bins of a [Histogram] equally wide
// on it. Values that are not positive are left out, and the figure says how many.
func LogX() Option {
	return Option{"LogX", func(s *settings) error { s.logX = true; return nil }}
}

// LogY makes the vertical axis logarithmic. Values that are not positive are left out,
// and the figure says how many; bins that are not positive lie below the axis.
func LogY() Option {
	return Option{"LogY", func(s *settings) error { s.logY = true; return nil }}
}

// Reference draws a dashed horizontal line at y, named in the legend. Several may be given.
func Reference(y float64, name string) Option {
	return Option{"Reference", func(s *settings) error { return s.refer(reference{at: y, name: name}) }}
}

// ReferenceX draws a dashed vertical line at x, such as a true value in a [Histogram], named
// in the legend. Several may be given.
func ReferenceX(x float64, name string) Option {
	return Option{"ReferenceX", func(s *settings) error { return s.refer(reference{at: x, name: name, upright: true}) }}
}

func (s *settings) refer(r reference) error {
	if !finite(r.at) {
		return fmt.Errorf("%g: give a finite number", r.at)
	}
	r.dashes = dashes[len(s.references)%len(dashes)]
	s.references = append(s.references, r)
	return nil
}

// Bins sets the number of bins of a [Histogram] or a [RankHistogram], or along each axis of
// a [Histogram2D], [Joint] or [Corner], 1 to 10,000.
func Bins(n int) Option {
	return Option{"Bins", func(s *settings) error {
		if n < 1 || n > 10_000 {
			return fmt.Errorf("%d: give 1 to 10,000", n)
		}
		s.bins = n
		return nil
	}}
}

// Edges sets the edges of the bins of a [Histogram], two or more, rising: bins of different
// widths, or those of a measurement. A density is that per unit of the axis, whatever the widths;
// counts are drawn as they are. Values outside are in no bin.
func Edges(edges ...float64) Option {
	return Option{"Edges", func(s *settings) error {
		for i, e := range edges {
			if !finite(e) || i > 0 && !(e > edges[i-1]) {
				return fmt.Errorf("%v: give finite numbers that rise", edges)
			}
		}
		if len(edges) < 2 || len(edges) > 10_001 {
			return fmt.Errorf("%d edges: give 2 to 10,001", len(edges))
		}
		s.edges = slices.Clone(edges)
		return nil
	}}
}

// Units puts units behind the names of columns in [Marginals], such as "GeV" for "pt".
func Units(units map[string]string) Option {
	return Option{"Units", func(s *settings) error { s.units = units; return nil }}
}

// Counts draws counts, or sums of weights, where a [Histogram] of several series would draw
// densities: for numbers of events that compare as they are, such as measured ones and those
// expected.
func Counts() Option {
	return Option{"Counts", func(s *settings) error { s.counts = true; return nil }}
}

// ErrorBars draws the standard error √Σw² of each bin of a [Histogram] that holds events, which
// is √n for n events of weight 1.
func ErrorBars() Option {
	return Option{"ErrorBars", func(s *settings) error { s.errorBars = true; return nil }}
}

// Ratio draws below a [Histogram] the ratio of each other series to the series with the given
// name, such as of data to a model, with the errors √Σw² of both. A bin has no ratio where the
// named series has no events or a negative sum of weights, and the figure says how many such
// bins there are; a ratio beyond the panel is an arrow at its edge. Errors are those of
// independent samples of fixed size: with densities, the total number of events doesn't add to
// them.
func Ratio(to string) Option {
	return Option{"Ratio", func(s *settings) error { s.ratio = &to; return nil }}
}

// RatioLimits sets the range of the panel of a [Ratio], which is otherwise about 1 and holds
// nine tenths of the ratios, from 0 to 2 at most.
func RatioLimits(lo, hi float64) Option {
	return Option{"RatioLimits", func(s *settings) error {
		s.ratioLimits = span{lo, hi}
		return s.ratioLimits.check()
	}}
}

// LogValues makes the scale of colours logarithmic: the counts of a [Histogram2D] or a
// [Joint], the values of a [Density] or a [HeatMap].
func LogValues() Option {
	return Option{"LogValues", func(s *settings) error { s.logValues = true; return nil }}
}

// limitsOf is the range of the axis with a label.
type limitsOf struct {
	label string
	over  span
}

// LimitsOf sets the range of one dimension of a [Corner], by its label: that given with
// [Labels], else x₁, x₂ and so on. Several may be given.
func LimitsOf(label string, lo, hi float64) Option {
	return Option{"LimitsOf", func(s *settings) error {
		l := limitsOf{label, span{lo, hi}}
		s.limitsOf = append(s.limitsOf, l)
		return l.over.check()
	}}
}

// Weights say how much each point of a [Histogram2D], a [Joint] or a [Scatter] counts: float32
// or float64, one for each point. They may be negative, as those of simulated events are, but
// not in a Scatter. A [Series] and a [Sample] have their own.
func Weights(weights *tensors.Tensor) Option {
	return Option{"Weights", func(s *settings) error { s.weights = weights; return nil }}
}

// Name names what is drawn: in the legend, which tells figures in an [Overlay] apart, or at
// the left of a [FilmStrip], which tells those in a [Grid] apart.
func Name(name string) Option {
	return Option{"Name", func(s *settings) error { s.name = name; return nil }}
}

// Markers draws the values of a [Line] as points, each series' of another shape: for few
// values, such as an error by the number of steps.
func Markers() Option {
	return Option{"Markers", func(s *settings) error { s.markers = true; return nil }}
}

// Diverging draws values that have a sign, of a [HeatMap] or an [ImageGrid], in colours from
// blue, for the lowest, over near white, for 0, to vermilion. The default range reaches as
// far on both sides of 0.
func Diverging() Option {
	return Option{"Diverging", func(s *settings) error { s.diverging = true; return nil }}
}

// ValueLabel names the values beside a colour bar.
func ValueLabel(text string) Option {
	return Option{"ValueLabel", func(s *settings) error { s.valueLabel = text; return nil }}
}

// Labels names the dimensions of a [Corner], x₁, x₂, … by default, or the two ends of
// [Trajectories], noise and data by default.
func Labels(names ...string) Option {
	return Option{"Labels", func(s *settings) error { s.labels = names; return nil }}
}

// Masses draws contours around the regions of highest density that hold these shares of
// the probability, each between 0 and 1. The default is 0.5, 0.9 and 0.99, in a [Corner]
// 0.5 and 0.9.
func Masses(shares ...float64) Option {
	return Option{"Masses", func(s *settings) error {
		for _, m := range shares {
			if !(m > 0 && m < 1) {
				return fmt.Errorf("%g: give shares of the probability between 0 and 1, such as 0.68 and 0.95", m)
			}
		}
		if len(shares) == 0 {
			return fmt.Errorf("no shares: give at least one, such as 0.68 and 0.95")
		}
		s.masses = shares
		return nil
	}}
}

// Levels draws contours at these values in place of shares of the probability.
func Levels(values ...float64) Option {
	return Option{"Levels", func(s *settings) error {
		for _, v := range values {
			if !finite(v) {
				return fmt.Errorf("%g: give finite values", v)
			}
		}
		if len(values) == 0 {
			return fmt.Errorf("no levels: give at least one value")
		}
		s.levels = values
		return nil
	}}
}

// Filled tints the regions within [Contours].
func Filled() Option {
	return Option{"Filled", func(s *settings) error { s.filled = true; return nil }}
}

// Smooth sets over how many values a [Line] is averaged; 1 draws the values alone. The
// default is a fortieth of the curve, from 100 values on.
func Smooth(values int) Option {
	return Option{"Smooth", func(s *settings) error {
		if values < 1 {
			return fmt.Errorf("%d: give 1 or more", values)
		}
		s.smooth = &values
		return nil
	}}
}
