package main

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"
)

// bernoulliGLM is a generalised linear model of a neuron: an offset and a filter of nine values say
// with which probability it fires in each of 100 steps, given a stimulus of white noise. The filter
// is smooth in the prior. What is observed are the sufficient statistics Vᵀz, the number of spikes
// and the sum of the stimuli before them. The stimulus is drawn with a seed of our own: that of the
// benchmark's authors is another draw of the same distribution.
type bernoulliGLM struct {
	design    *mat.Dense    // V, [100, 10]
	precision *mat.SymDense // of the prior
	factor    mat.Cholesky  // of the prior's covariance
}

const (
	glmSteps  = 100
	glmValues = 10
)

func newBernoulliGLM() *bernoulliGLM {
	g := &bernoulliGLM{design: mat.NewDense(glmSteps, glmValues, nil), precision: mat.NewSymDense(glmValues, nil)}
	random := rand.New(rand.NewPCG(42, 0))
	stimulus := make([]float64, glmSteps)
	for i := range stimulus {
		stimulus[i] = random.NormFloat64()
	}
	for i := range glmSteps {
		g.design.Set(i, 0, 1)
		for k := range glmValues - 1 {
			if i >= k {
				g.design.Set(i, k+1, stimulus[i-k])
			}
		}
	}
	// F = D² + diag(√(i/M)), with first differences D; the precision is ½ for the offset and FᵀF.
	const m = glmValues - 1
	d := mat.NewDense(m, m, nil)
	for i := range m {
		d.Set(i, i, 1)
		if i > 0 {
			d.Set(i, i-1, -1)
		}
	}
	var f, ff mat.Dense
	f.Mul(d, d)
	for i := range m {
		f.Set(i, i, f.At(i, i)+math.Sqrt(float64(i)/m))
	}
	ff.Mul(f.T(), &f)
	g.precision.SetSym(0, 0, 0.5)
	for i := range m {
		for j := i; j < m; j++ {
			g.precision.SetSym(i+1, j+1, ff.At(i, j))
		}
	}
	var precision mat.Cholesky
	var covariance mat.SymDense
	if !precision.Factorize(g.precision) || precision.InverseTo(&covariance) != nil || !g.factor.Factorize(&covariance) {
		panic("the precision of bernoulli_glm isn't positive definite")
	}
	return g
}

// Names implements infer.Prior.
func (g *bernoulliGLM) Names() []string {
	names := []string{"β"}
	for i := range glmValues - 1 {
		names = append(names, fmt.Sprint("f", i+1))
	}
	return names
}

// Draw implements infer.Prior.
func (g *bernoulliGLM) Draw(random *rand.Rand, theta []float64) {
	copy(theta, normal(random, &g.factor, mat.NewVecDense(glmValues, nil)))
}

// LogProb implements infer.Density.
func (g *bernoulliGLM) LogProb(theta []float64) float64 {
	v := mat.NewVecDense(glmValues, theta)
	return -mat.Inner(v, g.precision, v)/2 - g.factor.LogDet()/2 - glmValues*math.Log(2*math.Pi)/2
}

// normal draws from the normal distribution of the covariance of that factor.
func normal(random *rand.Rand, factor *mat.Cholesky, mean mat.Vector) []float64 {
	z := mat.NewVecDense(mean.Len(), nil)
	for i := range mean.Len() {
		z.SetVec(i, random.NormFloat64())
	}
	var lower mat.TriDense
	factor.LTo(&lower)
	var out mat.VecDense
	out.MulVec(&lower, z)
	out.AddVec(&out, mean)
	return out.RawVector().Data
}

// simulate returns the sufficient statistics.
func (g *bernoulliGLM) simulate(theta []float64, random *rand.Rand) []float64 {
	x := make([]float64, glmValues)
	for i := range glmSteps {
		row := g.design.RawRowView(i)
		if random.Float64() < 1/(1+math.Exp(-dot(row, theta))) {
			for k, v := range row {
				x[k] += v
			}
		}
	}
	return x
}

func dot(a, b []float64) (sum float64) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// posteriors are samples by Gibbs' sampler with Pólya–Gamma variables (Polson, Scott & Windle 2013,
// arXiv:1205.0310, section 3.1), every tenth state of a chain after the first thousand.
func (g *bernoulliGLM) posteriors() ([]reference, error) {
	random := rand.New(rand.NewPCG(3, 0))
	refs := make([]reference, observations)
	for i := range refs {
		theta := make([]float64, glmValues)
		g.Draw(random, theta)
		refs[i].observed = g.simulate(theta, random)
		chain := newGibbs(g.design, g.precision, refs[i].observed)
		for range 1000 {
			chain.step(random)
		}
		for range drawn {
			for range 10 {
				chain.step(random)
			}
			refs[i].theta = append(refs[i].theta, append([]float64(nil), chain.theta...))
		}
	}
	return refs, nil
}
