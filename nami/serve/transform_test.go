package serve_test

import (
	"context"
	"testing"

	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/serve"
	"github.com/nami-flow/go-nami/nami/transform"

	"github.com/gomlx/compute"
)

// A model with transforms is served in the data's and the context's units, and what they
// aren't defined for is refused at the door.
func TestTransforms(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		ctx := context.Background()
		// The second draws noise for the events of log-densities, from their seeds.
		for _, of := range []transform.Transform{transform.Logarithm{}, transform.Dequantize{}} {
			flow := network
			flow.Transform, flow.ContextTransform = of, transform.Logarithm{}
			process, err := flow.Bind(backend, drawn(t, backend), single(1, 1, 1))
			if err != nil {
				t.Fatal(err)
			}
			b := newBatcher(t, process, serve.Config{Batches: []int{16}, Estimator: divergence.Exact{}})
			given := single(0.5, 2, 1)
			samples, err := b.Sample(ctx, serve.Sample{Context: given, N: 5, Seed: 3})
			got := gomlxtest.Floats(t, samples, err)
			alone, err := process.Rebind(given)
			if err != nil {
				t.Fatal(err)
			}
			want, err := alone.Seeded(3).Sample(ctx, 5)
			gomlxtest.Near(t, "samples", got, gomlxtest.Floats(t, want, err), 1e-5)
			logProb, err := b.LogProb(ctx, serve.LogProb{X: samples, Context: given, Seed: 4})
			gotLog := gomlxtest.Floats(t, logProb, err)
			wantLog, err := alone.Seeded(4).LogProb(ctx, samples, divergence.Exact{})
			gomlxtest.Near(t, "log-densities", gotLog, gomlxtest.Floats(t, wantLog, err), 1e-4)
			_, err = b.Sample(ctx, serve.Sample{Context: single(0.5, -2, 1), N: 5})
			gomlxtest.Says(t, "a context", err, "-2")
			if (of == transform.Logarithm{}) {
				_, err = b.LogProb(ctx, serve.LogProb{X: single(1, 1, -3, 1), Context: given})
				gomlxtest.Says(t, "an event", err, "-3")
			}
		}
	})
}
