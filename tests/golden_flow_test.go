package tests

import (
	"context"
	"testing"

	"github.com/nami-flow/go-nami/nami"

	"github.com/gomlx/compute"
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
