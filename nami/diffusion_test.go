package nami_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/tests/backends"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// gaussian predicts p where the data are N(mean, std²): the best that a field can learn, in
// closed form for each prediction, so that no digit is lost at low or at high noise.
func gaussian(s schedule.Schedule, p schedule.Prediction, mean, std []float64) field.Field {
	return field.Func{Rank: 1, F: func(_ *model.Scope, x, t, _ *Node) *Node {
		row := func(values []float64) *Node {
			return ExpandLeftToRank(ConstAsDType(x.Graph(), x.DType(), values), x.Rank())
		}
		lifted := func(c *Node) *Node { return shape.Lift(c, x) }
		alpha, sigma, variance := lifted(s.Alpha(t)), lifted(s.Sigma(t)), Square(row(std))
		r := Div(Sub(x, Mul(alpha, row(mean))), Add(Mul(Square(alpha), variance), Square(sigma)))
		eps, x0 := Mul(sigma, r), Add(row(mean), Mul(Mul(alpha, variance), r))
		switch p {
		case schedule.Score:
			return Neg(r)
		case schedule.X0:
			return x0
		case schedule.V:
			return Sub(Mul(alpha, eps), Mul(sigma, x0))
		case schedule.Velocity:
			return Add(Mul(lifted(schedule.AlphaDot(s, t)), x0), Mul(lifted(schedule.SigmaDot(s, t)), eps))
		}
		return eps
	}}
}

func diffusion(s schedule.Schedule, p schedule.Prediction, method solver.Solver) nami.Diffusion {
	return nami.Diffusion{Field: gaussian(s, p, mean, std), Prediction: p, Schedule: s, Solver: method, EventShape: []int{2}}
}

var schedules = map[string]schedule.Schedule{
	"VP": schedule.VP{}, "VE": schedule.VE{}, "EDM": schedule.EDM{}, "Cosine": schedule.Cosine{}, "Linear": schedule.Linear{},
}

// Whatever the schedule, the prediction, the solver and the number of steps, samples are
// finite, and log-densities are.
func TestDiffusionIsFinite(t *testing.T) {
	backend, ctx := gomlxtest.Go(t), context.Background()
	i := 0
	for _, name := range slices.Sorted(maps.Keys(schedules)) {
		s := schedules[name]
		for _, p := range []schedule.Prediction{schedule.Eps, schedule.Score, schedule.X0, schedule.V, schedule.Velocity} {
			for _, steps := range []int{1, 2, 3, 10} {
				for _, method := range []solver.Solver{solver.Heun(steps), solver.RK4(steps), solver.EulerMaruyama(steps), solver.StochasticHeun(steps), solver.SRA1(steps)} {
					if i++; !backends.Runs(i) {
						continue
					}
					what := fmt.Sprintf("%s, %v, %v", name, p, method)
					process, err := diffusion(s, p, method).Bind(backend, model.NewStore(), nil)
					if err != nil {
						t.Fatalf("%s: %v", what, err)
					}
					samples, err := process.Sample(ctx, 4)
					if err != nil {
						t.Errorf("%s: %v", what, err)
						continue
					}
					if !method.Stochastic() {
						if _, err := process.LogProb(ctx, samples, divergence.Exact{}); err != nil {
							t.Errorf("%s: %v", what, err)
						}
					}
				}
			}
		}
	}
}

// Samples of 4,000 events have the data's mean and standard deviation within 5 standard
// errors (a false alarm in two million seeds, each, and the seed is fixed), with allowance
// for what so many steps err.
func TestDiffusionSamples(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		turn := 0
		for _, name := range slices.Sorted(maps.Keys(schedules)) {
			s := schedules[name]
			for _, method := range []solver.Solver{solver.Heun(40), solver.EulerMaruyama(200), solver.Tsit5(1e-4, 1e-4), solver.SRA1(100), solver.Heun(80)} {
				if turn++; !backends.Runs(turn) || backends.Few(backend) && name != "VP" {
					continue
				}
				if name == "EDM" && method.Stochastic() && method.Steps == 200 {
					continue // its first steps go through σ = 80, where Euler's are too coarse
				}
				const n = 4000
				process, err := diffusion(s, schedule.Eps, method).Bind(backend, model.NewStore(), nil, nami.Seed(11))
				if err != nil {
					t.Fatal(err)
				}
				samples, err := process.Sample(context.Background(), n)
				x := flat(t, samples, err)
				for j := range 2 {
					sum, squares := 0.0, 0.0
					for i := range n {
						d := float64(x[2*i+j]) - mean[j]
						sum, squares = sum+d/n, squares+d*d/n
					}
					spread := math.Sqrt(squares - sum*sum)
					if math.Abs(sum) > 5*std[j]/math.Sqrt(n)+0.02 || math.Abs(spread-std[j]) > 5*std[j]/math.Sqrt(2*n)+0.02 {
						t.Errorf("%s, %v: value %d has mean %.3f and standard deviation %.3f, expected %v and %v",
							name, method, j, sum+mean[j], spread, mean[j], std[j])
					}
				}
			}
		}
	})
}

// The log-density through the probability flow is the Gaussian's, at schedules whose
// velocity is infinite at t=0 too, but for the difference between N(0, σ(1)²) and the data
// with all noise, which is known as the flow is linear.
func TestDiffusionLogProb(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		points := []float64{1.5, -0.5, 1, 0, 2, -1.2, 1.2, 0.4}
		for name, s := range schedules {
			if backends.Few(backend) && name != "VP" {
				continue
			}
			process, err := diffusion(s, schedule.Eps, solver.RK4(60)).Bind(backend, model.NewStore(), nil, nami.DType(dtypes.Float64))
			if err != nil {
				t.Fatal(err)
			}
			got, err := process.LogProb(context.Background(), doubles(points, 4, 2), divergence.Exact{})
			gomlxtest.Near(t, name, gomlxtest.Floats(t, got, err), flowDensity(t, backend, s, points), 0.005)
		}
	})
}

// A trajectory's times are the model's, whatever time the solver takes: under a Gaussian's
// probability flow a value at time t is α·mean + √(α²std²+σ²)·z, with z from the noise.
func TestDiffusionTrajectory(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		vp := schedule.VP{}
		process, err := diffusion(vp, schedule.Eps, solver.RK4(80)).Bind(backend, model.NewStore(), nil, nami.DType(dtypes.Float64))
		if err != nil {
			t.Fatal(err)
		}
		times := []float64{1, 0.5, 0.1, 0}
		path, err := process.Trajectory(context.Background(), times, 2)
		got := gomlxtest.Floats(t, path, err)
		coefficients, err := nami.NewComputation(backend, nil, func(_ *model.Scope, in []*Node) []*Node {
			return []*Node{vp.Alpha(in[0]), vp.Sigma(in[0])}
		})
		if err != nil {
			t.Fatal(err)
		}
		out, err := coefficients.Call(doubles(times, len(times)))
		if err != nil {
			t.Fatal(err)
		}
		alpha, sigma := gomlxtest.Floats(t, out[0], nil), gomlxtest.Floats(t, out[1], nil)
		for i := range 4 {
			place := func(k int) (center, spread float64) {
				return alpha[k] * mean[i%2], math.Hypot(alpha[k]*std[i%2], sigma[k])
			}
			center, spread := place(0)
			z := (got[i] - center) / spread
			for k := range times {
				center, spread := place(k)
				if want := center + spread*z; math.Abs(got[4*k+i]-want) > 2e-3 {
					t.Errorf("at t = %v value %d is %v, expected %v", times[k], i, got[4*k+i], want)
				}
			}
		}
	})
}

// One trained field serves every process: a VP model's noise prediction under another
// schedule's flow samples the same data.
func TestRescheduledDiffusion(t *testing.T) {
	backend := gomlxtest.Go(t)
	f := schedule.Rescheduled{
		Field: gaussian(schedule.VP{}, schedule.Eps, mean, std), From: schedule.VP{}, Prediction: schedule.Eps,
		To: schedule.Linear{}, As: schedule.Velocity,
	}
	flow := nami.FlowMatching{Field: f, Base: distribution.NewStandardNormal(2), Solver: solver.RK4(40)}
	process, err := flow.Bind(backend, model.NewStore(), nil, nami.DType(dtypes.Float64))
	if err != nil {
		t.Fatal(err)
	}
	noise := doubles([]float64{0.3, -1, 1.2, 0.7}, 2, 2)
	got, err := process.SampleFrom(context.Background(), noise)
	// A Gaussian's flow maps z to mean + std·z; VP's noise ends at σ/α = 152, not at infinity.
	gomlxtest.Near(t, "the samples", gomlxtest.Floats(t, got, err), []float64{mean[0] + 0.3*std[0], mean[1] - std[1], mean[0] + 1.2*std[0], mean[1] + 0.7*std[1]}, 0.02)
}

// The last step of a stochastic solve to data without noise adds none: samples of data
// that are one point are that point.
func TestLastStepIsWithoutNoise(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		s := schedule.VP{}
		m := nami.Diffusion{
			Field:      field.Func{Rank: 1, F: func(_ *model.Scope, x, _, _ *Node) *Node { return MulScalar(OnesLike(x), 3) }},
			Prediction: schedule.X0, Schedule: s, Solver: solver.EulerMaruyama(20), EventShape: []int{2},
		}
		process, err := m.Bind(backend, model.NewStore(), nil)
		if err != nil {
			t.Fatal(err)
		}
		samples, err := process.Sample(context.Background(), 5)
		for i, v := range flat(t, samples, err) {
			if math.Abs(float64(v)-3) > 1e-6 {
				t.Errorf("value %d is %v, expected 3", i, v)
			}
		}
	})
}

func TestBadDiffusion(t *testing.T) {
	backend := gomlxtest.Go(t)
	good := diffusion(schedule.VP{}, schedule.Eps, solver.Heun(4))
	for want, change := range map[string]func(m *nami.Diffusion){
		"Field is nil":             func(m *nami.Diffusion) { m.Field = nil },
		"the schedule is nil":      func(m *nami.Diffusion) { m.Schedule = nil },
		"BetaMax":                  func(m *nami.Diffusion) { m.Schedule = schedule.VP{BetaMin: 2, BetaMax: 1} },
		"isn't a prediction":       func(m *nami.Diffusion) { m.Prediction = 9 },
		"Solver is empty":          func(m *nami.Diffusion) { m.Solver = solver.Solver{} },
		"both Base and EventShape": func(m *nami.Diffusion) { m.EventShape = nil },
		"the base's shape (2, 3)":  func(m *nami.Diffusion) { m.EventShape = []int{2, 3} },
		"the base's shape (2, 2)":  func(m *nami.Diffusion) { m.Base = distribution.NewStandardNormal(2, 2) },
		"an event has shape (0)":   func(m *nami.Diffusion) { m.EventShape = []int{0} },
		"Heun(0) has 0 steps":      func(m *nami.Diffusion) { m.Solver = solver.Heun(0) },
	} {
		m := good
		change(&m)
		_, err := m.Bind(backend, model.NewStore(), nil)
		gomlxtest.Says(t, want, err, want)
	}
	for want, option := range map[string]nami.Option{
		"expected 0 ≤ data < noise ≤ 1": nami.Times(0.2, 0.5),
		"ChunkSize is 0":                nami.ChunkSize(0),
	} {
		_, err := good.Bind(backend, model.NewStore(), nil, option)
		gomlxtest.Says(t, want, err, want)
	}
	stochastic, err := diffusion(schedule.VP{}, schedule.Eps, solver.EulerMaruyama(4)).Bind(backend, model.NewStore(), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = stochastic.LogProb(context.Background(), ones(3, 2), divergence.Exact{})
	gomlxtest.Says(t, "stochastic", err, "follows the deterministic flow, and EulerMaruyama(4) solves stochastic equations")
	_, err = nami.FlowMatching{Field: good.Field, Base: distribution.NewStandardNormal(2), Solver: solver.EulerMaruyama(4)}.Bind(backend, model.NewStore(), nil)
	gomlxtest.Says(t, "flow", err, "solves stochastic equations, and a flow is an ordinary one")
}

// VP's probability flow comes to t = 0 itself, where σ is 0, at numbers of steps whose last
// time is exactly 0 in float32: a score of -ε/σ there would make all NaN. Noise 0 ends at
// the data's mean.
func TestProbabilityFlowToPureData(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, method := range []solver.Solver{solver.Heun(32), solver.RK4(50), solver.Heun(100)} {
			process, err := diffusion(schedule.VP{}, schedule.Eps, method).Bind(backend, model.NewStore(), nil)
			if err != nil {
				t.Fatal(err)
			}
			samples, err := process.SampleFrom(context.Background(), tensors.FromValue([][]float32{{0, 0}}))
			for i, v := range flat(t, samples, err) {
				if math.Abs(float64(v)-mean[i]) > 0.02 {
					t.Errorf("%v: value %d is %v, expected %v", method, i, v, mean[i])
				}
			}
		}
	})
}

// A stochastic trajectory ends as its last step does, without noise at the data, and on the
// way has the spread of the noise: data that are one point at 3 are N(3α, σ²) at time t. Of
// 4,000 values the mean is within 5 standard errors (a false alarm in two million seeds,
// and the seed is fixed), with allowance for what the steps err.
func TestStochasticTrajectory(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		m := nami.Diffusion{
			Field:      field.Func{Rank: 1, F: func(_ *model.Scope, x, _, _ *Node) *Node { return MulScalar(OnesLike(x), 3) }},
			Prediction: schedule.X0, Schedule: schedule.Linear{}, Solver: solver.EulerMaruyama(200), EventShape: []int{2},
		}
		process, err := m.Bind(backend, model.NewStore(), nil, nami.Seed(2))
		if err != nil {
			t.Fatal(err)
		}
		path, err := process.Trajectory(context.Background(), []float64{0.5, 0}, 2000)
		x := flat(t, path, err)
		sum, squares := 0.0, 0.0
		for i, v := range x[:4000] {
			sum, squares = sum+float64(v)/4000, squares+float64(v)*float64(v)/4000
			if end := float64(x[4000+i]); math.Abs(end-3) > 1e-4 {
				t.Fatalf("value %d ends at %v, expected 3", i, end)
			}
		}
		spread := math.Sqrt(squares - sum*sum)
		if math.Abs(sum-1.5) > 5*0.5/math.Sqrt(4000)+0.02 || math.Abs(spread-0.5) > 5*0.5/math.Sqrt(8000)+0.02 {
			t.Errorf("half way the mean is %.3f and the standard deviation %.3f, expected 1.5 and 0.5", sum, spread)
		}
	})
}
