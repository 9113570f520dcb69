package loss_test

import (
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

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"pgregory.net/rapid"
)

// A batch with any of its parts left out or out of shape gives a finite scalar if all fits,
// and is refused if one thing doesn't: never the other way round.
func TestAnyLoss(t *testing.T) {
	backend := gomlxtest.Go(t)
	still := field.Func{Rank: 2, F: func(_ *model.Scope, x, _, _ *Node) *Node { return MulScalar(x, 0.5) }}
	normal := distribution.NewStandardNormal(3, 2)
	losses := map[string]loss.Loss{
		"FM":          loss.FM{Field: still, Base: normal, Times: loss.Times{Law: loss.Power{}, Stratified: true}},
		"Interpolant": loss.Interpolant{Field: still, Interpolant: interpolant.Interpolant{Gamma: interpolant.Brownian{}}},
		"Denoising":   loss.Denoising{Field: still, Schedule: schedule.VP{}, Prediction: schedule.V},
		"NLL":         loss.NLL{Flow: nami.FlowMatching{Field: still, Base: normal, Solver: solver.Euler(2)}, Estimator: divergence.Exact{}},
	}
	names := []string{"Denoising", "FM", "Interpolant", "NLL"}
	// The right shape of each part, and shapes that don't fit it.
	parts := []struct {
		name  string
		right []int
		wrong [][]int
	}{
		{"context", []int{4, 2}, [][]int{{3, 2}, {2}, {4}}},
		{"mask", []int{4, 3}, [][]int{{4, 2}, {4}, {4, 3, 2}}},
		{"source", []int{4, 3, 2}, [][]int{{4, 3}, {1, 3, 2}, {3, 2}}},
		{"weight", []int{4}, [][]int{{4, 1}, {3}, {}}},
	}
	property.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(names).Draw(t, "loss")
		given := map[string]*tensors.Tensor{"x": gomlxtest.Filled(0.5, 4, 3, 2)}
		var odd string // the part that doesn't fit, if there is one
		for _, p := range parts {
			switch rapid.SampledFrom([]string{"right", "absent", "right", "absent", "wrong"}).Draw(t, p.name) {
			case "right":
				given[p.name] = gomlxtest.Filled(1, p.right...)
			case "wrong":
				if odd == "" {
					odd = p.name
					given[p.name] = gomlxtest.Filled(1, rapid.SampledFrom(p.wrong).Draw(t, "shape")...)
				}
			}
		}
		if name == "NLL" && given["source"] != nil {
			odd = "source"
		}
		present := slices.DeleteFunc([]string{"x", "context", "mask", "source", "weight"}, func(part string) bool { return given[part] == nil })
		var in []*tensors.Tensor
		for _, part := range present {
			in = append(in, given[part])
		}
		out, err := model.CallOnce(backend, model.NewStore(), func(scope *model.Scope, in []*Node) *Node {
			nodes := map[string]*Node{}
			for i, part := range present {
				nodes[part] = in[i]
			}
			return losses[name].Loss(scope, loss.Batch{
				X: nodes["x"], Context: nodes["context"], Mask: nodes["mask"], Source: nodes["source"], Weight: nodes["weight"],
			})
		}, in)
		switch {
		case odd != "" && err == nil:
			t.Fatalf("%s took a %s of shape %s", name, odd, given[odd].Shape())
		case odd != "":
			gomlxtest.Teaches(t, name+", "+odd, err)
		case err != nil:
			t.Fatalf("%s refused a batch that fits, of %v: %v", name, present, err)
		default:
			if out.Rank() != 0 || out.DType() != dtypes.Float32 {
				t.Fatalf("%s is %s, expected a scalar", name, out.Shape())
			}
			if v := tensors.ToScalar[float32](out); v-v != 0 {
				t.Fatalf("%s is %v", name, v)
			}
		}
	})
}

// What a loss is made of is checked, with the part's name.
func TestBadLoss(t *testing.T) {
	backend := gomlxtest.Go(t)
	still := field.Func{Rank: 1, F: func(_ *model.Scope, x, _, _ *Node) *Node { return x }}
	wide := field.Func{Rank: 1, F: func(_ *model.Scope, x, _, _ *Node) *Node { return ReduceAndKeep(x, ReduceSum, -1) }}
	flow := nami.FlowMatching{Field: still, Base: distribution.NewStandardNormal(2), Solver: solver.RK4(2)}
	adaptive := flow
	adaptive.Solver = solver.Dopri5(1e-3, 1e-3)
	law := func(l loss.Law) loss.FM { return loss.FM{Field: still, Times: loss.Times{Law: l}} }
	for want, l := range map[string]loss.Loss{
		"the field is nil":              loss.FM{},
		"F is nil":                      loss.Denoising{Field: field.Func{}, Schedule: schedule.VP{}},
		"the schedule is nil":           loss.Denoising{Field: still},
		"Rho is -1":                     loss.Denoising{Field: still, Schedule: schedule.EDM{Rho: -1}},
		"Prediction(9)":                 loss.Denoising{Field: still, Schedule: schedule.VP{}, Prediction: 9},
		"Eps is -1":                     loss.Interpolant{Field: still, Interpolant: interpolant.Interpolant{Gamma: interpolant.Brownian{Eps: -1}}},
		"the reduction is Reduction(5)": loss.FM{Field: still, Reduction: 5},
		"returned (Float32)[4, 1] for x of (Float32)[4, 2]": loss.FM{Field: wide},
		"the estimator of the divergence is nil":            loss.NLL{Flow: flow},
		"an unrolled graph needs a fixed number of them":    loss.NLL{Flow: adaptive, Estimator: divergence.Exact{}},
		"Exponent is -1": law(loss.Power{Exponent: -1}),
		"Std is -2":      law(loss.LogitNormal{Std: -2}),
		"Mean is NaN":    law(loss.LogitNormal{Mean: nan}),
		"loss.LogNormal: schedule: the schedule is nil": law(loss.LogNormal{}),
		"0 edges and 0 weights":                         law(loss.Table{}),
		"go from 0 to 2":                                law(loss.Table{Edges: []float64{0, 2}, Weights: []float64{1}}),
		"edges must rise":                               law(loss.Table{Edges: []float64{0, 0.5, 0.5, 1}, Weights: []float64{1, 1, 1}}),
		"Weights[1] is -1":                              law(loss.Table{Edges: []float64{0, 0.5, 1}, Weights: []float64{1, -1}}),
		"all 2 weights are 0":                           law(loss.Table{Edges: []float64{0, 0.5, 1}, Weights: []float64{0, 0}}),
		"times of shape (Float32)[3]":                   law(short{}),
		"the weight of the times": loss.FM{Field: still, Times: loss.Times{Weight: func(t *Node) *Node {
			return InsertAxes(t, -1)
		}}},
	} {
		computation, err := nami.NewComputation(backend, nil, func(scope *model.Scope, in []*Node) []*Node {
			return []*Node{l.Loss(scope, loss.Batch{X: in[0]})}
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = computation.Call(gomlxtest.Filled(1, 4, 2))
		gomlxtest.Says(t, want, err, want)
	}
}

// short forgets an event.
type short struct{ loss.Uniform }

func (short) Quantile(u *Node) *Node { return Slice(u, AxisRange(0, 3)) }
