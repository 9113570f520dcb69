package nami_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/tests/backends"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// EDM by Heun's and Euler's steps is algorithm 1 of Karras et al.: of noise from N(0, 80²)
// steps in σ make data of the standard deviation that the recursion of their algorithm 1
// gives, for data N(0, 2²), whose last step, to σ = 0, is Euler's.
func TestStepsInSigma(t *testing.T) {
	edm := schedule.EDM{SigmaMin: 0.002, SigmaMax: 80, Rho: 7}
	sigma := func(t float64) float64 {
		low, high := math.Pow(0.002, 1./7), math.Pow(80, 1./7)
		return math.Pow(low+t*(high-low), 7)
	}
	recursion := func(n int, heun bool) float64 {
		x, slope := 1.0, func(x, sigma float64) float64 { return x * sigma / (sigma*sigma + 4) }
		for i := range n {
			from, to := sigma(1-float64(i)/float64(n)), sigma(1-float64(i+1)/float64(n))
			if i == n-1 {
				to = 0
			}
			k := slope(x, from)
			if heun && to > 0 {
				k = (k + slope(x+(to-from)*k, to)) / 2
			}
			x += (to - from) * k
		}
		return x
	}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, c := range []struct {
			solver solver.Solver
			heun   bool
		}{{solver.Heun(10), true}, {solver.Heun(18), true}, {solver.Euler(20), false}} {
			m := nami.Diffusion{Field: gaussian(edm, schedule.Eps, []float64{0}, []float64{2}), Schedule: edm, Solver: c.solver, EventShape: []int{1}}
			p := bindDoubles(t, backend, m)
			x, err := p.SampleFrom(context.Background(), doubles([]float64{80}, 1, 1))
			got := gomlxtest.Floats(t, x, err)[0]
			if want := 80 * recursion(c.solver.Steps, c.heun); math.Abs(got-want) > 1e-9 {
				t.Errorf("%v: the standard deviation is %.12f, expected %.12f", c.solver, got, want)
			}
		}
	})
}

// Euler's method is DDIM with a schedule that has noise at 0, whatever the prediction:
// x' = α'·x0 + σ'·ε. Where the noise vanishes there, it makes an equal step of the angle
// atan(σ/α), along v. A user's own method gets the model's time and state, so it can ask the
// schedule itself, or the system, and is the same.
func TestEulerInNoiseLevels(t *testing.T) {
	backend := gomlxtest.Go(t)
	for _, name := range slices.Sorted(maps.Keys(schedules)) {
		s := schedules[name]
		for _, p := range []schedule.Prediction{schedule.Eps, schedule.V, schedule.X0} {
			m := nami.Diffusion{Field: gaussian(s, p, []float64{0.5}, []float64{0.7}), Prediction: p, Schedule: s, Solver: solver.Euler(12), EventShape: []int{1}}
			m.Solver.Grid = solver.Karras{Rho: 3}
			start := doubles([]float64{0.7, -1.3}, 2, 1)
			x, err := bindDoubles(t, backend, m).SampleFrom(context.Background(), start)
			got := gomlxtest.Floats(t, x, err)
			turns := name != "VE" && name != "EDM"
			ways := map[string]ddim{"the system's": {turns: turns}, "its own schedule's": {turns: turns, schedule: s}}
			if name == "VP" {
				ways["the log-SNR's"] = ddim{turns: turns, byLogSNR: true}
			}
			for what, method := range ways {
				m.Solver.Method = method
				x, err := bindDoubles(t, backend, m).SampleFrom(context.Background(), start)
				tol := 1e-6
				if name == "Cosine" || name == "Linear" {
					tol = 2e-3 // pure noise is asked for where a thousandth is signal
				}
				gomlxtest.Near(t, fmt.Sprintf("%s, %v, by %s coefficients", name, p, what), gomlxtest.Floats(t, x, err), got, tol)
			}
		}
	}
}

// ddim is a user's method, which asks the system for what it predicts, and it or its own
// schedule for α and σ. If it turns, it takes the step of an angle to first order.
type ddim struct {
	schedule schedule.Schedule
	turns    bool
	byLogSNR bool
}

func (ddim) Order() float64                             { return 1 }
func (ddim) Draws() int                                 { return 0 }
func (ddim) Init(solver.System, []*Node, *Node) []*Node { return nil }
func (m ddim) Step(s solver.System, y, _ []*Node, over solver.Interval, _ [][]*Node) solver.Step {
	alpha, sigma := s.Alpha, s.Sigma
	if m.schedule != nil {
		alpha, sigma = m.schedule.Alpha, m.schedule.Sigma
	} else if m.byLogSNR { // σ/α = exp(-λ/2), and the schedule preserves variance
		alpha = func(t *Node) *Node { return Sqrt(Logistic(s.LogSNR(t))) }
		sigma = func(t *Node) *Node { return Sqrt(Logistic(Neg(s.LogSNR(t)))) }
	}
	x0, eps := s.Predict(schedule.X0, y[0], over.From), s.Predict(schedule.Eps, y[0], over.From)
	x := Add(Mul(alpha(over.To), x0), Mul(sigma(over.To), eps))
	if m.turns {
		at := func(t *Node) (norm, angle *Node) {
			return Sqrt(Add(Square(alpha(t)), Square(sigma(t)))), Atan2(sigma(t), alpha(t))
		}
		before, from := at(over.From)
		after, to := at(over.To)
		v := Sub(Mul(alpha(over.From), eps), Mul(sigma(over.From), x0))
		x = Mul(Div(after, before), Add(y[0], Mul(Sub(to, from), v)))
	}
	return solver.Step{Y: []*Node{Where(over.Last, x0, x)}}
}

// notInvertible is a schedule of a user's that doesn't know its inverse.
type notInvertible struct{ schedule.Schedule }

// The probability flow ends in the data, also where they are far from standardised, in
// Float32, and the density is theirs; a user's schedule is solved as ours are.
func TestFlowEndsInData(t *testing.T) {
	type data struct{ m, s float64 }
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, name := range slices.Sorted(maps.Keys(schedules)) {
			all := []data{{0, 1e-3}, {100, 0.1}, {10, 0.1}, {0.5, 0.3}, {-3, 2}}
			s := schedules[name]
			if backend.String() != "go" {
				if name != "Linear" {
					continue
				}
				all = all[1:2]
			}
			for i, d := range all {
				if s == schedule.Schedule(schedule.VP{}) && i == 3 {
					s = notInvertible{s}
				}
				if (name == "VE" || name == "EDM") && d.s < 0.1 || (name == "VE" || name == "EDM" || name == "VP") && math.Abs(d.m) > 1 {
					continue // their noise levels begin above such a spread, or end where the mean still shows
				}
				m := nami.Diffusion{Field: gaussian(s, schedule.X0, []float64{d.m}, []float64{d.s}), Prediction: schedule.X0, Schedule: s, Solver: solver.RK4(200), EventShape: []int{1}}
				p, err := m.Bind(backend, model.NewStore(), nil)
				if err != nil {
					t.Fatal(err)
				}
				alpha, sigma := coefficients(t, backend, s, []float64{1})
				var noise []float32
				for _, z := range []float64{-1.5, -0.5, 0, 1} {
					noise = append(noise, float32(alpha[0]*d.m+math.Hypot(alpha[0]*d.s, sigma[0])*z))
				}
				x, err := p.SampleFrom(context.Background(), tensors.FromFlatDataAndDimensions(noise, 4, 1))
				ends := flat(t, x, err)
				at := tensors.FromFlatDataAndDimensions([]float32{float32(d.m), float32(d.m + d.s)}, 2, 1)
				logProb, err := p.LogProb(context.Background(), at, divergence.Exact{})
				got := flat(t, logProb, err)
				what := fmt.Sprintf("%s, data N(%g, %g²)", name, d.m, d.s)
				for i, z := range []float64{-1.5, -0.5, 0, 1} {
					if got := (float64(ends[i]) - d.m) / d.s; math.Abs(got-z) > 0.03 {
						t.Errorf("%s: noise %g standard deviations off ends %.4f off", what, z, got)
					}
				}
				for i, v := range got {
					if want := logNormal(d.m+float64(i)*d.s, d.m, d.s); math.Abs(float64(v)-want) > 0.05 {
						t.Errorf("%s: log p at %d standard deviations is %.4f, expected %.4f", what, i, v, want)
					}
				}
			}
		}
	})
}

// Both ways are one: what is encoded comes back, samples have the density that LogProb gives
// them, and its derivative is the score, at every schedule and from every prediction, by
// fixed steps, chosen ones and multistep methods, in noise levels and in time.
func TestBothWays(t *testing.T) {
	ctx := context.Background()
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		turn := 0
		for _, name := range slices.Sorted(maps.Keys(schedules)) {
			s := schedules[name]
			inTime := solver.Dopri5(1e-6, 1e-6)
			inTime.InTime = true
			for _, method := range []solver.Solver{solver.RK4(60), solver.Tsit5(1e-6, 1e-6), solver.LMS(4, 250), solver.DPMSolverPP2M(250), inTime} {
				if turn++; backend.Name() != "xla" && !backends.Runs(turn) {
					continue
				}
				if backend.Name() == "xla" && method.Steps != 60 && (name != "Cosine" || backends.Few(backend)) || backends.Few(backend) && name != "Cosine" || method.InTime && name != "VP" && name != "EDM" ||
					method.Steps == 250 && turn%2 == 0 { // one multistep method for each schedule, in turn
					continue
				}
				p := []schedule.Prediction{schedule.Eps, schedule.X0, schedule.V, schedule.Velocity, schedule.Score}[(turn+turn/5)%5]
				what := fmt.Sprintf("%s, %v, %v", name, p, method)
				m := nami.Diffusion{Field: gaussian(s, p, mean, std), Prediction: p, Schedule: s, Solver: method, EventShape: []int{2}}
				process := bindDoubles(t, backend, m)
				x := []float64{1.5, -0.5, 1, 0, 2, -1.2}
				z, err := process.Encode(ctx, doubles(slices.Clone(x), 3, 2))
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				back, err := process.SampleFrom(ctx, z)
				gomlxtest.Near(t, what+": there and back", gomlxtest.Floats(t, back, err), x, 5e-3)
				grads, err := process.LogProbGradient(ctx, doubles(slices.Clone(x), 3, 2), divergence.Exact{})
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				multistep := method.Steps == 250
				tol := 0.005
				if multistep {
					tol = 0.12
				}
				gomlxtest.Near(t, what+": log p", gomlxtest.Floats(t, grads.LogProb, nil), flowDensity(t, backend, s, x), tol)
				// The adjoint's steps begin in pure noise, where they grow or shrink by half from one
				// to the next: too much for what extrapolates from one to the next.
				if !(multistep && (name == "Cosine" || name == "Linear")) {
					gomlxtest.Near(t, what+": the score", gomlxtest.Floats(t, grads.X, nil), flowScore(t, backend, s, x), 0.02)
				}
				samples, own, err := process.SampleWithLogProb(ctx, divergence.Exact{}, 4)
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				again, err := process.LogProb(ctx, samples, divergence.Exact{})
				gomlxtest.Near(t, what+": samples' log p", gomlxtest.Floats(t, own, nil), gomlxtest.Floats(t, again, err), max(tol, 0.02))
			}
		}
	})
}

// noiseOf is the noise that the flow of denoiser's data makes of x, and by how much the flow
// stretches there: it is linear, and the noise not quite N(0, σ(1)²).
func noiseOf(t *testing.T, backend compute.Backend, s schedule.Schedule, x []float64) (noise, stretch []float64, sigma float64) {
	t.Helper()
	alpha, sigmas := coefficients(t, backend, s, []float64{1})
	for i, v := range x {
		by := math.Hypot(alpha[0]*std[i%2], sigmas[0]) / std[i%2]
		noise, stretch = append(noise, alpha[0]*mean[i%2]+by*(v-mean[i%2])), append(stretch, by)
	}
	return noise, stretch, sigmas[0]
}

// flowDensity is the log-density of events x by that flow, and flowScore its derivative.
func flowDensity(t *testing.T, backend compute.Backend, s schedule.Schedule, x []float64) []float64 {
	t.Helper()
	noise, stretch, sigma := noiseOf(t, backend, s, x)
	out := make([]float64, len(x)/2)
	for i := range x {
		out[i/2] += logNormal(noise[i], 0, sigma) + math.Log(stretch[i])
	}
	return out
}

func flowScore(t *testing.T, backend compute.Backend, s schedule.Schedule, x []float64) []float64 {
	t.Helper()
	noise, stretch, sigma := noiseOf(t, backend, s, x)
	out := make([]float64, len(x))
	for i := range x {
		out[i] = -noise[i] / (sigma * sigma) * stretch[i]
	}
	return out
}

// knowing is a field that predicts what it does and knows its divergence.
type knowing struct {
	field.Field
	rate func(t *Node) *Node // of the divergence to the number of values
}

func (k knowing) ApplyWithDivergence(scope *model.Scope, x, t, c *Node) (value, div *Node) {
	rate := MulScalar(k.rate(t), 2)
	if rate.IsScalar() {
		rate = BroadcastToDims(rate, x.Shape().Dimensions[:x.Rank()-1]...)
	}
	return k.Apply(scope, x, t, c), rate
}

// The divergence that a field knows serves a diffusion, whatever it predicts: with data
// N(m, s²) the predicted noise has the divergence σ/(α²s² + σ²) for each value.
func TestOwnDivergenceOfDiffusion(t *testing.T) {
	const s = 0.6
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, name := range []string{"VP", "EDM", "Linear"} {
			if backends.Few(backend) && name != "Linear" {
				continue
			}
			sched := schedules[name]
			rate := func(t *Node) *Node {
				alpha, sigma := sched.Alpha(t), sched.Sigma(t)
				return Div(sigma, Add(MulScalar(Square(alpha), s*s), Square(sigma)))
			}
			m := nami.Diffusion{Field: knowing{gaussian(sched, schedule.Eps, []float64{0.3}, []float64{s}), rate}, Schedule: sched, Solver: solver.RK4(30), EventShape: []int{2}}
			p := bindDoubles(t, backend, m)
			x := doubles([]float64{0.1, 0.2, 1, -0.4}, 2, 2)
			got, err := p.LogProb(context.Background(), x, nil)
			m.Field = reversed{m.Field}
			want, errWant := bindDoubles(t, backend, m).LogProb(context.Background(), x, divergence.Exact{})
			gomlxtest.Near(t, name, gomlxtest.Floats(t, got, err), gomlxtest.Floats(t, want, errWant), 1e-9)
		}
	})
}

// A trajectory is one solve, whose steps are those of Sample: with that seed it ends in
// Sample's samples to the bit, in chunks and with contexts too, and on the way the samples
// are where the flow of the Gaussian has them.
func TestTrajectoryIsSample(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		ctx := context.Background()
		times := []float64{1, 0.83, 0.5, 0.31, 0.1, 0.02, 0}
		adaptive := diffusion(schedule.VP{}, schedule.Eps, solver.Dopri5(1e-6, 1e-6))
		for name, m := range map[string]builder{
			"flow": gauss(20), "VP": diffusion(schedule.VP{}, schedule.Eps, solver.Heun(40)), "EDM": diffusion(schedule.EDM{}, schedule.X0, solver.RK4(20)),
			"Cosine": diffusion(schedule.Cosine{}, schedule.V, solver.DPMSolverPP2M(80)), "adaptive": adaptive,
			"Linear": diffusion(schedule.Linear{}, schedule.X0, solver.LMS(4, 60)), "reverse process": diffusion(schedule.VP{}, schedule.Eps, solver.EulerMaruyama(30)),
		} {
			if backends.Few(backend) && name != "VP" && name != "adaptive" {
				continue
			}
			p, err := m.Bind(backend, model.NewStore(), nil, nami.Seed(9), nami.DType(dtypes.Float64), nami.ChunkSize(4))
			if err != nil {
				t.Fatal(err)
			}
			path, err := p.Trajectory(ctx, times, 3, 2)
			got := gomlxtest.Floats(t, path, err)
			if dims := path.Shape().Dimensions; !slices.Equal(dims, []int{7, 3, 2, 2}) {
				t.Fatalf("%s: the shape is %v", name, dims)
			}
			samples, err := p.Seeded(9).Sample(ctx, 3, 2)
			same := 0.0
			if backend.Name() == "xla" { // which fuses two programs in two ways
				same = 1e-13
			}
			gomlxtest.Near(t, name+": the last frame", got[6*12:], gomlxtest.Floats(t, samples, err), same)
			if name == "reverse process" {
				continue
			}
			var sched schedule.Schedule = schedule.Linear{}
			if d, ok := m.(nami.Diffusion); ok {
				sched = d.Schedule
			}
			alpha, sigma := coefficients(t, backend, sched, times[:6])
			place := func(k, i int) (center, spread float64) {
				return alpha[k] * mean[i%2], math.Hypot(alpha[k]*std[i%2], sigma[k])
			}
			for i := range 12 {
				center, spread := place(0, i)
				z := (got[i] - center) / spread
				for k := range 6 {
					center, spread := place(k, i)
					if want := center + spread*z; math.Abs(got[12*k+i]-want) > 0.02*spread {
						t.Errorf("%s: at t = %v value %d is %v, expected %v", name, times[k], i, got[12*k+i], want)
					}
				}
			}
		}
	})
}

// coefficients are α and σ of a schedule.
func coefficients(t *testing.T, backend compute.Backend, s schedule.Schedule, times []float64) (alpha, sigma []float64) {
	t.Helper()
	out, err := CallOnceN(backend, func(t *Node) []*Node { return []*Node{s.Alpha(t), s.Sigma(t)} }, times)
	if err != nil {
		t.Fatal(err)
	}
	return gomlxtest.Floats(t, out[0], nil), gomlxtest.Floats(t, out[1], nil)
}
