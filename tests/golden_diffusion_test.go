package tests

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// gaussianDenoiser is what is to be predicted where the data are N(mean, std²).
func gaussianDenoiser(mean, std []float64, s schedule.Schedule, p schedule.Prediction) field.Field {
	return field.Func{Rank: 1, F: func(_ *model.Scope, x, t, _ *Node) *Node {
		row := func(values []float64) *Node {
			return ExpandLeftToRank(ConstAsDType(x.Graph(), x.DType(), values), x.Rank())
		}
		alpha, sigma := shape.Lift(s.Alpha(t), x), shape.Lift(s.Sigma(t), x)
		variance := Add(Mul(Square(alpha), Square(row(std))), Square(sigma))
		score := Neg(Div(Sub(x, Mul(alpha, row(mean))), variance))
		switch p {
		case schedule.Score:
			return score
		case schedule.X0:
			return Div(Add(x, Mul(Square(sigma), score)), alpha)
		default:
			return Neg(Mul(sigma, score))
		}
	}}
}

// replayed is Euler and Maruyama's method with recorded noise.
type replayed struct {
	solver.Method
	noise  *tensors.Tensor // steps, and the shape of the state
	t0, t1 float64
}

func (r replayed) Step(s solver.System, y, carry []*Node, over solver.Interval, _ [][]*Node) solver.Step {
	noise := Const(y[0].Graph(), r.noise)
	steps := noise.Shape().Dim(0)
	number := DivScalar(MulScalar(AddScalar(over.From, -r.t0), float64(steps)), r.t1-r.t0)
	picked := ConvertDType(Equal(ConvertDType(Round(number), dtypes.Int32), Iota(y[0].Graph(), shapes.Make(dtypes.Int32, steps), 0)), y[0].DType())
	now := Reshape(Einsum("i,id->d", picked, Reshape(noise, steps, -1)), y[0].Shape().Dimensions...)
	return r.Method.Step(s, y, carry, over, [][]*Node{{now}})
}

// Samples of diffusion models by the probability flow and the reverse process, from
// recorded noise, at every schedule and prediction.
func TestGoldenDiffusionSample(t *testing.T) {
	g := readGolden(t, "sampling")
	onBackends(t, func(t *testing.T, backend compute.Backend) {
		ran := 0
		for i, c := range g.Cases {
			if c.Op != "diffusion_sample" || thin(backend, i) {
				continue
			}
			ran++
			for _, dtype := range bothDTypes {
				if dtype == dtypes.Float32 && i%8 != 0 {
					continue // computes as in Float64, and its rounding, divided by σ = 0.01, may exceed 1e-5
				}
				m, store := diffusionOf(t, g, c, dtype)
				t0, _ := get[float64](t, c.Inputs, "t0")
				t1, _ := get[float64](t, c.Inputs, "t1")
				noise, start := tensorOf(t, c.Inputs, "base_draw", dtype), tensorOf(t, c.Inputs, "base_draw", dtype)
				if base, _ := get[string](t, c.Inputs, "base"); base != "none" {
					m.Base = distribution.NewStandardNormal(m.EventShape...)
				} else {
					start = scaled(t, backend, m.Schedule, t0, noise)
				}
				if recorded := tensorOf(t, c.Inputs, "noise", dtype); recorded != nil {
					m.Solver.Method = replayed{m.Solver.Method, recorded, t0, t1}
				}
				process, err := m.Bind(backend, store, tensorOf(t, c.Inputs, "c", dtype), nami.DType(dtype), nami.Times(t0, t1))
				if err != nil {
					t.Fatalf("%s: %v", c.Name, err)
				}
				got, err := process.SampleFrom(context.Background(), start)
				if err != nil {
					t.Fatalf("%s: %v", c.Name, err)
				}
				agree(t, c.Name, got, tensorOf(t, c.Expected, "samples", dtype))
			}
		}
		if ran == 0 {
			t.Fatal("no golden case ran")
		}
	})
}

// diffusionOf makes a golden case's model.
func diffusionOf(t *testing.T, g golden, c goldenCase, dtype dtypes.DType) (nami.Diffusion, *model.Store) {
	t.Helper()
	method, _ := get[string](t, c.Inputs, "solver")
	steps, _ := get[int](t, c.Inputs, "steps")
	name, _ := get[string](t, c.Inputs, "parameterization")
	parameters, _ := get[scheduleParameters](t, c.Inputs, "schedule")
	m := nami.Diffusion{Schedule: parameters.schedule(t)}
	m.EventShape, _ = get[[]int](t, c.Inputs, "event_shape")
	var err error
	if m.Prediction, err = schedule.ParsePrediction(name); err != nil {
		t.Fatal(err)
	}
	store := model.NewStore()
	if spec, ok := gaussianOf(t, c.Inputs); ok {
		m.Field = gaussianDenoiser(spec.Mean, spec.Std, m.Schedule, m.Prediction)
	} else {
		m.Field, _, store = g.load(t, c.Inputs, "model", dtype)
	}
	if method == "euler_maruyama" {
		m.Solver = solver.EulerMaruyama(steps)
	} else {
		m.Solver = solverOf(method, steps)
	}
	m.Solver.InTime = true // the reference steps in t, from one end to the other
	if guidance, ok := get[struct{ A, B float64 }](t, c.Inputs, "guidance"); ok {
		m.Guidance = func(_ *model.Scope, x, t, _, eps *Node) *Node {
			return Add(MulScalar(eps, guidance.A), Mul(MulScalar(x, guidance.B), shape.Lift(t, x)))
		}
	}
	return m, store
}

type gaussian struct {
	Kind      string
	Mean, Std []float64
}

func gaussianOf(t *testing.T, inputs map[string]json.RawMessage) (gaussian, bool) {
	t.Helper()
	if strings.HasPrefix(string(inputs["model"]), `"`) {
		return gaussian{}, false
	}
	return get[gaussian](t, inputs, "model")
}

// scaled is noise times σ(t).
func scaled(t *testing.T, backend compute.Backend, s schedule.Schedule, at float64, noise *tensors.Tensor) *tensors.Tensor {
	t.Helper()
	out, err := CallOnce(backend, func(noise *Node) *Node {
		return Mul(noise, s.Sigma(ConstAs(noise, at)))
	}, noise)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
