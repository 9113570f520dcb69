package transform_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/transform"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// logDensity is that of x, rows of so many columns, if the model's is standard normal.
func logDensity(t *testing.T, backend compute.Backend, by transform.Transform, dtype dtypes.DType, x []float64, columns int) []float64 {
	t.Helper()
	y, logDet, err := transform.Apply(backend, by, transform.Data{X: gomlx.FromFloats(dtype, x, len(x)/columns, columns)}, 1)
	if err != nil {
		t.Fatal(err)
	}
	values := gomlxtest.Floats(t, y, nil)
	out := gomlxtest.Floats(t, logDet, nil)
	width := len(values) / len(out)
	for i, v := range values {
		out[i/width] += distuv.UnitNormal.LogProb(v)
	}
	return out
}

// With a standard normal model, transforms give the densities that are named for them.
func TestDensities(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		scaled := transform.Standardize{Mean: []float64{0.3}, Std: []float64{0.7}}
		normal := func(y float64) float64 { return distuv.Normal{Mu: 0.3, Sigma: 0.7}.LogProb(y) }
		positive, unit, all := []float64{1e-3, 0.2, 1, 3, 1e4}, []float64{1e-5, 0.1, 0.5, 0.9, 0.99}, []float64{-1e12, -40, -1e-3, 0, 0.5, 1e12}
		for _, test := range []struct {
			name string
			by   transform.Transform
			x    []float64
			want func(x float64) float64
		}{
			{"log-normal", transform.Chain{transform.Logarithm{}, scaled}, positive, distuv.LogNormal{Mu: 0.3, Sigma: 0.7}.LogProb},
			{"logit-normal", transform.Chain{transform.Logit{}, scaled}, unit, func(x float64) float64 {
				return normal(math.Log(x/(1-x))) - math.Log(x*(1-x))
			}},
			{"probit-normal", transform.Chain{transform.Probit{}, scaled}, unit, func(x float64) float64 {
				y := distuv.UnitNormal.Quantile(x)
				return normal(y) - distuv.UnitNormal.LogProb(y)
			}},
			{"uniform", transform.Probit{}, unit, func(float64) float64 { return 0 }},
			{"Johnson's S_U", transform.Chain{transform.Asinh{Scale: 2}, scaled}, all, func(x float64) float64 {
				return normal(math.Asinh(x/2)) - math.Log(2) - 0.5*math.Log1p(x*x/4)
			}},
		} {
			var want []float64
			for _, x := range test.x {
				want = append(want, test.want(x))
			}
			gomlxtest.Near(t, test.name, logDensity(t, backend, test.by, dtypes.Float64, test.x, 1), want, 1e-9)
			gomlxtest.Near(t, test.name+" in Float32", logDensity(t, backend, test.by, dtypes.Float32, test.x, 1), want, 1e-4)
		}
	})
}

// Whitened with its own moments, a sample has the log-density of the normal distribution with
// these moments, whatever the columns' units are.
func TestDensityOfWhitened(t *testing.T) {
	backend := gomlxtest.Go(t)
	const n = 200
	random := rand.New(rand.NewPCG(3, 0))
	x := mat.NewDense(n, 3, nil)
	for i := range n {
		a, b, c := random.NormFloat64(), random.NormFloat64(), random.NormFloat64()
		x.SetRow(i, []float64{5 + a, 1e6 * (a + 0.3*b), 1e-4 * (c - b)})
	}
	flat := x.RawMatrix().Data
	fitted, err := transform.Fit(backend, transform.Whiten{}, transform.Data{X: gomlx.FromFloats(dtypes.Float64, flat, n, 3)})
	if err != nil {
		t.Fatal(err)
	}
	correlation := mat.NewSymDense(3, nil)
	stat.CorrelationMatrix(correlation, x, nil)
	var cholesky mat.Cholesky
	if !cholesky.Factorize(correlation) {
		t.Fatal("the correlations aren't positive")
	}
	var want []float64
	for i := range n {
		dx, solved := mat.NewVecDense(3, nil), mat.NewVecDense(3, nil)
		units := 0.0
		for j := range 3 {
			mean, std := stat.MeanStdDev(mat.Col(nil, j, x), nil)
			dx.SetVec(j, (x.At(i, j)-mean)/std)
			units += math.Log(std)
		}
		if err := cholesky.SolveVecTo(solved, dx); err != nil {
			t.Fatal(err)
		}
		want = append(want, -0.5*(mat.Dot(dx, solved)+cholesky.LogDet()+3*math.Log(2*math.Pi))-units)
	}
	gomlxtest.Near(t, "log-density", logDensity(t, backend, fitted, dtypes.Float64, flat, 3), want, 1e-7)
}

// average is the mean of the model's density times |∂y/∂x| over the noise, for one x.
func average(t *testing.T, backend compute.Backend, by transform.Transform, x float64, logProb func(y []float64) float64) (mean, err float64) {
	t.Helper()
	const n = 20_000
	y, logDet, e := transform.Apply(backend, by, transform.Data{X: tensors.FromScalarAndDimensions(x, n, 1)}, 7)
	if e != nil {
		t.Fatal(e)
	}
	values, shares := gomlxtest.Floats(t, y, nil), gomlxtest.Floats(t, logDet, nil)
	width := len(values) / n
	density := make([]float64, n)
	for i := range density {
		density[i] = math.Exp(logProb(values[i*width:(i+1)*width]) + shares[i])
	}
	mean, std := stat.MeanStdDev(density, nil)
	return mean, std / math.Sqrt(n)
}

// The angle of a normal point in the plane whose mean isn't the origin has a density in closed
// form (Mardia & Jupp 2000, Directional Statistics, eq. 3.5.48): averaged over the radius, that
// is what comes out. 12 angles at 4.5 standard errors are a false alarm in 1 of 12,000 runs; the
// seed is fixed.
func TestDensityOnCircle(t *testing.T) {
	backend := gomlxtest.Go(t)
	const period, low, mu = 24.0, -3.0, 0.8
	logProb := func(y []float64) float64 {
		return distuv.UnitNormal.LogProb(y[0]-mu) + distuv.UnitNormal.LogProb(y[1])
	}
	for k := range 12 {
		x := low + period*float64(k)/12 + 0.1
		a := mu * math.Cos(2*math.Pi*(x-low)/period)
		want := math.Exp(-mu*mu/2) / period * (1 + a*distuv.UnitNormal.CDF(a)/distuv.UnitNormal.Prob(a))
		got, sigma := average(t, backend, transform.Circle{Period: period, Low: low}, x, logProb)
		gomlxtest.Close(t, "the density of an angle", got, want, 4.5*sigma)
		if !(sigma < 0.01*want) {
			t.Errorf("the standard error is %g of %g: too large to check anything", sigma, want)
		}
	}
	// A uniform angle is standard normal, and its log-density exact for each radius.
	uniform := logDensity(t, backend, transform.Circle{Period: period}, dtypes.Float64, []float64{0, 1, 5, 23, 24, 100, -7}, 1)
	for _, got := range uniform {
		gomlxtest.Close(t, "the uniform log-density", got, -math.Log(period), 1e-12)
	}
}

// The average over the noise is the probability of a count: that of the geometric distribution
// for an exponential density. 4 counts at 4.5 standard errors are a false alarm in 1 of 37,000
// runs; the seed is fixed.
func TestProbabilityOfCounts(t *testing.T) {
	backend := gomlxtest.Go(t)
	for k := range 4 {
		got, sigma := average(t, backend, transform.Dequantize{Step: 0.5}, float64(k)/2, func(y []float64) float64 { return -y[0] })
		want := math.Exp(-float64(k)) * (1 - math.Exp(-1))
		gomlxtest.Close(t, "the probability of a count", got, want, 4.5*sigma)
	}
}

// Samples of the model's base come back with the distribution that the density says: angles are
// uniform, by Kolmogorov and Smirnov's test at 1.95/√n, a false alarm in 1 of 1,000 runs; the
// seed is fixed.
func TestAnglesOfNormalPointsAreUniform(t *testing.T) {
	backend := gomlxtest.Go(t)
	const n = 5_000
	y, err := distribution.Draw(backend, distribution.NewStandardNormal(2), 1, dtypes.Float32, n)
	if err != nil {
		t.Fatal(err)
	}
	x, _, err := transform.Invert(backend, transform.Circle{Period: 360, Low: -180}, transform.Data{X: y})
	angles := gomlxtest.Floats(t, x, err)
	uniform := make([]float64, n)
	for i := range uniform {
		uniform[i] = -180 + 360*(float64(i)+0.5)/n
	}
	slices.Sort(angles)
	gomlxtest.Close(t, "the Kolmogorov-Smirnov distance", stat.KolmogorovSmirnov(angles, nil, uniform, nil), 0, 1.95/math.Sqrt(n))
	if angles[0] < -180 || angles[n-1] > 180 {
		t.Errorf("the angles go from %g to %g", angles[0], angles[n-1])
	}
}
