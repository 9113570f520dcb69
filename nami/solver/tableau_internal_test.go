package solver

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"
)

var tableaus = []*tableau{&euler, &midpoint, &heun, &rk4, &bosh3, &dopri5, &tsit5}

// The coefficients satisfy the order conditions up to order 4 (Hairer, Nørsett & Wanner,
// table II.2.2) and those of quadrature of order 5, and the error estimate those of order
// errorOrder-1 with 0 in place of what a method has.
func TestTableaus(t *testing.T) {
	for _, tab := range tableaus {
		apply := func(v []float64) []float64 { // A·v
			out := make([]float64, len(tab.a))
			for i, row := range tab.a {
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
		one := constant(1, len(tab.a))
		c := tab.c
		c2 := times(c, c)
		near := func(what string, got, want float64) {
			if math.Abs(got-want) > 1e-13 {
				t.Errorf("%s: %s is %v, expected %v", tab.name, what, got, want)
			}
		}
		for i, sum := range apply(one) {
			near("a row's sum", sum, c[i])
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
		for _, cond := range conditions {
			if cond.order <= tab.order {
				near("an order condition", dot(tab.b, cond.v), cond.want)
			}
			if tab.e != nil && cond.order < tab.errorOrder {
				near("a condition of the estimate", dot(tab.e, cond.v), 0)
			}
		}
		if tab.e == nil {
			continue
		}
		last := len(tab.a) - 1
		if !slices.Equal(append(slices.Clone(tab.a[last]), 0), tab.b) || c[last] != 1 {
			t.Errorf("%s: the last slope isn't the next step's first", tab.name)
		}
	}
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
		for _, tab := range []*tableau{&bosh3, &dopri5, &tsit5} {
			p, err := NewProgram(backend, model.NewStore(), RungeKutta{tab, 1}, func(_ *model.Scope, fixed []*Node) System {
				return System{Drift: func(y []*Node, _ *Node) []*Node { return []*Node{Einsum("ij,kj->ki", fixed[0], y[0])} }}
			})
			if err != nil {
				t.Fatal(err)
			}
			var steps, errs []float64
			for n := 128; n <= 512; n *= 2 {
				y := tensors.FromFlatDataAndDimensions(slices.Clone(y0.RawVector().Data), 1, size)
				matrix := tensors.FromFlatDataAndDimensions(slices.Clone(a.RawMatrix().Data), size, size)
				s, err := p.Solve(context.Background(), []*tensors.Tensor{y}, []*tensors.Tensor{matrix}, Run{T0: 0, T1: 4, Steps: n})
				if err != nil {
					t.Fatal(err)
				}
				got := mat.NewVecDense(size, tensors.MustCopyFlatData[float64](s.Y[0]))
				got.SubVec(got, &exact)
				steps, errs = append(steps, float64(n)), append(errs, mat.Norm(got, 2))
			}
			if order := -slope(steps, errs); math.Abs(order-float64(tab.order)) > 0.3 {
				t.Errorf("%s: the order is %.2f, expected %d; the errors are %v", tab.name, order, tab.order, errs)
			}
		}
	})
}
