package schedule_test

import (
	"fmt"
	"testing"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/schedule"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Guidance means the same for whatever is predicted: a prediction of another kind is guided as
// the first is and then converted.
func TestGuidanceOfEveryPrediction(t *testing.T) {
	eps := field.Func{Rank: 1, F: func(_ *model.Scope, x, _, c *Node) *Node { return Sin(Add(MulScalar(x, 2), c)) }}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, s := range []schedule.Schedule{schedule.VP{}, schedule.EDM{}, schedule.Linear{}} {
			var kinds []schedule.Prediction
			out, err := model.CallOnceN(backend, model.NewStore(), func(scope *model.Scope, x, t, c *Node) (out []*Node) {
				for _, kind := range []schedule.Prediction{schedule.Score, schedule.X0, schedule.V, schedule.Velocity} {
					kinds = append(kinds, kind)
					to := func(f field.Field) field.Field {
						return schedule.Converted{Field: f, Schedule: s, From: schedule.Eps, To: kind}
					}
					guided := func(f field.Field) field.Field { return field.Guided{Field: f, Scale: 3, From: 0.2} }
					out = append(out, field.Call(guided(to(eps)), scope, x, t, c), field.Call(to(guided(eps)), scope, x, t, c))
				}
				return out
			}, [][]float64{{0.3, -1}, {2, 0.5}, {-1, 1}}, []float64{0.1, 0.4, 0.7}, [][]float64{{1, 0}, {0.5, 2}, {-1, 1}})
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i < len(out); i += 2 {
				gomlxtest.Near(t, fmt.Sprintf("%v of %v", kinds[i/2], s), tensors.MustCopyFlatData[float64](out[i]), tensors.MustCopyFlatData[float64](out[i+1]), 1e-9)
			}
		}
	})
}
