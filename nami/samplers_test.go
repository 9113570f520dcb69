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
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/path"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/nami/toy"
	"github.com/nami-flow/go-nami/tests/backends"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/stat/distuv"
)

// modes is the distribution ½N(-1, 0.2²) + ½N(1, 0.2²).
var modes = toy.GaussianMixture{Components: []toy.Gaussian{
	{Mean: []float64{-1}, Covariance: [][]float64{{modeSpread * modeSpread}}},
	{Mean: []float64{1}, Covariance: [][]float64{{modeSpread * modeSpread}}},
}}

const modeSpread = 0.2

// exact is the perfect field of a mixture.
func exact(m toy.GaussianMixture, s schedule.Schedule, p schedule.Prediction) field.Func {
	f, err := m.Field(s, p)
	if err != nil {
		panic(err)
	}
	return f
}

// modesQuantile is the quantile of the modes.
func modesQuantile(p float64) float64 {
	low, high := -4., 4.
	for range 100 {
		middle := (low + high) / 2
		cdf := 0.
		for _, mode := range []float64{-1, 1} {
			cdf += distuv.Normal{Mu: mode, Sigma: modeSpread}.CDF(middle) / 2
		}
		if cdf < p {
			low = middle
		} else {
			high = middle
		}
	}
	return (low + high) / 2
}

// fromQuantiles carries scale·Φ⁻¹((i+½)/n) to the data, and returns the root mean square
// distance to the exact quantiles: W2, as the flow of one dimension is monotone.
func fromQuantiles(t *testing.T, p *nami.Process, scale float64, n int) float64 {
	t.Helper()
	start := make([]float64, n)
	for i := range start {
		start[i] = scale * distuv.UnitNormal.Quantile((float64(i)+0.5)/float64(n))
	}
	got, err := p.SampleFrom(context.Background(), doubles(start, n, 1))
	sum := 0.
	for i, x := range gomlxtest.Floats(t, got, err) {
		d := x - modesQuantile((float64(i)+0.5)/float64(n))
		sum += d * d
	}
	return math.Sqrt(sum / float64(n))
}

// The samplers' numbers are those of other implementations of the same steps, to the last
// digit: W2 to the modes from 2,001 quantiles of N(0, 80²), by Karras's levels from 80 to
// 0.002 and then 0, computed in float64 with the functions sample_euler, sample_heun,
// sample_dpm_2, sample_dpmpp_2m and sample_lms of k-diffusion (commit 4601bf0), without churn.
func TestSamplersOfTheLiterature(t *testing.T) {
	edm := schedule.EDM{SigmaMin: 0.002, SigmaMax: 80, Rho: 7}
	table := map[string][]float64{
		"Euler":         {0.36773, 0.15629, 0.07999, 0.04319, 0.02095},
		"Heun":          {1.46859, 0.12933, 0.02352, 0.00618, 0.00148},
		"DPM2":          {1.13348, 0.07446, 0.01594, 0.00478, 0.00133},
		"DPMSolverPP2M": {0.16772, 0.20757, 0.03949, 0.01067, 0.00331},
		"LMS4":          {0.33990, 0.09634, 0.02911, 0.00954, 0.00194},
	}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for i, steps := range []int{5, 10, 18, 32, 64} {
			if backends.Few(backend) && i != 1 {
				continue
			}
			for _, s := range []solver.Solver{solver.Euler(steps), solver.Heun(steps), solver.DPM2(steps), solver.DPMSolverPP2M(steps), solver.LMS(4, steps)} {
				s.Grid = solver.Karras{Rho: 7}
				m := nami.Diffusion{Field: exact(modes, edm, schedule.X0), Prediction: schedule.X0, Schedule: edm, Solver: s, EventShape: []int{1}}
				p, err := m.Bind(backend, model.NewStore(), nil, nami.DType(dtypes.Float64))
				if err != nil {
					t.Fatal(err)
				}
				want := table[fmt.Sprint(s.Method)][i]
				if got := fromQuantiles(t, p, 80, 2001); !(math.Abs(got-want) <= 0.5001e-5) {
					t.Errorf("%v: W2 is %.7f, expected %.5f", s, got, want)
				}
			}
		}
	})
}

// Every method samples every schedule, from every prediction, and a flow along an affine
// path: with more steps W2 falls as the order says, to a small one.
func TestSamplersAtEverySchedule(t *testing.T) {
	backend := gomlxtest.Go(t)
	methods := map[string]func(n int) solver.Solver{
		"Euler": solver.Euler, "Heun": solver.Heun, "RK4": solver.RK4, "DPM2": solver.DPM2, "DPMSolverPP2M": solver.DPMSolverPP2M,
		"LMS4":          func(n int) solver.Solver { return solver.LMS(4, n) },
		"AdamsPEC4":     func(n int) solver.Solver { return solver.AdamsPEC(4, n) },
		"DPMSolverPP2S": solver.DPMSolverPP2S, "DPMSolverPP3M": solver.DPMSolverPP3M,
		"DEIS3":    func(n int) solver.Solver { return solver.DEIS(3, n) },
		"UniPC2":   func(n int) solver.Solver { return solver.UniPC(2, n) },
		"UniPC3":   func(n int) solver.Solver { return solver.UniPC(3, n) },
		"UniPC3B1": func(n int) solver.Solver { return solver.UniPCB1(3, n) },
		"Churn":    func(n int) solver.Solver { return solver.Solver{Method: solver.Churn{}, Steps: n} },
		"DDIM":     func(n int) solver.Solver { return solver.DDIM(0, n) },
	}
	// W2 with 64 steps of a method, in units of what is usual.
	most := map[string]float64{"Euler": 0.03, "Heun": 0.005, "RK4": 0.0005, "DPM2": 0.01, "DPMSolverPP2M": 0.02, "LMS4": 0.01}
	maps.Copy(most, map[string]float64{
		"AdamsPEC4": 0.005, "DPMSolverPP2S": 0.01, "DPMSolverPP3M": 0.005, "DEIS3": 0.005, "UniPC2": 0.005, "UniPC3": 0.003, "UniPC3B1": 0.003, "Churn": 0.005, "DDIM": 0.03,
	})
	bind := func(m interface {
		Bind(backend compute.Backend, store *model.Store, context *tensors.Tensor, options ...nami.Option) (*nami.Process, error)
	},
	) *nami.Process {
		p, err := m.Bind(backend, model.NewStore(), nil, nami.DType(dtypes.Float64))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	turn := 0 // each prediction comes in its turn
	for _, name := range slices.Sorted(maps.Keys(schedules)) {
		s := schedules[name]
		if name == "VE" {
			s = schedule.VE{SigmaMin: 0.002, SigmaMax: 80}
		}
		scale := map[string]float64{"VE": 80, "EDM": 80}[name]
		if scale == 0 {
			scale = 1
		}
		for _, method := range slices.Sorted(maps.Keys(methods)) {
			make := methods[method]
			predictions := []schedule.Prediction{schedule.X0, schedule.Eps, schedule.V, schedule.Velocity, schedule.Score}
			p := predictions[turn%len(predictions)]
			if turn++; !backends.Runs(turn) {
				continue
			}
			f := exact(modes, s, p)
			w2 := func(n int) float64 {
				return fromQuantiles(t, bind(nami.Diffusion{Field: f, Prediction: p, Schedule: s, Solver: make(n), EventShape: []int{1}}), scale, 101)
			}
			if few, many := w2(16), w2(64); !(many < most[method] && many < few/2) {
				t.Errorf("%s by %s from %v: W2 is %.5f with 16 steps and %.5f with 64", name, method, p, few, many)
			}
		}
	}
	for _, along := range []path.Path{
		path.Linear{},
		path.Cosine{},
		path.Scheduled{Schedule: schedule.Linear{}},
		path.Affine{
			Alpha: OneMinus, Sigma: func(t *Node) *Node { return Identity(t) },
			AlphaDot: func(t *Node) *Node { return Neg(OnesLike(t)) }, SigmaDot: func(t *Node) *Node { return OnesLike(t) },
		},
	} {
		s, ok := path.ScheduleOf(along)
		if !ok {
			t.Fatalf("%v has no schedule", along)
		}
		velocity := exact(modes, s, schedule.Velocity)
		for _, method := range slices.Sorted(maps.Keys(methods)) {
			make := methods[method]
			if turn++; !backends.Runs(turn) {
				continue
			}
			w2 := func(n int) float64 {
				return fromQuantiles(t, bind(nami.FlowMatching{Field: velocity, Base: distribution.NewStandardNormal(1), Solver: make(n), Path: along}), 1, 101)
			}
			if few, many := w2(16), w2(64); !(many < max(most[method], 0.001) && many < few/2) { // RK4 in time
				t.Errorf("flow along %v by %s: W2 is %.5f with 16 steps and %.5f with 64", along, method, few, many)
			}
		}
	}
}

// Errors against evaluations of the field, on the modes by the exact prediction: the distance
// to the end of the exact flow from the same noise, root mean square, as the flow of one
// dimension keeps quantiles. It logs the tables of docs/solvers.md. At 10 and at 20 evaluations
// the best method is ten times below RK4 with the grid that the schedule gives it, and with VP
// below RK4 in time. Along the linear path it is five times below RK4 at 20, and three times below
// RK4 on the grid that suits it.
func TestErrorsByEvaluations(t *testing.T) {
	backend := gomlxtest.Go(t)
	counts := []int{5, 10, 20, 40}
	inTime := solver.RK4(1)
	inTime.InTime = true
	type row struct {
		solver      solver.Solver
		grid        solver.Grid
		evaluations int // in a step
	}
	rows := func(angle, levels solver.Grid) []row {
		return []row{
			{inTime, nil, 4},
			{solver.RK4(1), nil, 4},
			{solver.RK4(1), angle, 4},
			{solver.Euler(1), angle, 1},
			{solver.Heun(1), angle, 2},
			{solver.LMS(4, 1), angle, 1},
			{solver.AdamsPEC(2, 1), angle, 1},
			{solver.AdamsPEC(4, 1), angle, 1},
			{solver.DPM2(1), nil, 2},
			{solver.DPMSolverPP2S(1), nil, 2},
			{solver.DPMSolverPP2M(1), levels, 1},
			{solver.DPMSolverPP3M(1), levels, 1},
			{solver.DEIS(3, 1), nil, 1},
			{solver.UniPC(2, 1), levels, 1},
			{solver.UniPC(3, 1), levels, 1},
		}
	}
	for _, c := range []struct {
		schedule schedule.Schedule
		scale    float64
		rows     []row
		best     string
		rk4      []string
	}{
		{schedule.VP{}, 1, rows(solver.Angle{}, solver.Power{P: 4}), "AdamsPEC4 on Angle{0.5}", []string{"RK4 on <nil>", "RK4 on <nil> in time"}},
		{schedule.EDM{}, 80, rows(solver.Angle{S: 1}, solver.LogSNR{}), "LMS4 on Angle{1}", []string{"RK4 on <nil>"}},
	} {
		errors := map[string][]float64{}
		for _, r := range c.rows {
			var at []float64
			for _, n := range counts {
				s := r.solver
				s.Grid, s.Steps = r.grid, max(1, n/r.evaluations)
				m := nami.Diffusion{Field: exact(modes, c.schedule, schedule.X0), Prediction: schedule.X0, Schedule: c.schedule, Solver: s, EventShape: []int{1}}
				at = append(at, fromQuantiles(t, bindDoubles(t, backend, m), c.scale, 501))
			}
			name := fmt.Sprintf("%v on %v", r.solver.Method, r.grid)
			if r.solver.InTime {
				name += " in time"
			}
			errors[name] = at
			t.Logf("%v: %-40s %8.5f", c.schedule, name, at)
		}
		for i, n := range counts {
			for _, rk4 := range c.rk4 {
				if n >= 10 && n <= 20 && !(errors[c.best][i] < errors[rk4][i]/10) {
					t.Errorf("%v, %d evaluations: the error of %s is %.5f, and that of %s %.5f: expected a tenth of it", c.schedule, n, c.best, errors[c.best][i], rk4, errors[rk4][i])
				}
			}
		}
	}
	velocity := exact(modes, schedule.Linear{}, schedule.Velocity)
	flow := func(s solver.Solver, grid solver.Grid) float64 {
		s.Grid = grid
		m := nami.FlowMatching{Field: velocity, Base: distribution.NewStandardNormal(1), Solver: s, Path: path.Linear{}}
		w2 := fromQuantiles(t, bindDoubles(t, backend, m), 1, 501)
		t.Logf("flow along the linear path, 20 evaluations: %-40v %8.5f", s, w2)
		return w2
	}
	shifted := solver.Shifted{S: 0.5}
	flow(solver.LMS(4, 20), nil)
	flow(solver.LMS(4, 20), shifted)
	flow(solver.AdamsPEC(4, 20), nil)
	even, suited := flow(solver.RK4(5), nil), flow(solver.RK4(5), shifted)
	if adams := flow(solver.AdamsPEC(4, 20), shifted); !(adams < even/5 && adams < suited/3) {
		t.Errorf("flow: the error of AdamsPEC4 is %.5f, and those of RK4 %.5f and %.5f: expected a fifth and a third of them", adams, even, suited)
	}
}

// plane is a mixture of four modes of different shapes.
var plane = toy.GaussianMixture{Components: []toy.Gaussian{
	{Mean: []float64{-1.2, 0.8}, Covariance: [][]float64{{0.10, 0.07}, {0.07, 0.06}}},
	{Mean: []float64{1.3, 1}, Covariance: [][]float64{{0.02, 0}, {0, 0.02}}},
	{Mean: []float64{0, -0.3}, Covariance: [][]float64{{0.25, 0}, {0, 0.01}}},
	{Mean: []float64{0.3, -1.4}, Covariance: [][]float64{{0.05, -0.02}, {-0.02, 0.03}}},
}, Weights: []float64{0.3, 0.15, 0.35, 0.2}}

// The same in the plane, against a solve with 1,000 evaluations from the same noise. With EDM's
// levels and 10 evaluations, nothing is ten times below RK4 (five times is).
func TestErrorsInThePlane(t *testing.T) {
	backend := gomlxtest.Go(t)
	const n = 301
	drawn, err := distribution.Draw(backend, distribution.NewStandardNormal(2), 7, dtypes.Float64, n)
	unit := gomlxtest.Floats(t, drawn, err)
	for _, c := range []struct {
		schedule    schedule.Schedule
		scale       float64
		solver      solver.Solver
		grid        solver.Grid
		evaluations int
	}{
		{schedule.VP{}, 1, solver.AdamsPEC(2, 10), solver.Angle{}, 10},
		{schedule.VP{}, 1, solver.AdamsPEC(4, 20), solver.Angle{}, 20},
		{schedule.EDM{}, 80, solver.LMS(4, 20), solver.Angle{S: 1}, 20},
	} {
		carried := func(s solver.Solver, grid solver.Grid) []float64 {
			s.Grid = grid
			start := make([]float64, 2*n)
			for i, v := range unit {
				start[i] = c.scale * v
			}
			m := nami.Diffusion{Field: exact(plane, c.schedule, schedule.X0), Prediction: schedule.X0, Schedule: c.schedule, Solver: s, EventShape: []int{2}}
			x, err := bindDoubles(t, backend, m).SampleFrom(context.Background(), doubles(start, n, 2))
			return gomlxtest.Floats(t, x, err)
		}
		truth := carried(solver.RK4(250), solver.Angle{})
		away := func(x []float64) float64 {
			sum := 0.
			for i, v := range x {
				sum += (v - truth[i]) * (v - truth[i])
			}
			return math.Sqrt(sum / n)
		}
		best, rk4 := away(carried(c.solver, c.grid)), away(carried(solver.RK4(c.evaluations/4), nil))
		t.Logf("%v, %v on %v: %.5f, and RK4 %.5f", c.schedule, c.solver, c.grid, best, rk4)
		if !(best < rk4/10) {
			t.Errorf("%v, %d evaluations: the error of %v is %.5f, and that of RK4 %.5f: expected a tenth of it", c.schedule, c.evaluations, c.solver, best, rk4)
		}
	}
}
