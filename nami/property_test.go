package nami_test

import (
	"context"
	"maps"
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
	"github.com/nami-flow/go-nami/tests/property"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"pgregory.net/rapid"
)

// calm is a field for events of any shape of its rank, with a context of 2 values or none.
func calm(rank int) field.Field {
	return field.Func{Rank: rank, F: func(_ *model.Scope, x, t, c *Node) *Node {
		if c != nil {
			c.AssertDims(append(slices.Clone(c.Shape().Dimensions[:c.Rank()-1]), 2)...)
		}
		return Neg(x)
	}}
}

// Whatever a process is bound to and asked for, what comes back has the shape that it
// should and no NaN, or there is an error that teaches.
func TestAnyProcess(t *testing.T) {
	backend, ctx := gomlxtest.Go(t), context.Background()
	bounded := func(d distribution.Distribution, err error) distribution.Base {
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	scales := tensors.FromValue([][]float32{{1, 2}, {1, 1}, {2, 1}})
	bases := []distribution.Base{
		distribution.NewStandardNormal(3, 2), distribution.NewStandardNormal(2), distribution.NewStandardNormal(),
		bounded(distribution.Isotropic(0, 1, 3, 2)), bounded(distribution.NewDiagonalNormal(scales, scales, 1)),
		nil, distribution.NewStandardNormal(0),
		bounded(distribution.UniformBox(-1, 1, 2)),
		distribution.LearnedNormal{Event: []int{2}},
	}
	solvers := []solver.Solver{
		solver.Euler(2), solver.RK4(1), solver.Dopri5(1e-3, 1e-3), solver.AdamsPEC(3, 3),
		{},
		solver.RK4(0), solver.Dopri5(-1, 0), solver.DPM2(2), solver.LMS(2, 3), solver.UniPC(3, 3), solver.DEIS(9, 2), solver.DDIM(0.5, 2), solver.DDIM(2, 2), solver.DPMSolverPP3MSDE(3),
		{Method: solver.Churn{Churn: 1}, Steps: 2},
		solver.EulerMaruyama(2), solver.SRA1(1),
	}
	schedules := []schedule.Schedule{schedule.VP{}, schedule.Linear{}, nil, schedule.VP{BetaMin: -1}, schedule.VE{}}
	property.CheckPart(t, 60, func(t *rapid.T) {
		base := property.Mostly(t, "base", rapid.SampledFrom(bases[:5]).Draw(t, "usual"), bases[5:]...)
		s := property.Mostly(t, "solver", rapid.SampledFrom(solvers[:4]).Draw(t, "usual"), solvers[4:]...)
		var shape []int
		if base != nil {
			shape = base.EventShape()
		}
		rank := len(shape) + property.Mostly(t, "rank", 0, 1, -1)
		number := rapid.OneOf(rapid.Float64Range(0, 1), rapid.SampledFrom([]float64{-1, 0, 1, 1, 2, math.NaN(), math.Inf(1)}))
		options := []nami.Option{
			nami.DType(property.Mostly(t, "dtype", dtypes.Float32, dtypes.Float64, dtypes.Int32)),
			nami.ChunkSize(property.Mostly(t, "chunk", 4, 1, 1000, 0, -1)),
		}
		if property.Mostly(t, "times", false, true) {
			options = append(options, nami.Times(number.Draw(t, "noise"), number.Draw(t, "data")))
		}
		var process *nami.Process
		given := gomlxtest.Misfit(t, "context", 3, 2)
		if rapid.Bool().Draw(t, "no context") {
			given = nil
		}
		gomlxtest.Bears(t, "Bind", func() (_ []*tensors.Tensor, err error) {
			if rapid.Bool().Draw(t, "diffusion") {
				process, err = nami.Diffusion{
					Field: calm(rank), Base: base, Solver: s, EventShape: shape, Schedule: property.Mostly(t, "schedule", schedules[0], schedules[1:]...),
					Prediction: property.Mostly(t, "prediction", schedule.Prediction(rapid.IntRange(0, 4).Draw(t, "usual")), 5, -1),
				}.Bind(backend, model.NewStore(), given, options...)
			} else {
				process, err = nami.FlowMatching{Field: calm(rank), Base: base, Solver: s}.Bind(backend, model.NewStore(), given, options...)
			}
			return nil, err
		})
		if process == nil { // then a good one
			var err error
			process, err = nami.FlowMatching{Field: calm(2), Base: distribution.NewStandardNormal(3, 2), Solver: solver.Euler(2)}.Bind(backend, model.NewStore(), nil)
			if err != nil {
				t.Fatal(err)
			}
			base, given = nil, nil
		}
		if rapid.Bool().Draw(t, "rebind") {
			again := gomlxtest.Misfit(t, "another context", 3, 2)
			gomlxtest.Bears(t, "Rebind", func() ([]*tensors.Tensor, error) {
				p, err := process.Rebind(again)
				if err == nil {
					process, given = p, again
				}
				return nil, err
			})
		}
		var batch []int
		if given != nil {
			batch = given.Shape().Dimensions[:given.Rank()-1]
		} else if b, ok := base.(distribution.Batched); ok {
			batch = b.BatchShape()
		}
		if rapid.Bool().Draw(t, "masked") {
			mask := gomlxtest.Misfit(t, "mask", append(slices.Clone(batch), 3)...)
			_, batched := base.(distribution.DiagonalNormal)
			property.OddIf(t, len(process.EventShape()) < 2 || batched && len(base.(distribution.Batched).BatchShape()) > 0, "the event or the base, for a mask")
			if ones := property.Mostly(t, "of ones and zeros", true, false); ones && mask != nil && mask.DType() == dtypes.Float32 {
				mask.MustMutableFlatData(func(flat any) {
					for i := range flat.([]float32) {
						flat.([]float32)[i] = float32(i % 2)
					}
				})
			}
			gomlxtest.Bears(t, "Masked", func() ([]*tensors.Tensor, error) {
				p, err := process.Masked(mask)
				if err == nil {
					process = p
					if mask != nil {
						batch = mask.Shape().Dimensions[:mask.Rank()-1]
					}
				}
				return nil, err
			})
		}
		shape = process.EventShape()
		sample := property.Mostly(t, "sample shape", []int{2}, nil, []int{2, 1}, []int{0}, []int{-1}, []int{5})
		whole := slices.Concat(sample, batch)
		x := gomlxtest.Misfit(t, "x", slices.Concat([]int{2}, batch, shape)...)
		var lead, dims []int
		if x != nil {
			dims = x.Shape().Dimensions
			lead = dims[:max(0, len(dims)-len(shape))]
		}
		estimator := property.Mostly[divergence.Estimator](t, "estimator", divergence.Exact{}, nil, divergence.Exact{MaxSize: 1}, divergence.Hutchinson{}, divergence.Hutchinson{N: -1})
		times := property.Mostly(t, "at", []float64{1, 0.5, 0.2}, nil, []float64{1, 0}, []float64{0, 1}, []float64{math.NaN()}, []float64{0.5, 0.5})
		one := func(x *tensors.Tensor, err error) ([]*tensors.Tensor, error) { return []*tensors.Tensor{x}, err }
		calls := map[string]func(what string){
			"Sample": func(what string) {
				gomlxtest.Bears(t, what, func() ([]*tensors.Tensor, error) { return one(process.Sample(ctx, sample...)) }, slices.Concat(whole, shape))
			},
			"Stream": func(what string) {
				n := property.Mostly(t, "n", rapid.IntRange(1, 5).Draw(t, "usual"), 0, -1)
				got := 0
				gomlxtest.Bears(t, what, func() (all []*tensors.Tensor, err error) {
					for x, err := range process.Stream(ctx, n) {
						if err != nil {
							return nil, err
						}
						all, got = append(all, x), got+x.Shape().Dim(0)
					}
					if got != n {
						t.Errorf("Stream gave %d of %d samples", got, n)
					}
					return all, nil
				})
			},
			"SampleFrom": func(what string) {
				gomlxtest.Bears(t, what, func() ([]*tensors.Tensor, error) { return one(process.SampleFrom(ctx, x)) }, dims)
			},
			"Encode": func(what string) {
				gomlxtest.Bears(t, what, func() ([]*tensors.Tensor, error) { return one(process.Encode(ctx, x)) }, dims)
			},
			"LogProb": func(what string) {
				gomlxtest.Bears(t, what, func() ([]*tensors.Tensor, error) { return one(process.LogProb(ctx, x, estimator)) }, lead)
			},
			"SampleWithLogProb": func(what string) {
				gomlxtest.Bears(t, what, func() ([]*tensors.Tensor, error) {
					x, logProb, err := process.SampleWithLogProb(ctx, estimator, sample...)
					return []*tensors.Tensor{x, logProb}, err
				}, slices.Concat(whole, shape), whole)
			},
			"LogProbGradient": func(what string) {
				gomlxtest.Bears(t, what, func() ([]*tensors.Tensor, error) {
					g, err := process.LogProbGradient(ctx, x, estimator)
					if err != nil {
						return nil, err
					}
					return []*tensors.Tensor{g.LogProb, g.X}, nil
				}, lead, dims)
			},
			"Trajectory": func(what string) {
				gomlxtest.Bears(t, what, func() ([]*tensors.Tensor, error) { return one(process.Trajectory(ctx, times, sample...)) },
					slices.Concat([]int{len(times)}, whole, shape))
			},
			"Solve": func(what string) {
				gomlxtest.Bears(t, what, func() ([]*tensors.Tensor, error) {
					from, to := property.Mostly(t, "from", 0.9, -1, 0, 1, 2, math.NaN(), math.Inf(1)), property.Mostly(t, "to", 0.1, -1, 0, 1, 2, math.NaN())
					s, err := process.Solve(ctx, x, from, to)
					if err == nil {
						err = s.Err()
					}
					if err != nil {
						return nil, err
					}
					return s.Y, nil
				}, dims)
			},
		}
		for range 3 {
			what := rapid.SampledFrom(slices.Sorted(maps.Keys(calls))).Draw(t, "call")
			calls[what](what)
		}
	})
}

// Whatever a model is asked for in a graph, what comes back has the shape that it should or
// what is said teaches.
func TestAnyModelInGraph(t *testing.T) {
	backend := gomlxtest.Go(t)
	property.CheckPart(t, 60, func(t *rapid.T) {
		rank := property.Mostly(t, "rank", 2, 1, 0, 3, -1)
		f := property.Mostly[field.Field](t, "field", calm(rank), nil, field.Func{}, field.MLP{EventShape: []int{3, 2}})
		if mlp, ok := f.(field.MLP); ok {
			rank = mlp.EventRank()
		}
		x, c := gomlxtest.Misfit(t, "x", 4, 3, 2), gomlxtest.Misfit(t, "c", 4, 2)
		if x == nil {
			return
		}
		var lead []int
		if n := x.Rank() - max(0, rank); n >= 0 {
			lead = x.Shape().Dimensions[:n]
		}
		flow := nami.FlowMatching{
			Field: f, Base: distribution.NewStandardNormal(3, 2),
			Solver: property.Mostly(t, "solver", solver.Euler(2), solver.Solver{}, solver.Dopri5(1e-3, 1e-3), solver.SRA1(2), solver.Euler(0)),
		}
		diffusion := nami.Diffusion{
			Field: f, Solver: flow.Solver, EventShape: []int{3, 2}, Prediction: schedule.Prediction(rapid.IntRange(0, 5).Draw(t, "prediction")),
			Schedule: property.Mostly[schedule.Schedule](t, "schedule", schedule.VP{}, nil, schedule.EDM{Rho: -1}),
		}
		property.OddIf(t, diffusion.Prediction.Validate() != nil, "the prediction")
		estimator := property.Mostly[divergence.Estimator](t, "estimator", divergence.Exact{}, nil, divergence.Hutchinson{N: -1})
		build := func(what string, want []int, build func(scope *model.Scope, x, c *Node) *Node) {
			all := []*tensors.Tensor{x}
			if c != nil {
				all = append(all, c)
			}
			gomlxtest.Builds(t, backend, what, all, func(nodes []*Node) []*Node {
				var c *Node
				if len(nodes) > 1 {
					c = nodes[1]
				}
				return []*Node{build(model.NewStore().RootScope(), nodes[0], c)}
			}, want)
		}
		for what, m := range map[string]interface {
			LogProb(scope *model.Scope, x, c *Node, estimator divergence.Estimator) *Node
			Sample(scope *model.Scope, g *Graph, dtype dtypes.DType, c *Node, lead ...int) *Node
			SampleWithLogProb(scope *model.Scope, g *Graph, dtype dtypes.DType, c *Node, estimator divergence.Estimator, lead ...int) (x, logProb *Node)
		}{"FlowMatching": flow, "Diffusion": diffusion} {
			build(what+".LogProb", lead, func(s *model.Scope, x, c *Node) *Node { return m.LogProb(s, x, c, estimator) })
			sample := property.Mostly(t, "lead", slices.Concat(rapid.SliceOfN(rapid.IntRange(1, 3), 0, 2).Draw(t, "usual"), []int{4}), gomlxtest.Shape(t, "odd"))
			build(what+".Sample", slices.Concat(sample, []int{3, 2}), func(s *model.Scope, x, c *Node) *Node {
				return m.Sample(s, x.Graph(), dtypes.Float32, c, sample...)
			})
			build(what+".SampleWithLogProb", sample, func(s *model.Scope, x, c *Node) *Node {
				_, logProb := m.SampleWithLogProb(s, x.Graph(), dtypes.Float32, c, estimator, sample...)
				return logProb
			})
		}
		build("Integrate", x.Shape().Dimensions, func(s *model.Scope, x, c *Node) *Node { return flow.Integrate(s, x, c, 1, 0) })
	})
}

// Whatever a field is initialised for, or a store converted to, there is an error or not,
// and graph code on any tensors gives numbers or an error.
func TestAnyStore(t *testing.T) {
	backend := gomlxtest.Go(t)
	property.Check(t, func(t *rapid.T) {
		shape := property.Mostly(t, "event shape", []int{2}, gomlxtest.Shape(t, "odd"), []int{-1})
		f := property.Mostly[field.Field](t, "field", field.MLP{EventShape: []int{2}, Hidden: []int{2}}, nil, calm(len(shape)), field.Func{})
		store := property.Mostly(t, "store", model.NewStore(), nil)
		gomlxtest.Bears(t, "Initialize", func() ([]*tensors.Tensor, error) {
			return nil, nami.Initialize(backend, store, f, shape, property.Mostly(t, "context shape", nil, []int{2}, []int{-1}), 1)
		})
		if err := nami.Initialize(nil, model.NewStore(), f, shape, nil, 1); err == nil {
			t.Error("Initialize needs no backend")
		} else {
			gomlxtest.Teaches(t, "Initialize without a backend", err)
		}
		dtype := property.Mostly(t, "dtype", rapid.SampledFrom([]dtypes.DType{dtypes.Float32, dtypes.Float64}).Draw(t, "usual"), dtypes.Int32)
		gomlxtest.Bears(t, "Convert", func() ([]*tensors.Tensor, error) {
			_, err := nami.Convert(store, dtype)
			return nil, err
		})
		a, b := gomlxtest.Misfit(t, "a", 3, 2), gomlxtest.Misfit(t, "b", 3, 2)
		add, err := nami.NewComputation(backend, store, func(_ *model.Scope, in []*Node) []*Node {
			return []*Node{Where(GreaterThan(in[0], in[1]), in[0], in[1])}
		})
		if err != nil {
			t.Fatal(err)
		}
		if out, err := add.Call(a, b); err != nil {
			gomlxtest.Refused(t, "Call", err)
		} else {
			out[0].MustFinalizeAll()
		}
	})
}
