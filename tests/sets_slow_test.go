//go:build slow

package tests

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Networks on sets learn what the objects of an event have in common, with 1 to 4 of them: an
// object is N(0, 0.3²) around a centre for each event, which is standard normal. The velocity of the
// straight path is known: with n objects their sum over √n has the variance n + 0.09, and what is
// orthogonal to it 0.09 in each direction.
func TestTrainSets(t *testing.T) {
	t.Run("DeepSet", func(t *testing.T) {
		trainSet(t, field.DeepSet{EventShape: []int{objects, 1}, Width: 32, Layers: 2}, 1000)
	})
	t.Run("Transformer", func(t *testing.T) {
		trainSet(t, field.Transformer{EventShape: []int{objects, 1}, Width: 32, Blocks: 2, Heads: 2}, 400)
	})
}

const objects = 4 // of an event, at most

func trainSet(t *testing.T, f field.Field, steps int) {
	t.Helper()
	const events, spread = 8192, 0.3
	draw := rand.New(rand.NewPCG(1, 2))
	x, mask := make([]float32, events*objects), make([]float32, events*objects)
	for e := range events {
		centre := draw.NormFloat64()
		for i := range 1 + e%objects {
			x[e*objects+i], mask[e*objects+i] = float32(centre+spread*draw.NormFloat64()), 1
		}
	}
	// velocity is that of a normal number with that variance, at x and t.
	velocity := func(x, t, variance float64) float64 {
		return (t - (1-t)*variance) / ((1-t)*(1-t)*variance + t*t) * x
	}
	onBackends(t, func(t *testing.T, backend compute.Backend) {
		store := model.NewStore()
		set := data.Events{X: tensors.FromFlatDataAndDimensions(x, events, objects, 1), Mask: tensors.FromFlatDataAndDimensions(mask, events, objects)}
		if _, err := train.Fit(t.Context(), backend, store, loss.FM{Field: f}, set, train.Steps(steps), train.BatchSize(256), train.Seed(1)); err != nil {
			t.Fatal(err)
		}
		// Typical points of the path, at some times: an event for each number of objects.
		for _, at := range []float64{0.2, 0.5, 0.8} {
			points, masks, want := []float32{}, []float32{}, []float64{}
			for n := 1; n <= objects; n++ {
				var event []float64
				sum := 0.0
				for i := range n {
					v := math.Hypot((1-at)*spread, at)*(float64(i)-0.4) + (1-at)*0.8
					event, sum = append(event, v), sum+v
				}
				for i := range objects {
					if i >= n {
						points, masks, want = append(points, 0), append(masks, 0), append(want, 0)
						continue
					}
					mean := sum / float64(n)
					points, masks = append(points, float32(event[i])), append(masks, 1)
					want = append(want, velocity(mean, at, float64(n)+spread*spread)+velocity(event[i]-mean, at, spread*spread))
				}
			}
			out, err := model.CallOnce(backend, store, func(scope *model.Scope, x, mask *Node) *Node {
				return field.Call(field.Masked(f, mask), scope, x, ConstAs(x, at), nil)
			}, tensors.FromFlatDataAndDimensions(points, objects, objects, 1), tensors.FromFlatDataAndDimensions(masks, objects, objects))
			if err != nil {
				t.Fatal(err)
			}
			square, size := 0.0, 0.0
			for i, v := range toFloats(out) {
				square += (v - want[i]) * (v - want[i])
				size += want[i] * want[i]
			}
			t.Logf("t = %v: the error is %.3f of the velocity", at, math.Sqrt(square/size))
			if !(math.Sqrt(square/size) < 0.2) {
				t.Errorf("t = %v: the root mean square error is %.3f of that of the velocity: expected less than 0.2", at, math.Sqrt(square/size))
			}
		}
	})
}
