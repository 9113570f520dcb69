package distribution_test

import (
	"maps"
	"math"
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

// raised is x, larger by 2: positive, and above what wasn't raised.
func raised(x *tensors.Tensor) *tensors.Tensor {
	if x != nil && x.DType() == dtypes.Float32 {
		x.MustMutableFlatData(func(flat any) {
			for i := range flat.([]float32) {
				flat.([]float32)[i] += 2
			}
		})
	}
	return x
}

// Whatever parameters are given, a distribution draws and knows densities of the shapes
// that it should, or what is said teaches.
func TestAnyParameters(t *testing.T) {
	backend := gomlxtest.Go(t)
	property.Check(t, func(t *rapid.T) {
		loc, scale, weights := gomlxtest.Misfit(t, "loc", 3, 2), raised(gomlxtest.Misfit(t, "scale", 3, 2)), raised(gomlxtest.Misfit(t, "weights", 3))
		rank := property.Mostly(t, "rank", 1, 0, 2, 3, -1)
		low, width := property.Mostly(t, "mean", rapid.Float64Range(-2, 2).Draw(t, "usual"), math.NaN(), math.Inf(1)), property.Mostly(t, "width", rapid.Float64Range(0.01, 2).Draw(t, "usual"), 0, -1, math.NaN())
		shape := property.Mostly(t, "event", rapid.SampledFrom([][]int{{2}, {3, 2}, {}}).Draw(t, "usual"), []int{0}, []int{2, -1})
		made := map[string]func() (distribution.Distribution, error){
			"NewDiagonalNormal": func() (distribution.Distribution, error) { return distribution.NewDiagonalNormal(loc, scale, rank) },
			"NewUniform":        func() (distribution.Distribution, error) { return distribution.NewUniform(loc, scale, rank) },
			"NewGaussianMixture": func() (distribution.Distribution, error) {
				return distribution.NewGaussianMixture(weights, loc, scale, rank)
			},
			"Isotropic": func() (distribution.Distribution, error) {
				return distribution.Isotropic(low, width, shape...)
			},
			"UniformBox": func() (distribution.Distribution, error) {
				return distribution.UniformBox(low, low+width, shape...)
			},
			"NewStandardNormal": func() (distribution.Distribution, error) { return distribution.NewStandardNormal(shape...), nil },
		}
		names := slices.Sorted(maps.Keys(made))
		made["none"] = func() (distribution.Distribution, error) { return nil, nil }
		what := property.Mostly(t, "distribution", rapid.SampledFrom(names).Draw(t, "usual"), "none")
		d, err := made[what]()
		if err != nil {
			gomlxtest.Refused(t, what, err)
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
		sample := property.Mostly(t, "sample shape", rapid.SliceOfN(rapid.IntRange(1, 3), 0, 2).Draw(t, "usual"), []int{0}, []int{2, 0})
		dtype := property.Mostly(t, "dtype", rapid.SampledFrom([]dtypes.DType{dtypes.Float32, dtypes.Float64}).Draw(t, "usual"), dtypes.Int32)
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
		c := gomlxtest.Misfit(t, "c", slices.Concat([]int{2}, batch, []int{4})...)
		learned := distribution.LearnedNormal{Event: event, ContextDim: property.Mostly(t, "context dim", 4, 3, -1)}
		if err := learned.Validate(); err != nil {
			gomlxtest.Refused(t, "LearnedNormal", err)
		}
		gomlxtest.Builds(t, backend, "Sample of "+what, []*tensors.Tensor{x}, func(in []*Node) []*Node {
			return []*Node{d.Sample(model.NewStore().RootScope(), in[0].Graph(), dtypes.Float32, slices.Concat(sample, batch)...)}
		}, slices.Concat(sample, batch, event))
		gomlxtest.Builds(t, backend, "LearnedNormal", []*tensors.Tensor{x, c}, func(in []*Node) []*Node {
			return []*Node{distribution.Given(learned, model.NewStore().RootScope(), in[1]).LogProb(in[0])}
		})
		if loc != nil && scale != nil && slices.Equal(slices.Concat(batch, event), loc.Shape().Dimensions) {
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
