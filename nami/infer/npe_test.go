package infer_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/infer"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/compute"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// A shift with a normal prior and normal noise has a normal posterior, and a parameter between
// bounds that the data say nothing of keeps its prior.
var conjugate = infer.Independent{{Name: "shift", Law: distuv.Normal{Mu: 5, Sigma: 2}}, {Name: "free", Law: distuv.Uniform{Min: -1, Max: 1}}}

func shifted(theta []float64, random *rand.Rand) []float64 {
	return []float64{theta[0] + random.NormFloat64()}
}

// exact is the posterior of the shift.
func exact(x float64) distuv.Normal {
	return distuv.Normal{Mu: (5.0/4 + x) / (1.0/4 + 1), Sigma: math.Sqrt(1 / (1.0/4 + 1))}
}

func small(d, x int) field.MLP {
	return field.MLP{EventShape: []int{d}, Hidden: []int{32, 32}, ContextDim: x}
}

func fitted(t *testing.T, backend compute.Backend) *infer.Posterior {
	t.Helper()
	s, err := infer.Simulate(t.Context(), conjugate, infer.Each(shifted), 6000, infer.Seed(1))
	if err != nil {
		t.Fatal(err)
	}
	p, err := infer.NPE{Field: small(2, 1)}.Fit(t.Context(), backend, conjugate, s, train.Steps(1000), train.BatchSize(128), train.Seed(1))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// What is inferred is the posterior that has a formula: samples, intervals, density, mode.
func TestPosterior(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		p := fitted(t, backend)
		for _, x := range []float64{3, 6} {
			want := exact(x)
			draws, err := p.Sample(t.Context(), []float64{x}, 4000)
			if err != nil {
				t.Fatal(err)
			}
			shift, err := draws.Column("shift")
			if err != nil {
				t.Fatal(err)
			}
			free, _ := draws.Column("free")
			// What 1,000 steps teach, and 4,000 draws show: a tenth of the posterior's width.
			mean, deviation := stat.MeanStdDev(shift, nil)
			gomlxtest.Close(t, "the mean", mean, want.Mu, 0.1*want.Sigma)
			gomlxtest.Close(t, "the deviation", deviation, want.Sigma, 0.1*want.Sigma)
			gomlxtest.Close(t, "the deviation of what nothing is known of", stat.StdDev(free, nil), 2/math.Sqrt(12), 0.06)
			for _, v := range free {
				if v < -1 || v > 1 {
					t.Fatalf("a draw has free = %v, outside its bounds", v)
				}
			}
			low, high, err := draws.Interval("shift", 0.9)
			if err != nil {
				t.Fatal(err)
			}
			gomlxtest.Close(t, "the lower end of 90%", low, want.Quantile(0.05), 0.2*want.Sigma)
			gomlxtest.Close(t, "the upper end of 90%", high, want.Quantile(0.95), 0.2*want.Sigma)

			logp, err := p.LogProb(t.Context(), []float64{x}, [][]float64{{want.Mu, 0}, {want.Mu + want.Sigma, 0.5}, {want.Mu, 1.01}})
			if err != nil {
				t.Fatal(err)
			}
			gomlxtest.Close(t, "log p in the middle", logp[0], want.LogProb(want.Mu)-math.Log(2), 0.15)
			gomlxtest.Close(t, "log p beside it", logp[1], want.LogProb(want.Mu+want.Sigma)-math.Log(2), 0.15)
			if !math.IsInf(logp[2], -1) {
				t.Errorf("log p outside the bounds is %v, expected -Inf", logp[2])
			}
			if draws.Leakage != 0 {
				t.Errorf("the leakage is %v: bounded parameters can't leak", draws.Leakage)
			}
		}
		theta, logp, err := p.MAP(t.Context(), []float64{6})
		if err != nil {
			t.Fatal(err)
		}
		// Where the density is that of the mode, to what was learned of it.
		gomlxtest.Close(t, "the true density at the mode", exact(6).LogProb(theta[0]), exact(6).LogProb(exact(6).Mu), 0.15)
		at, err := p.LogProb(t.Context(), []float64{6}, [][]float64{theta, {theta[0] + 0.1, theta[1]}, {theta[0] - 0.1, theta[1]}, {theta[0], theta[1] * 0.95}})
		if err != nil {
			t.Fatal(err)
		}
		gomlxtest.Close(t, "the density at the mode", at[0], logp, 1e-3)
		for _, beside := range at[1:] {
			if beside > logp {
				t.Errorf("the density beside the mode is larger: %v", at)
			}
		}
	})
}

func TestSampleEach(t *testing.T) {
	p := fitted(t, gomlxtest.XLA(t))
	observations := make([][]float64, 10)
	for i := range observations {
		observations[i] = []float64{float64(i)}
	}
	next := 0
	err := p.SampleEach(t.Context(), observations, 20_000, func(i int, draws *infer.Draws) error {
		if i != next || len(draws.Theta) != 20_000 {
			t.Fatalf("observation %d with %d draws, expected observation %d with 20,000", i, len(draws.Theta), next)
		}
		next++
		shift, err := draws.Column("shift")
		want := exact(observations[i][0])
		if math.Abs(stat.Mean(shift, nil)-want.Mu) > 0.25*want.Sigma {
			t.Errorf("given %v the mean is %v, expected %v", observations[i], stat.Mean(shift, nil), want.Mu)
		}
		return err
	})
	if err != nil || next != 10 {
		t.Errorf("%d observations, expected 10: %v", next, err)
	}
}

// A prior that knows more than bounds cuts the posterior: draws outside are made again and counted,
// and the density is that of what is left.
func TestLeakage(t *testing.T) {
	backend := gomlxtest.XLA(t)
	cut := infer.Sampler{
		Parameters: []string{"a"},
		Func: func(random *rand.Rand, theta []float64) {
			theta[0] = math.Abs(random.NormFloat64())
		},
		LogDensity: func(theta []float64) float64 {
			if theta[0] < 0 {
				return math.Inf(-1)
			}
			return math.Log(2) + distuv.UnitNormal.LogProb(theta[0])
		},
	}
	s, err := infer.Simulate(t.Context(), cut, infer.Each(func(theta []float64, random *rand.Rand) []float64 {
		return []float64{theta[0] + 0.5*random.NormFloat64()}
	}), 6000)
	if err != nil {
		t.Fatal(err)
	}
	p, err := infer.NPE{Field: small(1, 1)}.Fit(t.Context(), backend, cut, s, train.Steps(600), train.BatchSize(128))
	if err != nil {
		t.Fatal(err)
	}
	draws, err := p.Sample(t.Context(), []float64{-0.3}, 2000)
	if err != nil {
		t.Fatal(err)
	}
	if !(draws.Leakage > 0.001 && draws.Leakage < 0.3) {
		t.Errorf("the leakage is %v: a flow of all numbers leaks a little at an edge", draws.Leakage)
	}
	sum := 0.0 // of the density over the half line
	var grid [][]float64
	for i := range 400 {
		grid = append(grid, []float64{(float64(i) + 0.5) / 100})
	}
	logp, err := p.LogProb(t.Context(), []float64{-0.3}, append(grid, []float64{-0.01}))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range logp[:400] {
		sum += math.Exp(l) / 100
	}
	gomlxtest.Close(t, "the integral of the density", sum, 1, 0.02)
	if !math.IsInf(logp[400], -1) {
		t.Errorf("log p outside the support is %v, expected -Inf", logp[400])
	}
}

func TestBadInput(t *testing.T) {
	backend := gomlxtest.Go(t)
	s, err := infer.Simulate(t.Context(), conjugate, infer.Each(shifted), 64)
	if err != nil {
		t.Fatal(err)
	}
	some := func(change func(s *infer.Simulations)) *infer.Simulations {
		c := &infer.Simulations{Parameters: slices.Clone(s.Parameters)}
		for i := range s.Theta {
			c.Theta, c.X = append(c.Theta, slices.Clone(s.Theta[i])), append(c.X, slices.Clone(s.X[i]))
		}
		change(c)
		return c
	}
	for want, c := range map[string]struct {
		npe infer.NPE
		s   *infer.Simulations
	}{
		"there are no simulations":                              {infer.NPE{}, nil},
		"there are 1 simulations: expected at least 20":         {infer.NPE{}, some(func(s *infer.Simulations) { s.Theta, s.X = s.Theta[:1], s.X[:1] })},
		"there are 64 parameters and 63 observations":           {infer.NPE{}, some(func(s *infer.Simulations) { s.X = s.X[1:] })},
		"expected the same in the same order":                   {infer.NPE{}, some(func(s *infer.Simulations) { s.Parameters = []string{"free", "shift"} })},
		"simulation 3 has the parameters [1]":                   {infer.NPE{}, some(func(s *infer.Simulations) { s.Theta[3] = []float64{1} })},
		"the observation of simulation 4 has 2 values":          {infer.NPE{}, some(func(s *infer.Simulations) { s.X[4] = []float64{1, 2} })},
		"(shift = 1, free = 0) isn't finite":                    {infer.NPE{}, some(func(s *infer.Simulations) { s.Theta[5], s.X[5] = []float64{1, 0}, []float64{math.NaN()} })},
		"(shift = 1, free = 2) lie outside the prior's support": {infer.NPE{}, some(func(s *infer.Simulations) { s.Theta[6] = []float64{1, 2} })},
		"Observation is [2 3], which are 6 values":              {infer.NPE{Observation: []int{2, 3}}, s},
		"the parameters: ": {infer.NPE{}, some(func(s *infer.Simulations) {
			for i := range s.Theta {
				s.Theta[i][0] = 1
			}
		})},
	} {
		_, err := c.npe.Fit(t.Context(), backend, conjugate, c.s, train.Steps(1))
		gomlxtest.Says(t, want, err, want)
	}
	// An observation that never changes tells nothing, and is no mistake.
	p, err := infer.NPE{Field: small(2, 1)}.Fit(t.Context(), backend, conjugate, some(func(s *infer.Simulations) {
		for i := range s.X {
			s.X[i][0] = 7
		}
	}), train.Steps(1))
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Sample(t.Context(), []float64{7}, 0)
	gomlxtest.Says(t, "no samples", err, "asked for 0 samples")
	_, err = p.Sample(t.Context(), []float64{7, 8}, 1)
	gomlxtest.Says(t, "two values", err, "the observation has 2 values, those of the simulations have 1")
	_, err = p.LogProb(t.Context(), []float64{math.NaN()}, nil)
	gomlxtest.Says(t, "NaN", err, "value 0 of the observation is NaN")
	_, err = p.LogProb(t.Context(), []float64{7}, [][]float64{{1}})
	gomlxtest.Says(t, "one parameter", err, "row 0 of the parameters is [1]: expected 2 finite values")
	err = p.SampleEach(t.Context(), [][]float64{{7}, {}}, 1, func(int, *infer.Draws) error { return nil })
	gomlxtest.Says(t, "an empty observation", err, "observation 1: the observation has 0 values")
	draws, err := p.Sample(t.Context(), []float64{7}, 3)
	if err != nil {
		t.Fatal(err)
	}
	_, err = draws.Column("scale")
	gomlxtest.Says(t, "no such parameter", err, `there is no parameter "scale": there are ["shift" "free"]`)
	_, _, err = draws.Interval("shift", 90)
	gomlxtest.Says(t, "a percentage", err, "the probability is 90")
}
