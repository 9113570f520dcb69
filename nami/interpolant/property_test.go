package interpolant_test

import (
	"fmt"
	"testing"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/interpolant"
	"github.com/nami-flow/go-nami/tests/property"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"pgregory.net/rapid"
)

// Whatever parameters, ends and times are given, what comes back has the shape that it
// should, or what is said teaches.
func TestAnyLatentNoise(t *testing.T) {
	backend := gomlxtest.Go(t)
	property.Check(t, func(t *rapid.T) {
		number := rapid.OneOf(rapid.Just(0.0), rapid.Float64Range(0, 1), rapid.Float64())
		gamma := rapid.SampledFrom([]interpolant.Gamma{
			nil,
			interpolant.Zero{},
			interpolant.Brownian{},
			interpolant.Brownian{Eps: number.Draw(t, "eps")},
			interpolant.ScaledBrownian{Scale: number.Draw(t, "scale")},
		}).Draw(t, "gamma")
		target, source, z := gomlxtest.Misfit(t, "target", 3, 2), gomlxtest.Misfit(t, "source", 3, 2), gomlxtest.Misfit(t, "z", 3, 2)
		at := gomlxtest.Misfit(t, "t", rapid.SampledFrom([][]int{{}, {3}}).Draw(t, "times")...)
		if target == nil || source == nil || z == nil || at == nil {
			return
		}
		in := interpolant.Interpolant{Gamma: gamma}
		like := func(what string, want *tensors.Tensor, build func(target, source, z, t *Node) *Node) {
			gomlxtest.Builds(t, backend, fmt.Sprintf("%s of %v", what, gamma), []*tensors.Tensor{target, source, z, at},
				func(in []*Node) []*Node { return []*Node{build(in[0], in[1], in[2], in[3])} }, want.Shape().Dimensions)
		}
		like("Point", target, in.Point)
		like("Velocity", target, in.Velocity)
		if gamma != nil {
			like("Gamma", at, func(_, _, _, t *Node) *Node { return gamma.Gamma(t) })
			like("GammaGammaDot", at, func(_, _, _, t *Node) *Node { return gamma.GammaGammaDot(t) })
			like("GammaDot", at, func(_, _, _, t *Node) *Node { return interpolant.GammaDot(gamma, t) })
		}
		rank := rapid.IntRange(-1, 3)
		f := field.Func{Rank: rank.Draw(t, "rank"), F: func(_ *model.Scope, x, _, _ *Node) *Node { return x }}
		g := field.Func{Rank: rank.Draw(t, "another rank"), F: f.F}
		for what, f := range map[string]field.Field{
			"ScoreFromNoise":          interpolant.ScoreFromNoise{Noise: f, Gamma: gamma},
			"DriftFromVelocityScore":  interpolant.DriftFromVelocityScore{Velocity: f, Score: g, Gamma: gamma},
			"MirrorVelocityFromScore": interpolant.MirrorVelocityFromScore{Score: f, Gamma: gamma},
		} {
			like(what, target, func(x, _, _, t *Node) *Node { return field.Call(f, model.NewStore().RootScope(), x, t, nil) })
		}
	})
}
