//go:build slow

package tests

import (
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/nami/toy"
	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/ml/model"
)

// After as many steps, a residual network with Fourier features is nearer to the checkerboard
// than an MLP of its width: in nats, of Kullback and Leibler's divergence from the data.
func TestTrainResidual(t *testing.T) {
	onBackends(t, func(t *testing.T, backend compute.Backend) {
		board := toy.Checkerboard{}
		points, err := board.Sample(1, 20_000)
		if err != nil {
			t.Fatal(err)
		}
		held, err := board.Sample(2, 400)
		if err != nil {
			t.Fatal(err)
		}
		exact, err := board.LogProb(held)
		if err != nil {
			t.Fatal(err)
		}
		truth := toFloats(exact)
		kl := func(f field.Field) (mean float64) {
			store := model.NewStore()
			if _, err := train.Fit(t.Context(), backend, store, loss.FM{Field: f}, data.Events{X: points}, train.Steps(1000),
				train.BatchSize(256), train.LearningRate(1e-2), train.Schedule(train.Cosine{}), train.Seed(1)); err != nil {
				t.Fatal(err)
			}
			flow := nami.FlowMatching{Field: f, Base: distribution.NewStandardNormal(2), Solver: solver.RK4(10)}
			process, err := flow.Bind(backend, store, nil)
			if err != nil {
				t.Fatal(err)
			}
			out, err := process.LogProb(t.Context(), held, divergence.Exact{})
			if err != nil {
				t.Fatal(err)
			}
			for i, q := range toFloats(out) {
				mean += (truth[i] - q) / float64(len(truth))
			}
			return mean
		}
		residual := kl(field.Residual{EventShape: []int{2}, Frequencies: 16})
		mlp := kl(field.MLP{EventShape: []int{2}, Hidden: []int{64, 64, 64}})
		t.Logf("residual %.3f, MLP %.3f", residual, mlp)
		if !(residual < 0.37 && residual < 0.85*mlp) {
			t.Errorf("the divergences are %.3f of the residual network and %.3f of the MLP: expected less than 0.37, and 0.85 of the other", residual, mlp)
		}
	})
}
