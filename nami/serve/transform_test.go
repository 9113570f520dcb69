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

// A value that a later step of a chain isn't defined for is found when it is computed, and is
// the fault of the one who sent it alone.
func TestOutsideInAChain(t *testing.T) {
	backend := gomlxtest.Go(t)
	inHundreds := transform.Chain{transform.Standardize{Mean: []float64{0}, Std: []float64{100}}, transform.Logit{Low: 0, High: 1}}
	flow := network
	flow.Transform, flow.ContextTransform = inHundreds, inHundreds
	process, err := flow.Bind(backend, drawn(t, backend), single(50, 50, 50))
	if err != nil {
		t.Fatal(err)
	}
	url := start(t, newHandler(t, process, serve.Config{Batches: []int{8}, Estimator: divergence.Exact{}}))
	post(t, url+"/logprob", jsonType, []byte(`{"x": [[50, 50, 50, 50], [50, 50, 50, 120]], "context": [50, 50, 50]}`)).says(t, "an event", 400, "1.2")
	post(t, url+"/logprob", jsonType, []byte(`{"x": [[50, 50, 50, 50]], "context": [50, -20, 50]}`)).says(t, "a context", 400, "-0.2")
	if good := post(t, url+"/logprob", jsonType, []byte(`{"x": [[50, 50, 50, 50]], "context": [50, 50, 50]}`)); good.status != 200 {
		t.Errorf("what is inside is answered by %d, %s", good.status, good.body)
	}
}
