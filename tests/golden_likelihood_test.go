package tests

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/tests/backends"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// contextNormal is N(W c, scale²), a base that depends on the context.
type contextNormal struct {
	W     [][]float64
	Scale []float64
}

func (b contextNormal) EventShape() []int { return []int{len(b.Scale)} }

func (b contextNormal) Given(_ *model.Scope, c *Node) distribution.Distribution {
	g, dtype := c.Graph(), c.DType()
	loc := Einsum("nd,ed->ne", Reshape(c, -1, c.Shape().Dim(-1)), ConstAsDType(g, dtype, b.W))
	loc = Reshape(loc, append(append([]int{}, c.Shape().Dimensions[:c.Rank()-1]...), len(b.Scale))...)
	scale := ExpandLeftToRank(ConstAsDType(g, dtype, b.Scale), loc.Rank())
	return distribution.DiagonalNormalOf(loc, BroadcastToDims(scale, loc.Shape().Dimensions...), 1)
}

// baseOf makes a golden case's base.
func baseOf(t *testing.T, inputs map[string]json.RawMessage, event []int) distribution.Base {
	t.Helper()
	spec, ok := get[map[string]json.RawMessage](t, inputs, "base")
	if !ok {
		return distribution.NewStandardNormal(event...)
	}
	switch kind, _ := get[string](t, spec, "kind"); kind {
	case "standard_normal":
		return distribution.NewStandardNormal(event...)
	case "diagonal_normal":
		base, err := distribution.NewDiagonalNormal(tensorOf(t, spec, "loc", dtypes.Float64), tensorOf(t, spec, "scale", dtypes.Float64), len(event))
		if err != nil {
			t.Fatal(err)
		}
		return base
	case "context_normal":
		var base contextNormal
		base.W, _ = get[[][]float64](t, spec, "W")
		base.Scale, _ = get[[]float64](t, spec, "scale")
		return base
	default:
		t.Fatalf("the base %q is unknown", kind)
		return nil
	}
}

// recorded is Hutchinson's estimator with recorded probes: one for all evaluations, or
// one for each in turn, which only an unrolled solve can tell apart.
type recorded struct {
	probes *tensors.Tensor
	each   bool
	calls  int
}

func (r *recorded) Check([]int) error { return nil }

func (r *recorded) Estimate(f func(*Node) *Node, x *Node, rank int, _ *Node) (value, div *Node) {
	probes := Const(x.Graph(), r.probes)
	if r.each {
		probes = Squeeze(Slice(probes, AxisElem(r.calls)), 0)
		r.calls++
	}
	return divergence.Hutchinson{}.Estimate(f, x, rank, InsertAxes(probes, x.Rank()-rank))
}

func solverOf(name string, steps int) solver.Solver {
	return map[string]func(int) solver.Solver{"rk4": solver.RK4, "heun": solver.Heun}[name](steps)
}

// Log-densities, with the sign that mathematics asks for: eagerly where the estimator is
// exact, unrolled where probes are recorded.
func TestGoldenLogProb(t *testing.T) {
	g := readGolden(t, "likelihood")
	onBackends(t, func(t *testing.T, backend compute.Backend) {
		ran := 0
		for i, c := range g.Cases {
			if c.Op != "log_prob" {
				continue
			}
			if thin(backend, i) {
				continue
			}
			ran++
			for _, dtype := range bothDTypes {
				method, _ := get[string](t, c.Inputs, "solver")
				steps, _ := get[int](t, c.Inputs, "steps")
				kind, _ := get[string](t, c.Inputs, "estimator")
				f, shape, store := g.load(t, c.Inputs, "field", dtype)
				flow := nami.FlowMatching{Field: f, Base: baseOf(t, c.Inputs, shape), Solver: solverOf(method, steps)}
				x, want := tensorOf(t, c.Inputs, "x", dtype), tensorOf(t, c.Expected, "log_prob", dtype)
				if kind == "exact" || kind == "field" {
					var estimator divergence.Estimator
					if kind == "exact" {
						estimator = divergence.Exact{}
						if known, ok := f.(affine); ok {
							flow.Field = reversed{known}
						}
					}
					options := []nami.Option{nami.DType(dtype)}
					if noise, ok := get[float64](t, c.Inputs, "t0"); ok {
						data, _ := get[float64](t, c.Inputs, "t1")
						options = append(options, nami.Times(noise, data))
					}
					process, err := flow.Bind(backend, store, tensorOf(t, c.Inputs, "c", dtype), options...)
					if err != nil {
						t.Fatalf("%s: %v", c.Name, err)
					}
					got, err := process.LogProb(context.Background(), x, estimator)
					if err != nil {
						t.Fatalf("%s: %v", c.Name, err)
					}
					agree(t, c.Name, got, want)
					if !backends.Few(backend) || strings.Contains(c.Name, "lead_4") || strings.Contains(c.Name, "context_base") {
						goldenParts(t, backend, c, process, flow.Base, x, got)
					}
					continue
				}
				r := &recorded{each: kind != "hutchinson_fixed"}
				if r.probes = tensorOf(t, c.Inputs, "probes", dtype); !r.each {
					r.probes = tensorOf(t, c.Inputs, "probe", dtype)
				}
				out, err := model.CallOnce(backend, store, func(scope *model.Scope, x *Node) *Node {
					return flow.LogProb(scope, x, nil, r)
				}, x)
				if err != nil {
					t.Fatalf("%s: %v", c.Name, err)
				}
				agree(t, c.Name, out, want)
			}
		}
		if ran == 0 {
			t.Fatal("no golden case ran")
		}
	})
}

// goldenParts compares what a log-density is made of: the noise, the base's log-density of
// it, and the integral of the divergence.
func goldenParts(t *testing.T, backend compute.Backend, c goldenCase, process *nami.Process, base distribution.Base, x, logProb *tensors.Tensor) {
	t.Helper()
	z, err := process.Encode(context.Background(), x)
	if err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	agree(t, c.Name+", the noise", z, tensorOf(t, c.Expected, "z", x.DType()))
	d, ok := base.(distribution.Distribution)
	if !ok {
		return // a base that depends on the context has no density by itself
	}
	density, err := distribution.Density(backend, d, z)
	if err != nil {
		t.Fatalf("%s: %v", c.Name, err)
	}
	agree(t, c.Name+", the noise's log-density", density, tensorOf(t, c.Expected, "base_log_prob", x.DType()))
	integral := toFloats(logProb)
	for i, v := range toFloats(density) {
		integral[i] -= v
	}
	agree(t, c.Name+", the divergence's integral", fromFloats(integral, logProb.Shape().Dimensions, x.DType()),
		tensorOf(t, c.Expected, "divergence_integral", x.DType()))
}

// Divergences of all kinds at given points.
func TestGoldenDivergence(t *testing.T) {
	g := readGolden(t, "likelihood")
	onBackends(t, func(t *testing.T, backend compute.Backend) {
		for i, c := range g.Cases {
			if c.Op != "divergence" || thin(backend, i) {
				continue
			}
			name, _ := get[string](t, c.Inputs, "field")
			probes, _ := get[map[string]json.RawMessage](t, c.Inputs, "probes")
			for _, dtype := range bothDTypes {
				f, store := g.Networks[name].load(t, dtype)
				in := []*tensors.Tensor{
					tensorOf(t, c.Inputs, "x", dtype), tensorOf(t, c.Inputs, "t", dtype),
					tensorOf(t, probes, "rademacher", dtype), tensorOf(t, probes, "gaussian", dtype),
				}
				computation, err := nami.NewComputation(backend, store, func(scope *model.Scope, in []*Node) []*Node {
					at := func(x *Node) *Node { return field.Call(f, scope, x, in[1], nil) }
					rank := f.EventRank()
					probe := func(n *Node) *Node { return InsertAxes(n, n.Rank()-rank) }
					_, exact := divergence.Exact{}.Estimate(at, in[0], rank, nil)
					_, rademacher := divergence.Hutchinson{}.Estimate(at, in[0], rank, probe(in[2]))
					_, gaussian := divergence.Hutchinson{}.Estimate(at, in[0], rank, probe(in[3]))
					return []*Node{exact, rademacher, gaussian}
				})
				if err != nil {
					t.Fatal(err)
				}
				out, err := computation.Call(in...)
				if err != nil {
					t.Fatalf("%s: %v", c.Name, err)
				}
				for i, kind := range []string{"exact", "rademacher", "gaussian"} {
					agree(t, c.Name+", "+kind, out[i], tensorOf(t, c.Expected, kind, dtype))
				}
			}
		}
	})
}

// The gradient of a mean negative log-density, with respect to weights and to x.
func TestGoldenLikelihoodGradient(t *testing.T) {
	g := readGolden(t, "likelihood")
	onBackends(t, func(t *testing.T, backend compute.Backend) {
		for _, c := range g.Cases {
			if c.Op != "nll_gradient" {
				continue
			}
			for _, dtype := range dtypesOn(backend) {
				steps, _ := get[int](t, c.Inputs, "steps")
				f, store := g.Networks["gradient"].load(t, dtype)
				flow := nami.FlowMatching{Field: f, Base: distribution.NewStandardNormal(2), Solver: solver.RK4(steps)}
				checkGradientsOf(t, backend, c, store, "x", dtype, func(scope *model.Scope, x *Node) *Node {
					return Neg(ReduceAllMean(flow.LogProb(scope, x, nil, divergence.Exact{})))
				})
			}
		}
	})
}

// Samples with padding are zero there, and what they are elsewhere is recorded.
func TestGoldenMaskedSample(t *testing.T) {
	g := readGolden(t, "masking")
	onBackends(t, func(t *testing.T, backend compute.Backend) {
		for i, c := range g.Cases {
			if thin(backend, i) {
				continue
			}
			name, _ := get[string](t, c.Inputs, "field")
			method, _ := get[string](t, c.Inputs, "solver")
			steps, _ := get[int](t, c.Inputs, "steps")
			for _, dtype := range bothDTypes {
				f, store := g.Networks[name].load(t, dtype)
				flow := nami.FlowMatching{Field: f, Base: distribution.NewStandardNormal(f.EventShape...), Solver: solverOf(method, steps)}
				process, err := flow.Bind(backend, store, tensorOf(t, c.Inputs, "c", dtype), nami.DType(dtype))
				if err == nil {
					process, err = process.Masked(tensorOf(t, c.Inputs, "mask", dtype))
				}
				if err != nil {
					t.Fatalf("%s: %v", c.Name, err)
				}
				got, err := process.SampleFrom(context.Background(), tensorOf(t, c.Inputs, "base_draw", dtype))
				if err != nil {
					t.Fatalf("%s: %v", c.Name, err)
				}
				agree(t, c.Name, got, tensorOf(t, c.Expected, "samples", dtype))
			}
		}
	})
}
