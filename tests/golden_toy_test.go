package tests

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/toy"
	"github.com/nami-flow/go-nami/nami/transform"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/stat"
)

// toyCase is a toy set with its parameters and the reference's statistics of it.
type toyCase struct {
	Name, Op string
	Inputs   struct {
		Toy            string
		Cells          int
		Bound          float64
		Modes          int `json:"n_modes"`
		Radius         float64
		Std            float64
		Noise          float64
		Turns          float64 `json:"n_turns"`
		Width          float64
		Background     float64     `json:"bkg_scale"`
		Share          float64     `json:"sig_frac"`
		SignalMean     []float64   `json:"sig_loc"`
		SignalCov      [][]float64 `json:"sig_cov"`
		BackgroundMean []float64   `json:"bkg_loc"`
		BackgroundCov  [][]float64 `json:"bkg_cov"`
		Axis           int         `json:"param_dim"`
		Theta          float64
		Expected       float64 `json:"n_expected"`
	}
	Expected map[string]json.RawMessage
	Exact    toyStatistics
}

type toyStatistics struct {
	N                    float64
	Mean                 []float64
	MeanError            []float64 `json:"mean_error"`
	Covariance           [][]float64
	CovarianceError      [][]float64 `json:"covariance_error"`
	Quantiles            [][]float64
	QuantilesError       [][]float64 `json:"quantiles_error"`
	RadiusQuantiles      []float64   `json:"radius_quantiles"`
	RadiusQuantilesError []float64   `json:"radius_quantiles_error"`
	Histogram            *struct {
		Edge    float64
		Bins    int
		Counts  [][]float64
		Outside float64
	}
}

func toyCases(t *testing.T) (cases []toyCase) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "golden", "toys_stats.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []toyCase }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) != 15 {
		t.Fatalf("%d cases, expected 15", len(file.Cases))
	}
	return file.Cases
}

// set is the case's set of ours.
func (c toyCase) set(t *testing.T) toy.Set {
	t.Helper()
	in := c.Inputs
	background := toy.Gaussian{Mean: in.BackgroundMean, Covariance: in.BackgroundCov}
	signal := toy.Gaussian{Mean: in.SignalMean, Covariance: in.SignalCov}
	switch in.Toy {
	case "Checkerboard":
		return toy.Checkerboard{Cells: in.Cells, Bound: in.Bound}
	case "GaussianRing":
		return toy.Ring{Modes: in.Modes, Radius: in.Radius, Std: in.Std}
	case "TwoMoons":
		return toy.TwoMoons{Noise: in.Noise}
	case "TwoSpirals":
		return toy.TwoSpirals{Noise: in.Noise, Turns: in.Turns}
	case "GaussianShell":
		return toy.Shell{Radius: in.Radius, Width: in.Width, Background: in.Background, Share: in.Share}
	case "GaussianMixture":
		return toy.GaussianMixture{Components: []toy.Gaussian{background, signal}, Weights: []float64{1 - in.Share, in.Share}}
	case "ParameterisedGaussian":
		m, err := toy.ParametricMixture{Signal: signal, Background: background, Share: in.Share, Axis: in.Axis}.At(in.Theta)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	t.Fatalf("the set %q is unknown", in.Toy)
	return nil
}

// Of about 4,000 numbers each may differ by six standard errors of the difference: with
// another seed a correct sampler fails with a chance below 1e-5. The seed is fixed.
func TestGoldenToyStatistics(t *testing.T) {
	for _, c := range toyCases(t) {
		if c.Op != "toy_statistics" {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			const n = 50_000
			set, labels := c.set(t), make([]int, n)
			points, err := set.Sample(1, n)
			if labelled, ok := set.(toy.Labelled); ok {
				points, labels, err = labelled.SampleLabelled(1, n)
			}
			if err != nil {
				t.Fatal(err)
			}
			for key := range c.Expected {
				var want toyStatistics
				label := -1
				switch key {
				case "label_fractions":
					checkFractions(t, c.Expected[key], labels)
					continue
				case "all":
				default:
					if _, err := fmt.Sscanf(key, "label_%d", &label); err != nil {
						t.Fatalf("unknown statistics %q", key)
					}
				}
				if err := json.Unmarshal(c.Expected[key], &want); err != nil {
					t.Fatal(err)
				}
				if key == "all" {
					checkExact(t, columns(points, labels, label), c.Exact, want)
				}
				want.check(t, key, columns(points, labels, label))
			}
		})
	}
}

// columns are the coordinates of the points with a label, of all if it is negative.
func columns(points *tensors.Tensor, labels []int, label int) [][]float64 {
	d := points.Shape().Dim(-1)
	out := make([][]float64, d)
	for i, v := range toFloats(points) {
		if label < 0 || labels[i/d] == label {
			out[i%d] = append(out[i%d], v)
		}
	}
	return out
}

// checkExact compares the moments with closed forms; the reference's standard errors say
// how far n points may be off.
func checkExact(t *testing.T, x [][]float64, exact, reference toyStatistics) {
	t.Helper()
	scale := math.Sqrt(reference.N / float64(len(x[0])))
	for i := range x {
		if d := stat.Mean(x[i], nil) - exact.Mean[i]; math.Abs(d) > 6*scale*reference.MeanError[i] {
			t.Errorf("mean %d is off its exact value by %g", i, d)
		}
		for j := range x {
			if d := stat.Covariance(x[i], x[j], nil) - exact.Covariance[i][j]; math.Abs(d) > 6*scale*reference.CovarianceError[i][j] {
				t.Errorf("covariance %d, %d is off its exact value by %g", i, j, d)
			}
		}
	}
}

func (s toyStatistics) check(t *testing.T, name string, x [][]float64) {
	t.Helper()
	ratio := s.N / float64(len(x[0]))
	near := func(what string, got, want, stderr float64) {
		t.Helper()
		// float32 rounding matters where a noise-free radius has no spread.
		if limit := 6*stderr*math.Sqrt(1+ratio) + 1e-6; math.Abs(got-want) > limit {
			t.Errorf("%s: %s is %g, reference %g, allowed difference %g", name, what, got, want, limit)
		}
	}
	probabilities := []float64{0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99}
	quantiles := func(what string, values, want, stderr []float64) {
		values = slices.Sorted(slices.Values(values))
		for k, p := range probabilities {
			near(fmt.Sprintf("quantile %g of %s", p, what), stat.Quantile(p, stat.LinInterp, values, nil), want[k], stderr[k])
		}
	}
	radius := make([]float64, len(x[0]))
	for i := range x {
		near(fmt.Sprintf("mean %d", i), stat.Mean(x[i], nil), s.Mean[i], s.MeanError[i])
		for j := range x {
			near(fmt.Sprintf("covariance %d, %d", i, j), stat.Covariance(x[i], x[j], nil), s.Covariance[i][j], s.CovarianceError[i][j])
		}
		quantiles(fmt.Sprintf("coordinate %d", i), x[i], s.Quantiles[i], s.QuantilesError[i])
		for k, v := range x[i] {
			radius[k] = math.Hypot(radius[k], v)
		}
	}
	quantiles("the radius", radius, s.RadiusQuantiles, s.RadiusQuantilesError)
	if h := s.Histogram; h != nil {
		counts := make([][]float64, h.Bins)
		for i := range counts {
			counts[i] = make([]float64, h.Bins)
		}
		width := 2 * h.Edge / float64(h.Bins)
		for k := range x[0] {
			i, j := int(math.Floor((x[0][k]+h.Edge)/width)), int(math.Floor((x[1][k]+h.Edge)/width))
			if min(i, j) >= 0 && max(i, j) < h.Bins {
				counts[i][j]++
			}
		}
		for i := range counts {
			for j, want := range h.Counts[i] {
				// The variance of a difference of counts; one more for rare ones.
				if d := counts[i][j]*ratio - want; math.Abs(d) > 6*math.Sqrt((1+ratio)*(want+ratio)) {
					t.Errorf("%s: bin (%d, %d) has %g points scaled to the reference's %g, which has %g", name, i, j, counts[i][j]*ratio, s.N, want)
				}
			}
		}
	}
}

func checkFractions(t *testing.T, raw json.RawMessage, labels []int) {
	t.Helper()
	var want map[int]float64
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	counts := map[int]float64{}
	for _, label := range labels {
		counts[label]++
	}
	n := float64(len(labels))
	for label, fraction := range want {
		if d := counts[label]/n - fraction; math.Abs(d) > 6*math.Sqrt(fraction*(1-fraction)*(1/n+1/200_000.)) {
			t.Errorf("label %d has a fraction of %g of the points, the reference %g", label, counts[label]/n, fraction)
		}
	}
	if len(counts) != len(want) {
		t.Errorf("the labels are %v, the reference's %v", counts, want)
	}
}

// The number of points is Poisson, and so is that of the signal among them: mean and
// variance within six standard errors of the closed form, over 4,000 seeds.
func TestGoldenToyCounts(t *testing.T) {
	cases := toyCases(t)
	c := cases[slices.IndexFunc(cases, func(c toyCase) bool { return c.Op == "toy_counts" })]
	mixture := toy.SignalAndBackground(c.Inputs.Share)
	const rounds = 4000
	var total, signal []float64
	for seed := range int64(rounds) {
		n, err := toy.Poisson(seed, c.Inputs.Expected)
		if err != nil {
			t.Fatal(err)
		}
		_, labels, err := mixture.SampleLabelled(seed, n)
		if err != nil {
			t.Fatal(err)
		}
		count := 0
		for _, label := range labels {
			count += label
		}
		total, signal = append(total, float64(n)), append(signal, float64(count))
	}
	for name, counts := range map[string][]float64{"points": total, "signal": signal} {
		want := c.Inputs.Expected
		if name == "signal" {
			want *= c.Inputs.Share
		}
		mean, variance := stat.MeanVariance(counts, nil)
		if math.Abs(mean-want) > 6*math.Sqrt(want/rounds) {
			t.Errorf("the mean number of %s is %g, expected %g", name, mean, want)
		}
		// The variance of a Poisson sample's variance is (λ + 2λ²)/n.
		if math.Abs(variance-want) > 6*math.Sqrt((want+2*want*want)/rounds) {
			t.Errorf("the variance of the number of %s is %g, expected %g", name, variance, want)
		}
	}
}

// The density and the likelihood ratio of the parametric mixture, in the far tail too, where
// a sum of densities underflows; and the standardiser, where a constant feature is left.
func TestGoldenToysExact(t *testing.T) {
	g := readGolden(t, "toys_exact")
	if len(g.Cases) != 5 {
		t.Fatalf("%d cases, expected 5", len(g.Cases))
	}
	for _, c := range g.Cases {
		t.Run(c.Name, func(t *testing.T) {
			for _, dtype := range bothDTypes {
				if c.Op == "standardiser" {
					goldenStandardizer(t, c, dtype)
					continue
				}
				gaussian := func(name string) (g toy.Gaussian) {
					g.Mean, _ = get[[]float64](t, c.Inputs, name+"_loc")
					g.Covariance, _ = get[[][]float64](t, c.Inputs, name+"_cov")
					return g
				}
				p := toy.ParametricMixture{Signal: gaussian("sig"), Background: gaussian("bkg")}
				p.Share, _ = get[float64](t, c.Inputs, "sig_frac")
				p.Axis, _ = get[int](t, c.Inputs, "param_dim")
				theta, _ := get[float64](t, c.Inputs, "theta")
				x := tensorOf(t, c.Inputs, "x", dtype)
				m, err := p.At(theta)
				if err != nil {
					t.Fatal(err)
				}
				logProb, err := m.LogProb(x)
				if err != nil {
					t.Fatal(err)
				}
				agree(t, "log p", logProb, tensorOf(t, c.Expected, "log_prob", dtype))
				if want := tensorOf(t, c.Expected, "log_likelihood_ratio", dtype); want != nil {
					ratio, err := p.LogLikelihoodRatio(x, theta)
					if err != nil {
						t.Fatal(err)
					}
					agree(t, "the log-likelihood ratio", ratio, want)
				}
				if want, ok := get[[]float64](t, c.Expected, "signal_mean"); ok && !slices.Equal(m.Components[1].Mean, want) {
					t.Errorf("the signal's mean is %v, expected %v", m.Components[1].Mean, want)
				}
			}
		})
	}
}

func goldenStandardizer(t *testing.T, c goldenCase, dtype dtypes.DType) {
	t.Helper()
	backend, err := nami.OpenBackend("go")
	if err != nil {
		t.Fatal(err)
	}
	fitted, err := transform.Fit(backend, transform.Standardize{Constant: 1}, transform.Data{X: tensorOf(t, c.Inputs, "fit_x", dtype)})
	if err != nil {
		t.Fatal(err)
	}
	s := fitted.(transform.Standardize)
	d := len(s.Mean)
	agree(t, "the mean", fromFloats(s.Mean, []int{d}, dtype), tensorOf(t, c.Expected, "mean", dtype))
	agree(t, "the standard deviation", fromFloats(s.Std, []int{d}, dtype), tensorOf(t, c.Expected, "std", dtype))
	x := tensorOf(t, c.Inputs, "x", dtype)
	if x == nil {
		return
	}
	z, _, err := transform.Apply(backend, s, transform.Data{X: x}, 0)
	if err != nil {
		t.Fatal(err)
	}
	agree(t, "Apply", z, tensorOf(t, c.Expected, "transform", dtype))
	back, _, err := transform.Invert(backend, s, transform.Data{X: x})
	if err != nil {
		t.Fatal(err)
	}
	agree(t, "Inverse", back, tensorOf(t, c.Expected, "inverse", dtype))
}
