package plotting

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami/data"
)

// jets is a table of momenta, angles, counts and weights.
func jets(seed uint64, n int, shift float64) *data.Table {
	random := rand.New(rand.NewPCG(seed, 0))
	pt, phi, count, weight := make([]float64, n), make([]float64, n), make([]int64, n), make([]float64, n)
	for i := range n {
		pt[i] = 20 + math.Exp(2.5+shift+1.4*random.NormFloat64())
		phi[i] = 2 * math.Pi * (random.Float64() - 0.5)
		count[i] = int64(max(1, 18+6*random.NormFloat64()))
		weight[i] = 0.5 + random.Float64()
	}
	pt[0] = math.NaN()
	t, err := data.NewTable(data.NewColumn("pt", pt), data.NewColumn("phi", phi), data.NewColumn("multiplicity", count),
		data.NewColumn("weight", weight), data.NewColumn("kind", make([]string, n)))
	if err != nil {
		panic(err)
	}
	return t
}

func compared(opts ...Option) Figure {
	return Marginals([]Rows{
		{Name: "data", Table: jets(1, 4000, 0), Weight: "weight", Points: true}, {Name: "model", Table: jets(2, 8000, 0.05)},
	}, []string{"pt", "phi", "multiplicity"}, append(opts, Units(map[string]string{"pt": "GeV", "phi": "rad"}))...)
}

// Marginals has a histogram with its ratio for each column, on the axis that suits it, and one
// legend.
func TestMarginals(t *testing.T) {
	f := compared()
	draws(t, "marginals", f)
	var top []*panel
	for p := range f.root.panels() {
		if p.kind == "histogram" {
			top = append(top, p)
		}
	}
	if len(top) != 3 {
		t.Fatalf("there are %d histograms", len(top))
	}
	if !top[0].x.log || top[1].x.log || top[2].x.log {
		t.Errorf("logarithmic are %v, %v and %v, expected the first alone", top[0].x.log, top[1].x.log, top[2].x.log)
	}
	if !strings.Contains(top[0].note, "2 of 12000 values not finite") {
		t.Errorf("the note on missing values is %q", top[0].note)
	}
	text := ""
	for p := range f.root.panels() {
		text += p.x.label + "\n" + p.y.label + "\n"
	}
	for _, want := range []string{"pt (GeV)", "phi (rad)", "multiplicity", "data / model"} {
		if !strings.Contains(text, want) {
			t.Errorf("nothing says %q: %s", want, text)
		}
	}
	draws(t, "one table", Marginals([]Rows{{Table: jets(1, 100, 0)}}, []string{"pt"}))
	draws(t, "unnamed", Marginals([]Rows{{Table: jets(1, 100, 0)}, {Table: jets(2, 100, 0)}}, []string{"pt", "phi", "weight", "multiplicity"}, Counts(), LogY(), Title("Jets"), Size(8, 6)))
	for name, c := range map[string]struct {
		f    Figure
		says string
	}{
		"no table":   {Marginals(nil, []string{"pt"}), "there are 0 tables and 1 columns"},
		"nil":        {Marginals([]Rows{{Name: "data"}}, []string{"pt"}), `table 0 ("data") is nil`},
		"no column":  {Marginals([]Rows{{Table: jets(1, 9, 0)}}, []string{"mass"}), `there is no column "mass"`},
		"text":       {Marginals([]Rows{{Table: jets(1, 9, 0)}}, []string{"kind"}), `column "kind" is of the kind text`},
		"the weight": {Marginals([]Rows{{Table: jets(1, 9, 0), Weight: "w"}}, []string{"pt"}), `there is no column "w"`},
		"an option":  {compared(XLabel("x")), "option XLabel has no meaning here"},
		"a ratio":    {compared(Ratio("truth")), `Ratio to "truth"`},
	} {
		if err := c.f.Err(); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: the error is %v, expected one that says %q", name, err, c.says)
		}
	}
}

// counted are the bins of a histogram's first series.
func counted(t *testing.T, series []Series, opts ...Option) stairs {
	t.Helper()
	draws(t, "a histogram", Histogram(series, opts...))
	s, err := settle("Histogram", []string{"Bins", "Edges", "XLimits", "LogX", "LogY"}, opts)
	if err != nil {
		t.Fatal(err)
	}
	samples, all, _, _, err := readSeries(series, s.logX)
	if err != nil {
		t.Fatal(err)
	}
	bins, _, err := s.histograms(series, samples, all, len(series) > 1)
	if err != nil {
		t.Fatal(err)
	}
	return bins[0]
}

// Bins of integers hold as many of them each: counts from a flat distribution are flat, whatever
// the range, as they are not with bins of another width.
func TestIntegerBins(t *testing.T) {
	for _, most := range []int{5, 37, 49, 101, 150, 999, 12_345} {
		var values []float64
		for i := range most + 1 {
			for range 20 {
				values = append(values, float64(i-3))
			}
		}
		bins := counted(t, []Series{{Values: values}})
		width := bins.width(0)
		if width != math.Trunc(width) || bins.at(0, 0) != -3.5 || bins.n > 101 {
			t.Errorf("up to %d the bins begin at %v, %d with the width %v", most, bins.at(0, 0), bins.n, width)
		}
		for i, h := range bins.heights[:bins.n-1] {
			if h != 20*width {
				t.Errorf("up to %d bin %d has %v of %v", most, i, h, 20*width)
			}
		}
	}
	whole := Series{Values: []float64{1, 2, 2, 3, 3, 3, 4, 4, 5}}
	for name, c := range map[string]struct {
		bins  stairs
		whole bool
	}{
		"beside floats": {counted(t, []Series{whole, {Values: []float64{1.5, 2.5, 3.25}}}), true},
		"within limits": {counted(t, []Series{whole}, XLimits(0, 10)), true},
		"asked for":     {counted(t, []Series{whole}, Bins(7)), false},
		"floats":        {counted(t, []Series{{Values: []float64{1, 2, 3.5}}}), false},
		"flags":         {counted(t, []Series{{Values: []float64{0, 1, 1, 0}}}), false},
	} {
		bins := c.bins
		if got := bins.width(0) == 1 && math.Mod(math.Abs(bins.at(0, 0)), 1) == 0.5; got != c.whole {
			t.Errorf("%s: the bins begin at %v with the width %v", name, bins.at(0, 0), bins.width(0))
		}
	}
}

// With edges a density is right in bins of any width, and its area 1; what lies outside counts for
// the norm, as with limits.
func TestEdges(t *testing.T) {
	values := make([]float64, 1000)
	for i := range values {
		values[i] = (float64(i) + 0.5) / 100 // flat from 0 to 10
	}
	edges := []float64{0, 0.5, 1, 4, 10}
	bins := counted(t, []Series{{Name: "a", Values: values}, {Name: "b", Values: values}}, Edges(edges...))
	for i, h := range bins.heights {
		if math.Abs(h-0.1) > 1e-9 {
			t.Errorf("the density in bin %d is %v, expected 0.1", i, h)
		}
	}
	bins = counted(t, []Series{{Values: values}}, Edges(edges...), LogY())
	if got := fmt.Sprint(bins.heights); got != "[50 50 300 600]" {
		t.Errorf("the counts are %s", got)
	}
	bins = counted(t, []Series{{Values: []float64{1, 3, 10, 30, 100, 1000}}}, Edges(1, 10, 1000), LogX())
	if got := fmt.Sprint(bins.heights); got != "[2 4]" || math.Abs(bins.at(1, 0)-10) > 1e-9 {
		t.Errorf("the counts are %s, and the edge %v", got, bins.at(1, 0))
	}
	for name, f := range map[string]Figure{
		"Edges: 1 edges": Histogram([]Series{{Values: values}}, Edges(1)), "give finite numbers that rise": Histogram([]Series{{Values: values}}, Edges(1, 1)),
		"a logarithm needs edges above 0": Histogram([]Series{{Values: values}}, Edges(0, 1), LogX()),
	} {
		if err := f.Err(); err == nil || !strings.Contains(err.Error(), strings.TrimPrefix(name, "Edges: ")) {
			t.Errorf("the error is %v, expected one that says %q", err, name)
		}
	}
}
