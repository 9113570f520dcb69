package nami_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/solver"
)

// The last step of a probability flow is of first order by every method, whose stages all lie
// at its beginning: a single step is Euler's, with even steps of time as well, where no
// stage may ask the field at a time within the step. Methods in σ/α end in the data that the
// field predicts.
func TestLastStepIsOfFirstOrder(t *testing.T) {
	backend := gomlxtest.Go(t)
	start := []float64{0.7, -1.3}
	one := func(s schedule.Schedule, method solver.Method, grid solver.Grid) []float64 {
		m := nami.Diffusion{
			Field: exact(modes, s, schedule.X0), Prediction: schedule.X0, Schedule: s, EventShape: []int{1},
			Solver: solver.Solver{Method: method, Steps: 1, Grid: grid},
		}
		x, err := bindDoubles(t, backend, m).SampleFrom(context.Background(), doubles(slices.Clone(start), 2, 1))
		return gomlxtest.Floats(t, x, err)
	}
	for _, name := range slices.Sorted(maps.Keys(schedules)) {
		s := schedules[name]
		alpha, sigma := coefficients(t, backend, s, []float64{1})
		predicted := make([]float64, len(start))
		for i, x := range start {
			predicted[i] = modesMean(x, alpha[0], sigma[0])
		}
		for _, grid := range []solver.Grid{nil, solver.Even{}} {
			euler := one(s, solver.EulerTableau, grid)
			for _, method := range []solver.Method{solver.MidpointTableau, solver.HeunTableau, solver.RK4Tableau, solver.LMS(4, 1).Method, solver.AdamsPEC(4, 1).Method} {
				gomlxtest.Near(t, fmt.Sprintf("%s, %v, grid %v", name, method, grid), one(s, method, grid), euler, 1e-9)
			}
			for _, method := range []solver.Method{
				solver.DPM2(1).Method, solver.DPMSolverPP2S(1).Method, solver.DPMSolverPP2M(1).Method, solver.DPMSolverPP3M(1).Method, solver.DEIS(3, 1).Method, solver.UniPC(3, 1).Method,
				solver.DDIM(0, 1).Method,
				solver.Churn{},
				solver.DDIM(1, 1).Method, solver.DPMSolverPP3MSDE(1).Method,
			} {
				// Pure noise, as that of Cosine and Linear, is asked for where a thousandth is signal.
				gomlxtest.Near(t, fmt.Sprintf("%s, %v, grid %v", name, method, grid), one(s, method, grid), predicted, 2e-3)
			}
		}
	}
}

// modesMean is E[x0 | x] of the modes, from x = α·x0 + σ·ε.
func modesMean(x, alpha, sigma float64) float64 {
	variance := alpha*alpha*modeSpread*modeSpread + sigma*sigma
	share := 1 / (1 + math.Exp(-2*alpha*x/variance))
	mean := func(mode float64) float64 { return (sigma*sigma*mode + alpha*x*modeSpread*modeSpread) / variance }
	return share*mean(1) + (1-share)*mean(-1)
}
