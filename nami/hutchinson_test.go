package nami_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/ml/model"
)

// mixing is a network whose Jacobian is full, so that probes matter.
func mixing(t *testing.T, store *model.Store, s solver.Solver) (flow nami.FlowMatching, weights map[string][]float64) {
	t.Helper()
	return nami.FlowMatching{
		Field: field.MLP{EventShape: []int{2}, Hidden: []int{5}}, Base: distribution.NewStandardNormal(2), Solver: s,
	}, tinyWeights(t, store, []int{3, 5, 2})
}

// A probe is drawn once for a solve, so that every stage sees one right-hand side: with
// the same seed the estimate converges with the method's order, which new probes at each
// evaluation would destroy, an adaptive solver comes to the same number, and another seed
// to another.
func TestOneProbeForASolve(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		x := []float64{0.3, -0.7, 1, 0.2}
		estimate := func(s solver.Solver, seed int64) []float64 {
			store := model.NewStore()
			flow, _ := mixing(t, store, s)
			process, err := flow.Bind(backend, store, nil, nami.DType(dtypes.Float64), nami.Seed(seed))
			if err != nil {
				t.Fatal(err)
			}
			logProb, err := process.LogProb(context.Background(), doubles(slices.Clone(x), 2, 2), divergence.Hutchinson{Probe: divergence.Gaussian})
			return gomlxtest.Floats(t, logProb, err)
		}
		limit := estimate(solver.RK4(64), 3)
		coarse, fine := estimate(solver.RK4(4), 3), estimate(solver.RK4(8), 3)
		for i := range limit {
			a, b := math.Abs(coarse[i]-limit[i]), math.Abs(fine[i]-limit[i])
			if order := math.Log2(a / b); !(order > 3.5) {
				t.Errorf("event %d: the errors with 4 and 8 steps are %.2g and %.2g, of order %.1f, expected 4", i, a, b, order)
			}
		}
		gomlxtest.Near(t, "by an adaptive solver", estimate(solver.Tsit5(1e-8, 1e-8), 3), limit, 1e-6)
		if other := estimate(solver.RK4(64), 4); math.Abs(other[0]-limit[0]) < 1e-3 {
			t.Errorf("another seed estimates %v, this one %v: the probes are the same", other, limit)
		}
	})
}

// Gradients of an estimated log-density have the estimate's own trace term: with respect
// to x and to the weights they agree with finite differences for the same probes.
func TestGradientOfEstimate(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		ctx, store := context.Background(), model.NewStore()
		flow, weights := mixing(t, store, solver.RK4(24))
		process, err := flow.Bind(backend, store, nil, nami.DType(dtypes.Float64))
		if err != nil {
			t.Fatal(err)
		}
		estimator := divergence.Hutchinson{N: 2}
		x := []float64{0.3, -0.7, 1, 0.2}
		total := func(x []float64) (sum float64) {
			logProb, err := process.Seeded(5).LogProb(ctx, doubles(slices.Clone(x), 2, 2), estimator)
			for _, l := range gomlxtest.Floats(t, logProb, err) {
				sum += l
			}
			return sum
		}
		grads, err := process.Seeded(5).LogProbGradient(ctx, doubles(slices.Clone(x), 2, 2), estimator)
		if err != nil {
			t.Fatal(err)
		}
		const h = 1e-5
		var slopes []float64
		for i := range x {
			up, down := slices.Clone(x), slices.Clone(x)
			up[i] += h
			down[i] -= h
			slopes = append(slopes, (total(up)-total(down))/(2*h))
		}
		gomlxtest.Near(t, "by x", gomlxtest.Floats(t, grads.X, nil), slopes, 1e-4)
		for v := range store.IterVariables() {
			at := func(delta float64) float64 {
				moved := slices.Clone(weights[v.Path()])
				moved[1] += delta
				if err := v.SetValue(doubles(moved, v.Shape().Dimensions...)); err != nil {
					t.Fatal(err)
				}
				return total(x)
			}
			slope := (at(h) - at(-h)) / (2 * h)
			at(0)
			gomlxtest.Near(t, "by "+v.Path(), gomlxtest.Floats(t, grads.Variables[v.Path()], nil)[1:2], []float64{slope}, 1e-4)
		}
	})
}
