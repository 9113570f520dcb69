package diagnostic_test

import (
	"context"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/diagnostic"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/tests/property"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"pgregory.net/rapid"
)

// Whatever a diagnostic is given, it is made of numbers or an error teaches.
func TestAnyDiagnosis(t *testing.T) {
	backend, ctx := gomlxtest.Go(t), context.Background()
	property.Check(t, func(t *rapid.T) {
		rank := property.Mostly(t, "rank", 1, 0, 2, -1)
		f := property.Mostly[field.Field](t, "field", rapid.SampledFrom([]field.Field{
			swinging, field.Func{Rank: rank, F: func(_ *model.Scope, x, _, _ *Node) *Node { return Neg(x) }},
		}).Draw(t, "usual"),
			nil, field.Func{}, field.MLP{EventShape: []int{2}},
			field.Func{Rank: rank, F: func(_ *model.Scope, x, _, _ *Node) *Node { return Log(x) }})
		x, c := gomlxtest.Misfit(t, "x", 3, 2), gomlxtest.Misfit(t, "c", 3, 2)
		at := gomlxtest.Misfit(t, "t", rapid.SampledFrom([][]int{{}, {3}}).Draw(t, "times")...)
		estimator := property.Mostly[divergence.Estimator](t, "estimator", divergence.Exact{}, divergence.Hutchinson{}, nil, divergence.Hutchinson{Probe: 5})
		times := property.Mostly(t, "at", []float64{1, 0.5, 0}, rapid.SliceOfN(rapid.Float64(), 0, 4).Draw(t, "odd"), []float64{0, 1e-320, 1})
		bind := func(steps int) (*nami.Process, error) {
			return nami.FlowMatching{Field: f, Base: distribution.NewStandardNormal(2), Solver: solver.Heun(steps)}.Bind(backend, model.NewStore(), nil)
		}
		stats := func(what string, f func() (diagnostic.Stats, error)) {
			gomlxtest.Bears(t, what, func() ([]*tensors.Tensor, error) {
				s, err := f()
				return []*tensors.Tensor{tensors.FromValue([]float64{s.Mean, s.Std, s.Min, s.Max})}, err
			})
		}
		stats("Norm", func() (diagnostic.Stats, error) { return diagnostic.Norm(backend, nil, f, x, at, c) })
		stats("Divergence", func() (diagnostic.Stats, error) {
			return diagnostic.Divergence(backend, nil, f, x, at, c, estimator, 1)
		})
		stats("Straightness", func() (diagnostic.Stats, error) { return diagnostic.Straightness(x, times, rank) })
		stats("Reversibility", func() (diagnostic.Stats, error) {
			process, err := bind(2)
			if err != nil {
				return diagnostic.Stats{}, err
			}
			return diagnostic.Reversibility(ctx, process, x)
		})
		gomlxtest.Bears(t, "Convergence", func() ([]*tensors.Tensor, error) {
			steps := property.Mostly(t, "steps", []int{1, 2, 4}, []int{1, 2}, []int{0, 1, 2}, []int{1, 1, 2}, nil)
			study, err := diagnostic.Convergence(ctx, x, steps, bind)
			return []*tensors.Tensor{tensors.FromFlatDataAndDimensions(append(study.Errors, study.Order), len(study.Errors)+1)}, err
		})
	})
}
