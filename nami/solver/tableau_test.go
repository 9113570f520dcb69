package solver_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

var tableaus = []solver.Tableau{
	solver.EulerTableau, solver.MidpointTableau, solver.HeunTableau, solver.RK4Tableau,
	solver.Bosh3Tableau, solver.Dopri5Tableau, solver.Tsit5Tableau,
}

// The coefficients satisfy the order conditions up to order 4 (Hairer, Nørsett & Wanner,
// table II.2.2) and those of quadrature of order 5, the error estimate those of order
// EstimateOrder-1 with 0 in place of what a method has, and the interpolant those of its
// order at every fraction of the step: its error is one order below the method's at most,
// and of order 4 for the methods of order 5.
func TestTableaus(t *testing.T) {
	for _, tab := range tableaus {
		if err := tab.Validate(); err != nil {
			t.Error(err)
		}
		apply := func(v []float64) []float64 { // A·v
			out := make([]float64, len(tab.A))
			for i, row := range tab.A {
				for j, a := range row {
					out[i] += a * v[j]
				}
			}
			return out
		}
		times := func(u, v []float64) []float64 {
			out := make([]float64, len(u))
			for i := range u {
				out[i] = u[i] * v[i]
			}
			return out
		}
		one := slices.Repeat([]float64{1}, len(tab.A))
		c := tab.C
		c2 := times(c, c)
		near := func(what string, got, want float64) {
			if math.Abs(got-want) > 1e-13 {
				t.Errorf("%s: %s is %v, expected %v", tab.Name, what, got, want)
			}
		}
		conditions := []struct {
			order int
			v     []float64
			want  float64
		}{
			{1, one, 1},
			{2, c, 1. / 2},
			{3, c2, 1. / 3},
			{3, apply(c), 1. / 6},
			{4, times(c2, c), 1. / 4},
			{4, times(c, apply(c)), 1. / 8},
			{4, apply(c2), 1. / 12},
			{4, apply(apply(c)), 1. / 24},
			{5, times(c2, c2), 1. / 5},
		}
		dot := func(u, v []float64) (sum float64) {
			for i := range u {
				sum += u[i] * v[i]
			}
			return sum
		}
		dense := map[string]int{"RK4": 3, "Dopri5": 4, "Tsit5": 4}[tab.Name]
		if dense == 0 {
			dense = tab.Convergence
		}
		for _, cond := range conditions {
			if cond.order <= tab.Convergence {
				near("an order condition", dot(tab.B, cond.v), cond.want)
			}
			if tab.E != nil && cond.order < tab.EstimateOrder {
				near("a condition of the estimate", dot(tab.E, cond.v), 0)
			}
			if tab.Dense == nil || cond.order > dense {
				continue
			}
			for _, theta := range []float64{0.1, 0.37, 0.8, 1} {
				var weights []float64
				for _, row := range tab.Dense {
					w := 0.
					for j, p := range row {
						w += p * math.Pow(theta, float64(j+1))
					}
					weights = append(weights, w)
				}
				near("a condition of the interpolant", dot(weights, cond.v), cond.want*math.Pow(theta, float64(cond.order)))
			}
		}
	}
}

// A table that isn't an explicit Runge–Kutta method of some order is refused where a solver
// is bound, with the place that is wrong.
func TestBadTableaus(t *testing.T) {
	for want, change := range map[string]func(m *solver.Tableau){
		"has no weights B":                  func(m *solver.Tableau) { *m = solver.Tableau{} },
		"A has 1 rows, B 2 weights":         func(m *solver.Tableau) { m.A = m.A[:1] },
		"A has 2 rows, B 2 weights and C 1": func(m *solver.Tableau) { m.C = m.C[:1] },
		"row 1 of A has the weight 0.5 for slope 1, which isn't known at that stage": func(m *solver.Tableau) {
			m.A = [][]float64{{}, {0.5, 0.5}}
		},
		"row 1 of A sums to 0.9, and C[1] is 1":   func(m *solver.Tableau) { m.A = [][]float64{{}, {0.9}} },
		"row 0 of A sums to 0, and C[0] is 0.1":   func(m *solver.Tableau) { m.C = []float64{0.1, 1} },
		"row 1 of A sums to NaN":                  func(m *solver.Tableau) { m.A = [][]float64{{}, {math.NaN()}} },
		"the weights B sum to 1.1":                func(m *solver.Tableau) { m.B = []float64{0.5, 0.6} },
		"E has 1 weights for 2 stages":            func(m *solver.Tableau) { m.E, m.EstimateOrder = []float64{0}, 2 },
		"the weights E of the error estimate sum": func(m *solver.Tableau) { m.E, m.EstimateOrder = []float64{0.5, 0.5}, 2 },
		"EstimateOrder is 0: say how":             func(m *solver.Tableau) { m.E = []float64{0.5, -0.5} },
		"and there are no weights E":              func(m *solver.Tableau) { m.EstimateOrder = 2 },
		"Convergence is 0":                        func(m *solver.Tableau) { m.Convergence = 0 },
		"Dense has 1 rows":                        func(m *solver.Tableau) { m.Dense = [][]float64{{1}} },
		"row 1 of Dense sums to 0.4, and B[1]":    func(m *solver.Tableau) { m.Dense = [][]float64{{0.5}, {0.4}} },
	} {
		m := solver.HeunTableau
		change(&m)
		_, err := solver.NewProgram(gomlxtest.Go(t), model.NewStore(), solver.Solver{Method: m, Steps: 3}, relaxation)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, expected %q", err, want)
		}
	}
	// Rows that are filled up with zeros are as good.
	full := solver.HeunTableau
	full.A = [][]float64{{0, 0}, {1, 0}}
	if err := full.Validate(); err != nil {
		t.Error(err)
	}
}

// A user's embedded method, which evaluates its last stage at the end but doesn't use it
// again, chooses its steps as ours do: Heun's method with Euler's embedded, on dx/dt = -x.
func TestOwnEmbeddedTableau(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		m := solver.HeunTableau
		m.Name, m.E, m.EstimateOrder = "HeunEuler", []float64{-0.5, 0.5}, 2
		if err := solver.Check(backend, m); err != nil {
			t.Error(err)
		}
		p := program(t, backend, solver.Solver{Method: m, RTol: 1e-5, ATol: 1e-5}, func(*model.Scope, []*Node) solver.System {
			return solver.System{Drift: func(y []*Node, _ *Node) []*Node { return []*Node{Neg(y[0])} }}
		})
		out, err := p.Solve(context.Background(), []*tensors.Tensor{gomlx.FromFloats(dtypes.Float64, []float64{1, 100}, 2)}, nil, solver.Run{T0: 0, T1: 1})
		if err != nil || out.Err() != nil {
			t.Fatal(err, out.Err())
		}
		gomlxtest.Near(t, "the decay", gomlxtest.Floats(t, out.Y[0], nil), []float64{math.Exp(-1), 100 * math.Exp(-1)}, 1e-4)
		// One evaluation to choose the first step and its begin, two in each.
		if attempts := max(out.Accepted[0]+out.Rejected[0], out.Accepted[1]+out.Rejected[1]); out.Evaluations != 2+2*attempts || out.Accepted[0] < 20 {
			t.Errorf("%d evaluations in %d attempts", out.Evaluations, attempts)
		}
	})
}

// The methods of the adaptive solvers have their orders, too, when their steps are equal:
// the slope of log error against log steps for dy/dt = A·y on [0, 4], with the elements of
// A from N(0, ¼) and y of ten values.
func TestOrdersOfEmbeddedMethods(t *testing.T) {
	const size = 10
	random := rand.New(rand.NewPCG(3, 4))
	a, y0 := mat.NewDense(size, size, nil), mat.NewVecDense(size, nil)
	for i := range size {
		y0.SetVec(i, random.NormFloat64())
		for j := range size {
			a.Set(i, j, random.NormFloat64()/2)
		}
	}
	var scaled, flow mat.Dense
	scaled.Scale(4, a)
	flow.Exp(&scaled)
	var exact mat.VecDense
	exact.MulVec(&flow, y0)

	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, tab := range []solver.Tableau{solver.Bosh3Tableau, solver.Dopri5Tableau, solver.Tsit5Tableau} {
			p, err := solver.NewProgram(backend, model.NewStore(), solver.Solver{Method: tab, Steps: 1}, func(_ *model.Scope, fixed []*Node) solver.System {
				return solver.System{Drift: func(y []*Node, _ *Node) []*Node { return []*Node{Einsum("ij,kj->ki", fixed[0], y[0])} }}
			})
			if err != nil {
				t.Fatal(err)
			}
			var steps, errs []float64
			for n := 128; n <= 512; n *= 2 {
				y := tensors.FromFlatDataAndDimensions(slices.Clone(y0.RawVector().Data), 1, size)
				matrix := tensors.FromFlatDataAndDimensions(slices.Clone(a.RawMatrix().Data), size, size)
				s, err := p.Solve(context.Background(), []*tensors.Tensor{y}, []*tensors.Tensor{matrix}, solver.Run{T0: 0, T1: 4, Steps: n})
				if err != nil {
					t.Fatal(err)
				}
				got := mat.NewVecDense(size, tensors.MustCopyFlatData[float64](s.Y[0]))
				got.SubVec(got, &exact)
				steps, errs = append(steps, math.Log2(float64(n))), append(errs, math.Log2(mat.Norm(got, 2)))
			}
			_, slope := stat.LinearRegression(steps, errs, nil, false)
			if order := -slope; math.Abs(order-tab.Order()) > 0.3 {
				t.Errorf("%s: the order is %.2f, expected %v; log₂ of the errors is %v", tab.Name, order, tab.Order(), errs)
			}
		}
	})
}
