package toy

import (
	"cmp"
	"fmt"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"
)

// Field returns the field that a perfect network learns of the mixture: the prediction p of the
// data and the noise that x_t = α·x0 + σ·ε came from, given x_t, for events of shape
// [dimensions]. A flow along an affine path takes the prediction [schedule.Velocity], and the
// schedule of path.ScheduleOf. The field has no weights, and whatever is wrong with its samples
// is the solver's doing.
//
// Component k has at x_t the share w_k·N(x_t; α·μ_k, α²Σ_k + σ²) of the density; of what comes
// from it, the mean of x0 is μ_k + α·Σ_k·(α²Σ_k + σ²)⁻¹·(x_t - α·μ_k) and that of ε
// σ·(α²Σ_k + σ²)⁻¹·(x_t - α·μ_k), which are computed without a difference of large numbers at
// either end of time. Of [schedule.Score] only what σ = 0 makes of it is beyond that: see
// [schedule.Convert].
//
// It is an error if a parameter is out of range, the schedule or the prediction.
func (m GaussianMixture) Field(s schedule.Schedule, p schedule.Prediction) (field.Func, error) {
	if err := cmp.Or(schedule.Validate(s), p.Validate()); err != nil {
		return field.Func{}, fmt.Errorf("toy.GaussianMixture.Field: %w", err)
	}
	mixture, err := m.settle()
	if err != nil {
		return field.Func{}, err
	}
	// In the axes of a component's covariance each coordinate is on its own: means and variances
	// [K, 1, d] and axes [K, d, d], the last of which counts the axes.
	dim := mixture.dim
	var axes [][][]float64
	var means, variances [][][]float64
	var weights [][]float64
	for k, p := range mixture.parts {
		covariance := mat.NewSymDense(dim, nil)
		for i, row := range m.Components[k].Covariance {
			for j, v := range row {
				covariance.SetSym(i, j, v)
			}
		}
		var eigen mat.EigenSym
		if !eigen.Factorize(covariance, true) {
			return field.Func{}, fmt.Errorf("toy.GaussianMixture.Field: the axes of component %d's covariance, %v, can't be found", k, m.Components[k].Covariance)
		}
		var vectors mat.Dense
		eigen.VectorsTo(&vectors)
		var mean mat.VecDense
		mean.MulVec(vectors.T(), mat.NewVecDense(dim, p.mean))
		rows := make([][]float64, dim)
		for i := range rows {
			rows[i] = vectors.RawRowView(i)
		}
		axes, means, variances = append(axes, rows), append(means, [][]float64{mean.RawVector().Data}), append(variances, [][]float64{eigen.Values(nil)})
		weights = append(weights, []float64{mixture.weights[k]})
	}
	return field.Func{Rank: 1, F: func(_ *model.Scope, x, t, _ *Node) *Node {
		if d := x.Shape().Dim(-1); d != dim {
			panic(fmt.Errorf("toy.GaussianMixture.Field: events have %d values, and the mixture has %d dimensions", d, dim))
		}
		as := func(values any) *Node { return ConvertDType(Const(x.Graph(), values), x.DType()) }
		// [K, n, d], or [K, n, 1] for what all axes share.
		lead := shape.Lead(x, 1)
		flat := Reshape(x, 1, shape.Size(lead), dim)
		alpha, sigma := s.Alpha(t), s.Sigma(t)
		if !t.IsScalar() {
			alpha, sigma = Reshape(alpha, 1, shape.Size(lead), 1), Reshape(sigma, 1, shape.Size(lead), 1)
		}
		mean, variance, turn := as(means), as(variances), as(axes)
		total := Add(Mul(Square(alpha), variance), Square(sigma))
		away := Sub(Einsum("nd,kde->kne", Squeeze(flat, 0), turn), Mul(alpha, mean))
		density := MulScalar(ReduceSum(Add(Div(Square(away), total), Log(total)), -1), -0.5)
		share := InsertAxes(Softmax(Add(density, Log(as(weights))), 0), -1)
		// back are values along each component's axes, [K, n, d], as those of the events.
		back := func(v *Node) *Node {
			return Reshape(Einsum("kne,kde->nd", Mul(share, v), turn), x.Shape().Dimensions...)
		}
		x0 := func() *Node { return back(Add(mean, Mul(Div(Mul(alpha, variance), total), away))) }
		eps := func() *Node { return back(Mul(Div(sigma, total), away)) }
		switch p {
		case schedule.X0:
			return x0()
		case schedule.Eps:
			return eps()
		case schedule.Score:
			return schedule.Convert(s, schedule.Eps, p, eps(), x, t)
		}
		byData, byNoise := Neg(s.Sigma(t)), s.Alpha(t) // of v
		if p == schedule.Velocity {
			byData, byNoise = schedule.AlphaDot(s, t), schedule.SigmaDot(s, t)
		}
		return Add(Mul(shape.Lift(byData, x), x0()), Mul(shape.Lift(byNoise, x), eps()))
	}}, nil
}
