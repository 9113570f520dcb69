package tests

import (
	"context"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/path"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Samples from recorded noise, on every backend and in both dtypes.
func TestGoldenFlowSample(t *testing.T) {
	g := readGolden(t, "sampling")
	onBackends(t, func(t *testing.T, backend compute.Backend) {
		ran := 0
		for i, c := range g.Cases {
			if c.Op != "flow_sample" {
				continue
			}
			if thin(backend, i) {
				continue
			}
			ran++
			for _, dtype := range bothDTypes {
				name, _ := get[string](t, c.Inputs, "field")
				method, _ := get[string](t, c.Inputs, "solver")
				steps, _ := get[int](t, c.Inputs, "steps")
				sampleShape, _ := get[[]int](t, c.Inputs, "sample_shape")
				f, store := g.Networks[name].load(t, dtype)
				flow := nami.FlowMatching{Field: f, Base: baseOf(t, c.Inputs, f.EventShape), Solver: solverOf(method, steps)}
				noise := tensorOf(t, c.Inputs, "base_draw", dtype)
				options := []nami.Option{nami.DType(dtype)}
				if from, ok := get[float64](t, c.Inputs, "t0"); ok {
					to, _ := get[float64](t, c.Inputs, "t1")
					options = append(options, nami.Times(from, to))
				}
				process, err := flow.Bind(backend, store, tensorOf(t, c.Inputs, "c", dtype), options...)
				if err != nil {
					t.Fatalf("%s: %v", c.Name, err)
				}
				got, err := process.SampleFrom(context.Background(), noise)
				if err != nil {
					t.Fatalf("%s: %v", c.Name, err)
				}
				want := tensorOf(t, c.Expected, "samples", dtype)
				agree(t, c.Name, got, want)
				drawn, err := process.Sample(context.Background(), sampleShape...)
				if err != nil {
					t.Fatalf("%s: %v", c.Name, err)
				}
				if !drawn.Shape().Equal(want.Shape()) {
					t.Errorf("%s: Sample(%v) has shape %s, expected %s", c.Name, sampleShape, drawn.Shape(), want.Shape())
				}
			}
		}
		if ran == 0 {
			t.Fatal("no golden case ran")
		}
	})
}

// The flow-matching loss, by event and as a mean, and the gradient of the mean.
func TestGoldenLoss(t *testing.T) {
	g := readGolden(t, "losses")
	onBackends(t, func(t *testing.T, backend compute.Backend) {
		ran := 0
		for _, c := range g.Cases {
			pathName, _ := get[string](t, c.Inputs, "path")
			if c.Op != "fm_loss" || pathName != "linear" || strings.HasSuffix(c.Name, "t_3") {
				continue // t_3 has only the inner lead axes: that is an error here
			}
			ran++
			for _, dtype := range bothDTypes {
				name, _ := get[string](t, c.Inputs, "field")
				f, store := g.Networks[name].load(t, dtype)
				loss := nami.FMLoss{Field: f, Path: path.Linear{}}
				in := []any{tensorOf(t, c.Inputs, "x_target", dtype), tensorOf(t, c.Inputs, "x_source", dtype), tensorOf(t, c.Inputs, "t", dtype)}
				context := tensorOf(t, c.Inputs, "c", dtype)
				if context != nil {
					in = append(in, context)
				}
				out, err := model.CallOnceN(backend, store, func(scope *model.Scope, in []*Node) []*Node {
					var ctx *Node
					if len(in) > 3 {
						ctx = in[3]
					}
					perEvent := loss.PerEvent(scope, in[0], in[1], in[2], ctx)
					return append([]*Node{perEvent}, scope.BuildTrainableVariablesGradientsGraph(ReduceAllMean(perEvent))...)
				}, in...)
				if err != nil {
					t.Fatalf("%s: %v", c.Name, err)
				}
				agree(t, c.Name, out[0], tensorOf(t, c.Expected, "none", dtype))
				checkGradients(t, c, store, out[1:], dtype)

				mean, err := loss.Eval(backend, store, in[0].(*tensors.Tensor), in[1].(*tensors.Tensor), in[2].(*tensors.Tensor), context)
				if err != nil {
					t.Fatalf("%s: %v", c.Name, err)
				}
				agree(t, c.Name+", mean", fromFloats([]float64{mean}, nil, dtype), tensorOf(t, c.Expected, "mean", dtype))
			}
		}
		if ran == 0 {
			t.Fatal("no golden case ran")
		}
	})
}

// checkGradients compares the gradients by the paths of the variables.
func checkGradients(t *testing.T, c goldenCase, store *model.Store, grads []*tensors.Tensor, dtype dtypes.DType) {
	t.Helper()
	want, ok := get[[]struct {
		Weight [][]float64
		Bias   []float64
	}](t, c.Expected, "mean_grad")
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
