package toy_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/toy"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// slanted has three components of the plane, one of which is as good as a line.
var slanted = toy.GaussianMixture{
	Components: []toy.Gaussian{
		{Mean: []float64{-1, 0.5}, Covariance: [][]float64{{0.5, 0.3}, {0.3, 0.4}}},
		{Mean: []float64{1.5, 1}, Covariance: [][]float64{{0.2, 0}, {0, 0.7}}},
		{Mean: []float64{0, -2}, Covariance: [][]float64{{1, 0.999}, {0.999, 1}}},
	},
	Weights: []float64{1, 2, 0.5},
}

// The data predicted are Tweedie's formula, (x + σ²·∇log p_t(x))/α, of the mixture that x_t is drawn
// from, whose components are N(α·μ, α²Σ + σ²): here the derivative is a difference of its
// log-density.
func TestFieldIsTweedies(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, s := range []schedule.Schedule{schedule.VP{}, schedule.Linear{}} {
			f, err := slanted.Field(s, schedule.X0)
			if err != nil {
				t.Fatal(err)
			}
			times := []float64{0.05, 0.3, 0.5, 0.9}
			points := [][]float64{{-1, 0.2}, {0.3, -0.4}, {1, 2}, {0.5, -1.5}}
			out, err := model.CallOnceN(backend, model.NewStore(), func(scope *model.Scope, x, at *Node) []*Node {
				one := field.Call(f, scope, x, ConstAs(x, times[0]), nil)
				return []*Node{field.Call(f, scope, x, at, nil), one, s.Alpha(at), s.Sigma(at)}
			}, points, times)
			if err != nil {
				t.Fatal(err)
			}
			got, one := gomlxtest.Floats(t, out[0], nil), gomlxtest.Floats(t, out[1], nil)
			gomlxtest.Near(t, "with one time for all", one[:2], got[:2], 1e-12)
			alphas, sigmas := gomlxtest.Floats(t, out[2], nil), gomlxtest.Floats(t, out[3], nil)
			for i, x := range points {
				alpha, variance := alphas[i], sigmas[i]*sigmas[i]
				noisy := toy.GaussianMixture{Weights: slanted.Weights}
				for _, g := range slanted.Components {
					a := alpha * alpha
					noisy.Components = append(noisy.Components, toy.Gaussian{
						Mean: []float64{alpha * g.Mean[0], alpha * g.Mean[1]},
						Covariance: [][]float64{
							{a*g.Covariance[0][0] + variance, a * g.Covariance[0][1]},
							{a * g.Covariance[1][0], a*g.Covariance[1][1] + variance},
						},
					})
				}
				for axis := range x {
					const h = 1e-5
					ends := append(append([]float64{}, x...), x...)
					ends[axis] += h
					ends[2+axis] -= h
					p, err := noisy.LogProb(tensors.FromFlatDataAndDimensions(ends, 2, 2))
					ends = gomlxtest.Floats(t, p, err)
					want := (x[axis] + variance*(ends[0]-ends[1])/(2*h)) / alpha
					gomlxtest.Close(t, fmt.Sprintf("%v, t = %v, x = %v, value %d", s, times[i], x, axis), got[2*i+axis], want, 1e-6)
				}
			}
		}
	})
}

// All predictions are conversions of the data's, in the middle of time; and at its ends, where a
// conversion divides by nothing, the velocity is what it tends to: there the mean of the data is
// known without noise, or that of the noise without data.
func TestFieldInEveryPrediction(t *testing.T) {
	linear := schedule.Linear{}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		predictions := []schedule.Prediction{schedule.Eps, schedule.Score, schedule.X0, schedule.V, schedule.Velocity}
		call := func(scope *model.Scope, x, at *Node, p schedule.Prediction) *Node {
			f, err := slanted.Field(linear, p)
			if err != nil {
				panic(err)
			}
			return field.Call(f, scope, x, at, nil)
		}
		x := [][]float64{{-1, 0.2}, {0.3, -0.4}}
		out, err := model.CallOnceN(backend, model.NewStore(), func(scope *model.Scope, x, at *Node) (out []*Node) {
			for _, p := range predictions {
				out = append(out, call(scope, x, at, p), schedule.Convert(linear, schedule.X0, p, call(scope, x, at, schedule.X0), x, at))
			}
			return append(out, call(scope, x, ConstAs(x, 0.), schedule.Velocity), call(scope, x, ConstAs(x, 1.), schedule.Velocity))
		}, x, []float64{0.1, 0.8})
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range predictions {
			gomlxtest.Near(t, fmt.Sprint(p), gomlxtest.Floats(t, out[2*i], nil), gomlxtest.Floats(t, out[2*i+1], nil), 1e-10)
		}
		gomlxtest.Near(t, "at the data", gomlxtest.Floats(t, out[10], nil), []float64{1, -0.2, -0.3, 0.4}, 1e-12)
		mean := []float64{2 / 3.5, 1.5 / 3.5}
		gomlxtest.Near(t, "at the noise", gomlxtest.Floats(t, out[11], nil), []float64{-1 - mean[0], 0.2 - mean[1], 0.3 - mean[0], -0.4 - mean[1]}, 1e-12)
	})
}

// Prior times likelihood is the posterior times what doesn't depend on x, and the posterior is
// normalised as every mixture is: for one value measured, for two, and for one that says nothing.
func TestPosteriorIsBayes(t *testing.T) {
	for what, c := range map[string]struct {
		a     [][]float64
		y     []float64
		noise float64
	}{
		"one value":  {[][]float64{{0.8, -0.6}}, []float64{0.7}, 0.3},
		"two values": {[][]float64{{1, 0.5}, {-2, 0.3}}, []float64{0.7, -1}, 0.5},
		"nothing":    {[][]float64{{0, 0}}, []float64{0.7}, 1},
	} {
		posterior, err := slanted.Posterior(c.a, c.y, c.noise)
		if err != nil {
			t.Fatal(err)
		}
		points := tensors.FromFlatDataAndDimensions([]float64{0, 0, 1, -1, -0.5, 0.4, 2, 2, 0.3, -2}, 5, 2)
		before, err := slanted.LogProb(points)
		prior := gomlxtest.Floats(t, before, err)
		after, err := posterior.LogProb(points)
		got := gomlxtest.Floats(t, after, err)
		var evidence []float64
		x := gomlxtest.Floats(t, points, nil)
		for i := range got {
			likelihood := 0.0
			for j, row := range c.a {
				away := c.y[j] - row[0]*x[2*i] - row[1]*x[2*i+1]
				likelihood -= away * away / (2 * c.noise * c.noise)
			}
			evidence = append(evidence, prior[i]+likelihood-got[i])
			gomlxtest.Close(t, fmt.Sprintf("%s: the evidence at point %d", what, i), evidence[i], evidence[0], 1e-8*(1+math.Abs(evidence[0])))
		}
	}
}

func TestBadMeasurements(t *testing.T) {
	row := [][]float64{{1, 0}}
	for want, err := range map[string]error{
		"a has 1 rows and y 2 values":       second(slanted.Posterior(row, []float64{1, 2}, 1)),
		"at least one":                      second(slanted.Posterior(nil, nil, 1)),
		"row 0 of a has 1 values":           second(slanted.Posterior([][]float64{{1}}, []float64{1}, 1)),
		"they must be finite":               second(slanted.Posterior(row, []float64{math.NaN()}, 1)),
		"noise is 0":                        second(slanted.Posterior(row, []float64{1}, 0)),
		"there are no components":           second(toy.GaussianMixture{}.Posterior(row, []float64{1}, 1)),
		"the schedule is nil":               second(slanted.Field(nil, schedule.X0)),
		"Prediction(77) isn't a prediction": second(slanted.Field(schedule.VP{}, 77)),
		"no components":                     second(toy.GaussianMixture{}.Field(schedule.VP{}, schedule.X0)),
	} {
		gomlxtest.Says(t, want, err, want)
	}
	f, err := slanted.Field(schedule.VP{}, schedule.X0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = model.CallOnce(gomlxtest.Go(t), model.NewStore(), func(scope *model.Scope, x *Node) *Node {
		return field.Call(f, scope, x, ConstAs(x, 0.5), nil)
	}, [][]float64{{1, 2, 3}})
	gomlxtest.Says(t, "another size", err, "events have 3 values, and the mixture has 2 dimensions")
}

func second[T any](_ T, err error) error { return err }
