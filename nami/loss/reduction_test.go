package loss_test

import (
	"math"
	"testing"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/schedule"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Losses that draw their own noise and times have the expectation that a field of zeros
// must give, at data of twos: 2² + 1 for a velocity, 1 for noise, within 5 standard errors
// of 8,000 normal numbers (a false alarm in two million seeds each, and the seed is fixed).
// Sum is Mean times the number of events, from the same random state.
func TestReductions(t *testing.T) {
	const n = 2000 // events of two objects with two values
	zero := field.Func{Rank: 2, F: func(_ *model.Scope, x, _, _ *Node) *Node { return ZerosLike(x) }}
	velocity, eps := [2]float64{5, math.Sqrt(18)}, [2]float64{1, math.Sqrt2} // expectation, standard deviation
	losses := map[string]struct {
		build func(r loss.Reduction, scope *model.Scope, x *Node) *Node
		want  [2]float64
	}{
		"FM": {func(r loss.Reduction, scope *model.Scope, x *Node) *Node {
			return loss.FM{Field: zero, Reduction: r}.Loss(scope, loss.Batch{X: x})
		}, velocity},
		"FM with a source": {func(r loss.Reduction, scope *model.Scope, x *Node) *Node {
			return loss.FM{Field: zero, Reduction: r}.Loss(scope, loss.Batch{X: x, Source: ZerosLike(x)})
		}, [2]float64{4, 1e-3}},
		"Interpolant": {func(r loss.Reduction, scope *model.Scope, x *Node) *Node {
			return loss.Interpolant{Field: zero, Reduction: r}.Loss(scope, loss.Batch{X: x})
		}, velocity},
		"Denoising": {func(r loss.Reduction, scope *model.Scope, x *Node) *Node {
			return loss.Denoising{Field: zero, Schedule: schedule.VP{}, Reduction: r}.Loss(scope, loss.Batch{X: x})
		}, eps},
		"FM with a mask": {func(r loss.Reduction, scope *model.Scope, x *Node) *Node {
			first := OneMinus(Iota(x.Graph(), ReduceMax(x, -1).Shape(), -1)) // the second object is padding
			return loss.FM{Field: zero, Reduction: r}.Loss(scope, loss.Batch{X: x, Mask: first})
		}, [2]float64{5, 6}},
	}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		twos := tensors.FromScalarAndDimensions(float32(2), n, 2, 2)
		for name, l := range losses {
			reduced := func(r loss.Reduction) float64 {
				store := model.NewStore()
				if err := store.SetRNGStateFromSeed(17); err != nil {
					t.Fatal(err)
				}
				out, err := model.CallOnce(backend, store, func(scope *model.Scope, x *Node) *Node { return l.build(r, scope, x) }, twos)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				return gomlxtest.Floats(t, out, nil)[0]
			}
			mean, sum := reduced(loss.Mean), reduced(loss.Sum)
			if math.Abs(sum-n*mean) > 1e-4*sum {
				t.Errorf("%s: the sum is %v, the mean %v over %d events", name, sum, mean, n)
			}
			if math.Abs(mean-l.want[0]) > 5*l.want[1]/math.Sqrt(4*n) {
				t.Errorf("%s: the mean is %v, expected %v ± %.2g", name, mean, l.want[0], l.want[1]/math.Sqrt(4*n))
			}
		}
	})
}
