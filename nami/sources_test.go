package nami_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/tests/backends"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// pulled goes to the context, with a coupling of its values that Hutchinson's probes see.
var pulled = field.Func{Rank: 1, F: func(_ *model.Scope, x, t, c *Node) *Node {
	sum := BroadcastToDims(InsertAxes(ReduceSum(x, -1), -1), x.Shape().Dimensions...)
	return Add(Sub(x, c), MulScalar(Sin(Sub(sum, x)), 0.3))
}}

// What callers get from one call, each with a context and a seed of its own, is what each
// gets alone: of ordinary and stochastic equations, in fixed and in chosen steps, for samples
// and for estimates with probes.
func TestSeededEach(t *testing.T) {
	contexts := [][]float64{{0.5, -1}, {2, 0}, {-0.3, 0.7}}
	type caller struct {
		context, n int
		seed       int64
	}
	callers := []caller{{0, 3, 7}, {1, 1, 8}, {2, 3, -1}, {0, 1, 1 << 60}, {1, 3, 7}}
	var rows []float64
	var sources []solver.Source
	for _, c := range callers {
		for i := range c.n {
			rows = append(rows, contexts[c.context]...)
			sources = append(sources, solver.Source{Seed: c.seed, Number: i})
		}
	}
	flow := nami.FlowMatching{Field: pulled, Base: distribution.NewStandardNormal(2)}
	models := map[string]builder{
		"RK4":    withSolver(flow, solver.RK4(4)),
		"Dopri5": withSolver(flow, solver.Dopri5(1e-6, 1e-6)),
		"SRA1":   nami.Diffusion{Field: pulled, Prediction: schedule.Eps, Schedule: schedule.VP{}, Solver: solver.SRA1(4), EventShape: []int{2}},
	}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		ctx := context.Background()
		for name, m := range models {
			if name == "Dopri5" && backends.Few(backend) {
				continue // it takes long to compile
			}
			process, err := m.Bind(backend, model.NewStore(), doubles(contexts[0], 2), nami.DType(dtypes.Float64), nami.ChunkSize(5))
			if err != nil {
				t.Fatal(err)
			}
			joined, err := process.Rebind(doubles(rows, len(sources), 2))
			if err == nil {
				joined, err = joined.SeededEach(sources)
			}
			if err != nil {
				t.Fatal(err)
			}
			samples, err := joined.Sample(ctx)
			together := gomlxtest.Floats(t, samples, err)
			later, err := joined.Sample(ctx)
			if slices.Equal(together, gomlxtest.Floats(t, later, err)) {
				t.Errorf("%s: the second call draws what the first did", name)
			}
			at := 0
			for _, c := range callers {
				alone, err := process.Rebind(doubles(contexts[c.context], 2))
				if err != nil {
					t.Fatal(err)
				}
				own, err := alone.Seeded(c.seed).Sample(ctx, c.n)
				gomlxtest.Near(t, name, together[2*at:2*(at+c.n)], gomlxtest.Floats(t, own, err), 1e-12)
				at += c.n
			}
			if name != "RK4" {
				continue
			}
			if joined, err = joined.SeededEach(sources); err != nil {
				t.Fatal(err)
			}
			hutchinson := divergence.Hutchinson{}
			logProb, err := joined.LogProb(ctx, samples, hutchinson)
			together = gomlxtest.Floats(t, logProb, err)
			x := tensors.MustCopyFlatData[float64](samples)
			at = 0
			for _, c := range callers {
				alone, err := process.Rebind(doubles(contexts[c.context], 2))
				if err != nil {
					t.Fatal(err)
				}
				own, err := alone.Seeded(c.seed).LogProb(ctx, doubles(x[2*at:2*(at+c.n)], c.n, 2), hutchinson)
				gomlxtest.Near(t, "Hutchinson", together[at:at+c.n], gomlxtest.Floats(t, own, err), 1e-11)
				at += c.n
			}
		}
	})
}

func withSolver(flow nami.FlowMatching, s solver.Solver) nami.FlowMatching {
	flow.Solver = s
	return flow
}

// Without a context the sources are the batch, and several samples of an element go on from
// its number, in a stream too; a seed takes the sources away again.
func TestSeededEachWithoutContext(t *testing.T) {
	backend, ctx := gomlxtest.Go(t), context.Background()
	process, err := gauss(3).Bind(backend, model.NewStore(), nil, nami.DType(dtypes.Float64), nami.ChunkSize(3))
	if err != nil {
		t.Fatal(err)
	}
	each, err := process.SeededEach([]solver.Source{{Seed: 5, Number: 2}, {Seed: 6}})
	if err != nil {
		t.Fatal(err)
	}
	samples, err := each.Sample(ctx, 3)
	got := gomlxtest.Floats(t, samples, err)
	if dims := samples.Shape().Dimensions; !slices.Equal(dims, []int{3, 2, 2}) {
		t.Fatalf("the shape is %v, expected [3 2 2]", dims)
	}
	five, err := process.Seeded(5).Sample(ctx, 5)
	a := gomlxtest.Floats(t, five, err)
	six, err := process.Seeded(6).Sample(ctx, 3)
	b := gomlxtest.Floats(t, six, err)
	gomlxtest.Near(t, "in turn", got, slices.Concat(a[4:6], b[0:2], a[6:8], b[2:4], a[8:10], b[4:6]), 1e-12)
	if each, err = process.SeededEach([]solver.Source{{Seed: 5, Number: 2}, {Seed: 6}}); err != nil {
		t.Fatal(err)
	}
	var streamed []float64
	for part, err := range each.Stream(ctx, 3) {
		streamed = append(streamed, gomlxtest.Floats(t, part, err)...)
	}
	gomlxtest.Near(t, "streamed", streamed, got, 1e-12)
	again, err := each.Seeded(5).Sample(ctx, 5)
	gomlxtest.Near(t, "seeded again", gomlxtest.Floats(t, again, err), a, 1e-12)
}

func TestBadSources(t *testing.T) {
	backend := gomlxtest.Go(t)
	process, err := mlp.Bind(backend, initialised(t, backend), ones(3, 4))
	if err != nil {
		t.Fatal(err)
	}
	for want, sources := range map[string][]solver.Source{
		"is given 0 sources, and the batch shape is (3)": nil,
		"is given 2 sources, and the batch shape is (3)": make([]solver.Source, 2),
		"source 1 has the number -1":                     {{}, {Number: -1}, {}},
		"source 2 has the number 4294967296":             {{}, {}, {Number: 1 << 32}},
	} {
		_, err := process.SeededEach(sources)
		gomlxtest.Says(t, want, err, want)
	}
	each, err := process.SeededEach(make([]solver.Source, 3))
	if err != nil {
		t.Fatal(err)
	}
	_, err = each.Rebind(ones(4))
	gomlxtest.Says(t, "rebinding", err, "call SeededEach after Rebind")
	_, err = each.Masked(nil)
	gomlxtest.Says(t, "masking", err, "call SeededEach after Masked")
	shared := mlp
	shared.Solver = solver.Dopri5(1e-3, 1e-3)
	shared.Solver.Shared = true
	if process, err = shared.Bind(backend, initialised(t, backend), ones(3, 4)); err != nil {
		t.Fatal(err)
	}
	_, err = process.SeededEach(make([]solver.Source, 3))
	gomlxtest.Says(t, "shared steps", err, "whose Shared is false")
}

// A call of which some events fail tells which, and has the others.
func TestFailure(t *testing.T) {
	flow := nami.FlowMatching{
		Field: field.Func{Rank: 1, F: func(_ *model.Scope, x, _, c *Node) *Node { return Mul(Exp(c), x) }},
		Base:  distribution.NewStandardNormal(1),
	}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, s := range []solver.Solver{solver.RK4(3), solver.Dopri5(1e-4, 1e-4)} {
			flow.Solver = s
			process, err := flow.Bind(backend, model.NewStore(), doubles([]float64{0.5, 1e3, -0.5}, 3, 1), nami.DType(dtypes.Float64))
			if err != nil {
				t.Fatal(err)
			}
			check := func(what string, err error, want []float64) {
				var failure *nami.Failure
				if !errors.As(err, &failure) {
					t.Fatalf("%v, %s: the error is %v, expected a Failure", s, what, err)
				}
				gomlxtest.Says(t, what, err, "1 of 3 samples didn't get from")
				codes := failure.Solution.Codes
				if codes[0] != solver.Success || codes[1] == solver.Success || codes[2] != solver.Success {
					t.Errorf("%v, %s: the codes are %v, expected the second to fail", s, what, codes)
				}
				got := gomlxtest.Floats(t, failure.Solution.Y[0], nil)
				gomlxtest.Near(t, what, []float64{got[0], got[2]}, want, 1e-12)
			}
			good, err := process.Rebind(doubles([]float64{0.5, -0.5}, 2, 1))
			if err == nil {
				good, err = good.SeededEach([]solver.Source{{Seed: 1}, {Seed: 1, Number: 2}})
			}
			if err != nil {
				t.Fatal(err)
			}
			samples, err := good.Sample(context.Background())
			want := gomlxtest.Floats(t, samples, err)
			_, err = process.Seeded(1).Sample(context.Background())
			check("samples", err, want)
			logProb, err := good.LogProb(context.Background(), doubles([]float64{0.1, 0.3}, 2, 1), divergence.Exact{})
			want = gomlxtest.Floats(t, logProb, err)
			_, err = process.LogProb(context.Background(), doubles([]float64{0.1, 0.2, 0.3}, 3, 1), divergence.Exact{})
			check("log-densities", err, want)
			for _, v := range want {
				if math.IsNaN(v) {
					t.Errorf("a log-density is NaN")
				}
			}
		}
	})
}
