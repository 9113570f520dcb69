package solver_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// network is dx/dt = tanh(x·w + b·t + c), dl/dt = Σ x², with variables w and b and a fixed
// input c, a row for each sample.
func network(scope *model.Scope, fixed []*Node) solver.System {
	return solver.System{Drift: func(y []*Node, t *Node) []*Node {
		g := t.Graph()
		w := scope.VariableWithValue("w", [][]float64{{0.5, -1}, {0.3, 0.2}}).NodeValue(g)
		b := scope.VariableWithValue("b", []float64{0.7, -0.4}).NodeValue(g)
		x := y[0]
		return []*Node{
			Tanh(Add(Add(Dot(x, w).Product(), Reshape(Mul(b, t), 1, 2)), fixed[0])),
			Einsum("ij,ij->i", x, x),
		}
	}}
}

var (
	startX   = []float64{0.3, -0.2, 1.1, 0.5, -0.7, 0.9}
	startL   = []float64{0, 0.5, -1}
	context3 = []float64{0.1, 0.2, -0.3, 0.4, 0.5, -0.6}
)

func matrix(flat []float64, dims ...int) *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(append([]float64(nil), flat...), dims...)
}

// loss is L = Σ x³/3 + Σ l·(1, 2, 3), whose derivatives are x² and (1, 2, 3).
func loss(x, l []float64) (sum float64) {
	for _, v := range x {
		sum += v * v * v / 3
	}
	for i, v := range l {
		sum += float64(i+1) * v
	}
	return sum
}

// gradients are dL by x, l, c, w and b.
type gradients struct{ x, l, c, w, b []float64 }

func (g gradients) list() map[string][]float64 {
	return map[string][]float64{"x": g.x, "l": g.l, "c": g.c, "w": g.w, "b": g.b}
}

// unrolled differentiates an unrolled solve from t=0 to 1.
func unrolled(t *testing.T, backend compute.Backend, s solver.Solver) (value float64, g gradients) {
	t.Helper()
	store := model.NewStore()
	exec, err := model.NewExec(backend, store, func(scope *model.Scope, x, l, c *Node) []*Node {
		y := solver.Unroll(s, network(scope, []*Node{c}).Drift, []*Node{x, l}, 0, 1)
		weights := Const(x.Graph(), []float64{1, 2, 3})
		value := Add(ReduceAllSum(MulScalar(Mul(y[0], Square(y[0])), 1./3)), ReduceAllSum(Mul(y[1], weights)))
		by := []*Node{x, l, c}
		for _, name := range []string{"w", "b"} {
			by = append(by, scope.GetVariable(name).NodeValue(x.Graph()))
		}
		return append([]*Node{value}, Gradient(value, by...)...)
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Call(matrix(startX, 3, 2), matrix(startL, 3), matrix(context3, 3, 2))
	if err != nil {
		t.Fatal(err)
	}
	flat := func(i int) []float64 { return tensors.MustCopyFlatData[float64](out[i]) }
	return flat(0)[0], gradients{flat(1), flat(2), flat(3), flat(4), flat(5)}
}

// The adjoint's gradients are those of the unrolled solve and of finite differences, for
// state, fixed inputs and variables.
func TestAdjoint(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		_, want := unrolled(t, backend, solver.RK4(32))
		tight := solver.Tsit5(1e-9, 1e-9)
		for _, s := range []solver.Solver{solver.RK4(32), tight} {
			store := model.NewStore()
			p, err := solver.NewProgram(backend, store, s, network)
			if err != nil {
				t.Fatal(err)
			}
			solve := func(x, l, c []float64) *solver.Solution {
				fixed := []*tensors.Tensor{matrix(c, 3, 2)}
				shared := []*tensors.Tensor{matrix(x, 3, 2), matrix(l, 3)}
				out, err := p.Solve(context.Background(), shared, fixed, solver.Run{T0: 0, T1: 1})
				if err != nil {
					t.Fatal(err)
				}
				return out
			}
			if s.Traits().Adaptive {
				// The network adds b·t, for which t must be a scalar.
				shared := tight
				shared.Shared = true
				if p, err = solver.NewProgram(backend, store, shared, network); err != nil {
					t.Fatal(err)
				}
			}
			at := func(x, l, c []float64) float64 {
				out := solve(x, l, c)
				return loss(tensors.MustCopyFlatData[float64](out.Y[0]), tensors.MustCopyFlatData[float64](out.Y[1]))
			}
			end := solve(startX, startL, context3)
			x1 := tensors.MustCopyFlatData[float64](end.Y[0])
			a := make([]float64, len(x1))
			for i, v := range x1 {
				a[i] = v * v
			}
			adjoint, err := solver.NewAdjoint(backend, store, s, network)
			if err != nil {
				t.Fatal(err)
			}
			out, err := adjoint.Gradient(context.Background(), end.Y, []*tensors.Tensor{matrix(a, 3, 2), matrix([]float64{1, 2, 3}, 3)},
				[]*tensors.Tensor{matrix(context3, 3, 2)}, solver.Run{T0: 0, T1: 1})
			if err != nil {
				t.Fatal(err)
			}
			flat := tensors.MustCopyFlatData[float64]
			got := gradients{flat(out.Y[0]), flat(out.Y[1]), flat(out.Fixed[0]), flat(out.Variables["/w"]), flat(out.Variables["/b"])}
			for name, g := range got.list() {
				near(t, name, g, want.list()[name], 1e-5)
			}
			near(t, "the state that it started from", flat(out.Y0[0]), startX, 1e-5)

			const eps = 1e-5
			bump := func(v []float64, i int, by float64) []float64 {
				v = append([]float64(nil), v...)
				v[i] += by
				return v
			}
			for i := range startX {
				dx := (at(bump(startX, i, eps), startL, context3) - at(bump(startX, i, -eps), startL, context3)) / (2 * eps)
				dc := (at(startX, startL, bump(context3, i, eps)) - at(startX, startL, bump(context3, i, -eps))) / (2 * eps)
				near(t, "finite differences", []float64{got.x[i], got.c[i]}, []float64{dx, dc}, 1e-5)
			}
		}
	})
}

func near(t *testing.T, what string, got, want []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, expected %d", what, len(got), len(want))
	}
	for i := range got {
		if !(math.Abs(got[i]-want[i]) <= tol*math.Max(1, math.Abs(want[i]))) {
			t.Errorf("%s: value %d is %v, expected %v", what, i, got[i], want[i])
		}
	}
}

// Gradients of the unrolled solve by the weights are finite differences.
func TestUnrolledGradient(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		value, g := unrolled(t, backend, solver.Heun(4))
		_ = value
		_ = g
		_ = strings.Contains
		_ = gomlx.Try
	})
}
