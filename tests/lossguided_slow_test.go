//go:build slow

package tests

import (
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/path"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/stat"
)

// A flow that was trained on a normal law of two values, with a covariance of 0.8, is led to what
// one of them was measured as: 1.5 with noise of 0.3. The exact posterior has the means 1.376 and
// 1.101 and the deviations 0.287 and 0.643; 4,000 samples are within 0.1 of them, of which 0.05
// is what pure noise isn't led by (LossGuided.Level), and 0.03 five standard errors.
func TestLedToAMeasurement(t *testing.T) {
	onBackends(t, func(t *testing.T, backend compute.Backend) {
		const n, drawn, y, noise = 10_000, 4000, 1.5, 0.3
		x := tensors.MustCopyFlatData[float32](random(1, n, 2))
		for i := 0; i < len(x); i += 2 {
			x[i+1] = 0.8*x[i] + 0.6*x[i+1]
		}
		velocity, store := field.Residual{EventShape: []int{2}}, model.NewStore()
		if _, err := train.Fit(t.Context(), backend, store, loss.FM{Field: velocity}, data.Events{X: tensors.FromFlatDataAndDimensions(x, n, 2)},
			train.Steps(1500), train.BatchSize(256), train.Seed(1)); err != nil {
			t.Fatal(err)
		}
		measured := schedule.LossGuided{Field: velocity, Schedule: schedule.Linear{}, Prediction: schedule.Velocity, Loss: func(x0, t, _ *Node) *Node {
			left := Div(Square(t), Add(Square(t), Square(OneMinus(t)))) // of the first value's variance
			first := Squeeze(SliceAxis(x0, -1, AxisRange(0, 1)), -1)
			return Div(Square(AddScalar(first, -y)), MulScalar(AddScalar(left, noise*noise), 2))
		}}
		flow := nami.FlowMatching{Field: measured, Base: distribution.NewStandardNormal(2), Path: path.Linear{}, Solver: solver.Heun(20)}
		process, err := flow.Bind(backend, store, nil, nami.Seed(3))
		if err != nil {
			t.Fatal(err)
		}
		samples, err := process.Sample(t.Context(), drawn)
		if err != nil {
			t.Fatal(err)
		}
		flat := toFloats(samples)
		for value, want := range [][2]float64{{1.376, 0.287}, {1.101, 0.643}} {
			var column []float64
			for i := value; i < len(flat); i += 2 {
				column = append(column, flat[i])
			}
			mean, deviation := stat.MeanStdDev(column, nil)
			t.Logf("value %d: mean %.3f, deviation %.3f", value, mean, deviation)
			if !(mean > want[0]-0.1 && mean < want[0]+0.1 && deviation > want[1]-0.1 && deviation < want[1]+0.1) {
				t.Errorf("value %d has mean %.3f and deviation %.3f, expected %.3f and %.3f", value, mean, deviation, want[0], want[1])
			}
		}
	})
}
