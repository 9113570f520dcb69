package loss_test

import (
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/transform"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// A transformed loss is the loss of what the transforms make of the batch, with masks, contexts
// and weights, and gives padding no part, though its values have no logarithm.
func TestTransformed(t *testing.T) {
	standard := transform.Standardize{Mean: []float64{15}, Std: []float64{5}}
	f := field.Func{Rank: 2, F: func(_ *model.Scope, x, t, c *Node) *Node {
		return Mul(x, AddScalar(Reshape(c, 2, 1, 1), 0.5))
	}}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		x := tensors.FromValue([][][]float64{{{1}, {2}}, {{3}, {-1}}})
		mask, weight := tensors.FromValue([][]float64{{1, 1}, {1, 0}}), tensors.FromValue([]float64{2, 1})
		c := tensors.FromValue([][]float64{{10}, {20}})
		for _, of := range []loss.Loss{loss.FM{Field: f}, loss.Denoising{Field: f, Schedule: schedule.VP{}}, loss.Interpolant{Field: f}} {
			value := func(l loss.Loss, inModel bool) []float64 {
				store := model.NewStore()
				if err := store.SetRNGStateFromSeed(1); err != nil {
					t.Fatal(err)
				}
				out, err := model.CallOnce(backend, store, func(scope *model.Scope, in []*Node) *Node {
					b := loss.Batch{X: in[0], Mask: in[1], Weight: in[2], Context: in[3]}
					if inModel {
						b.X, b.Context = Log(Max(b.X, ConstAs(b.X, 0.1))), DivScalar(SubScalar(b.Context, 15), 5)
					}
					return l.Loss(scope, b)
				}, x, mask, weight, c)
				return gomlxtest.Floats(t, out, err)
			}
			transformed := loss.Transformed{Of: of, Transform: transform.Logarithm{}, ContextTransform: standard}
			gomlxtest.Near(t, transformed.String(), value(transformed, false), value(of, true), 1e-9)
		}
	})
}

// What makes no sense in a transformed loss panics with words.
func TestBadTransformed(t *testing.T) {
	backend := gomlxtest.Go(t)
	for _, c := range []struct {
		of   loss.Loss
		want string
	}{
		{nil, "Of is nil"},
		{loss.NLL{Flow: nami.FlowMatching{}}, "give the transforms to its Flow instead"},
		{loss.Transformed{Of: loss.FM{}}, "chain the transforms by transform.Chain"},
	} {
		_, err := model.CallOnce(backend, model.NewStore(), func(scope *model.Scope, in []*Node) *Node {
			return loss.Transformed{Of: c.of}.Loss(scope, loss.Batch{X: in[0]})
		}, tensors.FromValue([][]float64{{1}}))
		gomlxtest.Says(t, c.want, err, c.want)
	}
}
