package tests

import (
	"context"
	"math"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/stat"
)

// Maximum likelihood teaches a base the mean and the scale of the data, and with a context
// how the mean depends on it. The flow leaves everything where it is.
func TestLearnedBase(t *testing.T) {
	const n = 512
	contexts, shifted := make([]float32, n), toFloats(normals(2, n, 1, 0.5))
	for i := range contexts {
		contexts[i] = float32(i%3 - 1)
		shifted[2*i] += 2 * float64(contexts[i])
	}
	onBackends(t, func(t *testing.T, backend compute.Backend) {
		for _, conditional := range []bool{false, true} {
			base := distribution.LearnedNormal{Event: []int{2}}
			events := data.Events{X: normals(1, n, 3, 0.5)}
			options := []train.Option{train.LearningRate(0.05)}
			var at *tensors.Tensor
			want := [2]float64{3, 3}
			if conditional {
				base.ContextDim = 1
				events.X = fromFloats(shifted, []int{n, 2}, dtypes.Float32)
				events.Context = tensors.FromFlatDataAndDimensions(contexts, n, 1)
				at, want = tensors.FromValue([]float32{0.5}), [2]float64{2, 1}
			}
			flow := nami.FlowMatching{Field: still(1), Base: base, Solver: solver.Euler(1)}
			store, _ := fitted(t, backend, loss.NLL{Flow: flow, Estimator: divergence.Exact{}}, events, options...)
			process, err := flow.Bind(backend, store, at)
			if err != nil {
				t.Fatal(err)
			}
			samples, err := process.Sample(context.Background(), 2000)
			if err != nil {
				t.Fatal(err)
			}
			for j, column := range columns(samples, make([]int, 2000), -1) {
				mean, std := stat.MeanStdDev(column, nil)
				if math.Abs(mean-want[j]) > 0.1 || math.Abs(std-0.5) > 0.1 {
					t.Errorf("conditional %v: value %d has mean %.3f and standard deviation %.3f, expected %v and 0.5", conditional, j, mean, std, want[j])
				}
			}
			if _, err := flow.Bind(backend, model.NewStore(), at); err == nil {
				t.Error("a base without its variables was bound")
			}
		}
	})
}
