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
	"github.com/nami-flow/go-nami/nami/interpolant"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/solver"

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
		nil, distribution.NewStandardNormal(3, 2), distribution.NewStandardNormal(2), distribution.NewStandardNormal(), distribution.NewStandardNormal(0),
		bounded(distribution.Isotropic(0, 1, 3, 2)), bounded(distribution.NewDiagonalNormal(scales, scales, 1)),
		bounded(distribution.UniformBox(-1, 1, 2)),
		distribution.LearnedNormal{Event: []int{2}},
	}
	solvers := []solver.Solver{
		solver.Euler(2), solver.RK4(1), solver.Dopri5(1e-3, 1e-3),
		{},
		solver.RK4(0), solver.Dopri5(-1, 0), solver.DPM2(2), solver.LMS(2, 3),
		solver.EulerMaruyama(2), solver.SRA1(1),
	}
	schedules := []schedule.Schedule{schedule.VP{}, schedule.Linear{}, nil, schedule.VP{BetaMin: -1}, schedule.VE{}}
	gomlxtest.Check(t, 60, func(t *rapid.T) {
		base := gomlxtest.Mostly(t, "base", rapid.SampledFrom(bases[:7]).Draw(t, "usual"), bases[7:]...)
		s := gomlxtest.Mostly(t, "solver", rapid.SampledFrom(solvers[:3]).Draw(t, "usual"), solvers[3:]...)
		var shape []int
		if base != nil {
			shape = base.EventShape()
		}
		rank := len(shape) + gomlxtest.Mostly(t, "rank", 0, 1, -1)
		number := rapid.OneOf(rapid.Float64Range(0, 1), rapid.SampledFrom([]float64{-1, 0, 1, 1, 2, math.NaN(), math.Inf(1)}))
		options := []nami.Option{
			nami.DType(gomlxtest.Mostly(t, "dtype", dtypes.Float32, dtypes.Float64, dtypes.Int32)),
			nami.ChunkSize(gomlxtest.Mostly(t, "chunk", 4, 1, 1000, 0, -1)),
		}
		if gomlxtest.Mostly(t, "times", false, true) {
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
					Field: calm(rank), Base: base, Solver: s, EventShape: shape, Schedule: gomlxtest.Mostly(t, "schedule", schedules[0], schedules[1:]...),
					Prediction: schedule.Prediction(rapid.IntRange(0, 5).Draw(t, "prediction")),
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
			if ones := rapid.Bool().Draw(t, "of ones"); ones && mask != nil && mask.DType() == dtypes.Float32 {
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
		sample := gomlxtest.Mostly(t, "sample shape", []int{2}, nil, []int{2, 1}, []int{0}, []int{-1}, []int{5})
		whole := slices.Concat(sample, batch)
		x := gomlxtest.Misfit(t, "x", slices.Concat([]int{2}, batch, shape)...)
		var lead, dims []int
		if x != nil {
			dims = x.Shape().Dimensions
			lead = dims[:max(0, len(dims)-len(shape))]
		}
		estimator := gomlxtest.Mostly[divergence.Estimator](t, "estimator", divergence.Exact{}, nil, divergence.Exact{MaxSize: 1}, divergence.Hutchinson{}, divergence.Hutchinson{N: -1})
		times := gomlxtest.Mostly(t, "at", []float64{1, 0.5, 0.2}, nil, []float64{1, 0}, []float64{0, 1}, []float64{math.NaN()}, []float64{0.5, 0.5})
		one := func(x *tensors.Tensor, err error) ([]*tensors.Tensor, error) { return []*tensors.Tensor{x}, err }
		calls := map[string]func(what string){
			"Sample": func(what string) {
				gomlxtest.Bears(t, what, func() ([]*tensors.Tensor, error) { return one(process.Sample(ctx, sample...)) }, slices.Concat(whole, shape))
			},
			"Stream": func(what string) {
				n := rapid.IntRange(-1, 5).Draw(t, "n")
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
					s, err := process.Solve(ctx, x, number.Draw(t, "from"), number.Draw(t, "to"))
					if err != nil || s.Err() != nil {
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

// Whatever a loss is given, it is a number of each event's or what is said teaches.
func TestAnyLoss(t *testing.T) {
	backend := gomlxtest.Go(t)
	gomlxtest.Check(t, 60, func(t *rapid.T) {
		rank := gomlxtest.Mostly(t, "rank", 2, 1, 0, 3, -1)
		f := gomlxtest.Mostly[field.Field](t, "field", calm(rank), nil, field.Func{}, field.MLP{EventShape: []int{3, 2}})
		if mlp, ok := f.(field.MLP); ok {
			rank = mlp.EventRank()
		}
		target, source, z := gomlxtest.Misfit(t, "target", 4, 3, 2), gomlxtest.Misfit(t, "source", 4, 3, 2), gomlxtest.Misfit(t, "z", 4, 3, 2)
		at := gomlxtest.Misfit(t, "t", rapid.SampledFrom([][]int{{}, {4}}).Draw(t, "times")...)
		c, mask := gomlxtest.Misfit(t, "c", 4, 2), gomlxtest.Misfit(t, "mask", 4, 3)
		reduction := nami.Reduction(gomlxtest.Mostly(t, "reduction", 0, 1, 2, -1))
		fm := nami.FMLoss{Field: f, Reduction: reduction}
		gomlxtest.Bears(t, "Eval", func() ([]*tensors.Tensor, error) {
			loss, err := fm.Eval(backend, model.NewStore(), target, source, at, c)
			return []*tensors.Tensor{tensors.FromScalar(loss)}, err
		})
		if target == nil || source == nil || z == nil || at == nil || mask == nil {
			return
		}
		var lead []int
		if n := target.Rank() - max(0, rank); n >= 0 {
			lead = target.Shape().Dimensions[:n]
		}
		stochastic := nami.StochasticFMLoss{Field: f, Reduction: reduction, Interpolant: interpolant.Interpolant{Gamma: interpolant.Brownian{Eps: gomlxtest.Mostly(t, "eps", 0.0, -1, 1)}}}
		denoising := nami.DiffusionLoss{
			Field: f, Prediction: schedule.Prediction(rapid.IntRange(0, 5).Draw(t, "prediction")),
			Schedule: gomlxtest.Mostly[schedule.Schedule](t, "schedule", schedule.VP{}, nil, schedule.EDM{Rho: -1}), Reduction: reduction,
		}
		nll := nami.NLLLoss{Flow: nami.FlowMatching{
			Field: f, Base: distribution.NewStandardNormal(3, 2),
			Solver: gomlxtest.Mostly(t, "solver", solver.Euler(2), solver.Solver{}, solver.Dopri5(1e-3, 1e-3), solver.SRA1(2), solver.Euler(0)),
		}, Estimator: gomlxtest.Mostly[divergence.Estimator](t, "estimator", divergence.Exact{}, nil, divergence.Hutchinson{N: -1}), Reduction: reduction}
		type in = map[string]*Node
		loss := func(what string, want []int, build func(scope *model.Scope, in in) *Node) {
			given := map[string]*tensors.Tensor{"x": target, "source": source, "z": z, "t": at, "c": c, "mask": mask}
			names := slices.Sorted(maps.Keys(given))
			var all []*tensors.Tensor
			for _, name := range names {
				all = append(all, given[name])
			}
			gomlxtest.Builds(t, backend, what, all, func(nodes []*Node) []*Node {
				named := in{}
				for i, name := range names {
					named[name] = nodes[i]
				}
				return []*Node{build(model.NewStore().RootScope(), named)}
			}, want)
		}
		for what, l := range map[string]interface {
			Loss(scope *model.Scope, x, c *Node) *Node
		}{"FMLoss": fm, "StochasticFMLoss": stochastic, "DiffusionLoss": denoising, "NLLLoss": nll, "MaskedFMLoss": nami.MaskedFMLoss(fm)} {
			loss(what, []int{}, func(s *model.Scope, in in) *Node { return l.Loss(s, in["x"], in["c"]) })
		}
		loss("LossFrom", []int{}, func(s *model.Scope, in in) *Node { return fm.LossFrom(s, in["x"], in["source"], in["c"]) })
		loss("MaskedLoss", []int{}, func(s *model.Scope, in in) *Node {
			return nami.MaskedFMLoss(fm).MaskedLoss(s, in["x"], in["c"], in["mask"])
		})
		loss("FMLoss.PerEvent", lead, func(s *model.Scope, in in) *Node { return fm.PerEvent(s, in["x"], in["source"], in["t"], in["c"]) })
		loss("DiffusionLoss.PerEvent", lead, func(s *model.Scope, in in) *Node {
			return denoising.PerEvent(s, in["x"], in["source"], in["t"], in["c"])
		})
		loss("MaskedFMLoss.PerEvent", lead, func(s *model.Scope, in in) *Node {
			return nami.MaskedFMLoss(fm).PerEvent(s, in["x"], in["source"], in["t"], in["c"], in["mask"])
		})
		loss("StochasticFMLoss.PerEvent", lead, func(s *model.Scope, in in) *Node {
			return stochastic.PerEvent(s, in["x"], in["source"], in["z"], in["t"], in["c"])
		})
		loss("Antithetic", lead, func(s *model.Scope, in in) *Node {
			return stochastic.Antithetic(s, in["x"], in["source"], in["z"], in["t"], in["c"])
		})
		for what, m := range map[string]interface {
			LogProb(scope *model.Scope, x, c *Node, estimator divergence.Estimator) *Node
			Sample(scope *model.Scope, g *Graph, dtype dtypes.DType, c *Node, lead ...int) *Node
			SampleWithLogProb(scope *model.Scope, g *Graph, dtype dtypes.DType, c *Node, estimator divergence.Estimator, lead ...int) (x, logProb *Node)
		}{
			"FlowMatching": nll.Flow,
			"Diffusion":    nami.Diffusion{Field: f, Schedule: denoising.Schedule, Prediction: denoising.Prediction, Solver: nll.Flow.Solver, EventShape: []int{3, 2}},
		} {
			loss(what+".LogProb", lead, func(s *model.Scope, in in) *Node { return m.LogProb(s, in["x"], in["c"], nll.Estimator) })
			sample := gomlxtest.Shape(t, "lead")
			loss(what+".Sample", slices.Concat(sample, []int{3, 2}), func(s *model.Scope, in in) *Node {
				return m.Sample(s, in["x"].Graph(), dtypes.Float32, in["c"], sample...)
			})
			loss(what+".SampleWithLogProb", sample, func(s *model.Scope, in in) *Node {
				_, logProb := m.SampleWithLogProb(s, in["x"].Graph(), dtypes.Float32, in["c"], nll.Estimator, sample...)
				return logProb
			})
		}
		loss("Integrate", target.Shape().Dimensions, func(s *model.Scope, in in) *Node { return nll.Flow.Integrate(s, in["x"], in["c"], 1, 0) })
	})
}

// Whatever a field is initialised for, or a store converted to, there is an error or not,
// and graph code on any tensors gives numbers or an error.
func TestAnyStore(t *testing.T) {
	backend := gomlxtest.Go(t)
	rapid.Check(t, func(t *rapid.T) {
		shape := gomlxtest.Mostly(t, "event shape", []int{2}, gomlxtest.Shape(t, "odd"), []int{-1})
		f := gomlxtest.Mostly[field.Field](t, "field", field.MLP{EventShape: []int{2}, Hidden: []int{2}}, nil, calm(len(shape)), field.Func{})
		store := gomlxtest.Mostly(t, "store", model.NewStore(), nil)
		gomlxtest.Bears(t, "Initialize", func() ([]*tensors.Tensor, error) {
			return nil, nami.Initialize(backend, store, f, shape, gomlxtest.Mostly(t, "context dim", 0, 2, -1), 1)
		})
		gomlxtest.Bears(t, "Initialize without a backend", func() ([]*tensors.Tensor, error) {
			return nil, nami.Initialize(nil, model.NewStore(), f, shape, 0, 1)
		})
		dtype := rapid.SampledFrom([]dtypes.DType{dtypes.Float32, dtypes.Float64, dtypes.Int32}).Draw(t, "dtype")
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
			gomlxtest.Teaches(t, "Call", err)
		} else {
			out[0].MustFinalizeAll()
		}
	})
}
