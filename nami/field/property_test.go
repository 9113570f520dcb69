package field_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/tests/property"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"pgregory.net/rapid"
)

// Whatever events, times, contexts and masks are given, a field's value is shaped like
// the events, or what is said teaches.
func TestAnyArguments(t *testing.T) {
	backend := gomlxtest.Go(t)
	property.Check(t, func(t *rapid.T) {
		x, c, mask := gomlxtest.Misfit(t, "x", 3, 4, 2), gomlxtest.Misfit(t, "c", 3, 2), gomlxtest.Misfit(t, "mask", 3, 4)
		at := gomlxtest.Misfit(t, "t", rapid.SampledFrom([][]int{{}, {3}}).Draw(t, "times")...)
		mlp := field.MLP{
			EventShape: property.Mostly(t, "event", []int{4, 2}, []int{2}, nil, []int{0}, []int{-1}), ContextDim: property.Mostly(t, "context dim", 2, 0, 3, -1),
			Hidden:       rapid.SliceOfN(rapid.IntRange(1, 4), 0, 2).Draw(t, "hidden"),
			TimeFeatures: 2 * rapid.IntRange(0, 2).Draw(t, "time features"),
		}
		if property.Mostly(t, "sizes", "right", "wrong") == "wrong" {
			mlp.Hidden, mlp.TimeFeatures = append(mlp.Hidden, 0), -1
		}
		residual := field.Residual{
			EventShape: mlp.EventShape, ContextDim: mlp.ContextDim, TimeFeatures: mlp.TimeFeatures,
			Width: rapid.IntRange(0, 4).Draw(t, "width"), Blocks: rapid.IntRange(0, 3).Draw(t, "blocks"), Frequencies: property.Mostly(t, "frequencies", 2, 0, 1, -1),
		}
		guided := field.Guided{Field: mlp, Scale: property.Mostly(t, "scale", 2., 0, -1, math.Inf(1)), To: property.Mostly(t, "to", 0.5, 0, -1, 2)}
		rank := property.Mostly(t, "rank", 2, 0, 1, 3, -1)
		wide := field.Func{Rank: rank, F: func(_ *model.Scope, x, t, c *Node) *Node { return ReduceAndKeep(x, ReduceSum, -1) }}
		if x == nil || at == nil {
			return
		}
		dims := x.Shape().Dimensions
		in := []*tensors.Tensor{x, at, c}
		for want, f := range map[string]field.Field{
			"returned (Float32)": wide, "F is nil": field.Func{}, "field.Scoped": field.Scoped{},
		} {
			gomlxtest.Refuses(t, backend, fmt.Sprintf("%T", f), want, in, func(in []*Node) []*Node {
				return []*Node{field.Call(f, model.NewStore().RootScope(), in[0], in[1], in[2])}
			})
		}
		same := field.Func{Rank: rank, F: func(_ *model.Scope, x, _, _ *Node) *Node { return x }}
		for what, f := range map[string]field.Field{"MLP": mlp, "Residual": residual, "Guided": guided, "Func": same, "Scoped": field.Scoped{Scope: "a", Field: mlp}} {
			if err := field.Validate(f); err != nil {
				gomlxtest.Refused(t, what, err)
			}
			gomlxtest.Builds(t, backend, what, in, func(in []*Node) []*Node {
				return []*Node{field.Call(f, model.NewStore().RootScope(), in[0], in[1], in[2])}
			}, dims)
			if mask != nil {
				gomlxtest.Builds(t, backend, "masked "+what, append(in, mask), func(in []*Node) []*Node {
					return []*Node{field.Call(field.Masked(f, in[3]), model.NewStore().RootScope(), in[0], in[1], in[2])}
				}, dims)
			}
		}
		gomlxtest.Builds(t, backend, "CheckTime", []*tensors.Tensor{x, at}, func(in []*Node) []*Node {
			field.CheckTime(in[1], in[0], rank)
			return nil
		})
		gomlxtest.Builds(t, backend, "Sinusoidal", []*tensors.Tensor{at}, func(in []*Node) []*Node {
			return []*Node{field.Sinusoidal(in[0], 2*rank)}
		}, slices.Concat(at.Shape().Dimensions, []int{2 * rank}))
		if mask != nil {
			gomlxtest.Builds(t, backend, "Mask", []*tensors.Tensor{x, mask}, func(in []*Node) []*Node {
				return []*Node{field.Mask(in[0], in[1], rank)}
			}, dims)
		}
	})
}
