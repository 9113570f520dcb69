package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// Draws have the mean and the variance of the Pólya–Gamma distribution, tanh(c/2)/(2c) and
// (sinh c - c)/(4c³·cosh²(c/2)), within five standard errors.
func TestPolyaGamma(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const n = 40_000
	for _, c := range []float64{0.01, 0.5, 1.5, 3, -8} {
		draws := make([]float64, n)
		for i := range draws {
			draws[i] = polyaGamma(random, c)
		}
		mean, variance := stat.MeanVariance(draws, nil)
		wantMean := math.Tanh(c/2) / (2 * c)
		wantVariance := (math.Sinh(c) - c) / (4 * c * c * c * math.Pow(math.Cosh(c/2), 2))
		if math.Abs(mean-wantMean) > 5*math.Sqrt(wantVariance/n) {
			t.Errorf("c = %v: the mean is %v, expected %v", c, mean, wantMean)
		}
		fourth := stat.MomentAbout(4, draws, wantMean, nil)
		if math.Abs(variance-wantVariance) > 5*math.Sqrt((fourth-wantVariance*wantVariance)/n) {
			t.Errorf("c = %v: the variance is %v, expected %v", c, variance, wantVariance)
		}
	}
}

// The chain has the mean and covariance that a sum over a grid has, for two parameters.
func TestGibbs(t *testing.T) {
	design := mat.NewDense(6, 2, []float64{1, -2, 1, -1, 1, 0, 1, 0.5, 1, 1, 1, 2})
	spikes := []float64{0, 1, 0, 1, 1, 1}
	precision := mat.NewSymDense(2, []float64{0.5, 0.2, 0.2, 1})
	statistics := make([]float64, 2)
	for i, z := range spikes {
		statistics[0] += z * design.At(i, 0)
		statistics[1] += z * design.At(i, 1)
	}
	var mass float64
	var mean [2]float64
	var second [3]float64
	for a := -8.0; a <= 8; a += 0.05 {
		for b := -8.0; b <= 8; b += 0.05 {
			theta := mat.NewVecDense(2, []float64{a, b})
			logp := statistics[0]*a + statistics[1]*b - mat.Inner(theta, precision, theta)/2
			for i := range spikes {
				logp -= math.Log1p(math.Exp(dot(design.RawRowView(i), []float64{a, b})))
			}
			p := math.Exp(logp)
			mass += p
			mean[0], mean[1] = mean[0]+p*a, mean[1]+p*b
			second[0], second[1], second[2] = second[0]+p*a*a, second[1]+p*a*b, second[2]+p*b*b
		}
	}
	random := rand.New(rand.NewPCG(3, 4))
	chain := newGibbs(design, precision, statistics)
	const n = 40_000
	var a, b []float64
	for i := range n + 500 {
		if chain.step(random); i >= 500 {
			a, b = append(a, chain.theta[0]), append(b, chain.theta[1])
		}
	}
	// Neighbours in a chain are alike: allow five standard errors of a fifth of the draws.
	allowed := func(spread float64) float64 { return 5 * spread / math.Sqrt(n/5) }
	for i, draws := range [][]float64{a, b} {
		m, v := mean[i]/mass, second[2*i]/mass-math.Pow(mean[i]/mass, 2)
		if got := stat.Mean(draws, nil); math.Abs(got-m) > allowed(math.Sqrt(v)) {
			t.Errorf("the mean of parameter %d is %v, expected %v", i, got, m)
		}
		if got := stat.Variance(draws, nil); math.Abs(got-v) > allowed(math.Sqrt2*v) {
			t.Errorf("the variance of parameter %d is %v, expected %v", i, got, v)
		}
	}
	if got, want := stat.Covariance(a, b, nil), second[1]/mass-mean[0]*mean[1]/mass/mass; math.Abs(got-want) > 0.05 {
		t.Errorf("the covariance is %v, expected %v", got, want)
	}
}

// The published samples are of the posteriors of what is simulated here: of two_moons what the
// observation leaves for the noise has its distribution, of slcp the points are as far from their
// mean as normal ones are.
func TestPublishedReferences(t *testing.T) {
	moons, err := published("two_moons")
	if err != nil {
		t.Fatal(err)
	}
	for i, ref := range moons {
		var radius []float64
		for _, theta := range ref.theta {
			x := ref.observed[0] - 0.25 + math.Abs(theta[0]+theta[1])/math.Sqrt2
			y := ref.observed[1] - (theta[1]-theta[0])/math.Sqrt2
			radius = append(radius, math.Hypot(x, y))
		}
		mean, deviation := stat.MeanStdDev(radius, nil)
		if math.Abs(mean-0.1) > 0.002 || math.Abs(deviation-0.01) > 0.001 {
			t.Errorf("two_moons, observation %d: the radius is %.4f ± %.4f, expected 0.1 ± 0.01", i+1, mean, deviation)
		}
	}
	points, err := published("slcp")
	if err != nil {
		t.Fatal(err)
	}
	for i, ref := range points {
		var distances []float64
		for _, theta := range ref.theta {
			s1, s2, rho := theta[2]*theta[2], theta[3]*theta[3], math.Tanh(theta[4])
			sum := 0.0
			for k := range 4 {
				u := (ref.observed[2*k] - theta[0]) / s1
				v := (ref.observed[2*k+1] - theta[1]) / s2
				sum += (u*u - 2*rho*u*v + v*v) / (1 - rho*rho)
			}
			distances = append(distances, sum)
		}
		slices.Sort(distances)
		// Eight squared numbers of variance 1, where one is drawn from the posterior: around 8.
		if median := stat.Quantile(0.5, stat.Empirical, distances, nil); median < 3 || median > 14 {
			t.Errorf("slcp, observation %d: the points are %.1f squared deviations from their mean, expected about 8", i+1, median)
		}
	}
}
