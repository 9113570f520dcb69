package solver_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/tests/backends"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/stat"
)

// ralstonMethod is a user's method, without an interpolant of its own.
var ralstonMethod = own{order: 2, step: func(s solver.System, y []*Node, over solver.Interval) []*Node {
	return ralston(s, y, over.From, over.At(2./3), over.Width())
}}

// Output at given times changes nothing about a solve: its end, its steps and, where the
// method has an interpolant, the number of evaluations are those without. A time that is a
// step's end gives the state there, to the bit but for what a compiler rounds, and the states between are those of the
// equation, in both directions of time and both dtypes.
func TestSaveChangesNoStep(t *testing.T) {
	b := batch{x: []float64{1, 0.5, -1, 2, 0, 0.3}, z: []float64{1, 1, 1}, w: []float64{-1, 1, -2.5}}
	shared := solver.Tsit5(1e-6, 1e-6)
	shared.Shared = true
	graded := solver.Dopri5(0, 0)
	graded.Steps, graded.Grid = 16, solver.Power{P: 2}
	given := solver.RK4(0)
	given.Grid = solver.Times{0, 0.1, 0.25, 0.5, 0.7, 0.75, 0.9, 1}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, s := range []solver.Solver{
			solver.RK4(8), graded, given, solver.LMS(4, 64),
			{Method: ralstonMethod, Steps: 64},
			solver.Dopri5(1e-6, 1e-6), shared, solver.Bosh3(1e-5, 1e-5),
		} {
			for _, dtype := range []dtypes.DType{dtypes.Float64, dtypes.Float32} {
				if backends.Few(backend) && (dtype == dtypes.Float64 || s.Shared || fmt.Sprint(s.Method) != "Dopri5") {
					continue // XLA compiles each anew
				}
				same := 0.0
				if backend.Name() == "xla" { // which fuses two programs in two ways
					same = 8 * gomlx.Epsilon(dtype)
				}
				tol := 3e-3 // the methods' own error; steps are the same in both dtypes
				p := program(t, backend, s, relaxation)
				for _, span := range [][2]float64{{0, 1}, {1, 0}} {
					run := solver.Run{T0: span[0], T1: span[1]}
					plain := b.solve(t, p, dtype, run)
					run.Save = []float64{0, 0.13, 0.25, 0.26, 0.5, 0.875, 0.99, 1}
					if span[0] > 0 {
						slices.Reverse(run.Save)
					}
					out := b.solve(t, p, dtype, run)
					if err := out.Err(); err != nil {
						t.Fatalf("%v: %v", s, err)
					}
					what := fmt.Sprintf("%v, %s from %g", s, dtype, span[0])
					for part := range out.Y {
						gomlxtest.Near(t, what+": the end", gomlxtest.Floats(t, out.Y[part], nil), gomlxtest.Floats(t, plain.Y[part], nil), same)
					}
					if _, extra := s.Method.(own); out.Evaluations != plain.Evaluations && !extra || !slices.Equal(out.Accepted, plain.Accepted) {
						t.Errorf("%s: %d evaluations and %v steps, without output %d and %v", what, out.Evaluations, out.Accepted, plain.Evaluations, plain.Accepted)
					}
					times := run.Save
					run.Save = nil
					if again := b.solve(t, p, dtype, run); again.Evaluations != plain.Evaluations {
						t.Errorf("%s: %d evaluations without output after a solve with it, %d before", what, again.Evaluations, plain.Evaluations)
					}
					x, z := gomlxtest.Floats(t, out.Saved[0], nil), gomlxtest.Floats(t, out.Saved[1], nil)
					gomlxtest.Near(t, what+": the last frame", x[7*6:], gomlxtest.Floats(t, plain.Y[0], nil), same)
					gomlxtest.Near(t, what+": the last frame, z", z[7*3:], gomlxtest.Floats(t, plain.Y[1], nil), same)
					gomlxtest.Near(t, what+": the first frame", x[:6], b.x, 1e-7)
					for k, at := range times {
						for i := range 6 {
							if want := relaxed(b.x[i], b.w[i/2], span[0], at); !(math.Abs(x[6*k+i]-want) <= tol*math.Max(1, math.Abs(want))) {
								t.Errorf("%s: x(%g) is %v, expected %v", what, at, x[6*k+i], want)
							}
						}
					}
				}
			}
		}
	})
}

// The states between steps are as accurate as the method lets them be: of its order, or of
// order 4. A user's method has a cubic polynomial.
func TestSavedOrders(t *testing.T) {
	b := batch{x: []float64{1, -0.4}, z: []float64{1}, w: []float64{-1.5}}
	var times []float64
	for i := range 17 {
		times = append(times, 0.011+float64(i)/17)
	}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, c := range []struct {
			method solver.Method
			order  float64
		}{
			{solver.EulerTableau, 1},
			{solver.MidpointTableau, 2},
			{solver.HeunTableau, 2},
			{solver.RK4Tableau, 4},
			{solver.Bosh3Tableau, 3},
			{solver.Dopri5Tableau, 4},
			{solver.Tsit5Tableau, 4},
			{solver.LMS(2, 1).Method, 2},
			{ralstonMethod, 2},
		} {
			if backends.Few(backend) && c.order != 4 {
				continue
			}
			p := program(t, backend, solver.Solver{Method: c.method, Steps: 1}, relaxation)
			var steps, errs []float64
			for n := 8; n <= 32; n *= 2 {
				out := b.solve(t, p, dtypes.Float64, solver.Run{T0: 0, T1: 1, Steps: n, Save: times})
				worst := 0.
				for k, at := range times {
					for i, start := range b.x {
						worst = max(worst, math.Abs(gomlxtest.Floats(t, out.Saved[0], nil)[2*k+i]-relaxed(start, -1.5, 0, at)))
					}
				}
				steps, errs = append(steps, math.Log(float64(n))), append(errs, math.Log(worst))
			}
			if _, slope := stat.LinearRegression(steps, errs, nil, false); !(-slope > c.order-0.35) {
				t.Errorf("%v: the order between steps is %.2f, expected %g", c.method, -slope, c.order)
			}
		}
	})
}

// What a sample that failed didn't reach is NaN, and what it passed isn't; the other samples
// have all.
func TestSavedOfFailures(t *testing.T) {
	explosion := func(*model.Scope, []*Node) solver.System {
		return solver.System{Drift: func(y []*Node, _ *Node) []*Node { return []*Node{Square(y[0])} }}
	}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		p := program(t, backend, solver.Tsit5(1e-7, 1e-7), explosion)
		out, err := p.Solve(context.Background(), []*tensors.Tensor{gomlx.FromFloats(dtypes.Float64, []float64{0.1, 1}, 2)}, nil,
			solver.Run{T0: 0, T1: 2, Save: []float64{0, 0.5, 1.5, 2}})
		if err != nil {
			t.Fatal(err)
		}
		got := gomlxtest.Floats(t, out.Saved[0], nil)
		gomlxtest.Near(t, "what was reached", []float64{got[0], got[1], got[2], got[3], got[4], got[6]}, []float64{0.1, 1, 1 / 9.5, 2, 1 / 8.5, 1 / 8.}, 1e-5)
		if !math.IsNaN(got[5]) || !math.IsNaN(got[7]) {
			t.Errorf("after the failure it is %v and %v, expected NaN", got[5], got[7])
		}
	})
}

// Between the steps of a stochastic method lies a Brownian bridge: for dy = 2·dW in one step
// or three, the states at any times have the covariance of the Wiener process, 4·min(s, t),
// within 5 standard errors of 40,000 samples (a false alarm in two million each, and the seed
// is fixed). Neither the end nor other samples' numbers depend on it.
func TestSavedBridges(t *testing.T) {
	wiener := func(*model.Scope, []*Node) solver.System {
		return solver.System{
			Drift:     func(y []*Node, _ *Node) []*Node { return []*Node{ZerosLike(y[0])} },
			Diffusion: func(_ []*Node, t *Node) []*Node { return []*Node{MulScalar(OnesLike(t), 2)} },
		}
	}
	times := []float64{0.1, 0.25, 0.4, 0.8, 1}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		const n = 40_000
		p := program(t, backend, solver.EulerMaruyama(1), wiener)
		solve := func(steps, n, offset int, save []float64) *solver.Solution {
			out, err := p.Solve(context.Background(), []*tensors.Tensor{gomlx.FromFloats(dtypes.Float64, make([]float64, n), n)}, nil,
				solver.Run{T0: 0, T1: 1, Steps: steps, Seed: 5, Offset: offset, Save: save})
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		for _, steps := range []int{1, 3} {
			out := solve(steps, n, 0, times)
			x := gomlxtest.Floats(t, out.Saved[0], nil)
			for i, s := range times {
				for j, u := range times[:i+1] {
					covariance := 0.
					for k := range n {
						covariance += x[i*n+k] * x[j*n+k] / n
					}
					want := 4 * math.Min(s, u)
					if deviation := math.Sqrt((16*s*u + want*want) / n); math.Abs(covariance-want) > 5*deviation {
						t.Errorf("%d steps: the covariance at %g and %g is %.4f, expected %.4f ± %.4f", steps, s, u, covariance, want, deviation)
					}
				}
			}
			gomlxtest.Near(t, "the last frame", x[4*n:], gomlxtest.Floats(t, out.Y[0], nil), 0)
			gomlxtest.Near(t, "the end", gomlxtest.Floats(t, out.Y[0], nil), gomlxtest.Floats(t, solve(steps, n, 0, nil).Y[0], nil), 0)
			part := gomlxtest.Floats(t, solve(steps, 10, 30, times).Saved[0], nil)
			for k := range times {
				gomlxtest.Near(t, "a chunk", part[10*k:10*k+10], x[k*n+30:k*n+40], 1e-12)
			}
		}
	})
}

func TestBadSave(t *testing.T) {
	backend := gomlxtest.Go(t)
	b := batch{x: []float64{1, -0.4}, z: []float64{1}, w: []float64{-1}}
	for want, save := range map[string][]float64{
		"Run.Save[1] is 1.5: it must lie on the way from t = 1 to 0": {1, 1.5},
		"Run.Save[0] is NaN":                                 {math.NaN()},
		"Run.Save[0] is 0.2 and Run.Save[1] is 0.2":          {0.2, 0.2},
		"must go strictly the way of the solve, from 1 to 0": {0.2, 0.3},
	} {
		y := []*tensors.Tensor{gomlx.FromFloats(dtypes.Float64, b.x, 1, 2), gomlx.FromFloats(dtypes.Float64, b.z, 1)}
		_, err := program(t, backend, solver.RK4(3), relaxation).Solve(context.Background(), y, []*tensors.Tensor{gomlx.FromFloats(dtypes.Float64, b.w, 1)}, solver.Run{T0: 1, T1: 0, Save: save})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, expected %q", err, want)
		}
	}
}
