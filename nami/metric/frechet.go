package metric

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// FrechetDistance is the squared 2-Wasserstein distance of the normal distributions that have the
// means and covariances of two samples (Dowson & Landau 1982, J. Multivariate Analysis 12),
//
//	|μ₁-μ₂|² + tr(Σ₁ + Σ₂ - 2·(Σ₁Σ₂)^½).
//
// Of features that a network makes of images it is what is known as FID (Heusel et al. 2017,
// arXiv:1706.08500): give the features as events. x and y are float32 or float64 [n]+event and
// [m]+event with n and m at least 2. It is biased upwards, by about the trace of Σ over n, so that
// only values of samples of one size compare, and [Tests.FrechetDistance] says what to expect. Weights, which must not be negative, weigh the events.
//
// Errors are as for [Nearest].
func FrechetDistance(x, y *tensors.Tensor, settings ...Option) (float64, error) {
	a, b, err := readFrechet("FrechetDistance", x, y, settings)
	if err != nil {
		return 0, err
	}
	v, err := frechet(a, b)
	if err != nil {
		return 0, fmt.Errorf("metric.FrechetDistance: %w", err)
	}
	return result("FrechetDistance", v)
}

// FrechetDistance tests by [FrechetDistance]. Of more than 1,000 events in all, and 20 for each value
// of an event, the null distribution is that of so many of them, in units of 1/n + 1/m with effective
// numbers.
func (t Tests) FrechetDistance(ctx context.Context, x, y *tensors.Tensor, settings ...Option) (Test, error) {
	a, b, err := readFrechet("Tests.FrechetDistance", x, y, settings)
	if err != nil {
		return Test{}, err
	}
	test, err := t.frechet(ctx, a, b)
	if err != nil {
		return Test{}, fmt.Errorf("metric.Tests.FrechetDistance: %w", err)
	}
	return test, nil
}

func (t Tests) frechet(ctx context.Context, a, b events) (Test, error) {
	value, err := frechet(a, b)
	if err == nil {
		value, err = finiteResult(value)
	}
	if err != nil {
		return Test{}, err
	}
	a, b, larger := t.some(a, b, max(mostPermuted, 20*a.size))
	test := Test{Name: "Fréchet distance", Value: value, Means: apart}
	return t.by(ctx, test, joined(a, b), a.count, func(x, y events) (float64, error) {
		v, err := frechet(x.normalised(), y.normalised())
		return v / larger, err
	})
}

func readFrechet(name string, x, y *tensors.Tensor, settings []Option) (a, b events, err error) {
	if a, b, err = readPair(name, x, y, settings); err != nil {
		return a, b, err
	}
	err = cmp.Or(a.notNegative("x"), b.notNegative("y"))
	if err == nil && min(a.count, b.count) < 2 {
		err = fmt.Errorf("the samples have %d and %d events: a covariance needs at least 2", a.count, b.count)
	}
	if err != nil {
		err = fmt.Errorf("metric.%s: %w", name, err)
	}
	return a, b, err
}

func frechet(a, b events) (float64, error) {
	meanA, covA := a.moments()
	meanB, covB := b.moments()
	root, err := squareRoot(covA)
	if err != nil {
		return 0, err
	}
	// Σ₁Σ₂ has the eigenvalues of Σ₁^½·Σ₂·Σ₁^½, which is symmetric.
	var product mat.Dense
	product.Product(root, covB, root)
	inner := mat.NewSymDense(a.size, nil)
	for i := range a.size {
		for j := i; j < a.size; j++ {
			inner.SetSym(i, j, (product.At(i, j)+product.At(j, i))/2)
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(inner, false) {
		return 0, errors.New("the eigenvalues of the product of both covariances can't be found")
	}
	sum := mat.Trace(covA) + mat.Trace(covB)
	for _, v := range eigen.Values(nil) {
		sum -= 2 * math.Sqrt(max(v, 0))
	}
	for k := range meanA {
		sum += (meanA[k] - meanB[k]) * (meanA[k] - meanB[k])
	}
	return max(sum, 0), nil
}

// moments are the mean and the covariance of the events.
func (e events) moments() (mean []float64, covariance *mat.SymDense) {
	var weights []float64
	if e.weights != nil { // gonum counts events by their weights' sum
		for _, w := range e.weights {
			weights = append(weights, w*e.effective())
		}
	}
	for k := range e.size {
		mean = append(mean, stat.Mean(e.column(k), weights))
	}
	covariance = mat.NewSymDense(e.size, nil)
	stat.CovarianceMatrix(covariance, mat.NewDense(e.count, e.size, e.flat), weights)
	return mean, covariance
}

// squareRoot is the symmetric square root of a covariance.
func squareRoot(c *mat.SymDense) (*mat.Dense, error) {
	var eigen mat.EigenSym
	if !eigen.Factorize(c, true) {
		return nil, errors.New("the axes of the first covariance can't be found")
	}
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	values := eigen.Values(nil)
	for k := range values {
		values[k] = math.Sqrt(max(values[k], 0))
	}
	root := mat.NewDense(len(values), len(values), nil)
	root.Product(&vectors, mat.NewDiagDense(len(values), values), vectors.T())
	return root, nil
}
