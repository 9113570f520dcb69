package solver_test

import (
	"context"
	"math"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/tests/property"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"pgregory.net/rapid"
)

// Whatever a solver, its state and its run are, a solve keeps the shapes or an error
// teaches.
func TestAnySolve(t *testing.T) {
	backend, ctx := gomlxtest.Go(t), context.Background()
	property.Check(t, func(t *rapid.T) {
		odd := rapid.SampledFrom([]float64{-1, 0, math.NaN(), math.Inf(1), 1e300})
		steps := property.Mostly(t, "steps", 3, 1, 0, -1, math.MaxInt32)
		adaptive := solver.Dopri5(property.Mostly(t, "rtol", 1e-2, odd.Draw(t, "odd")), property.Mostly(t, "atol", 1e-2, odd.Draw(t, "odd")))
		adaptive.MaxSteps, adaptive.FirstStep = property.Mostly(t, "max steps", 100, steps), property.Mostly(t, "first step", 0, odd.Draw(t, "odd"))
		adaptive.Shared = rapid.Bool().Draw(t, "shared")
		adaptive.Weights = property.Mostly(t, "weights", nil, rapid.SliceOfN(odd, 0, 3).Draw(t, "odd"))
		few := min(steps, 3)
		s := property.Mostly(t, "solver", rapid.SampledFrom([]solver.Solver{
			solver.Euler(few), solver.RK4(few), adaptive, solver.Tsit5(1e-2, 1e-2), solver.LMS(3, few), solver.AdamsPEC(3, few), solver.EulerMaruyama(few), solver.SRA1(few),
		}).Draw(t, "usual"), solver.Solver{}, solver.Solver{Method: solver.Tableau{}, Steps: 2}, solver.DPM2(2), solver.LMS(9, 2), solver.AdamsPEC(0, 2), solver.UniPC(3, 2), solver.DDIM(1, 2))
		if s.Method != nil && s.Steps > 0 {
			s.Grid = property.Mostly[solver.Grid](t, "grid", nil, solver.Even{}, solver.Power{}, solver.Karras{}, solver.Angle{}, solver.Shifted{}, solver.Logit{}, solver.Shifted{S: odd.Draw(t, "odd")}, solver.Logit{K: odd.Draw(t, "odd")}, solver.Power{P: odd.Draw(t, "odd")}, solver.Times{1, 0.5, 0}, solver.Times{1, 1})
		}
		usual := "with fixed"
		if s.Stochastic() {
			usual = "with noise"
		}
		kind := property.Mostly(t, "system", usual, "decay", "with noise", "no drift", "too few", "another shape", "NaN")
		build := func(_ *model.Scope, fixed []*Node) solver.System {
			drift := func(y []*Node, _ *Node) []*Node {
				out := make([]*Node, len(y))
				for i := range y {
					switch {
					case kind == "another shape":
						out[i] = ReduceSum(y[i])
					case kind == "NaN":
						out[i] = Log(Neg(Square(y[i])))
					case kind == "with fixed" && len(fixed) > 0:
						out[i] = Mul(y[i], ReduceAllSum(fixed[0]))
					default:
						out[i] = Neg(y[i])
					}
				}
				return out
			}
			switch kind {
			case "no drift":
				return solver.System{}
			case "too few":
				return solver.System{Drift: func(y []*Node, t *Node) []*Node { return drift(y[1:], t) }}
			case "with noise":
				return solver.System{Drift: drift, Diffusion: func(y []*Node, t *Node) (g []*Node) {
					for range y {
						g = append(g, OnesLike(t))
					}
					return g
				}}
			}
			return solver.System{Drift: drift}
		}
		parts := func(name string, dims ...[]int) (all []*tensors.Tensor) {
			for _, dims := range dims[:property.Mostly(t, name, len(dims), len(dims)-1, 0)] {
				all = append(all, gomlxtest.Misfit(t, name, dims...))
			}
			return all
		}
		y, given := parts("state", []int{3, 2}, []int{3}), parts("fixed", []int{3, 2})
		run := solver.Run{
			T0: property.Mostly(t, "T0", 1, odd.Draw(t, "odd")), T1: property.Mostly(t, "T1", 0, 1, odd.Draw(t, "odd")),
			Steps: property.Mostly(t, "run's steps", 0, 2, -1, math.MaxInt32), Offset: property.Mostly(t, "offset", 0, 1, -1, 1<<33),
		}
		if run.Steps > 2 && !s.Adaptive() {
			run.Steps = 2
		}
		copies := func(all []*tensors.Tensor) []*tensors.Tensor {
			out := make([]*tensors.Tensor, len(all))
			for i, x := range all {
				if x != nil {
					out[i], _ = x.LocalClone()
				}
			}
			return out
		}
		shapesOf := func(all []*tensors.Tensor) (out [][]int) {
			for _, x := range all {
				if x != nil {
					out = append(out, x.Shape().Dimensions)
				}
			}
			return out
		}
		gomlxtest.Bears(t, "Solve", func() ([]*tensors.Tensor, error) {
			p, err := solver.NewProgram(backend, model.NewStore(), s, build)
			if err != nil {
				return nil, err
			}
			solution, err := p.Solve(ctx, copies(y), given, run)
			if err != nil {
				return nil, err
			}
			if err := solution.Err(); err != nil {
				return nil, err
			}
			return solution.Y, nil
		}, shapesOf(y)...)
		property.OddIf(t, s.Stochastic(), "a stochastic solver, which has no adjoint")
		cotangents := parts("cotangents", []int{3, 2}, []int{3})
		gomlxtest.Bears(t, "Gradient", func() ([]*tensors.Tensor, error) {
			a, err := solver.NewAdjoint(backend, model.NewStore(), s, build)
			if err != nil {
				return nil, err
			}
			g, err := a.Gradient(ctx, copies(y), copies(cotangents), given, run)
			if err != nil {
				return nil, err
			}
			return g.Y, nil
		}, shapesOf(y)...)
		for _, x := range y {
			if x == nil {
				return
			}
		}
		var noise func(_, _, _ int, like *Node) *Node
		if property.Mostly(t, "unroll with noise", s.Stochastic(), !s.Stochastic()) {
			noise = func(_, _, _ int, like *Node) *Node { return like }
		}
		property.OddIf(t, s.Adaptive(), "a solver that chooses its steps, which can't be unrolled")
		gomlxtest.Builds(t, backend, "Unroll", append(y, given...), func(in []*Node) []*Node {
			return solver.Unroll(s, build(nil, in[len(y):]), in[:len(y)], run.T0, run.T1, noise)
		}, shapesOf(y)...)
	})
}
