package main

import (
	"bytes"
	"embed"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/infer"

	"gonum.org/v1/gonum/stat/distuv"
)

// observations is how many observations of each task posteriors are compared for, and drawn how
// many samples of a posterior have.
const (
	observations = 10
	drawn        = 5000
)

// task is one of the tasks of the benchmark of simulation-based inference (Lueckmann et al. 2021,
// arXiv:2101.04653, appendix T).
type task struct {
	name     string
	prior    infer.Prior
	simulate func(theta []float64, random *rand.Rand) []float64

	// references are the observations with samples of their posteriors.
	references func() ([]reference, error)
}

type reference struct {
	observed []float64
	theta    [][]float64
}

func tasks() []task {
	glm := newBernoulliGLM()
	return []task{
		{"two_moons", box("θ", 2, 1), twoMoons, func() ([]reference, error) { return published("two_moons") }},
		{"gaussian_linear", independent("θ", 10, distuv.Normal{Sigma: math.Sqrt(0.1)}), gaussianLinear, gaussianLinearPosteriors},
		{"gaussian_mixture", box("θ", 2, 10), gaussianMixture, gaussianMixturePosteriors},
		{"slcp", box("θ", 5, 3), slcp, func() ([]reference, error) { return published("slcp") }},
		{"bernoulli_glm", glm, glm.simulate, glm.posteriors},
	}
}

func independent(name string, d int, law infer.Law) infer.Independent {
	prior := make(infer.Independent, d)
	for i := range prior {
		prior[i] = infer.Parameter{Name: fmt.Sprint(name, i+1), Law: law}
	}
	return prior
}

// box is uniform between -half and half.
func box(name string, d int, half float64) infer.Independent {
	return independent(name, d, distuv.Uniform{Min: -half, Max: half})
}

func twoMoons(theta []float64, random *rand.Rand) []float64 {
	a, r := math.Pi*(random.Float64()-0.5), 0.1+0.01*random.NormFloat64()
	return []float64{
		r*math.Cos(a) + 0.25 - math.Abs(theta[0]+theta[1])/math.Sqrt2,
		r*math.Sin(a) + (theta[1]-theta[0])/math.Sqrt2,
	}
}

func gaussianLinear(theta []float64, random *rand.Rand) []float64 {
	x := make([]float64, len(theta))
	for i := range x {
		x[i] = theta[i] + math.Sqrt(0.1)*random.NormFloat64()
	}
	return x
}

// gaussianLinearPosteriors are N(x/2, 0.05).
func gaussianLinearPosteriors() ([]reference, error) {
	random := rand.New(rand.NewPCG(1, 0))
	refs := make([]reference, observations)
	prior := independent("θ", 10, distuv.Normal{Sigma: math.Sqrt(0.1)})
	for i := range refs {
		theta := make([]float64, 10)
		prior.Draw(random, theta)
		refs[i].observed = gaussianLinear(theta, random)
		for range drawn {
			row := make([]float64, 10)
			for j := range row {
				row[j] = refs[i].observed[j]/2 + math.Sqrt(0.05)*random.NormFloat64()
			}
			refs[i].theta = append(refs[i].theta, row)
		}
	}
	return refs, nil
}

func gaussianMixture(theta []float64, random *rand.Rand) []float64 {
	sigma := 1.0
	if random.Float64() < 0.5 {
		sigma = 0.1
	}
	return []float64{theta[0] + sigma*random.NormFloat64(), theta[1] + sigma*random.NormFloat64()}
}

// gaussianMixturePosteriors are the same mixture of the parameters, within the box.
func gaussianMixturePosteriors() ([]reference, error) {
	random := rand.New(rand.NewPCG(2, 0))
	refs := make([]reference, observations)
	for i := range refs {
		theta := make([]float64, 2)
		box("θ", 2, 10).Draw(random, theta)
		refs[i].observed = gaussianMixture(theta, random)
		for len(refs[i].theta) < drawn {
			row := gaussianMixture(refs[i].observed, random)
			if math.Abs(row[0]) <= 10 && math.Abs(row[1]) <= 10 {
				refs[i].theta = append(refs[i].theta, row)
			}
		}
	}
	return refs, nil
}

// slcp is four points of a normal distribution in the plane.
func slcp(theta []float64, random *rand.Rand) []float64 {
	s1, s2, rho := theta[2]*theta[2], theta[3]*theta[3], math.Tanh(theta[4])
	// Cholesky's factor of the covariance, with 1e-6 on its diagonal.
	a := math.Sqrt(s1*s1 + 1e-6)
	b := rho * s1 * s2 / a
	c := math.Sqrt(math.Max(s2*s2+1e-6-b*b, 0))
	x := make([]float64, 0, 8)
	for range 4 {
		u, v := random.NormFloat64(), random.NormFloat64()
		x = append(x, theta[0]+a*u, theta[1]+b*u+c*v)
	}
	return x
}

// published samples of posteriors: those of the benchmark's authors, as kept by the tests of the
// Python package sbi (Apache-2.0), with every second sample of 10,000.
//
//go:embed reference
var files embed.FS

func published(name string) ([]reference, error) {
	read := func(ending string, format data.Format) (*data.Table, error) {
		content, err := files.ReadFile("reference/" + name + ending)
		if err != nil {
			return nil, err
		}
		return data.Decode(bytes.NewReader(content), format)
	}
	rows := func(t *data.Table, prefix string) (of map[int64][][]float64, err error) {
		which, err := t.Ints("observation")
		if err != nil {
			return nil, err
		}
		of = map[int64][][]float64{}
		values := make([][]float64, t.Len())
		for _, column := range t.Names() {
			if !strings.HasPrefix(column, prefix) {
				continue
			}
			c, err := t.Floats(column)
			if err != nil {
				return nil, err
			}
			for i, v := range c {
				values[i] = append(values[i], v)
			}
		}
		for i, row := range values {
			of[which[i]] = append(of[which[i]], row)
		}
		return of, nil
	}
	observed, err := read(".csv", data.CSV)
	if err != nil {
		return nil, err
	}
	x, err := rows(observed, "x")
	if err != nil {
		return nil, err
	}
	samples, err := read(".npz", data.NPZ)
	if err != nil {
		return nil, err
	}
	theta, err := rows(samples, "theta")
	if err != nil {
		return nil, err
	}
	var refs []reference
	for i := int64(1); i <= observations; i++ {
		if len(x[i]) != 1 || len(theta[i]) < drawn {
			return nil, fmt.Errorf("%s: observation %d has %d rows and %d samples", name, i, len(x[i]), len(theta[i]))
		}
		refs = append(refs, reference{x[i][0], theta[i][:drawn]})
	}
	return refs, nil
}
