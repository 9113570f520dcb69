package schedule_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// network is a known function of its event and its time, to be preconditioned.
var network = field.Func{Rank: 1, F: func(_ *model.Scope, x, t, _ *Node) *Node {
	return Add(Sin(x), shape.Lift(t, x))
}}

// With EDM's schedule, the denoiser and its weight are those of table 1 of Karras et al. 2022.
func TestPreconditionedTable(t *testing.T) {
	const s = 0.5
	f := schedule.Preconditioned{Field: network, Schedule: schedule.EDM{}, DataStd: s}
	times, events := []float64{0, 0.3, 0.6, 1}, [][]float64{{0.4, -1}, {2, 0.1}, {-3, 5}, {60, -90}}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		out, err := model.CallOnceN(backend, model.NewStore(), func(scope *model.Scope, x, t *Node) []*Node {
			return []*Node{field.Call(f, scope, x, t, nil), f.Weight(t)}
		}, events, times)
		if err != nil {
			t.Fatal(err)
		}
		var denoised, weights []float64
		for i, at := range times {
			low, high := math.Pow(0.002, 1./7), math.Pow(80, 1./7)
			sigma := math.Pow(low+at*(high-low), 7)
			norm := math.Hypot(sigma, s)
			for _, x := range events[i] {
				network := math.Sin(x/norm) + math.Log(sigma)/4
				denoised = append(denoised, s*s/(norm*norm)*x+sigma*s/norm*network)
			}
			weights = append(weights, (sigma*sigma+s*s)/(sigma*s*sigma*s))
		}
		gomlxtest.Near(t, "the denoiser", tensors.MustCopyFlatData[float64](out[0]), denoised, 1e-9)
		for i, w := range tensors.MustCopyFlatData[float64](out[1]) {
			gomlxtest.Close(t, fmt.Sprintf("the weight at t = %v, over table 1's", times[i]), w/weights[i], 1, 1e-9)
		}
	})
}

// With every schedule, the network's input and its target have unit variance where the data
// have the deviation DataStd, whatever the time; and the weight makes the network's error count
// once: weight·(D - x0)² = (F - target)². All three in closed form, of x0 = s·a and noise b.
func TestPreconditionedUnitVariance(t *testing.T) {
	const s = 0.7
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for name, of := range map[string]schedule.Schedule{
			"VP": schedule.VP{}, "VE": schedule.VE{}, "EDM": schedule.EDM{}, "Cosine": schedule.Cosine{}, "Linear": schedule.Linear{},
		} {
			var seen *Node
			f := schedule.Preconditioned{Schedule: of, DataStd: s, Field: field.Func{Rank: 1, F: func(_ *model.Scope, x, _, _ *Node) *Node {
				seen = x
				return ZerosLike(x)
			}}}
			out, err := model.CallOnceN(backend, model.NewStore(), func(scope *model.Scope, t *Node) []*Node {
				alpha, sigma := shape.Lift(of.Alpha(t), InsertAxes(t, -1)), shape.Lift(of.Sigma(t), InsertAxes(t, -1))
				var input, target *Node
				// Data and noise are independent: a variance is the sum of the squares of what
				// one of each alone does, as all is linear in them.
				for _, unit := range []struct{ data, noise float64 }{{s, 0}, {0, 1}} {
					x := Add(MulScalar(alpha, unit.data), MulScalar(sigma, unit.noise))
					d := field.Call(f, scope, x, t, nil) // c_skip·x, as F is 0
					error := AddScalar(d, -unit.data)
					weighted := Mul(Square(error), InsertAxes(f.Weight(t), -1))
					if input == nil {
						input, target = Square(seen), weighted
					} else {
						input, target = Add(input, Square(seen)), Add(target, weighted)
					}
				}
				return []*Node{input, target}
			}, []float64{0.02, 0.2, 0.5, 0.8, 0.97})
			if err != nil {
				t.Fatal(err)
			}
			for i, what := range []string{"the variance of the input", "the variance of the target"} {
				for _, v := range tensors.MustCopyFlatData[float64](out[i]) {
					gomlxtest.Close(t, name+": "+what, v, 1, 1e-6)
				}
			}
		}
	})
}

// A preconditioned network is a field wherever its schedule has an end of time without noise or
// without signal.
func TestPreconditionedIsAField(t *testing.T) {
	mlp := field.MLP{EventShape: []int{2}, Hidden: []int{4}, ContextDim: 1}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, of := range []schedule.Schedule{schedule.EDM{}, schedule.Cosine{}} {
			f := schedule.Preconditioned{Field: mlp, Schedule: of}
			if err := field.Check(backend, f, []int{2}, []int{1}); err != nil {
				t.Errorf("%v: %v", f, err)
			}
		}
	})
	for want, f := range map[string]schedule.Preconditioned{
		"the field is nil":    {Schedule: schedule.EDM{}},
		"the schedule is nil": {Field: mlp},
		"DataStd is -1":       {Field: mlp, Schedule: schedule.EDM{}, DataStd: -1},
		"DataStd is NaN":      {Field: mlp, Schedule: schedule.EDM{}, DataStd: math.NaN()},
	} {
		gomlxtest.Says(t, want, field.Validate(f), want)
	}
}
