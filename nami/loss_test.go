package nami_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"pgregory.net/rapid"
)

// perEvent are the losses of events, with one signature.
var perEvent = map[string]func(f field.Field, scope *model.Scope, x, noise, t, c *Node) *Node{
	"FMLoss": func(f field.Field, scope *model.Scope, x, noise, t, c *Node) *Node {
		return nami.FMLoss{Field: f}.PerEvent(scope, x, noise, t, c)
	},
	"StochasticFMLoss": func(f field.Field, scope *model.Scope, x, noise, t, c *Node) *Node {
		return nami.StochasticFMLoss{Field: f}.Antithetic(scope, x, noise, noise, t, c)
	},
	"DiffusionLoss": func(f field.Field, scope *model.Scope, x, noise, t, c *Node) *Node {
		return nami.DiffusionLoss{Field: f, Schedule: schedule.VP{}}.PerEvent(scope, x, noise, t, c)
	},
	"MaskedFMLoss": func(f field.Field, scope *model.Scope, x, noise, t, c *Node) *Node {
		mask := OnesLike(ReduceMax(x, -1)) // of lead+[objects] for events of rank 2
		return nami.MaskedFMLoss{Field: f}.PerEvent(scope, x, noise, t, c, mask)
	},
}

// Every loss has one value for each event, whatever the shapes, and takes a time for all
// or one for each.
func TestLossShapes(t *testing.T) {
	backend := gomlxtest.Go(t)
	f := field.Func{Rank: 2, F: func(_ *model.Scope, x, t, c *Node) *Node { return MulScalar(x, 0.5) }}
	rapid.Check(t, func(r *rapid.T) {
		lead := rapid.SliceOfN(rapid.IntRange(1, 3), 0, 2).Draw(r, "lead")
		event := rapid.SliceOfN(rapid.IntRange(1, 3), 2, 2).Draw(r, "event")
		one := rapid.Bool().Draw(r, "one time")
		for name, loss := range perEvent {
			computation, err := nami.NewComputation(backend, nil, func(scope *model.Scope, in []*Node) []*Node {
				return []*Node{loss(f, scope, in[0], in[1], in[2], nil)}
			})
			if err != nil {
				t.Fatal(err)
			}
			at := ones(lead...)
			if one {
				at = ones()
			}
			x := ones(slices.Concat(lead, event)...)
			out, err := computation.Call(x, x, at)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got := out[0].Shape().Dimensions; !slices.Equal(got, lead) {
				t.Errorf("%s of lead %v and event %v has shape %v", name, lead, event, got)
			}
		}
	})
}

// Shapes that don't fit are told with both sides, by every loss alike.
func TestLossMisuse(t *testing.T) {
	backend := gomlxtest.Go(t)
	net := field.MLP{EventShape: []int{3, 2}, Hidden: []int{4}, ContextDim: 2}
	for name, loss := range perEvent {
		for want, dims := range map[string][4][]int{
			"the target (data) (Float32)[4, 3, 2]":                 {{4, 3, 2}, {3, 2}, {4}, {4, 2}},
			"t must be a scalar or have the shape of the lead (4)": {{4, 3, 2}, {4, 3, 2}, {4, 3}, {4, 2}},
			"the batch is empty":                                   {{0, 3, 2}, {0, 3, 2}, {0}, {0, 2}},
			"fewer than the event rank 2":                          {{3}, {3}, {}, {2}},
			"its shape must end in the event shape (3, 2)":         {{4, 2, 3}, {4, 2, 3}, {4}, {4, 2}},
			"c must have the shape of the lead (4)":                {{4, 3, 2}, {4, 3, 2}, {4}, {5, 2}},
			"expects 2 values on its last axis":                    {{4, 3, 2}, {4, 3, 2}, {4}, {4, 3}},
		} {
			computation, err := nami.NewComputation(backend, nil, func(scope *model.Scope, in []*Node) []*Node {
				return []*Node{loss(net, scope, in[0], in[1], in[2], in[3])}
			})
			if err != nil {
				t.Fatal(err)
			}
			_, err = computation.Call(ones(dims[0]...), ones(dims[1]...), ones(dims[2]...), ones(dims[3]...))
			says(t, fmt.Sprintf("%s, %v", name, dims), err, want)
		}
		computation, err := nami.NewComputation(backend, nil, func(scope *model.Scope, in []*Node) []*Node {
			return []*Node{loss(net, scope, in[0], in[0], in[1], nil)}
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = computation.Call(ones(4, 3, 2), ones(4))
		says(t, name+" without a context", err, "there is no context, and the field expects one of 2 values")
	}
}

// The log-density in a graph refuses what it can't use.
func TestGraphMisuse(t *testing.T) {
	backend := gomlxtest.Go(t)
	flow := nami.FlowMatching{Field: shift.Field, Base: distribution.NewStandardNormal(2), Solver: solver.RK4(2)}
	adaptive := flow
	adaptive.Solver = solver.Dopri5(1e-3, 1e-3)
	for want, build := range map[string]func(scope *model.Scope, x *Node) *Node{
		"the estimator of the divergence is nil": func(scope *model.Scope, x *Node) *Node { return flow.LogProb(scope, x, nil, nil) },
		"an unrolled graph needs a fixed number of them": func(scope *model.Scope, x *Node) *Node {
			return adaptive.LogProb(scope, x, nil, divergence.Exact{})
		},
		"a batch (5) can't be repeated to the lead (4)": func(scope *model.Scope, x *Node) *Node {
			return flow.Integrate(scope, x, Ones(x.Graph(), shapes.Make(dtypes.Float32, 5, 3)), 1, 0)
		},
		"Base is nil": func(scope *model.Scope, x *Node) *Node {
			return nami.FlowMatching{Field: shift.Field, Solver: solver.RK4(2)}.Integrate(scope, x, nil, 1, 0)
		},
		"Solver is empty": func(scope *model.Scope, x *Node) *Node {
			return nami.Diffusion{Field: shift.Field, Schedule: schedule.VP{}, EventShape: []int{2}}.LogProb(scope, x, nil, divergence.Exact{})
		},
		"nami.NLLLoss": func(scope *model.Scope, x *Node) *Node {
			return nami.NLLLoss{Flow: flow, Estimator: divergence.Exact{}, Reduction: 5}.Loss(scope, x, nil)
		},
	} {
		computation, err := nami.NewComputation(backend, nil, func(scope *model.Scope, in []*Node) []*Node { return []*Node{build(scope, in[0])} })
		if err != nil {
			t.Fatal(err)
		}
		_, err = computation.Call(ones(4, 2))
		if want == "nami.NLLLoss" {
			want = "the reduction is Reduction(5)"
		}
		says(t, want, err, want)
	}
}
