package loss_test

import (
	"fmt"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/shape"
)

// A denoising loss is least at what the field should predict, and zero where the data
// leave no doubt.
func TestDenoising(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for name, s := range map[string]schedule.Schedule{"VP": schedule.VP{}, "EDM": schedule.EDM{}} {
			computation, err := nami.NewComputation(backend, nil, func(scope *model.Scope, in []*Node) []*Node {
				x, eps, at := in[0], in[1], in[2]
				alpha, sigma := shape.Lift(s.Alpha(at), x), shape.Lift(s.Sigma(at), x)
				var out []*Node
				for _, p := range []schedule.Prediction{schedule.Eps, schedule.Score, schedule.X0, schedule.V, schedule.Velocity} {
					// The truth, and the truth but for an error of 2 in units of what the
					// prediction's loss counts.
					truth := schedule.Convert(s, schedule.Eps, p, eps, Add(Mul(alpha, x), Mul(sigma, eps)), at)
					off := ConstAs(x, 2)
					if p == schedule.Score {
						off = Div(off, sigma)
					}
					for _, value := range []*Node{truth, Add(truth, off)} {
						f := field.Func{Rank: 1, F: func(_ *model.Scope, x, _, _ *Node) *Node { return value }}
						out = append(out, loss.Denoising{Field: f, Prediction: p, Schedule: s}.PerEvent(scope, loss.Batch{X: x, Source: eps}, at))
					}
				}
				return out
			})
			if err != nil {
				t.Fatal(err)
			}
			out, err := computation.Call(
				tensors.FromFlatDataAndDimensions([]float64{1, 2, -1, 0.5}, 2, 2), tensors.FromFlatDataAndDimensions([]float64{0.2, -1, 0.4, 2}, 2, 2), tensors.FromFlatDataAndDimensions([]float64{0.3, 0.9}, 2))
			if err != nil {
				t.Fatal(err)
			}
			for i := range out {
				want := 4 * float64(i%2)
				gomlxtest.Near(t, fmt.Sprintf("%s, loss %d", name, i), gomlxtest.Floats(t, out[i], nil), []float64{want, want}, 1e-6)
			}
		}
	})
}
