package loss_test

import (
	"math"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Maximum likelihood through a residual network: the derivative of the likelihood, which has
// second derivatives of the network in it, is that of central differences along itself.
func TestLikelihoodOfResidual(t *testing.T) {
	flow := nami.FlowMatching{
		Field: field.Residual{EventShape: []int{2}, Width: 8, Blocks: 1, Frequencies: 2, Bandwidth: 1, ContextDim: 1},
		Base:  distribution.NewStandardNormal(2), Solver: solver.RK4(1),
	}
	l := loss.NLL{Flow: flow, Estimator: divergence.Exact{}}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		store := model.NewStore()
		if err := store.SetRNGStateFromSeed(1); err != nil {
			t.Fatal(err)
		}
		x, c := [][]float64{{0.3, -1}, {1, 0.2}, {-0.7, 0.5}}, [][]float64{{1}, {-1}, {0}}
		exec, err := model.NewExec(backend, store, func(scope *model.Scope, x, c *Node) []*Node {
			value := l.Loss(scope, loss.Batch{X: x, Context: c})
			return append([]*Node{value}, scope.BuildTrainableVariablesGradientsGraph(value)...)
		})
		if err != nil {
			t.Fatal(err)
		}
		value := func() (float64, []*tensors.Tensor) {
			out, err := exec.Exec(x, c)
			if err != nil {
				t.Fatal(err)
			}
			return tensors.ToScalar[float64](out[0]), out[1:]
		}
		value()
		var weights []*model.Variable
		for v := range store.IterVariables() {
			if v.Trainable && v.DType() == dtypes.Float64 {
				weights = append(weights, v)
			}
		}
		// Modulations start at zero, where blocks don't matter: move all weights away.
		moved := func(by func(i, k int) float64) {
			for i, v := range weights {
				flat := tensors.MustCopyFlatData[float64](v.MustValue())
				for k := range flat {
					flat[k] += by(i, k)
				}
				if err := v.SetValue(tensors.FromFlatDataAndDimensions(flat, v.Shape().Dimensions...)); err != nil {
					t.Fatal(err)
				}
			}
		}
		moved(func(i, k int) float64 { return 0.2 * math.Sin(float64(7*i+k)) })
		_, gradients := value()
		if len(gradients) != len(weights) {
			t.Fatalf("there are %d gradients of %d weights", len(gradients), len(weights))
		}
		var along [][]float64
		length := 0.0
		for _, g := range gradients {
			along = append(along, tensors.MustCopyFlatData[float64](g))
			for _, d := range along[len(along)-1] {
				length += d * d
			}
		}
		const h = 1e-5
		step := func(size float64) float64 {
			moved(func(i, k int) float64 { return size * along[i][k] })
			v, _ := value()
			return v
		}
		up, down := step(h), step(-2*h)
		gomlxtest.Close(t, "the slope along the gradient, over its length", (up-down)/(2*h)/length, 1, 1e-6)
	})
}
