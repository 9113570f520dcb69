package nami_test

import (
	"context"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/tests/backends"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// builder is what the models have at graph level, and how they are bound.
type builder interface {
	Sample(scope *model.Scope, g *Graph, dtype dtypes.DType, c *Node, lead ...int) *Node
	SampleWithLogProb(scope *model.Scope, g *Graph, dtype dtypes.DType, c *Node, estimator divergence.Estimator, lead ...int) (x, logProb *Node)
	LogProb(scope *model.Scope, x, c *Node, estimator divergence.Estimator) *Node
	Bind(backend compute.Backend, store *model.Store, context *tensors.Tensor, options ...nami.Option) (*nami.Process, error)
}

// Both models in a graph: samples come with the log-density that LogProb gives them there
// and in a process, and their derivative by a context that shifts the data is 1.
func TestModelsInGraphs(t *testing.T) {
	shifted := gauss(1)
	shifted.Solver = solver.Heun(12)
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for name, m := range map[string]builder{"flow": shifted, "diffusion": diffusion(schedule.VP{}, schedule.Eps, solver.Heun(12))} {
			if backends.Few(backend) && name != "flow" {
				continue // XLA compiles each anew
			}
			var c *tensors.Tensor
			var in []*tensors.Tensor
			if name == "flow" {
				c = doubles([]float64{0.3, -0.2, 1, 0.5}, 2, 2)
				in = append(in, c)
			} else {
				in = append(in, doubles([]float64{0}, 1)) // a computation needs an input
			}
			store := model.NewStore()
			if err := store.SetRNGStateFromSeed(7); err != nil {
				t.Fatal(err)
			}
			out, err := model.CallOnceN(backend, store, func(scope *model.Scope, in []*Node) []*Node {
				var c *Node
				if name == "flow" {
					c = in[0]
				}
				x, logProb := m.SampleWithLogProb(scope, in[0].Graph(), dtypes.Float64, c, divergence.Exact{}, 3, 2)
				sum := ReduceAllSum(m.Sample(scope, in[0].Graph(), dtypes.Float64, c, 3, 2))
				out := []*Node{x, logProb, m.LogProb(scope, x, c, divergence.Exact{}), sum}
				if c != nil {
					out = append(out, Gradient(sum, c)[0])
				}
				return out
			}, in[0])
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			process, err := m.Bind(backend, store, c, nami.DType(dtypes.Float64))
			if err != nil {
				t.Fatal(err)
			}
			again, err := process.LogProb(context.Background(), out[0], divergence.Exact{})
			want := gomlxtest.Floats(t, again, err)
			gomlxtest.Near(t, name+": LogProb in a graph", gomlxtest.Floats(t, out[2], nil), want, 1e-10)
			gomlxtest.Near(t, name+": SampleWithLogProb in a graph", gomlxtest.Floats(t, out[1], nil), want, 0.05)
			if c != nil {
				gomlxtest.Near(t, "the derivative by the context", gomlxtest.Floats(t, out[4], nil), []float64{3, 3, 3, 3}, 0.02)
			}
		}
	})
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
	} {
		computation, err := nami.NewComputation(backend, nil, func(scope *model.Scope, in []*Node) []*Node { return []*Node{build(scope, in[0])} })
		if err != nil {
			t.Fatal(err)
		}
		_, err = computation.Call(gomlxtest.Filled(1, 4, 2))
		gomlxtest.Says(t, want, err, want)
	}
}
