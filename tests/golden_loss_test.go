package tests

import (
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/interpolant"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/path"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// The losses of flow matching, of stochastic interpolants and with a mask: by event, as a
// mean and a sum, and the gradient of the mean.
func TestGoldenLoss(t *testing.T) {
	g := readGolden(t, "losses")
	onBackends(t, func(t *testing.T, backend compute.Backend) {
		for i, c := range g.Cases {
			if thin(backend, i) {
				continue
			}
			for _, dtype := range bothDTypes {
				f, shape, store := g.load(t, c.Inputs, "field", dtype)
				in, keys := []any{}, []string{}
				for _, key := range []string{"x_target", "x_source", "t", "c", "z", "mask"} {
					x := tensorOf(t, c.Inputs, key, dtype)
					if x == nil {
						continue
					}
					if key == "t" { // a time with only the inner lead axes is an error here
						target := in[0].(*tensors.Tensor).Shape().Dimensions
						x = filled(x, target[:len(target)-len(shape)])
					}
					in, keys = append(in, x), append(keys, key)
				}
				out, err := model.CallOnceN(backend, store, func(scope *model.Scope, in []*Node) []*Node {
					given := map[string]*Node{}
					for i, key := range keys {
						given[key] = in[i]
					}
					perEvent := lossOf(t, c, f, scope, given)
					mean := ReduceAllMean(perEvent)
					return append([]*Node{perEvent, mean, ReduceAllSum(perEvent)}, scope.BuildTrainableVariablesGradientsGraph(mean)...)
				}, in...)
				if err != nil {
					t.Fatalf("%s: %v", c.Name, err)
				}
				for i, key := range []string{"none", "mean", "sum"} {
					agree(t, c.Name+", "+key, out[i], tensorOf(t, c.Expected, key, dtype))
				}
				checkGradients(t, c, store, "mean_grad", out[3:], dtype)
			}
		}
	})
}

func pathOf(t *testing.T, c goldenCase) path.Path {
	t.Helper()
	name, _ := get[string](t, c.Inputs, "path")
	p, ok := map[string]path.Path{"linear": path.Linear{}, "cosine": path.Cosine{}}[name]
	if !ok {
		t.Fatalf("the path %q is unknown", name)
	}
	return p
}

// lossOf builds a case's losses by event.
func lossOf(t *testing.T, c goldenCase, f field.Field, scope *model.Scope, in map[string]*Node) *Node {
	p := pathOf(t, c)
	at := in["t"]
	b := loss.Batch{X: in["x_target"], Source: in["x_source"], Context: in["c"], Mask: in["mask"]}
	switch c.Op {
	case "fm_loss":
		return loss.FM{Field: f, Path: p}.PerEvent(scope, b, at)
	case "stochastic_fm_loss":
		parameters, _ := get[gammaParameters](t, c.Inputs, "gamma")
		l := loss.Interpolant{Field: f, Interpolant: interpolant.Interpolant{Path: p, Gamma: parameters.gamma(t)}}
		return l.PerEvent(scope, b, at, in["z"])
	case "masked_fm_loss":
		// The reference shows the field noise in the padding when it learns, and zeros when
		// it samples; here it sees zeros both times. With the reference's view of x the
		// numbers are its.
		reference := field.Func{Rank: f.EventRank(), F: func(scope *model.Scope, _, at, c *Node) *Node {
			return f.Apply(scope, p.Point(b.X, b.Source, at), at, c)
		}}
		return loss.FM{Field: reference, Path: p}.PerEvent(scope, b, at)
	}
	t.Fatalf("the loss %q is unknown", c.Op)
	return nil
}

// checkGradients compares the gradients by the paths of the variables, if the case has
// them under that name.
func checkGradients(t *testing.T, c goldenCase, store *model.Store, name string, grads []*tensors.Tensor, dtype dtypes.DType) {
	t.Helper()
	want, ok := get[[]struct {
		Weight [][]float64
		Bias   []float64
	}](t, c.Expected, name)
	if !ok {
		return
	}
	i := 0
	for v := range store.IterVariables() {
		var layer int
		if _, err := sscanLayer(v.Path(), &layer); err != nil {
			t.Fatalf("%s: %v", v.Path(), err)
		}
		expected := fromFloats(want[layer].Bias, []int{len(want[layer].Bias)}, dtype)
		if strings.HasSuffix(v.Path(), "weights") {
			rows := want[layer].Weight
			flat := make([]float64, len(rows)*len(rows[0]))
			for o, row := range rows {
				for j, w := range row {
					flat[j*len(rows)+o] = w
				}
			}
			expected = fromFloats(flat, []int{len(rows[0]), len(rows)}, dtype)
		}
		agree(t, c.Name+", gradient of "+v.Path(), grads[i], expected)
		i++
	}
}

// checkGradientsOf compares a loss, which a solve leads to, and its gradients with respect
// to the case's input and to the weights.
func checkGradientsOf(t *testing.T, backend compute.Backend, c goldenCase, store *model.Store, input string, dtype dtypes.DType, loss func(scope *model.Scope, x *Node) *Node) {
	t.Helper()
	out, err := model.CallOnceN(backend, store, func(scope *model.Scope, in []*Node) []*Node {
		value := loss(scope, in[0])
		return append([]*Node{value, Gradient(value, in[0])[0]}, scope.BuildTrainableVariablesGradientsGraph(value)...)
	}, tensorOf(t, c.Inputs, input, dtype))
	if err != nil {
		t.Fatal(err)
	}
	if c.Expected["grad"] == nil {
		t.Fatalf("%s: no gradients of the weights are recorded", c.Name)
	}
	agree(t, "the loss", out[0], tensorOf(t, c.Expected, "loss", dtype))
	agree(t, "the gradient of "+input, out[1], tensorOf(t, c.Expected, input+"_grad", dtype))
	checkGradients(t, c, store, "grad", out[2:], dtype)
}

// The gradient of a function of samples flows through the solve: with respect to weights
// and to the noise.
func TestGoldenSampleGradient(t *testing.T) {
	g := readGolden(t, "sampling")
	onBackends(t, func(t *testing.T, backend compute.Backend) {
		for _, c := range g.Cases {
			if c.Op != "flow_rsample_gradient" {
				continue
			}
			for _, dtype := range dtypesOn(backend) {
				steps, _ := get[int](t, c.Inputs, "steps")
				f, shape, store := g.load(t, c.Inputs, "field", dtype)
				flow := nami.FlowMatching{Field: f, Base: distribution.NewStandardNormal(shape...), Solver: solver.RK4(steps)}
				checkGradientsOf(t, backend, c, store, "base_draw", dtype, func(scope *model.Scope, noise *Node) *Node {
					return ReduceAllMean(Square(flow.Integrate(scope, noise, nil, 1, 0)))
				})
			}
		}
	})
}
