package gomlx_test

import (
	"math"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/nn"
)

// A dense layer, with its weights in either layout, has the same gradients with a checkpoint and without. Without the entry
// in GoMLX's table the pure Go backend panics.
func TestGradientOfDenseThroughCheckpoint(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		store := model.NewStore()
		if err := store.SetRNGStateFromSeed(1); err != nil {
			t.Fatal(err)
		}
		out, err := model.CallOnceN(backend, store, func(scope *model.Scope, x *Node) []*Node {
			loss := func(x *Node) *Node {
				h := Tanh(layers.Dense(scope.ResetVisited(), x, true, 3))
				w := scope.VariableWithValue("transposed", [][]float32{{0.1, -0.4, 0.7}, {1, 0.2, -0.3}}).NodeValue(x.Graph())
				return ReduceAllSum(Square(nn.Dense(h, w, nil, compute.DenseLayoutOutputsInput)))
			}
			plain := append(scope.BuildTrainableVariablesGradientsGraph(loss(x)), Gradient(loss(x), x)[0])
			start := x.Checkpoint()
			kept := loss(start).StopCheckpoint()
			return append(plain, append(scope.BuildTrainableVariablesGradientsGraph(kept), Gradient(kept, x)[0])...)
		}, [][]float32{{1, 2}, {-1, 0.5}, {0.3, -2}})
		if err != nil {
			t.Fatal(err)
		}
		for i := range len(out) / 2 {
			a, b := tensors.MustCopyFlatData[float32](out[i]), tensors.MustCopyFlatData[float32](out[i+len(out)/2])
			for j := range a {
				if math.Abs(float64(a[j]-b[j])) > 1e-5 {
					t.Errorf("gradient %d: value %d is %v without a checkpoint, %v with one", i, j, a[j], b[j])
				}
			}
		}
	})
}
