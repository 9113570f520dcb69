package loss_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/interpolant"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/tests/property"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"pgregory.net/rapid"
)

// perEvent are the losses of events, with one signature.
var perEvent = map[string]func(f field.Field, scope *model.Scope, b loss.Batch, t *Node) *Node{
	"FM": func(f field.Field, scope *model.Scope, b loss.Batch, t *Node) *Node {
		return loss.FM{Field: f}.PerEvent(scope, b, t)
	},
	"Interpolant": func(f field.Field, scope *model.Scope, b loss.Batch, t *Node) *Node {
		return loss.Interpolant{Field: f}.Antithetic(scope, b, t, b.Source)
	},
	"Denoising": func(f field.Field, scope *model.Scope, b loss.Batch, t *Node) *Node {
		return loss.Denoising{Field: f, Schedule: schedule.VP{}}.PerEvent(scope, b, t)
	},
}

// Every loss has one value for each event, whatever the shapes, and takes a time for all
// or one for each.
func TestLossShapes(t *testing.T) {
	backend := gomlxtest.Go(t)
	f := field.Func{Rank: 2, F: func(_ *model.Scope, x, t, c *Node) *Node { return MulScalar(x, 0.5) }}
	property.Check(t, func(r *rapid.T) {
		lead := rapid.SliceOfN(rapid.IntRange(1, 3), 0, 2).Draw(r, "lead")
		event := rapid.SliceOfN(rapid.IntRange(1, 3), 2, 2).Draw(r, "event")
		one := rapid.Bool().Draw(r, "one time")
		for name, build := range perEvent {
			computation, err := nami.NewComputation(backend, nil, func(scope *model.Scope, in []*Node) []*Node {
				return []*Node{build(f, scope, loss.Batch{X: in[0], Source: in[1]}, in[2])}
			})
			if err != nil {
				t.Fatal(err)
			}
			at := gomlxtest.Filled(1, lead...)
			if one {
				at = gomlxtest.Filled(1)
			}
			x := gomlxtest.Filled(1, slices.Concat(lead, event)...)
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
	for name, build := range perEvent {
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
				return []*Node{build(net, scope, loss.Batch{X: in[0], Source: in[1], Context: in[3]}, in[2])}
			})
			if err != nil {
				t.Fatal(err)
			}
			_, err = computation.Call(gomlxtest.Filled(1, dims[0]...), gomlxtest.Filled(1, dims[1]...), gomlxtest.Filled(1, dims[2]...), gomlxtest.Filled(1, dims[3]...))
			gomlxtest.Says(t, fmt.Sprintf("%s, %v", name, dims), err, want)
		}
		computation, err := nami.NewComputation(backend, nil, func(scope *model.Scope, in []*Node) []*Node {
			return []*Node{build(net, scope, loss.Batch{X: in[0], Source: in[0]}, in[1])}
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = computation.Call(gomlxtest.Filled(1, 4, 3, 2), gomlxtest.Filled(1, 4))
		gomlxtest.Says(t, name+" without a context", err, "there is no context, and the field expects one of 2 values")
	}
}

// Every loss refuses a context without an axis of its own, or for another number of events.
func TestContextMisuse(t *testing.T) {
	backend := gomlxtest.Go(t)
	still := field.Func{Rank: 2, F: func(_ *model.Scope, x, _, _ *Node) *Node { return MulScalar(x, 0.5) }}
	flow := nami.FlowMatching{Field: still, Base: distribution.NewStandardNormal(3, 2), Solver: solver.Euler(2)}
	for name, l := range map[string]loss.Loss{
		"FM":          loss.FM{Field: still},
		"Interpolant": loss.Interpolant{Field: still, Interpolant: interpolant.Interpolant{Gamma: interpolant.Brownian{}}},
		"Denoising":   loss.Denoising{Field: still, Schedule: schedule.VP{}},
		"NLL":         loss.NLL{Flow: flow, Estimator: divergence.Exact{}},
	} {
		for _, context := range [][]int{{}, {2}, {4}, {3, 2}, {4, 2, 2}} {
			_, err := model.CallOnce(backend, model.NewStore(), func(scope *model.Scope, x, c *Node) *Node {
				return l.Loss(scope, loss.Batch{X: x, Context: c})
			}, gomlxtest.Filled(1, 4, 3, 2), gomlxtest.Filled(1, context...))
			gomlxtest.Says(t, fmt.Sprintf("%s, context %v", name, context), err, "c must have the shape of the lead (4) and one context axis")
		}
	}
}
