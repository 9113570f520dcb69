package toy

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// Posterior returns what a measurement leaves of the mixture: the distribution of x given
// y = A·x + noise·ε with standard normal ε, by Bayes' theorem, which is a mixture, too. a has a
// row of one value for each dimension for each value of y. Component k has then
//
//	the mean        μ_k + K·(y - A·μ_k),  K = Σ_k·Aᵀ·S⁻¹,  S = A·Σ_k·Aᵀ + noise²
//	the covariance  Σ_k - K·A·Σ_k
//	the weight      w_k·N(y; A·μ_k, S), in proportion
//
// (Bishop 2006, "Pattern Recognition and Machine Learning", eqs. 2.113 to 2.117). It is an error
// if the sizes differ, a value isn't finite or noise isn't positive.
func (m GaussianMixture) Posterior(a [][]float64, y []float64, noise float64) (GaussianMixture, error) {
	s, err := m.settle()
	if err != nil {
		return m, err
	}
	if err := checkMeasurement(s.dim, a, y, noise); err != nil {
		return m, fmt.Errorf("toy.GaussianMixture.Posterior: %w", err)
	}
	A, identity := mat.NewDense(len(y), s.dim, nil), mat.NewDiagDense(s.dim, nil)
	for i, row := range a {
		A.SetRow(i, row)
	}
	for i := range s.dim {
		identity.SetDiag(i, 1)
	}
	var posterior GaussianMixture
	for k, p := range s.parts {
		prior := mat.NewDense(s.dim, s.dim, nil)
		for i, row := range m.Components[k].Covariance {
			prior.SetRow(i, row)
		}
		var cross, spread, gain, kept, covariance, expected mat.Dense
		cross.Mul(prior, A.T())
		spread.Mul(A, &cross)
		symmetric := mat.NewSymDense(len(y), nil)
		for i := range y {
			for j := range i + 1 {
				symmetric.SetSym(i, j, spread.At(i, j))
			}
			symmetric.SetSym(i, i, spread.At(i, i)+noise*noise)
		}
		var cholesky mat.Cholesky
		if !cholesky.Factorize(symmetric) {
			return m, fmt.Errorf("toy.GaussianMixture.Posterior: noise of %g is too small to tell from none for component %d", noise, k)
		}
		var inverse mat.SymDense
		if err := cholesky.InverseTo(&inverse); err != nil {
			return m, fmt.Errorf("toy.GaussianMixture.Posterior: noise of %g is too small to tell from none for component %d: %w", noise, k, err)
		}
		gain.Mul(&cross, &inverse)
		expected.Mul(A, mat.NewVecDense(s.dim, p.mean))
		away := mat.NewVecDense(len(y), nil)
		away.SubVec(mat.NewVecDense(len(y), append([]float64{}, y...)), expected.ColView(0))
		// (I - KA)·Σ·(I - KA)ᵀ + noise²·K·Kᵀ is the covariance, and positive definite however
		// it is rounded.
		kept.Mul(&gain, A)
		kept.Sub(identity, &kept)
		covariance.Product(&kept, prior, kept.T())
		var more mat.Dense
		more.Mul(&gain, gain.T())
		more.Scale(noise*noise, &more)
		covariance.Add(&covariance, &more)
		component := Gaussian{Mean: make([]float64, s.dim), Covariance: make([][]float64, s.dim)}
		for i := range s.dim {
			component.Mean[i] = p.mean[i] + mat.Dot(gain.RowView(i), away)
			component.Covariance[i] = make([]float64, s.dim)
			for j := range s.dim {
				component.Covariance[i][j] = (covariance.At(i, j) + covariance.At(j, i)) / 2
			}
		}
		posterior.Components = append(posterior.Components, component)
		posterior.Weights = append(posterior.Weights, math.Log(s.weights[k])-mat.Inner(away, &inverse, away)/2-cholesky.LogDet()/2)
	}
	most := logSumExp(posterior.Weights)
	for k, v := range posterior.Weights {
		posterior.Weights[k] = math.Exp(v - most)
	}
	return posterior, nil
}

func checkMeasurement(dim int, a [][]float64, y []float64, noise float64) error {
	if len(y) == 0 || len(a) != len(y) {
		return fmt.Errorf("a has %d rows and y %d values: give a row for each value, and at least one", len(a), len(y))
	}
	finite := func(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
	for i, row := range a {
		if len(row) != dim {
			return fmt.Errorf("row %d of a has %d values: the mixture has %d dimensions", i, len(row), dim)
		}
		for _, v := range append([]float64{y[i]}, row...) {
			if !finite(v) {
				return fmt.Errorf("row %d of a is %v and y[%d] is %v: they must be finite", i, row, i, y[i])
			}
		}
	}
	if !(noise > 0) || math.IsInf(noise, 0) {
		return fmt.Errorf("noise is %v: it is the standard deviation of the measurement, and must be positive and finite", noise)
	}
	return nil
}
