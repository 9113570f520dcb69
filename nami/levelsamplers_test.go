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
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/path"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/tests/backends"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/stat"
)

// Without its noise a stochastic sampler is the deterministic one: DDIM with eta = 0 is Euler's
// method in the noise levels, and no churn leaves Heun's.
func TestSamplersWithoutNoise(t *testing.T) {
	start := []float64{40, -90, 3, 80}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		from := func(s solver.Solver) []float64 {
			p := bindDoubles(t, backend, diffusion(schedule.EDM{}, schedule.X0, s))
			x, err := p.SampleFrom(context.Background(), doubles(slices.Clone(start), 2, 2))
			return gomlxtest.Floats(t, x, err)
		}
		churn := solver.Solver{Method: solver.Churn{Min: 0.1, Noise: 1.1}, Steps: 7, Grid: solver.Karras{}}
		heun := solver.Heun(7)
		heun.Grid = solver.Karras{}
		gomlxtest.Near(t, "DDIM with eta = 0", from(solver.DDIM(0, 7)), from(solver.Euler(7)), 1e-12)
		gomlxtest.Near(t, "Heun without churn", from(churn), from(heun), 1e-12)
		// Where no level lies from Min to Max, no noise is added, though it is drawn.
		churn.Method = solver.Churn{Churn: 7, Min: 1e3, Max: 1e4}
		gomlxtest.Near(t, "Heun with churn nowhere", from(churn), from(heun), 1e-12)
	})
}

// The law of samples is the data's: mean and standard deviation of each of two values of 10,000
// events, within 5 standard errors (a false alarm in two million, for each of 48 numbers, and
// the seed is fixed) and what the steps err, for every schedule, with methods and predictions in
// their turn, and flows along affine paths.
func TestSamplersWithNoise(t *testing.T) {
	const n = 10_000
	backend := gomlxtest.Go(t)
	methods := []struct {
		solver  solver.Solver
		allowed float64 // for the steps, in units of the data's deviation
	}{
		{solver.DDIM(1, 100), 0.03},
		{solver.DPMSolverPP2MSDE(50), 0.01},
		{solver.DDIM(0.5, 100), 0.03},
		{solver.DPMSolverPP3MSDE(50), 0.01},
		{solver.Solver{Method: solver.Churn{Churn: 20}, Steps: 50}, 0.01},
	}
	check := func(what string, m builder, allowed float64) {
		t.Helper()
		p := bindDoubles(t, backend, m)
		x, err := p.Sample(context.Background(), n)
		values := gomlxtest.Floats(t, x, err)
		for axis := range mean {
			var column []float64
			for i := axis; i < len(values); i += 2 {
				column = append(column, values[i])
			}
			m, s := stat.MeanStdDev(column, nil)
			gomlxtest.Close(t, what+", mean", m, mean[axis], std[axis]*(5/math.Sqrt(n)+allowed))
			gomlxtest.Close(t, what+", deviation", s, std[axis], std[axis]*(5/math.Sqrt(2*n)+allowed))
		}
	}
	predictions := []schedule.Prediction{schedule.X0, schedule.Eps, schedule.V, schedule.Velocity, schedule.Score}
	for i, name := range slices.Sorted(maps.Keys(schedules)) {
		for j := range 2 {
			if !backends.Runs(2*i + j) {
				continue
			}
			c, p := methods[(2*i+j)%len(methods)], predictions[(i+j)%len(predictions)]
			check(fmt.Sprintf("%s, %v from %v", name, c.solver, p), diffusion(schedules[name], p, c.solver), c.allowed)
		}
	}
	for i, along := range []path.Path{path.Linear{}, path.Cosine{}} {
		s, _ := path.ScheduleOf(along)
		c := methods[3*i]
		flow := nami.FlowMatching{Field: gaussian(s, schedule.Velocity, mean, std), Base: distribution.NewStandardNormal(2), Path: along, Solver: c.solver}
		check(fmt.Sprintf("flow along %v, %v", along, c.solver), flow, c.allowed)
	}
}

// Within the steps of a stochastic sampler a trajectory has the law of its time, too: the
// Brownian bridge has the step's own noise, not that of another eta, which would be 3% and more too much.
// The deviation is allowed 5 standard errors, as above, and 1% for the line between the ends.
func TestTrajectoriesWithNoise(t *testing.T) {
	const n = 40_000
	backend := gomlxtest.Go(t)
	for _, eta := range []float64{0.5, 1} {
		s := solver.DDIM(eta, 20)
		s.Grid = solver.Even{}
		p := bindDoubles(t, backend, diffusion(schedule.VP{}, schedule.Eps, s))
		times := []float64{0.775, 0.625, 0.475} // in the middle of steps
		x, err := p.Trajectory(context.Background(), times, n)
		values := gomlxtest.Floats(t, x, err)
		alpha, sigma := coefficients(t, backend, schedule.VP{}, times)
		for i, at := range times {
			var column []float64
			for j := range n {
				column = append(column, values[(i*n+j)*2])
			}
			want := math.Hypot(alpha[i]*std[0], sigma[i])
			got := stat.StdDev(column, nil)
			gomlxtest.Close(t, fmt.Sprintf("eta = %v, the deviation at t = %v", eta, at), got, want, want*(5/math.Sqrt(2*n)+0.01))
		}
	}
}

// Samples are finite with few steps, whatever the schedule and the prediction.
func TestFewSteps(t *testing.T) {
	backend := gomlxtest.Go(t)
	predictions := []schedule.Prediction{schedule.X0, schedule.Eps, schedule.V, schedule.Velocity, schedule.Score}
	turn := 0
	for _, name := range slices.Sorted(maps.Keys(schedules)) {
		for _, steps := range []int{1, 2, 3} {
			for _, s := range []solver.Solver{
				solver.DPMSolverPP2S(steps), solver.UniPC(3, steps), solver.DEIS(3, steps), solver.AdamsPEC(4, steps),
				solver.DPMSolverPP3MSDE(steps), solver.DDIM(1, steps),
				{Method: solver.Churn{Churn: 10}, Steps: steps},
			} {
				p := predictions[turn%len(predictions)]
				turn++
				process, err := diffusion(schedules[name], p, s).Bind(backend, model.NewStore(), nil)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := process.Sample(context.Background(), 4); err != nil { // of values that aren't finite
					t.Errorf("%s, %v, %v: %v", name, p, s, err)
				}
			}
		}
	}
}

// What can't be is an error at the door that says what to do.
func TestSamplersMisused(t *testing.T) {
	backend, ctx := gomlxtest.Go(t), context.Background()
	bind := func(m builder) error {
		_, err := m.Bind(backend, model.NewStore(), nil)
		return err
	}
	flow := func(s solver.Solver, along path.Path) nami.FlowMatching {
		m := gauss(1)
		m.Solver, m.Path = s, along
		return m
	}
	for want, s := range map[string]solver.Solver{
		"DDIM has eta = 1.5: it must be from 0":               solver.DDIM(1.5, 3),
		"DDIM has eta = NaN":                                  solver.DDIM(math.NaN(), 3),
		`no multistep method of the name "UniPC4": there are`: solver.UniPC(4, 3),
		`no multistep method of the name "DEIS1"`:             solver.DEIS(1, 3),
		"AdamsPEC has the order 5":                            solver.AdamsPEC(5, 3),
		"solver.Churn: Churn is -1":                           {Method: solver.Churn{Churn: -1}, Steps: 3},
		"Min is 2 and Max 1":                                  {Method: solver.Churn{Min: 2, Max: 1}, Steps: 3},
		"steps from one noise level to the next, and InTime":  {Method: solver.Churn{}, Steps: 3, InTime: true},
		"Shifted: S is -1":                                    {Method: solver.EulerTableau, Steps: 3, Grid: solver.Shifted{S: -1}},
		"K is 31: it must be at most 30":                      {Method: solver.EulerTableau, Steps: 3, Grid: solver.Logit{K: 31}},
	} {
		gomlxtest.Says(t, want, s.Validate(), want)
	}
	gomlxtest.Says(t, "a flow", bind(flow(solver.SRA1(3), path.Linear{})), "such as solver.DDIM(1, 50)")
	gomlxtest.Says(t, "a flow without a path", bind(flow(solver.DDIM(1, 3), nil)), "a flow without a Path doesn't know")
	p := bindDoubles(t, backend, flow(solver.DDIM(1, 3), path.Linear{}))
	x := func() *tensors.Tensor { return doubles([]float64{1, 2}, 1, 2) }
	_, err := p.Encode(ctx, x())
	gomlxtest.Says(t, "Encode", err, "solves stochastic equations")
	_, err = p.Solve(ctx, x(), 0, 1)
	gomlxtest.Says(t, "Solve", err, "from noise to data only")
}
