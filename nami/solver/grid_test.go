package solver_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// recorder is a method whose state, one value for each step, holds the times at which steps
// ended.
type recorder struct{}

func (recorder) Order() float64                                   { return 1 }
func (recorder) Draws() int                                       { return 0 }
func (recorder) Init(_ solver.System, _ []*Node, t *Node) []*Node { return []*Node{ZerosLike(t)} }
func (recorder) Step(_ solver.System, y, carry []*Node, over solver.Interval, _ [][]*Node) solver.Step {
	number := Iota(y[0].Graph(), y[0].Shape(), 1)
	return solver.Step{Y: []*Node{Where(Equal(number, carry[0]), Add(ZerosLike(y[0]), over.To), y[0])}, Carry: []*Node{OnePlus(carry[0])}}
}

// scheduled is a system that knows its schedule.
func scheduled(s schedule.Schedule, data float64) solver.Build {
	return func(*model.Scope, []*Node) solver.System {
		return solver.System{Model: &solver.Model{Schedule: s, Data: data}}
	}
}

// ends are the times at which the steps of a solve end.
func ends(t *testing.T, backend compute.Backend, grid solver.Grid, steps int, build solver.Build, t0, t1 float64) []float64 {
	t.Helper()
	p := program(t, backend, solver.Solver{Method: recorder{}, Steps: steps, Grid: grid}, build)
	out, err := p.Solve(context.Background(), []*tensors.Tensor{gomlx.FromFloats(dtypes.Float64, make([]float64, 12), 1, 12)}, nil, solver.Run{T0: t0, T1: t1})
	if err != nil {
		t.Fatal(err)
	}
	return gomlxtest.Floats(t, out.Y[0], nil)[:out.Accepted[0]]
}

// Steps end where their grid says, from noise to data and back, over the whole way or a part.
func TestGrids(t *testing.T) {
	edm := schedule.EDM{SigmaMin: 0.002, SigmaMax: 80, Rho: 7}
	level := func(sigma float64) float64 { // EDM's time of a noise level
		low, high := math.Pow(0.002, 1./7), math.Pow(80, 1./7)
		return (math.Pow(sigma, 1./7) - low) / (high - low)
	}
	plain := func(*model.Scope, []*Node) solver.System { return solver.System{} }
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, c := range []struct {
			what   string
			grid   solver.Grid
			steps  int
			build  solver.Build
			t0, t1 float64
			want   []float64
		}{
			{"even", solver.Even{}, 4, plain, 1, 0, []float64{0.75, 0.5, 0.25, 0}},
			{"power", solver.Power{}, 4, plain, 1, 0, []float64{9. / 16, 4. / 16, 1. / 16, 0}},
			{"power 3, upwards", solver.Power{P: 3}, 2, plain, 0, 1, []float64{1. / 8, 1}},
			{"power to a model's data", solver.Power{P: 2}, 3, scheduled(edm, 0.01), 1, 0, []float64{0.55 * 0.55, 0.01, 0}},
			{"power from a model's data", solver.Power{P: 2}, 3, scheduled(edm, 0.01), 0, 1, []float64{0.01, 0.55 * 0.55, 1}},
			{"power between", solver.Power{P: 2}, 2, scheduled(edm, 0.01), 1, 0.25, []float64{0.75 * 0.75, 0.25}},
			{"Karras's levels of EDM are even in time", solver.Karras{}, 5, scheduled(edm, 1e-9), 1, 0, []float64{0.75, 0.5, 0.25, 1e-9, 0}},
			{"Karras, another exponent", solver.Karras{Rho: 1}, 2, scheduled(edm, 0), 1, 0, []float64{level(40.001), 0}},
			{"log-SNR", solver.LogSNR{}, 2, scheduled(edm, 0), 1, 0, []float64{level(0.4), 0}},
			{"log-SNR, upwards", solver.LogSNR{}, 2, scheduled(edm, 0), 0, 1, []float64{level(0.4), 1}},
			{"Karras from pure noise", solver.Karras{Rho: 1}, 3, scheduled(schedule.Linear{}, 0.5), 1, 0, []float64{80. / 81, 0.5, 0}},
			{"shifted to the noise by 3", solver.Shifted{}, 4, plain, 1, 0, []float64{0.9, 0.75, 0.5, 0}},
			{"shifted to the data, upwards", solver.Shifted{S: 0.5}, 2, plain, 0, 1, []float64{1. / 3, 1}},
			{"shifted, between: from even steps of 0.5 to 0.1", solver.Shifted{}, 2, plain, 0.75, 0.25, []float64{0.9 / 1.6, 0.25}},
			{"logit", solver.Logit{K: 1}, 4, plain, 1, 0, []float64{0.5 + math.Tanh(0.25)/math.Tanh(0.5)/2, 0.5, 0.5 - math.Tanh(0.25)/math.Tanh(0.5)/2, 0}},
			{"logit, upwards over the upper half", solver.Logit{K: 1}, 2, plain, 0.5, 1, []float64{0.5 + math.Tanh(0.25)/math.Tanh(0.5)/2, 1}},
			{"even angles, of tan φ = t/(1-t)", solver.Angle{S: 1}, 4, scheduled(schedule.Linear{}, 0), 1, 0, []float64{math.Sqrt(0.5), 0.5, 1 - math.Sqrt(0.5), 0}},
			{"angles to a model's data", solver.Angle{}, 2, scheduled(schedule.Linear{}, 0.5), 1, 0, []float64{0.5, 0}},
			{"times", solver.Times{1, 0.9, 0.3, 0}, 0, plain, 1, 0, []float64{0.9, 0.3, 0}},
			{"times, the other way", solver.Times{1, 0.9, 0.3, 0}, 0, plain, 0, 1, []float64{0.3, 0.9, 1}},
			{"times, a part", solver.Times{0, 0.3, 0.9, 1}, 0, plain, 0.95, 0.2, []float64{0.9, 0.3, 0.2}},
		} {
			gomlxtest.Near(t, c.what, ends(t, backend, c.grid, c.steps, c.build, c.t0, c.t1), c.want, 1e-9)
		}
	})
}

// badGrid gives whatever it is.
type badGrid []float64

func (g badGrid) Nodes(int, float64, float64, solver.Clock) ([]float64, error) {
	if g == nil {
		return nil, errors.New("out of nodes")
	}
	return g, nil
}

// A grid that isn't from one end to the other, strictly, is an error that names the place,
// and so is one that asks a system without a schedule.
func TestBadGrids(t *testing.T) {
	backend := gomlxtest.Go(t)
	plain := func(*model.Scope, []*Node) solver.System { return solver.System{} }
	for want, c := range map[string]struct {
		grid  solver.Grid
		build solver.Build
		run   solver.Run
	}{
		"go from 0.5 (number 1) to 0.6 (number 2): they must fall strictly from 1 to 0": {grid: badGrid{1, 0.5, 0.6, 0}},
		"go from 0.5 (number 1) to 0.5 (number 2)":                                      {grid: badGrid{1, 0.5, 0.5, 0}},
		"go from 1 (number 0) to NaN (number 1)":                                        {grid: badGrid{1, math.NaN(), 0.5, 0}},
		"it has 3 times for 3 steps":                                                    {grid: badGrid{1, 0.5, 0}},
		"its times go from 1 to 0.1, and the solve from 1 to 0":                         {grid: badGrid{1, 0.5, 0.2, 0.1}},
		"out of nodes":                                                                   {grid: badGrid(nil)},
		"the system has no schedule":                                                     {grid: solver.Karras{}},
		"the system has no schedule: use it for a Diff":                                  {grid: solver.LogSNR{}},
		"the system has no schedule: use it for a Diffusion":                             {grid: solver.Angle{}},
		"made for times from 0 to 1, and the solve goes from 2 to 0":                     {grid: solver.Shifted{}, run: solver.Run{T0: 2}},
		"made for times from 0 to 1, and the solve goes from 1 to -1":                    {grid: solver.Logit{}, run: solver.Run{T0: 1, T1: -1}},
		"a power of time has no meaning below 0":                                         {grid: solver.Power{}, run: solver.Run{T0: 1, T1: -1}},
		"its times go from 1 to 0.5, and the solve from 1 to 0: give times from one end": {grid: solver.Times{1, 0.5}},
		"Run.Steps is 7, and the grid of":                                                {grid: solver.Times{1, 0.5, 0}, run: solver.Run{T0: 1, Steps: 7}},
	} {
		if c.run.T0 == c.run.T1 {
			c.run = solver.Run{T0: 1, T1: 0}
		}
		s := solver.Solver{Method: recorder{}, Steps: 3, Grid: c.grid}
		if _, ok := c.grid.(solver.Times); ok {
			s.Steps = 0
		}
		_, err := program(t, backend, s, plain).Solve(context.Background(), []*tensors.Tensor{gomlx.FromFloats(dtypes.Float64, make([]float64, 12), 1, 12)}, nil, c.run)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, expected %q", err, want)
		}
	}
	// Times that Float32 can't tell apart.
	s := solver.Solver{Method: recorder{}, Grid: solver.Times{1, 0.5, 0.5 - 1e-12, 0}}
	_, err := program(t, backend, s, plain).Solve(context.Background(), []*tensors.Tensor{gomlx.FromFloats(dtypes.Float32, make([]float64, 12), 1, 12)}, nil, solver.Run{T0: 1, T1: 0})
	if err == nil || !strings.Contains(err.Error(), "of steps 1 and 2 are one number in Float32") {
		t.Errorf("got %v", err)
	}
}

// What needs a model says so for a system that has none.
func TestNoModel(t *testing.T) {
	backend := gomlxtest.Go(t)
	plain := func(*model.Scope, []*Node) solver.System {
		return solver.System{Drift: func(y []*Node, _ *Node) []*Node { return y }}
	}
	asking := own{order: 1, step: func(s solver.System, y []*Node, over solver.Interval) []*Node {
		return []*Node{s.Predict(schedule.X0, y[0], over.From)}
	}}
	for want, s := range map[string]solver.Solver{
		"DPM2(3) steps from one noise level to the next, and the system has no model":          solver.DPM2(3),
		"DPMSolverPP2M(3) steps from one noise level to the next, and the system has no model": solver.DPMSolverPP2M(3),
		"Predict asks for a system's model, and this one has none":                             {Method: asking, Steps: 3},
	} {
		_, err := program(t, backend, s, plain).Solve(context.Background(), []*tensors.Tensor{gomlx.FromFloats(dtypes.Float64, []float64{1, 2}, 2)}, nil, solver.Run{T1: 1})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, expected %q", err, want)
		}
	}
}

// After its first steps LMS of order k integrates polynomials of degree k-1 exactly, on steps
// of any lengths.
func TestMultistepIsExactForPolynomials(t *testing.T) {
	nodes := solver.Times{0, 0.1, 0.15, 0.3, 0.42, 0.6, 0.61, 0.8, 1}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for k := 1; k <= 4; k++ {
			s := solver.LMS(k, 0)
			s.Grid = nodes
			p := program(t, backend, s, func(*model.Scope, []*Node) solver.System {
				return solver.System{Drift: func(y []*Node, t *Node) []*Node {
					return []*Node{Add(ZerosLike(y[0]), PowScalar(t, float64(k-1)))}
				}}
			})
			out, err := p.Solve(context.Background(), []*tensors.Tensor{gomlx.FromFloats(dtypes.Float64, []float64{0, 5}, 2)}, nil, solver.Run{T0: 0, T1: 1, Save: nodes})
			if err != nil {
				t.Fatal(err)
			}
			y := gomlxtest.Floats(t, out.Saved[0], nil)
			var got, want []float64
			for i := k - 1; i < len(nodes)-1; i++ { // from here on all slopes are known
				got = append(got, y[2*i+2]-y[2*i])
				want = append(want, (math.Pow(nodes[i+1], float64(k))-math.Pow(nodes[i], float64(k)))/float64(k))
			}
			gomlxtest.Near(t, s.String(), got, want, 1e-13)
		}
	})
}

// After its first steps the corrector of order k integrates polynomials of degree k exactly, on
// steps of any lengths: what a solve without it has not, the difference of the states before
// two steps. A state is that one and the predictor's integral.
func TestAdamsPECIsExactForPolynomials(t *testing.T) {
	nodes := solver.Times{0, 0.1, 0.15, 0.3, 0.42, 0.6, 0.61, 0.8, 1}
	backend := gomlxtest.Go(t)
	for k := 1; k <= 4; k++ {
		f := func(t float64) float64 { return math.Pow(t, float64(k)) }
		predictor := func(i int) (sum float64) { // of the step from node i, by the slopes at nodes i, i-1, …
			const n = 100 // Simpson's rule is exact for cubic polynomials, which these are at most
			h := nodes[i+1] - nodes[i]
			for m := range n + 1 {
				weight := []float64{2, 4}[m%2]
				if m == 0 || m == n {
					weight = 1
				}
				at := nodes[i] + h*float64(m)/n
				for a := i - k + 1; a <= i; a++ {
					term := f(nodes[a])
					for b := i - k + 1; b <= i; b++ {
						if a != b {
							term *= (at - nodes[b]) / (nodes[a] - nodes[b])
						}
					}
					sum += weight * h / (3 * n) * term
				}
			}
			return sum
		}
		s := solver.AdamsPEC(k, 0)
		s.Grid = nodes
		p := program(t, backend, s, func(*model.Scope, []*Node) solver.System {
			return solver.System{Drift: func(y []*Node, t *Node) []*Node {
				return []*Node{Add(ZerosLike(y[0]), PowScalar(t, float64(k)))}
			}}
		})
		out, err := p.Solve(context.Background(), []*tensors.Tensor{gomlx.FromFloats(dtypes.Float64, []float64{0, 5}, 2)}, nil, solver.Run{T0: 0, T1: 1, Save: nodes})
		if err != nil {
			t.Fatal(err)
		}
		y := gomlxtest.Floats(t, out.Saved[0], nil)
		corrected := func(i int) float64 { return y[2*(i+1)] - predictor(i) } // the state before step i
		var got, want []float64
		for i := k + 1; i < len(nodes)-1; i++ {
			got = append(got, corrected(i)-corrected(i-1))
			want = append(want, (f(nodes[i])*nodes[i]-f(nodes[i-1])*nodes[i-1])/float64(k+1))
		}
		gomlxtest.Near(t, s.String(), got, want, 1e-13)
	}
}
