package main

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"
)

// gibbs samples the posterior of logistic regression with a normal prior of mean 0: given variables
// ω of the Pólya–Gamma distribution, the parameters are normal with the precision VᵀΩV + B⁻¹.
type gibbs struct {
	design    *mat.Dense
	precision *mat.SymDense
	linear    *mat.VecDense // Vᵀ(z - ½)
	theta     []float64
}

// newGibbs takes the sufficient statistics Vᵀz.
func newGibbs(design *mat.Dense, precision *mat.SymDense, statistics []float64) *gibbs {
	n, d := design.Dims()
	linear := mat.NewVecDense(d, append([]float64(nil), statistics...))
	for i := range n {
		linear.AddScaledVec(linear, -0.5, design.RowView(i))
	}
	return &gibbs{design: design, precision: precision, linear: linear, theta: make([]float64, d)}
}

func (g *gibbs) step(random *rand.Rand) {
	n, d := g.design.Dims()
	posterior := mat.NewSymDense(d, nil)
	posterior.CopySym(g.precision)
	for i := range n {
		row := g.design.RawRowView(i)
		posterior.SymRankOne(posterior, polyaGamma(random, dot(row, g.theta)), mat.NewVecDense(d, row))
	}
	var factor mat.Cholesky
	if !factor.Factorize(posterior) {
		panic("the precision of a posterior isn't positive definite")
	}
	// The mean solves P·m = κ; z/Lᵀ has the covariance P⁻¹.
	var mean, noise mat.VecDense
	if err := factor.SolveVecTo(&mean, g.linear); err != nil {
		panic(err)
	}
	z := mat.NewVecDense(d, nil)
	for i := range d {
		z.SetVec(i, random.NormFloat64())
	}
	var upper mat.TriDense
	factor.UTo(&upper)
	if err := noise.SolveVec(&upper, z); err != nil {
		panic(err)
	}
	for i := range d {
		g.theta[i] = mean.AtVec(i) + noise.AtVec(i)
	}
}

// polyaGamma draws from PG(1, c): a quarter of a tilted Jacobi variable, by Devroye's alternating
// series (Polson, Scott & Windle 2013, section 4, algorithm 1).
func polyaGamma(random *rand.Rand, c float64) float64 {
	const t = 0.64
	z := math.Abs(c) / 2
	k := math.Pi*math.Pi/8 + z*z/2
	// The parts of the two envelopes: an exponential right of t, an inverse Gaussian left of it.
	right := math.Pi / (2 * k) * math.Exp(-k*t)
	left := 2 * math.Exp(-z) * inverseGaussianCDF(t, z)
	for {
		var x float64
		if random.Float64() < right/(right+left) {
			x = t + random.ExpFloat64()/k
		} else {
			x = truncatedInverseGaussian(random, z, t)
		}
		sum := coefficient(0, x, t)
		y := random.Float64() * sum
		for n := 1; ; n++ {
			if n%2 == 1 {
				sum -= coefficient(n, x, t)
				if y <= sum {
					return x / 4
				}
			} else {
				sum += coefficient(n, x, t)
				if y > sum {
					break
				}
			}
		}
	}
}

// coefficient is a term of the series of the Jacobi density, in the form that converges at x.
func coefficient(n int, x, t float64) float64 {
	h := float64(n) + 0.5
	if x > t {
		return math.Pi * h * math.Exp(-h*h*math.Pi*math.Pi*x/2)
	}
	return math.Pi * h * math.Pow(2/(math.Pi*x), 1.5) * math.Exp(-2*h*h/x)
}

// inverseGaussianCDF is that of mean 1/z and shape 1, at t.
func inverseGaussianCDF(t, z float64) float64 {
	phi := func(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }
	r := math.Sqrt(1 / t)
	return phi(r*(t*z-1)) + math.Exp(2*z)*phi(-r*(t*z+1))
}

// truncatedInverseGaussian draws from that distribution below t.
func truncatedInverseGaussian(random *rand.Rand, z, t float64) float64 {
	if mean := 1 / z; mean > t {
		for {
			var e1, e2 float64
			for e1, e2 = random.ExpFloat64(), random.ExpFloat64(); e1*e1 > 2*e2/t; e1, e2 = random.ExpFloat64(), random.ExpFloat64() {
			}
			x := t / ((1 + t*e1) * (1 + t*e1))
			if random.Float64() < math.Exp(-z*z*x/2) {
				return x
			}
		}
	}
	mean := 1 / z
	for {
		y := random.NormFloat64()
		y *= y
		x := mean + mean*mean*y/2 - mean/2*math.Sqrt(4*mean*y+mean*mean*y*y)
		if random.Float64() > mean/(mean+x) {
			x = mean * mean / x
		}
		if x < t {
			return x
		}
	}
}
