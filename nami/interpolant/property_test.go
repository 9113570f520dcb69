package interpolant_test

import (
	"fmt"
	"math"
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
		number := func(name string, most float64) float64 {
			return property.Mostly(t, name, rapid.Float64Range(1e-4, most).Draw(t, name), -1, math.NaN(), math.Inf(1), 1e-300, 1e300)
		}
		gamma := property.Mostly[interpolant.Gamma](t, "gamma", rapid.SampledFrom([]interpolant.Gamma{
			interpolant.Brownian{}, interpolant.Brownian{Eps: number("eps", 0.2)}, interpolant.ScaledBrownian{Scale: number("scale", 4)},
		}).Draw(t, "usual"), nil, interpolant.Zero{})
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
		rank := property.Mostly(t, "rank", 1, 0, 2, 3, -1)
		f := field.Func{Rank: rank, F: func(_ *model.Scope, x, _, _ *Node) *Node { return x }}
		g := field.Func{Rank: property.Mostly(t, "another rank", rank, -1, 0, 3), F: f.F}
		for what, f := range map[string]field.Field{
			"ScoreFromNoise":          interpolant.ScoreFromNoise{Noise: f, Gamma: gamma},
			"DriftFromVelocityScore":  interpolant.DriftFromVelocityScore{Velocity: f, Score: g, Gamma: gamma},
			"MirrorVelocityFromScore": interpolant.MirrorVelocityFromScore{Score: f, Gamma: gamma},
		} {
			like(what, target, func(x, _, _, t *Node) *Node { return field.Call(f, model.NewStore().RootScope(), x, t, nil) })
		}
	})
}
