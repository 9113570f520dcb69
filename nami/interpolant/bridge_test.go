package interpolant_test

import (
	"math"
	"testing"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/interpolant"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// A bridge keeps the rules of fields, and its parts have variables of their own.
func TestBridgeIsAField(t *testing.T) {
	network := field.MLP{EventShape: []int{2}, Hidden: []int{8}, ContextDim: 3}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		if err := field.Check(backend, interpolant.Bridge{Velocity: network, Push: network, Sigma: 0.5}, []int{2}, []int{3}); err != nil {
			t.Error(err)
		}
	})
	sets := field.DeepSet{EventShape: []int{3, 2}, Layers: 1}
	if err := field.Check(gomlxtest.Go(t), interpolant.Bridge{Velocity: sets, Push: sets, Sigma: 0.5}, []int{3, 2}, nil); err != nil {
		t.Error(err)
	}
}

// The flow of a bridge is the drift that its interpolant has with its score, and its
// interpolant's latent noise has the variance Sigma²·t(1-t).
func TestBridgeIsItsInterpolant(t *testing.T) {
	const sigma = 0.7
	velocity := field.Func{Rank: 1, F: func(_ *model.Scope, x, _, _ *Node) *Node { return AddScalar(x, 2) }}
	score := field.Func{Rank: 1, F: func(_ *model.Scope, x, _, _ *Node) *Node { return MulScalar(Square(x), 3) }}
	push := field.Func{Rank: 1, F: func(_ *model.Scope, x, _, _ *Node) *Node { return MulScalar(Square(x), 3*sigma*sigma/2) }}
	b := interpolant.Bridge{Velocity: velocity, Push: push, Sigma: sigma}
	gamma := b.Interpolant().Gamma
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		out, err := model.CallOnceN(backend, model.NewStore(), func(scope *model.Scope, x, t *Node) []*Node {
			return []*Node{
				field.Call(b, scope, x, t, nil), field.Call(interpolant.DriftFromVelocityScore{Velocity: velocity, Score: score, Gamma: gamma}, scope, x, t, nil),
				gamma.Gamma(t), b.Diffusion(t),
			}
		}, tensors.FromValue([][]float64{{1}, {-2}, {0.5}}), []float64{0.1, 0.5, 0.8})
		if err != nil {
			t.Fatal(err)
		}
		gomlxtest.Near(t, "the flow", values(out[0]), values(out[1]), 1e-12)
		gomlxtest.Near(t, "γ", values(out[2]), []float64{sigma * 0.3, sigma * 0.5, sigma * 0.4}, 1e-12)
		gomlxtest.Near(t, "g", values(out[3]), []float64{sigma, sigma, sigma}, 0)
	})
	for want, b := range map[string]interpolant.Bridge{
		"Sigma is 0":           {Velocity: velocity, Push: push},
		"Sigma is NaN":         {Velocity: velocity, Push: push, Sigma: math.NaN()},
		"Sigma is +Inf":        {Velocity: velocity, Push: push, Sigma: math.Inf(1)},
		"is nil":               {Velocity: velocity, Sigma: 1},
		"rank 1, the push's 0": {Velocity: velocity, Sigma: 1, Push: field.Func{F: push.F}},
	} {
		gomlxtest.Says(t, want, b.Validate(), want)
	}
}
