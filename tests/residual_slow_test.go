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
// than an MLP of its width, and nearer with shared targets than without: in nats, of Kullback and
// Leibler's divergence from the data.
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
		kl := func(f field.Field, pool loss.Pool) (mean float64) {
			store := model.NewStore()
			if _, err := train.Fit(t.Context(), backend, store, loss.FM{Field: f, Pool: pool}, data.Events{X: points}, train.Steps(1000),
				train.BatchSize(256), train.Seed(1)); err != nil {
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
		residual := kl(field.Default([]int{2}, 0), 0)
		if !(residual < 0.22) {
			t.Errorf("the residual network's divergence is %.3f: expected less than 0.22", residual)
		}
		if backend.Name() != "xla" {
			return // the rivals take minutes more there, and learn the same
		}
		mlp := kl(field.MLP{EventShape: []int{2}, Hidden: []int{64, 64, 64}}, 0)
		own := kl(field.Default([]int{2}, 0), loss.Own)
		t.Logf("residual %.3f, MLP %.3f, residual with own targets %.3f", residual, mlp, own)
		if !(residual < 0.6*mlp && residual < 0.75*own) {
			t.Errorf("the divergences are %.3f of the residual network, %.3f of the MLP and %.3f with own targets: expected less than 0.6 of the second and 0.75 of the third", residual, mlp, own)
		}
	})
}
