package solver_test

import (
	"context"
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
)

// network is dx/dt = tanh(x·w + b·t + c), dl/dt = -div(dx/dt), with variables w and b and a
// fixed input c, a row for each sample: a flow with its log-density.
func network(scope *model.Scope, fixed []*Node) solver.System {
	return solver.System{Drift: func(y []*Node, t *Node) []*Node {
		g := t.Graph()
		w := scope.VariableWithValue("w", startW).NodeValue(g)
		b := scope.VariableWithValue("b", startB).NodeValue(g)
		h := Tanh(Add(Add(Einsum("ni,ij->nj", y[0], w), Reshape(Mul(b, t), 1, 2)), fixed[0]))
		diagonal := Einsum("ij,ij->i", w, Const(g, [][]float64{{1, 0}, {0, 1}}))
		return []*Node{h, Einsum("nj,j->n", Sub(Square(h), ConstAs(h, 1)), diagonal)}
	}}
}

// point is where gradients are taken: the state's two parts, the fixed input and the
// variables.
type point struct{ x, l, c, w, b []float64 }

var (
	startW = [][]float64{{0.5, -1}, {0.3, 0.2}}
	startB = []float64{0.7, -0.4}
	start  = point{
		x: []float64{0.3, -0.2, 1.1, 0.5, -0.7, 0.9}, l: []float64{0, 0.5, -1},
		c: []float64{0.1, 0.2, -0.3, 0.4, 0.5, -0.6}, w: slices.Concat(startW...), b: startB,
	}
	cotangentL = []float64{1, 2, 3}
)

// loss is L = Σ x³/3 + Σ l·(1, 2, 3), and its derivative by x.
func loss(x, l []float64) (sum float64, byX []float64) {
	for _, v := range x {
		sum += v * v * v / 3
		byX = append(byX, v*v)
	}
	for i, v := range l {
		sum += cotangentL[i] * v
	}
	return sum, byX
}

// fields are pointers to all of p.
func (p *point) fields() []*[]float64 { return []*[]float64{&p.x, &p.l, &p.c, &p.w, &p.b} }

// differences are the derivatives of the loss by central differences of a solve from t = 0
// to 1, in the order of point's fields: all elements of each.
func differences(t *testing.T, backend compute.Backend, s solver.Solver) (out [][]float64) {
	t.Helper()
	store := model.NewStore()
	p, err := solver.NewProgram(backend, store, s, network)
	if err != nil {
		t.Fatal(err)
	}
	at := func(p0 point) float64 {
		for name, value := range map[string]*tensors.Tensor{"w": gomlx.FromFloats(dtypes.Float64, p0.w, 2, 2), "b": gomlx.FromFloats(dtypes.Float64, p0.b, 2)} {
			if v := store.GetVariable("/" + name); v == nil {
				if _, err := store.RootScope().CreateVariable(name, value); err != nil {
					t.Fatal(err)
				}
			} else if err := v.SetValue(value); err != nil {
				t.Fatal(err)
			}
		}
		end, err := p.Solve(context.Background(), []*tensors.Tensor{gomlx.FromFloats(dtypes.Float64, p0.x, 3, 2), gomlx.FromFloats(dtypes.Float64, p0.l, 3)},
			[]*tensors.Tensor{gomlx.FromFloats(dtypes.Float64, p0.c, 3, 2)}, solver.Run{T0: 0, T1: 1})
		if err != nil {
			t.Fatal(err)
		}
		value, _ := loss(gomlxtest.Floats(t, end.Y[0], nil), gomlxtest.Floats(t, end.Y[1], nil))
		return value
	}
	const eps = 1e-5
	for f := range names {
		moved := start
		field := moved.fields()[f]
		given := *field
		var by []float64
		for i := range given {
			shift := func(d float64) float64 {
				*field = slices.Clone(given)
				(*field)[i] += d
				return at(moved)
			}
			by = append(by, (shift(eps)-shift(-eps))/(2*eps))
		}
		out = append(out, by)
	}
	return out
}

var names = []string{"x", "l", "c", "w", "b"}

// Gradients that flow through an unrolled solve are those of finite differences: they are
// exact for the steps that were taken.
func TestGradientsOfUnroll(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		s := solver.Heun(3)
		exec, err := model.NewExec(backend, model.NewStore(), func(scope *model.Scope, x, l, c *Node) []*Node {
			y := solver.Unroll(s, network(scope, []*Node{c}), []*Node{x, l}, 0, 1, nil)
			value := Add(ReduceAllSum(DivScalar(Mul(y[0], Square(y[0])), 3)), ReduceAllSum(Mul(y[1], Const(x.Graph(), cotangentL))))
			return Gradient(value, x, l, c, scope.GetVariable("w").NodeValue(x.Graph()), scope.GetVariable("b").NodeValue(x.Graph()))
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err := exec.Call(gomlx.FromFloats(dtypes.Float64, start.x, 3, 2), gomlx.FromFloats(dtypes.Float64, start.l, 3), gomlx.FromFloats(dtypes.Float64, start.c, 3, 2))
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range differences(t, backend, s) {
			gomlxtest.Near(t, "by "+names[i], gomlxtest.Floats(t, got[i], nil), want, 1e-8)
		}
	})
}

// The adjoint's gradients are those of finite differences, with equal steps and with chosen
// ones, and it finds the state that the solve began with.
func TestAdjoint(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		s := solver.RK4(48)
		want := differences(t, backend, s)
		store := model.NewStore()
		p, err := solver.NewProgram(backend, store, s, network)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []solver.Solver{s, solver.Tsit5(1e-9, 1e-9)} {
			fixed := []*tensors.Tensor{gomlx.FromFloats(dtypes.Float64, start.c, 3, 2)}
			run := solver.Run{T0: 0, T1: 1}
			end, err := p.Solve(context.Background(), []*tensors.Tensor{gomlx.FromFloats(dtypes.Float64, start.x, 3, 2), gomlx.FromFloats(dtypes.Float64, start.l, 3)}, fixed, run)
			if err != nil {
				t.Fatal(err)
			}
			adjoint, err := solver.NewAdjoint(backend, store, s, network)
			if err != nil {
				t.Fatal(err)
			}
			_, byX := loss(gomlxtest.Floats(t, end.Y[0], nil), gomlxtest.Floats(t, end.Y[1], nil))
			got, err := adjoint.Gradient(context.Background(), end.Y, []*tensors.Tensor{gomlx.FromFloats(dtypes.Float64, byX, 3, 2), gomlx.FromFloats(dtypes.Float64, cotangentL, 3)}, fixed, run)
			if err != nil {
				t.Fatal(err)
			}
			for i, g := range []*tensors.Tensor{got.Y[0], got.Y[1], got.Fixed[0], got.Variables["/w"], got.Variables["/b"]} {
				gomlxtest.Near(t, s.String()+", by "+names[i], gomlxtest.Floats(t, g, nil), want[i], 1e-6)
			}
			gomlxtest.Near(t, "the state that it began with", gomlxtest.Floats(t, got.Y0[0], nil), start.x, 1e-6)
			if len(got.Variables) != 2 || got.Evaluations < 30 {
				t.Errorf("%d variables, %d evaluations", len(got.Variables), got.Evaluations)
			}
		}
	})
}

// A drift that differentiates, as one with a divergence does, can be differentiated: dx/dt =
// dφ/dx with φ = Σ sin(x)·w, so dL/dx(0) for L = Σ x(1) is checked against differences.
func TestGradientsThroughGradients(t *testing.T) {
	build := func(_ *model.Scope, fixed []*Node) solver.System {
		return solver.System{Drift: func(y []*Node, _ *Node) []*Node {
			potential := Einsum("n,n->", Sin(y[0]), fixed[0])
			return []*Node{Gradient(potential, y[0])[0]}
		}}
	}
	x0, w := []float64{0.3, 1.2}, []float64{1, -2}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		s := solver.RK4(12)
		p := program(t, backend, s, build)
		solve := func(x []float64) []*tensors.Tensor {
			out, err := p.Solve(context.Background(), []*tensors.Tensor{gomlx.FromFloats(dtypes.Float64, x, 2)}, []*tensors.Tensor{gomlx.FromFloats(dtypes.Float64, w, 2)}, solver.Run{T1: 1})
			if err != nil {
				t.Fatal(err)
			}
			return out.Y
		}
		const eps = 1e-5
		var want []float64
		for i := range x0 {
			up, down := slices.Clone(x0), slices.Clone(x0)
			up[i] += eps
			down[i] -= eps
			want = append(want, (gomlxtest.Floats(t, solve(up)[0], nil)[i]-gomlxtest.Floats(t, solve(down)[0], nil)[i])/(2*eps))
		}
		adjoint, err := solver.NewAdjoint(backend, model.NewStore(), s, build)
		if err != nil {
			t.Fatal(err)
		}
		got, err := adjoint.Gradient(context.Background(), solve(x0), []*tensors.Tensor{gomlx.FromFloats(dtypes.Float64, []float64{1, 1}, 2)},
			[]*tensors.Tensor{gomlx.FromFloats(dtypes.Float64, w, 2)}, solver.Run{T1: 1})
		if err != nil {
			t.Fatal(err)
		}
		gomlxtest.Near(t, "the adjoint", gomlxtest.Floats(t, got.Y[0], nil), want, 1e-5)
		out, err := CallOnceN(backend, func(x, w *Node) []*Node {
			return Gradient(ReduceAllSum(solver.Unroll(solver.RK4(12), build(nil, []*Node{w}), []*Node{x}, 0, 1, nil)[0]), x)
		}, x0, w)
		if err != nil {
			t.Fatal(err)
		}
		gomlxtest.Near(t, "the unrolled solve", gomlxtest.Floats(t, out[0], nil), want, 1e-8)
	})
}

func TestAdjointMisuse(t *testing.T) {
	backend := gomlxtest.Go(t)
	if _, err := solver.NewAdjoint(backend, model.NewStore(), solver.SRA1(4), network); err == nil || !strings.Contains(err.Error(), "SRA1(4) is for stochastic equations") {
		t.Errorf("got %v", err)
	}
	if _, err := solver.NewAdjoint(backend, model.NewStore(), solver.RK4(0), network); err == nil || !strings.Contains(err.Error(), "RK4(0) has 0 steps") {
		t.Errorf("got %v", err)
	}
	if _, err := solver.NewAdjoint(backend, nil, solver.RK4(1), network); err == nil || !strings.Contains(err.Error(), "one of them is nil") {
		t.Errorf("got %v", err)
	}
	one := func() *tensors.Tensor { return gomlx.FromFloats(dtypes.Float64, []float64{1, 2}, 2) }
	still := func(_ *model.Scope, _ []*Node) solver.System {
		return solver.System{Drift: func(y []*Node, _ *Node) []*Node { return []*Node{Log(Neg(Square(y[0])))} }}
	}
	adjoint, err := solver.NewAdjoint(backend, model.NewStore(), solver.RK4(2), still)
	if err != nil {
		t.Fatal(err)
	}
	weighted := solver.Dopri5(1e-3, 1e-3)
	weighted.Weights = []float64{1, 2}
	byTwo, err := solver.NewAdjoint(backend, model.NewStore(), weighted, still)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := byTwo.Gradient(context.Background(), []*tensors.Tensor{one()}, []*tensors.Tensor{one()}, nil, solver.Run{T1: 1}); err == nil || !strings.Contains(err.Error(), "has 2 weights for a state of 1 parts") {
		t.Errorf("got %v", err)
	}
	for want, in := range map[string][2][]*tensors.Tensor{
		"the state has 1 parts and there are 0 cotangents":    {{one()}, nil},
		"the cotangent of part 0 must be shaped like":         {{one()}, {gomlx.FromFloats(dtypes.Float64, []float64{1}, 1)}},
		"the adjoint: solver: 1 of 1 samples didn't get from": {{one()}, {one()}},
	} {
		if _, err := adjoint.Gradient(context.Background(), in[0], in[1], nil, solver.Run{T0: 0, T1: 1}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, expected %q", err, want)
		}
	}
}
