package distribution_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/tests/property"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"pgregory.net/rapid"
)

// Whatever parameters are given, a distribution draws and knows densities of the shapes
// that it should, or what is said teaches.
func TestAnyParameters(t *testing.T) {
	backend := gomlxtest.Go(t)
	property.Check(t, func(t *rapid.T) {
		loc, scale, weights := gomlxtest.Misfit(t, "loc", 3, 2), gomlxtest.Misfit(t, "scale", 3, 2), gomlxtest.Misfit(t, "weights", 3)
		rank := rapid.SampledFrom([]int{1, 1, 1, 0, 2, 3, -1}).Draw(t, "rank")
		number := rapid.OneOf(rapid.Float64Range(0, 2), rapid.Float64())
		shape := rapid.SampledFrom([][]int{{2}, {3, 2}, {}, {0}, {2, -1}}).Draw(t, "event")
		made := map[string]func() (distribution.Distribution, error){
			"NewDiagonalNormal": func() (distribution.Distribution, error) { return distribution.NewDiagonalNormal(loc, scale, rank) },
			"NewUniform":        func() (distribution.Distribution, error) { return distribution.NewUniform(loc, scale, rank) },
			"NewGaussianMixture": func() (distribution.Distribution, error) {
				return distribution.NewGaussianMixture(weights, loc, scale, rank)
			},
			"Isotropic": func() (distribution.Distribution, error) {
				return distribution.Isotropic(number.Draw(t, "mean"), number.Draw(t, "scale"), shape...)
			},
			"UniformBox": func() (distribution.Distribution, error) {
				return distribution.UniformBox(number.Draw(t, "low"), number.Draw(t, "high"), shape...)
			},
			"NewStandardNormal": func() (distribution.Distribution, error) { return distribution.NewStandardNormal(shape...), nil },
			"none":              func() (distribution.Distribution, error) { return nil, nil },
		}
		what := rapid.SampledFrom(slices.Sorted(maps.Keys(made))).Draw(t, "distribution")
		d, err := made[what]()
		if err != nil {
			gomlxtest.Teaches(t, what, err)
			d = distribution.NewStandardNormal(2)
		}
		var batch, event []int
		if d != nil {
			batch, event = d.(distribution.Batched).BatchShape(), d.EventShape()
		}
		one := func(what string, f func() (*tensors.Tensor, error), want []int) {
			gomlxtest.Bears(t, what, func() ([]*tensors.Tensor, error) {
				x, err := f()
				return []*tensors.Tensor{x}, err
			}, want)
		}
		sample := rapid.SliceOfN(rapid.IntRange(0, 3), 0, 2).Draw(t, "sample shape")
		dtype := rapid.SampledFrom([]dtypes.DType{dtypes.Float32, dtypes.Float32, dtypes.Float64, dtypes.Int32}).Draw(t, "dtype")
		one("Draw of "+what, func() (*tensors.Tensor, error) { return distribution.Draw(backend, d, 1, dtype, sample...) },
			slices.Concat(sample, batch, event))
		x := gomlxtest.Misfit(t, "x", slices.Concat([]int{2}, batch, event)...)
		var lead []int
		if x != nil {
			lead = x.Shape().Dimensions[:max(0, x.Rank()-len(event))]
		}
		one("Density of "+what, func() (*tensors.Tensor, error) { return distribution.Density(backend, d, x) }, lead)

		if x == nil || d == nil {
			return
		}
		c := gomlxtest.Misfit(t, "c", 2, 4)
		learned := distribution.LearnedNormal{Event: shape, ContextDim: rapid.IntRange(-1, 4).Draw(t, "context dim")}
		if err := learned.Validate(); err != nil {
			gomlxtest.Teaches(t, "LearnedNormal", err)
		}
		gomlxtest.Builds(t, backend, "Sample of "+what, []*tensors.Tensor{x}, func(in []*Node) []*Node {
			return []*Node{d.Sample(model.NewStore().RootScope(), in[0].Graph(), dtypes.Float32, sample...)}
		}, slices.Concat(sample, event))
		gomlxtest.Builds(t, backend, "LearnedNormal", []*tensors.Tensor{x, c}, func(in []*Node) []*Node {
			return []*Node{distribution.Given(learned, model.NewStore().RootScope(), in[1]).LogProb(in[0])}
		})
		if loc != nil && scale != nil {
			gomlxtest.Builds(t, backend, "DiagonalNormalOf", []*tensors.Tensor{loc, scale, x}, func(in []*Node) []*Node {
				return []*Node{distribution.DiagonalNormalOf(in[0], in[1], rank).LogProb(in[2])}
			})
		}
	})
}

// A distribution expands to batches that end in its own, and to nothing else; its mean and
// its variance are those of each.
func TestAnyExpansion(t *testing.T) {
	backend := gomlxtest.Go(t)
	type moments interface {
		distribution.Batched
		Mean(g *Graph, dtype dtypes.DType) *Node
		Variance(g *Graph, dtype dtypes.DType) *Node
	}
	scales := tensors.FromValue([][]float32{{1, 2}, {3, 4}, {5, 6}})
	normal, err := distribution.NewDiagonalNormal(scales, scales, 1)
	if err != nil {
		t.Fatal(err)
	}
	uniform, err := distribution.NewUniform(tensors.FromValue([][]float32{{0, 0}, {0, 0}, {0, 0}}), scales, 1)
	if err != nil {
		t.Fatal(err)
	}
	mixture, err := distribution.NewGaussianMixture(tensors.FromValue([]float32{1, 2, 3}), scales, scales, 1)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]struct {
		own    []int
		expand func(batch ...int) moments
	}{
		"StandardNormal":  {nil, func(batch ...int) moments { return distribution.NewStandardNormal(2).Expand(batch...) }},
		"DiagonalNormal":  {[]int{3}, func(batch ...int) moments { return normal.Expand(batch...) }},
		"Uniform":         {[]int{3}, func(batch ...int) moments { return uniform.Expand(batch...) }},
		"GaussianMixture": {nil, func(batch ...int) moments { return mixture.Expand(batch...) }},
	}
	property.Check(t, func(t *rapid.T) {
		what := rapid.SampledFrom(slices.Sorted(maps.Keys(all))).Draw(t, "distribution")
		batch := rapid.SliceOfN(rapid.IntRange(-1, 4), 0, 3).Draw(t, "batch")
		if rapid.Bool().Draw(t, "fits") {
			batch = append(batch, all[what].own...)
		}
		before := len(batch) - len(all[what].own)
		fits := before >= 0 && slices.Equal(batch[before:], all[what].own) && !slices.ContainsFunc(batch, func(n int) bool { return n < 1 })
		var d moments
		err := gomlx.Try(func() error { d = all[what].expand(batch...); return nil })
		if (err == nil) != fits {
			t.Fatalf("%s expands to %v: %v", what, batch, err)
		}
		if err != nil {
			gomlxtest.Teaches(t, what, err)
			return
		}
		shape := append(d.BatchShape(), 2)
		if !slices.Equal(d.BatchShape(), batch) {
			t.Fatalf("%s has the batch %v, expanded to %v", what, d.BatchShape(), batch)
		}
		gomlxtest.Builds(t, backend, what, []*tensors.Tensor{scales}, func(in []*Node) []*Node {
			return []*Node{d.Mean(in[0].Graph(), dtypes.Float32), d.Variance(in[0].Graph(), dtypes.Float32)}
		}, shape, shape)
	})
}
