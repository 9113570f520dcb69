package solver_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/tests/backends"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// cosineData is what a model predicts where tests compare formulas: cos(x), which isn't
// linear, whatever the time.
func cosineData(x *Node) *Node { return Cos(x) }

// vp is a system of VP's noise levels with that prediction. Time may be asked for σ/α.
func vp() solver.System {
	s := schedule.VP{}
	ratio := func(t *Node) *Node { return Div(s.Sigma(t), s.Alpha(t)) }
	slope := func(z []*Node, t *Node) []*Node {
		x := Mul(z[0], shape.Lift(s.Alpha(t), z[0]))
		return []*Node{Div(Sub(z[0], cosineData(x)), shape.Lift(ratio(t), x))}
	}
	return solver.System{
		Drift: func(y []*Node, t *Node) []*Node { panic("a method in noise levels asks for the drift") },
		Model: &solver.Model{
			Schedule: s,
			NoiseLevels: func(over solver.Interval) *solver.Coordinates {
				return &solver.Coordinates{
					U: ratio, Time: func(u *Node) *Node { return schedule.TimeOf(s, OnesLike(u), u) },
					Scale: s.Alpha, Parts: []solver.Part{{Power: 1}}, Slope: slope, FirstOrder: over.Last,
				}
			},
		},
	}
}

// vpTimes are where the steps of the tests end: not even, and not to the data.
var vpTimes = solver.Times{0.9, 0.7, 0.6, 0.45, 0.3}

// level is α and σ of VP at a time: α² = exp(-t·0.1 - t²·19.9/2).
func level(t float64) (alpha, sigma float64) {
	logAlpha2 := -(0.1*t + 19.9*t*t/2)
	return math.Exp(logAlpha2 / 2), math.Sqrt(-math.Expm1(logAlpha2))
}

// noises are the random numbers of steps, recorded.
var noises = []float64{0.3, -1.1, 0.8, 0.2}

// unrolled is the end of a solve from 1.2 over vpTimes.
func unrolled(t *testing.T, backend compute.Backend, m solver.Method) float64 {
	t.Helper()
	out, err := CallOnce(backend, func(y *Node) *Node {
		s := solver.Solver{Method: m, Grid: vpTimes}
		return solver.Unroll(s, vp(), []*Node{y}, 0.9, 0.3, func(step, _, _ int, like *Node) *Node {
			return ConstAs(like, noises[step])
		})[0]
	}, 1.2)
	if err != nil {
		t.Fatal(err)
	}
	return tensors.ToScalar[float64](out)
}

// DDIM's steps are those of the paper, for eta from 0 to 1, and with 1 those of DDPM, from the
// posterior of Ho et al. 2020 (arXiv:2006.11239, eq. 7): in the papers' α, which is α² here,
//
//	x' = √α'·x̂0 + √(1-α'-s²)·ε + s·z,   s = eta·√((1-α')/(1-α))·√(1-α/α').
func TestDDIMIsThePapers(t *testing.T) {
	paper := func(eta float64, posterior bool) float64 {
		x := 1.2
		for i, z := range noises {
			alpha, sigma := level(vpTimes[i])
			alpha1, sigma1 := level(vpTimes[i+1])
			a, a1 := alpha*alpha, alpha1*alpha1
			x0 := math.Cos(x)
			if posterior {
				step := a / a1 // the paper's α_t, and β_t is 1 less
				mean := alpha1*(1-step)/(1-a)*x0 + math.Sqrt(step)*(1-a1)/(1-a)*x
				x = mean + math.Sqrt((1-a1)/(1-a)*(1-step))*z
				continue
			}
			s := eta * sigma1 / sigma * math.Sqrt(1-a/a1)
			x = alpha1*x0 + math.Sqrt(1-a1-s*s)*(x-alpha*x0)/sigma + s*z
		}
		return x
	}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, eta := range []float64{0, 0.3, 1} {
			gomlxtest.Close(t, fmt.Sprintf("eta = %v", eta), unrolled(t, backend, solver.DDIM(eta, 4).Method), paper(eta, false), 1e-12)
		}
		gomlxtest.Close(t, "DDPM", unrolled(t, backend, solver.DDIM(1, 4).Method), paper(1, true), 1e-12)
	})
}

// DPM-Solver++'s steps are those of the paper (Lu et al. 2022, arXiv:2211.01095, algorithms 1
// and 2, and section 5 of the SDE): with h = Δλ, r = h₋/h and the data D,
//
//	2S:     x' = σ'/σ·x + α'·(1-exp(-h))·D(s), s half way in λ, there by a step of first order
//	2M:     x' = σ'/σ·x + α'·(1-exp(-h))·(D + (D - D₋)/2r)
//	2M SDE: x' = σ'/σ·exp(-h)·x + α'·(1-exp(-2h))·(D + (D - D₋)/2r) + σ'·√(1-exp(-2h))·z
//
// and those of 3M and of UniPC have the weights of exact integrals, here by quadrature, with the
// parabola through three predictions.
func TestDPMSolverIsThePapers(t *testing.T) {
	type past struct{ lambda, data float64 }
	lambdaOf := func(t float64) float64 {
		alpha, sigma := level(t)
		return math.Log(alpha / sigma)
	}
	paper := func(step func(i int, x, sigmas, alpha1, sigma1, h float64, all []past) float64) float64 {
		x, all := 1.2, []past{}
		for i := range noises {
			_, sigma := level(vpTimes[i])
			alpha1, sigma1 := level(vpTimes[i+1])
			h := lambdaOf(vpTimes[i+1]) - lambdaOf(vpTimes[i])
			all = append([]past{{lambdaOf(vpTimes[i]), math.Cos(x)}}, all...)
			x = step(i, x, sigma1/sigma, alpha1, sigma1, h, all)
		}
		return x
	}
	mean := func(h float64, all []past) float64 {
		if len(all) == 1 {
			return all[0].data
		}
		r := (all[0].lambda - all[1].lambda) / h
		return all[0].data + (all[0].data-all[1].data)/(2*r)
	}
	// integral is ∫ x·exp(x·(θ-1))·D(θ) dθ with the polynomial through predictions, by Simpson's
	// rule with a thousand intervals.
	integral := func(x, from, h float64, all []past) (sum float64) {
		const n = 1000
		for k := range n + 1 {
			theta := float64(k) / n
			weight := []float64{2, 4}[k%2]
			if k == 0 || k == n {
				weight = 1
			}
			value := 0.
			for i, p := range all {
				term := p.data
				for j, q := range all {
					if i != j {
						term *= (from + theta*h - q.lambda) / (p.lambda - q.lambda)
					}
				}
				value += term
			}
			sum += weight / (3 * n) * x * math.Exp(x*(theta-1)) * value
		}
		return sum
	}
	// Before three predictions are known, the rule for two.
	three := func(x, h float64, all []past) float64 {
		if len(all) < 3 {
			return -math.Expm1(-x) * mean(h, all)
		}
		return integral(x, all[0].lambda, h, all[:3])
	}
	want := map[string]float64{
		"DPMSolverPP2M": paper(func(_ int, x, ratio, alpha1, _, h float64, all []past) float64 {
			return ratio*x - alpha1*math.Expm1(-h)*mean(h, all)
		}),
		"DPMSolverPP3M": paper(func(_ int, x, ratio, alpha1, _, h float64, all []past) float64 {
			return ratio*x + alpha1*three(h, h, all)
		}),
		"DPMSolverPP2MSDE": paper(func(i int, x, ratio, alpha1, sigma1, h float64, all []past) float64 {
			return ratio*math.Exp(-h)*x - alpha1*math.Expm1(-2*h)*mean(h, all) + sigma1*math.Sqrt(-math.Expm1(-2*h))*noises[i]
		}),
		"DPMSolverPP3MSDE": paper(func(i int, x, ratio, alpha1, sigma1, h float64, all []past) float64 {
			return ratio*math.Exp(-h)*x + alpha1*three(2*h, h, all) + sigma1*math.Sqrt(-math.Expm1(-2*h))*noises[i]
		}),
		"DPMSolverPP2S": paper(func(i int, x, ratio, alpha1, _, h float64, all []past) float64 {
			_, sigma := level(vpTimes[i])
			middle := all[0].lambda + h/2
			sigmaS := 1 / math.Sqrt(1+math.Exp(2*middle))
			alphaS := math.Exp(middle) * sigmaS
			u := sigmaS/sigma*x - alphaS*math.Expm1(-h/2)*all[0].data
			return ratio*x - alpha1*math.Expm1(-h)*math.Cos(u)
		}),
	}
	// UniPC goes back to the step before, once it knows the data at its end.
	for _, order := range []int{2, 3} {
		predicted, corrected, all := 1.2, 0., []past{}
		var ratio, alpha1, h float64
		for i := range noises {
			_, sigma := level(vpTimes[i])
			now := past{lambdaOf(vpTimes[i]), math.Cos(predicted)}
			if i > 0 {
				pair := all[0].data + (now.data-all[0].data)/2
				end := -math.Expm1(-h) * pair
				if through := append([]past{now}, all[:min(order, len(all))]...); len(through) > 2 {
					end = integral(h, all[0].lambda, h, through)
				}
				corrected = ratio*corrected + alpha1*end
			} else {
				corrected = predicted
			}
			all = append([]past{now}, all...)
			var sigma1 float64
			alpha1, sigma1 = level(vpTimes[i+1])
			ratio, h = sigma1/sigma, lambdaOf(vpTimes[i+1])-now.lambda
			predictor := -math.Expm1(-h) * mean(h, all)
			if order == 3 {
				predictor = three(h, h, all)
			}
			predicted = ratio*corrected + alpha1*predictor
		}
		want[fmt.Sprintf("UniPC%d", order)] = predicted
	}
	// DEIS integrates the predicted noise over σ/α = exp(-λ).
	for _, order := range []int{2, 3} {
		var noise []past
		want[fmt.Sprintf("DEIS%d", order)] = paper(func(i int, x, _, alpha1, sigma1, h float64, all []past) float64 {
			alpha, sigma := level(vpTimes[i])
			noise = append([]past{{all[0].lambda, (x - alpha*all[0].data) / sigma}}, noise...)
			return alpha1/alpha*x + sigma1*integral(-h, all[0].lambda, h, noise[:min(order, len(noise))])
		})
	}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, s := range []solver.Solver{
			solver.DEIS(2, 4), solver.DEIS(3, 4), solver.DPMSolverPP2S(4), solver.DPMSolverPP2M(4), solver.DPMSolverPP3M(4), solver.DPMSolverPP2MSDE(4), solver.DPMSolverPP3MSDE(4), solver.UniPC(2, 4), solver.UniPC(3, 4),
		} {
			gomlxtest.Close(t, fmt.Sprint(s.Method), unrolled(t, backend, s.Method), want[fmt.Sprint(s.Method)], 1e-10)
		}
	})
}

// Methods with a memory give the same numbers in a compiled loop and unrolled, and states
// saved on the way change nothing.
func TestLevelMethodsInALoop(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, s := range []solver.Solver{solver.UniPC(3, 4), solver.DEIS(3, 4), solver.DPMSolverPP3M(4), solver.DDIM(0, 4)} {
			if backends.Few(backend) && fmt.Sprint(s.Method) != "UniPC3" {
				continue // XLA compiles each anew
			}
			s.Grid, s.Steps = vpTimes, 0
			p, err := solver.NewProgram(backend, model.NewStore(), s, func(*model.Scope, []*Node) solver.System {
				system := vp()
				system.Coordinates = system.Model.NoiseLevels // for what is between
				return system
			})
			if err != nil {
				t.Fatal(err)
			}
			want := unrolled(t, backend, s.Method)
			for _, save := range [][]float64{nil, {0.9, 0.65, 0.4, 0.3}} {
				solution, err := p.Solve(context.Background(), []*tensors.Tensor{tensors.FromValue([]float64{1.2, 1.2})}, nil, solver.Run{T0: 0.9, T1: 0.3, Save: slices.Clone(save)})
				if err != nil || solution.Err() != nil {
					t.Fatal(err, solution.Err())
				}
				gomlxtest.Near(t, fmt.Sprint(s), gomlxtest.Floats(t, solution.Y[0], nil), []float64{want, want}, 1e-12)
				if save != nil {
					saved := gomlxtest.Floats(t, solution.Saved[0], nil)
					gomlxtest.Near(t, fmt.Sprint(s, ", saved at the ends"), []float64{saved[0], saved[6]}, []float64{1.2, want}, 1e-12)
				}
			}
		}
	})
}

// A method for the reverse process refuses to go to the noise.
func TestReverseProcessHasADirection(t *testing.T) {
	backend := gomlxtest.Go(t)
	s := solver.DDIM(1, 3)
	p, err := solver.NewProgram(backend, model.NewStore(), s, func(*model.Scope, []*Node) solver.System { return vp() })
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Solve(context.Background(), []*tensors.Tensor{tensors.FromValue([]float64{1})}, nil, solver.Run{T0: 0.1, T1: 0.9})
	gomlxtest.Says(t, "Solve", err, "runs from noise at 1 to data at 0")
	_, err = CallOnce(backend, func(y *Node) *Node {
		return solver.Unroll(s, vp(), []*Node{y}, 0.1, 0.9, func(_, _, _ int, like *Node) *Node { return like })[0]
	}, 1.0)
	gomlxtest.Says(t, "Unroll", err, "runs from noise at 1 to data at 0")
}
