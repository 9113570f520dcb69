package plotting

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
)

var galleryDir = flag.String("gallery", "", "folder to write a picture of every kind to")

func normals(seed uint64, dims ...int) *tensors.Tensor {
	size := 1
	for _, d := range dims {
		size *= d
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	flat := make([]float32, size)
	for i := range flat {
		flat[i] = float32(rng.NormFloat64())
	}
	return tensors.FromFlatDataAndDimensions(flat, dims...)
}

// moons are two half circles with noise.
func moons(seed uint64, n int) *tensors.Tensor {
	rng := rand.New(rand.NewPCG(seed, 0))
	flat := make([]float32, 2*n)
	for i := range n {
		a := math.Pi * rng.Float64()
		x, y := math.Cos(a), math.Sin(a)
		if i%2 == 1 {
			x, y = 1-x, 0.5-y
		}
		flat[2*i], flat[2*i+1] = float32(x+0.06*rng.NormFloat64()), float32(y+0.06*rng.NormFloat64())
	}
	return tensors.FromFlatDataAndDimensions(flat, n, 2)
}

func mapped(x *tensors.Tensor, f func(i int, v float64) float64) *tensors.Tensor {
	flat := tensors.MustCopyFlatData[float32](x)
	for i, v := range flat {
		flat[i] = float32(f(i, float64(v)))
	}
	return tensors.FromFlatDataAndDimensions(flat, x.Shape().Dimensions...)
}

func floats(x *tensors.Tensor) []float64 {
	n, err := read(x)
	if err != nil {
		panic(err)
	}
	var out []float64
	for i := range n.len() {
		out = append(out, n.at(i))
	}
	return out
}

var demoPlane = Plane{XMin: -2.5, XMax: 2.5, YMin: -2, YMax: 2}

func mixture(x, y float64) float64 {
	g := func(cx, cy float64) float64 { return math.Exp(-4 * ((x-cx)*(x-cx) + (y-cy)*(y-cy))) }
	return math.Log(g(-1, 0) + 0.7*g(1, 0.5) + 1e-12)
}

func swirl() *tensors.Tensor {
	points := demoPlane.Points(dtypes.Float64)
	flat := tensors.MustCopyFlatData[float64](points)
	for i := 0; i < len(flat); i += 2 {
		x, y := flat[i], flat[i+1]
		flat[i], flat[i+1] = y-0.3*x, -math.Sin(x)-0.3*y
	}
	return tensors.FromFlatDataAndDimensions(flat, len(flat)/2, 2)
}

func lossOf(seed uint64, n int, rate float64) []float64 {
	rng := rand.New(rand.NewPCG(seed, 1))
	out := make([]float64, n)
	for i := range out {
		out[i] = (0.3 + 2*math.Exp(-rate*float64(i)/float64(n))) * math.Exp(0.2*rng.NormFloat64())
	}
	return out
}

// paths run straight from noise to moons.
func paths(times, n int) (*tensors.Tensor, []float64) {
	from, to := floats(normals(1, n, 2)), floats(moons(2, n))
	var flat, at []float64
	for k := range times {
		t := 1 - float64(k)/float64(times-1)
		at = append(at, t)
		for i := range from {
			flat = append(flat, t*from[i]+(1-t)*to[i])
		}
	}
	return tensors.FromFlatDataAndDimensions(flat, times, n, 2), at
}

func gallery() map[string]Figure {
	data, samples := moons(1, 3000), moons(3, 1000)
	logp := demoPlane.Eval(mixture)
	five := mapped(normals(5, 4000, 4), func(i int, v float64) float64 {
		if i%4 == 2 {
			return v*v + 0.2*v
		}
		return v * float64(1+i%4)
	})
	withBad := mapped(moons(1, 300), func(i int, v float64) float64 {
		if i%50 == 0 {
			return math.NaN()
		}
		return v
	})
	ways, times := paths(21, 1000)
	return map[string]Figure{
		"vectors":       VectorField(demoPlane, swirl(), Title("Velocity")),
		"streamlines":   Streamlines(demoPlane, swirl(), Title("Streamlines")),
		"stream-over":   Overlay(Density(demoPlane, logp, Title("t = 0.5")), Streamlines(demoPlane, swirl())),
		"fields":        Row(VectorField(demoPlane, swirl(), Title("t = 1")), Streamlines(demoPlane, swirl(), Title("t = 0.5")), Density(demoPlane, logp, Title("t = 0"))),
		"trajectories":  Trajectories(ways, Title("From noise to data")),
		"film":          FilmStrip(ways, times, Title("From noise to data")),
		"quantiles":     Quantiles(times, mapped(normals(8, 21, 400), func(i int, v float64) float64 { return (2 + v) * math.Exp(-float64(i/400)/8) }), YLabel("∇·v"), Title("Divergence along the ways")),
		"ranks":         RankHistogram([]Series{{Values: ranksOf(1, 0)}}, 99, Title("Calibrated")),
		"ranks-two":     RankHistogram([]Series{{Name: "μ", Values: ranksOf(1, 0)}, {Name: "σ", Values: ranksOf(2, 0.12)}}, 99, Title("Rank histograms")),
		"coverage":      Coverage([]Series{{Name: "μ", Values: uniform(1, 500, 1)}, {Name: "σ, too narrow", Values: uniform(2, 500, 0.6)}}, Title("Coverage")),
		"scatter":       Scatter(data, Title("Two moons")),
		"scatter-few":   Scatter(samples, Title("Samples"), Name("samples")),
		"scatter-1e5":   Scatter(moons(1, 100_000)),
		"scatter-bad":   Scatter(withBad, Title("Some are NaN")),
		"scatter-empty": Scatter(normals(1, 0, 2), Title("Nothing")),
		"scatter-one":   Scatter(normals(1, 1, 2)),
		"overlay":       Overlay(Scatter(data, Name("data"), Title("Data and samples")), Scatter(samples, Name("samples"))),
		"row":           Row(Scatter(data, Title("data")), Scatter(mapped(samples, func(_ int, v float64) float64 { return 1.3 * v }), Title("samples"))).SharedAxes(),
		"nested": Row(
			Grid(2, Scatter(data, Title("a")), Scatter(samples, Title("b")), Histogram([]Series{{Values: floats(data)}}), Histogram([]Series{{Values: floats(samples)}})),
			Line([]Series{{Values: lossOf(1, 500, 5)}}, YLabel("loss"), Title("Loss")),
		).Titled("A grid beside a line"),
		"histogram":      Histogram([]Series{{Values: floats(data)}}, XLabel("x")),
		"histogram-two":  Histogram([]Series{{Name: "data", Values: floats(data)}, {Name: "samples", Values: floats(samples)}}, XLabel("x")),
		"histogram-log":  Histogram([]Series{{Name: "round trip", Values: errorsOf(1, 1e-6)}, {Name: "few steps", Values: errorsOf(2, 1e-3)}}, LogX(), XLabel("error after there and back"), Title("Reversibility")),
		"histogram2d":    Histogram2D(moons(1, 100_000), Title("100 000 points")),
		"joint":          Joint(moons(1, 20_000), Title("Two moons")),
		"corner":         Corner([]Sample{{Name: "data", Points: five}, {Name: "samples", Points: mapped(five, func(i int, v float64) float64 { return v + 0.2 })}}, Title("Data and samples"), Labels("θ₁", "θ₂", "λ", "σ²")),
		"corner-1d":      Corner([]Sample{{Name: "data", Points: normals(1, 1000, 1)}, {Name: "samples", Points: normals(2, 1000, 1)}}),
		"corner-2d":      Corner([]Sample{{Name: "data", Points: data}, {Name: "samples", Points: samples}}),
		"corner-few":     Corner([]Sample{{Name: "", Points: normals(1, 30, 3)}}),
		"density":        Density(demoPlane, logp, Title("Density of the model")),
		"heatmap":        HeatMap(demoPlane, logp, ValueLabel("log p (nats)"), ValueRange(-10, 0)),
		"contours":       Contours(demoPlane, logp, Title("Contours"), Filled()),
		"contours-over":  Overlay(Scatter(samples, Name("samples"), Title("Samples in the model's regions")), Contours(demoPlane, logp)),
		"density-over":   Overlay(Density(demoPlane, logp, Title("Density and samples")), Scatter(mapped(normals(4, 200, 2), func(_ int, v float64) float64 { return v / 2 }), Name("samples"))),
		"images":         ImageGrid(mapped(normals(1, 12, 8, 8), func(_ int, v float64) float64 { return v }), Columns(4), Title("Images"), RowLabels("zero", "one", "two")),
		"images-viridis": ImageGrid(normals(1, 6, 8, 8), Viridis()),
		"images-colour":  ImageGrid(normals(1, 6, 8, 8, 3), Title("In colour")),
		"million-values": Line([]Series{{Values: lossOf(1, 1_000_000, 5)}}, LogY()),
		"bars":           Bars([]string{"a", "b", "c"}, []float64{0.9, 0.7, 0.95}, Reference(0.8, "goal"), YLabel("accuracy")),
		"loss":           Line([]Series{{Name: "lr 1e-3", Values: lossOf(1, 2000, 5)}, {Name: "lr 3e-4", Values: lossOf(2, 2000, 3)}, {Name: "lr 1e-4", Values: lossOf(3, 2000, 1)}}, YLabel("loss"), LogY(), Title("Three runs")),
		"signs":          Line([]Series{{Name: "ẋ = −∇ log p, x̂ ∈ ℝ², θ̂, ∂ₜx", Values: []float64{1, 2}}, {Name: "∫p dx ≤ ∑ᵢ pᵢ, w ∝ ‖x‖⁻¹ ⟨a⟩ ∼ 𝔼", Values: []float64{2, 1}}}, Title("αβγδεζηθικλμνξπρστυφχψω ΓΔΘΛΞΠΣΦΨΩ"), XLabel("∝∂∇∫∑≤≥±×·→∞‖ˆ˙"), YLabel("x₀…₉ ⁰¹²³⁴⁵⁶⁷⁸⁹ 字")),
		"marginals":      compared(),
		"edges":          Histogram(spectra(), Edges(0, 10, 20, 40, 60, 80, 85, 88, 90, 92, 94, 97, 102, 120, 200), Ratio("model"), XLabel("mass (GeV)")),
		"ratio":          Histogram(spectra(), Ratio("model"), XLabel("mass (GeV)"), Title("Data and model")),
		"ratio-counts":   Histogram(spectra(), Ratio("model"), Counts(), LogY(), ErrorBars(), Bins(50), XLabel("mass (GeV)"), YLabel("events"), ReferenceX(91.2, "Z")),
		"ratio-three":    Histogram(append(spectra(), Series{Name: "other", Values: spectrum(7, 20_000, 0.05, 26)}), Ratio("model"), Bins(30), RatioLimits(0.5, 1.5), LogY(), XLabel("mass (GeV)")),
		"ratio-negative": Histogram([]Series{{Name: "data", Values: spectrum(1, 400, 0.1, 25), Points: true}, negative("model", 500)}, Ratio("model"), Counts(), Bins(40)),
		"ratio-logx":     Histogram([]Series{{Name: "round trip", Values: errorsOf(1, 1e-6)}, {Name: "again", Values: errorsOf(2, 1.3e-6)}}, Ratio("round trip"), LogX(), LogY(), XLabel("error")),
		"error-bars":     Histogram([]Series{{Name: "data", Values: floats(data)[:400]}, {Name: "samples", Values: floats(samples)[:300]}}, ErrorBars(), Bins(14), XLabel("x")),
		"points":         Histogram([]Series{{Values: floats(samples)[:300], Points: true}}, Bins(20)),
		"histogram-logy": Histogram([]Series{{Values: floats(normals(4, 100_000))}}, LogY(), XLabel("x")),
		"cells-log":      Histogram2D(normals(1, 100_000, 2), LogValues(), Title("100 000 points")),
		"joint-log":      Joint(normals(1, 20_000, 2), LogValues()),
		"density-log":    Density(demoPlane, logp, LogValues(), Title("Density of the model")),
		"density-near":   Overlay(Density(demoPlane, logp, Limits(-2, 0, -1, 1)), Contours(demoPlane, logp)),
		"scatter-weights": Row(
			Scatter(data, Weights(firstMoon(3000)), Title("One moon has weight 0.1"), Name("data")),
			Scatter(data, Title("No weights"), Name("data")),
		).SharedAxes().SharedLegend(),
		"corner-weights": Corner([]Sample{{Name: "half of them", Points: five, Weights: rising(five)}, {Name: "all alike", Points: five}}, Labels("θ₁", "θ₂", "λ", "σ²"), LimitsOf("λ", 0, 6)),
		"shared-legend": Grid(2,
			Histogram(spectra(), Title("a"), XLabel("mass (GeV)")), Histogram(spectra(), LogY(), Title("b"), XLabel("mass (GeV)")),
			Histogram(spectra(), Ratio("model"), Title("c"), XLabel("mass (GeV)")), Histogram(spectra(), Counts(), Title("d"), XLabel("mass (GeV)")),
		).Titled("One legend for four").SharedLegend(),
		"shared-ratios": Row(Histogram(spectra(), Ratio("model")), Histogram(spectra(), Ratio("model"), Bins(20))).SharedAxes().SharedLegend().Sized(9, 4),
		"references": Row(
			Histogram([]Series{{Name: "posterior", Values: floats(normals(3, 2000))}}, ReferenceX(0.4, "truth"), ReferenceX(-1, "prior mean"), XLabel("μ"), XLimits(-2, 4)),
			Line([]Series{
				{Name: "share", X: []float64{0.1, 0.3, 0.5, 0.7, 0.9}, Values: []float64{0.12, 0.33, 0.46, 0.72, 0.88}, Errors: []float64{0.03, 0.05, 0.05, 0.04, 0.03}},
				{Name: "other", X: []float64{0.1, 0.3, 0.5, 0.7, 0.9}, Values: []float64{0.2, 0.4, 0.5, 0.6, 0.7}},
			}, Markers(), Reference(0.5, "half"), YLimits(0, 1)),
		).Titled("Reference lines, markers, error bars"),
		"many-lines":       Line(manyLines(16)),
		"many-classes":     Overlay(manyClasses(10)...),
		"diverging":        HeatMap(demoPlane, demoPlane.Eval(func(x, y float64) float64 { return x*x*x/5 - y }), Diverging(), ValueLabel("∇·v")),
		"diverging-off":    HeatMap(demoPlane, demoPlane.Eval(func(x, y float64) float64 { return x*x - y }), Diverging(), ValueRange(-1, 4)),
		"diverging-images": ImageGrid(normals(1, 6, 8, 8), Diverging()),
		"near":             Row(VectorField(demoPlane, swirl(), Limits(-1, 1, -1, 1)), Streamlines(demoPlane, swirl(), Limits(-1, 1, -1, 1)), Streamlines(demoPlane, swirl(), XLimits(-4, 4))).Sized(9, 3),
		"strips":           Grid(1, FilmStrip(ways, times, Name("two moons"), Columns(5)), FilmStrip(ways, times, Name("ring"), Limits(-20, 20, -20, 20), Columns(5))),
		"ways-named":       Trajectories(ways, Labels("before", "after")),
		"schedule": Line([]Series{
			Curve("α", func(t float64) float64 { return math.Cos(math.Pi / 2 * t) }, 0, 1),
			Curve("σ", func(t float64) float64 { return math.Sin(math.Pi / 2 * t) }, 0, 1),
		}, XLabel("t"), Title("Cosine schedule")),
		"loglog": Line([]Series{
			{Name: "Euler", X: []float64{4, 8, 16, 32, 64}, Values: []float64{0.3, 0.15, 0.074, 0.037, 0.018}},
			{Name: "RK4", X: []float64{4, 8, 16, 32, 64}, Values: []float64{0.1, 0.006, 4e-4, 2.4e-5, 1.5e-6}},
		}, LogX(), LogY(), XLabel("evaluations"), YLabel("error")),
	}
}

// spectrum is a falling spectrum with a peak, as masses of pairs of particles have.
func spectrum(seed uint64, n int, peak, slope float64) []float64 {
	rng := rand.New(rand.NewPCG(seed, 3))
	out := make([]float64, n)
	for i := range out {
		out[i] = 50 + slope*rng.ExpFloat64()
		if rng.Float64() < peak {
			out[i] = 91.2 + 3*rng.NormFloat64()
		}
	}
	return out
}

// spectra are data, as points, and simulated events with weights, of which a tenth is negative.
func spectra() []Series {
	model := Series{Name: "model", Values: spectrum(2, 30_000, 0.1, 25)}
	for i := range model.Values {
		model.Weights = append(model.Weights, []float64{0.25, -0.25}[min(1, i%10/9)])
	}
	return []Series{{Name: "data", Values: spectrum(1, 6000, 0.12, 25), Points: true}, model}
}

// negative are few events, of which two fifths have negative weights.
func negative(name string, n int) Series {
	s := Series{Name: name, Values: spectrum(5, n, 0.1, 25)}
	for i := range s.Values {
		s.Weights = append(s.Weights, []float64{2, -1.5}[i%5/3])
	}
	return s
}

// firstMoon are the weights by which the second of two moons counts little.
func firstMoon(n int) *tensors.Tensor {
	flat := make([]float64, n)
	for i := range flat {
		flat[i] = []float64{1, 0.1}[i%2]
	}
	return tensors.FromFlatDataAndDimensions(flat, n)
}

// rising are weights that are larger where the first coordinate is.
func rising(x *tensors.Tensor) *tensors.Tensor {
	var flat []float64
	d := x.Shape().Dimensions[1]
	for i, v := range floats(x) {
		if i%d == 0 {
			flat = append(flat, 1/(1+math.Exp(-2*v)))
		}
	}
	return tensors.FromFlatDataAndDimensions(flat, len(flat))
}

func manyLines(n int) (series []Series) {
	for i := range n {
		series = append(series, Series{Name: fmt.Sprintf("line %d", i), Values: []float64{float64(i), float64(i) + 1}})
	}
	return series
}

func manyClasses(n int) (figures []Figure) {
	for i := range n {
		figures = append(figures, Scatter(mapped(normals(uint64(i), 60, 2), func(k int, v float64) float64 { return v/4 + []float64{float64(i % 4), float64(i / 4)}[k%2] }), Name(fmt.Sprint(i))))
	}
	return figures
}

func uniform(seed uint64, n int, power float64) []float64 {
	rng := rand.New(rand.NewPCG(seed, 2))
	out := make([]float64, n)
	for i := range out {
		out[i] = math.Pow(rng.Float64(), power)
	}
	return out
}

func ranksOf(seed uint64, spread float64) []float64 {
	out := uniform(seed, 1000, 1)
	for i, u := range out {
		out[i] = math.Floor(100 * min(0.999, max(0, u+spread*(u-0.5))))
	}
	return out
}

func errorsOf(seed uint64, size float64) []float64 {
	var out []float64
	for _, v := range floats(normals(seed, 2000)) {
		out = append(out, size*math.Exp(v))
	}
	return out
}

// With -gallery, this writes what there is to look at.
func TestGallery(t *testing.T) {
	for name, f := range gallery() {
		small := f.Resolution(48)
		first, err := small.PNG()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if second, err := small.PNG(); err != nil || !bytes.Equal(first, second) {
			t.Errorf("%s: the second rendering differs (error %v)", name, err)
		}
		if *galleryDir == "" {
			continue
		}
		for suffix, f := range map[string]Figure{"": f, "-dark": f.Dark()} {
			for _, extension := range []string{".png", ".pdf"} {
				if err := f.Resolution(96).Save(filepath.Join(*galleryDir, name+suffix+extension)); err != nil {
					t.Error(err)
				}
			}
		}
	}
	if *galleryDir == "" {
		return
	}
	ways, times := paths(31, 1000)
	a := Animate(ways, times, Title("Moons"))
	for suffix, a := range map[string]Animation{"": a, "-dark": a.Dark()} {
		for _, extension := range []string{".gif", ".apng"} {
			if err := a.Save(filepath.Join(*galleryDir, "animation"+suffix+extension)); err != nil {
				t.Error(err)
			}
		}
	}
}
