package tests

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// formula is a golden field in closed form: v = A·x + b, cos(omega·t)·A·x, or
// -k·(x - sin(omega·t)).
type formula struct {
	Kind     string
	A        [][]float64
	B        []float64
	Omega, K float64
}

// equation is a golden field with its divergence, and the store of its weights.
type equation struct {
	store *model.Store
	apply func(scope *model.Scope, x, t *Node) (v, divergence *Node)
}

func equationOf(t *testing.T, g golden, raw json.RawMessage, dtype dtypes.DType) equation {
	t.Helper()
	var name string
	if json.Unmarshal(raw, &name) == nil {
		f, store := g.Networks[name].load(t, dtype)
		return equation{store, func(scope *model.Scope, x, t *Node) (v, divergence *Node) {
			v = field.Call(f, scope, x, t, nil)
			return v, exactDivergence(v, x)
		}}
	}
	var f formula
	if err := json.Unmarshal(raw, &f); err != nil {
		t.Fatal(err)
	}
	trace := 0.0
	for i := range f.A {
		trace += f.A[i][i]
	}
	return equation{model.NewStore(), func(_ *model.Scope, x, t *Node) (v, divergence *Node) {
		g := x.Graph()
		ones := Einsum("ij,j->i", x, ConstAsDType(g, dtype, []float64{0, 0, 0}))
		all := func(c *Node) *Node { return Add(ones, c) }
		scalar := func(c float64) *Node { return ConstAsDType(g, dtype, c) }
		switch f.Kind {
		case "affine":
			v = Add(Einsum("ij,kj->ki", ConstAsDType(g, dtype, f.A), x), Reshape(ConstAsDType(g, dtype, f.B), 1, 3))
			return v, all(scalar(trace))
		case "swing":
			c := Cos(Mul(t, scalar(f.Omega)))
			return Mul(c, Einsum("ij,kj->ki", ConstAsDType(g, dtype, f.A), x)), all(Mul(c, scalar(trace)))
		default:
			return Mul(scalar(-f.K), Sub(x, Sin(Mul(t, scalar(f.Omega))))), all(scalar(-f.K * 3))
		}
	}}
}

// exactDivergence is the trace of dv/dx of each event, from a gradient for each of its
// values.
func exactDivergence(v, x *Node) (sum *Node) {
	rows := x.Shape().Dimensions[0]
	size := x.Shape().Size() / rows
	flat := Reshape(v, rows, size)
	for i := range size {
		unit := make([]float64, size)
		unit[i] = 1
		e := ConstAsDType(x.Graph(), x.DType(), unit)
		total := Einsum("k,k->", Einsum("ki,i->k", flat, e), ConstAsDType(x.Graph(), x.DType(), ones(rows)))
		term := Einsum("ki,i->k", Reshape(Gradient(total, x)[0], rows, size), e)
		if sum == nil {
			sum = term
		} else {
			sum = Add(sum, term)
		}
	}
	return sum
}

func ones(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = 1
	}
	return out
}

// State and log-density together, with each solver, field, window of time and number of
// steps: a program serves all windows and numbers of steps.
func TestGoldenODE(t *testing.T) {
	g := readGolden(t, "solvers")
	onBackends(t, func(t *testing.T, backend compute.Backend) {
		type key struct{ solver, field string }
		for _, dtype := range bothDTypes {
			programs := map[key]*solver.Program{}
			ran := 0
			for _, c := range g.Cases {
				if c.Op != "ode" {
					continue
				}
				name, _ := get[string](t, c.Inputs, "solver")
				k := key{name, string(c.Inputs["field"])}
				if thin(backend, 1) && (k.field != `"mlp"` || dtype == dtypes.Float32 && name == "heun") {
					continue
				}
				ran++
				if programs[k] == nil {
					e := equationOf(t, g, c.Inputs["field"], dtype)
					s := map[string]solver.Solver{"rk4": solver.RK4(1), "heun": solver.Heun(1)}[name]
					p, err := solver.NewProgram(backend, e.store, s, func(scope *model.Scope, _ []*Node) solver.System {
						return solver.System{Drift: func(y []*Node, t *Node) []*Node {
							v, divergence := e.apply(scope, y[0], t)
							return []*Node{v, Neg(divergence)}
						}}
					})
					if err != nil {
						t.Fatal(err)
					}
					programs[k] = p
				}
				t0, _ := get[float64](t, c.Inputs, "t0")
				t1, _ := get[float64](t, c.Inputs, "t1")
				steps, _ := get[int](t, c.Inputs, "steps")
				y := []*tensors.Tensor{tensorOf(t, c.Inputs, "x0", dtype), tensorOf(t, c.Inputs, "logp0", dtype)}
				s, err := programs[k].Solve(context.Background(), y, nil, solver.Run{T0: t0, T1: t1, Steps: steps})
				if err != nil {
					t.Fatalf("%s: %v", c.Name, err)
				}
				agree(t, c.Name+", x", s.Y[0], tensorOf(t, c.Expected, "x", dtype))
				agree(t, c.Name+", logp", s.Y[1], tensorOf(t, c.Expected, "logp", dtype))
			}
			if ran == 0 {
				t.Fatal("no golden case ran")
			}
		}
	})
}

// Euler–Maruyama steps with recorded noise, with none, constant and growing diffusion.
func TestGoldenSDE(t *testing.T) {
	g := readGolden(t, "solvers")
	onBackends(t, func(t *testing.T, backend compute.Backend) {
		for _, dtype := range bothDTypes {
			steps := map[string]*model.Exec{}
			ran := 0
			for _, c := range g.Cases {
				if c.Op != "sde" {
					continue
				}
				ran++
				raw := c.Inputs["field"]
				e := equationOf(t, g, raw, dtype)
				exec := steps[string(raw)]
				if exec == nil {
					var err error
					exec, err = model.NewExec(backend, e.store, func(scope *model.Scope, in []*Node) *Node {
						system := solver.System{
							Drift: func(y []*Node, t *Node) []*Node {
								v, _ := e.apply(scope, y[0], t)
								return []*Node{v}
							},
							Diffusion: func(_ []*Node, t *Node) []*Node { return []*Node{Add(in[0], Mul(in[1], t))} },
						}
						at := func(i *Node) *Node { return Add(in[2], Mul(Sub(in[3], in[2]), Div(i, in[5]))) }
						over := solver.Interval{From: at(in[4]), To: at(OnePlus(in[4]))}
						return solver.EulerMaruyama(1).Method.Step(system, []*Node{in[6]}, nil, over, [][]*Node{{in[7]}}).Y[0]
					})
					if err != nil {
						t.Fatal(err)
					}
					steps[string(raw)] = exec
				}
				diffusion, _ := get[struct{ A, B float64 }](t, c.Inputs, "diffusion")
				t0, _ := get[float64](t, c.Inputs, "t0")
				t1, _ := get[float64](t, c.Inputs, "t1")
				noise, _ := get[[]any](t, c.Inputs, "noise")
				x := tensorOf(t, c.Inputs, "x0", dtype)
				for i, z := range noise {
					scalar := func(v float64) *tensors.Tensor { return fromFloats([]float64{v}, nil, dtype) }
					out, err := exec.Call(scalar(diffusion.A), scalar(diffusion.B), scalar(t0), scalar(t1),
						scalar(float64(i)), scalar(float64(len(noise))), x, toTensor(z, dtype))
					if err != nil {
						t.Fatalf("%s: %v", c.Name, err)
					}
					x = out[0]
				}
				agree(t, c.Name, x, tensorOf(t, c.Expected, "x", dtype))
			}
			if ran == 0 {
				t.Fatal("no golden case ran")
			}
		}
	})
}
