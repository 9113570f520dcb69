package schedule_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/tests/backends"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// A Gaussian that is measured, y = x0 + noise, is the Gaussian that Bayes' theorem has, and its
// perfect field is the first one's guided by -log p(y|x, t), in each schedule and prediction.
func TestLossGuidedIsPosterior(t *testing.T) {
	const mean, std, y, noise = -0.3, 1.7, 1.2, 0.5
	variance := 1 / (1/(std*std) + 1/(noise*noise))
	posterior := variance * (mean/(std*std) + y/(noise*noise))
	times := []float64{0.02, 0.3, 0.6, 0.95}
	x := [][]float64{{-1, 0, 2}, {0.4, 1, -2}, {3, -0.7, 1}, {0, 1.5, -3}}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		turn := 0
		for _, s := range all {
			out, err := model.CallOnceN(backend, model.NewStore(), func(scope *model.Scope, x, at *Node) (out []*Node) {
				for _, p := range predictions {
					if turn++; backends.Few(backend) && !backends.Runs(turn) {
						continue
					}
					f := schedule.LossGuided{Field: gaussian(s, p, mean, std), Schedule: s, Prediction: p, Level: 1e12, Loss: func(x0, t, _ *Node) *Node {
						alpha, sigma := s.Alpha(t), s.Sigma(t)
						left := Div(MulScalar(Square(sigma), std*std), Add(MulScalar(Square(alpha), std*std), Square(sigma)))
						squares := ReduceSum(Square(AddScalar(x0, -y)), -1)
						return Div(squares, MulScalar(AddScalar(left, noise*noise), 2))
					}}
					exact := gaussian(s, p, posterior, math.Sqrt(variance))
					out = append(out, field.Call(f, scope, x, at, nil), field.Call(exact, scope, x, at, nil))
				}
				return append(out, at)
			}, x, times)
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i+1 < len(out); i += 2 {
				gomlxtest.Near(t, fmt.Sprintf("%v, number %d", s, i/2), gomlxtest.Floats(t, out[i], nil), gomlxtest.Floats(t, out[i+1], nil), 1e-6)
			}
		}
	})
}

// A context that is the loss's alone is a measurement of each event, which a network without
// contexts isn't given: every event is led to its own.
func TestLossContext(t *testing.T) {
	s, network := schedule.Linear{}, field.MLP{EventShape: []int{1}, Hidden: []int{4}}
	squares := func(x0, y *Node) *Node { return MulScalar(ReduceSum(Square(Sub(x0, y)), -1), 0.5) }
	x, times, y := [][]float64{{-1}, {0.5}}, []float64{0.3, 0.7}, [][]float64{{2}, {-3}}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		out, err := model.CallOnceN(backend, model.NewStore(), func(scope *model.Scope, x, at, y *Node) (out []*Node) {
			together := schedule.LossGuided{
				Field: network, Schedule: s, Prediction: schedule.Velocity, LossContext: true,
				Loss: func(x0, _, c *Node) *Node { return squares(x0, c) },
			}
			out = append(out, field.Call(together, scope, x, at, y))
			for i := range 2 {
				alone := together
				alone.LossContext = false
				alone.Loss = func(x0, _, c *Node) *Node {
					if c != nil {
						panic("there is a context")
					}
					return squares(x0, Slice(y, AxisElem(i)))
				}
				out = append(out, Slice(field.Call(alone, scope, x, at, nil), AxisElem(i)))
			}
			return out
		}, x, times, y)
		if err != nil {
			t.Fatal(err)
		}
		want := append(gomlxtest.Floats(t, out[1], nil), gomlxtest.Floats(t, out[2], nil)...)
		gomlxtest.Near(t, "both measurements", gomlxtest.Floats(t, out[0], nil), want, 1e-6)
	})
}

// Above a noise level of 20, or what Level says, samples are led less, in proportion to its
// inverse: here the predicted data are moved by -(σ²/α)·∇L without a limit.
func TestLossGuidedFades(t *testing.T) {
	s := schedule.Linear{} // σ/α is t/(1-t)
	f := schedule.LossGuided{Field: gaussian(s, schedule.X0, 0, 1), Schedule: s, Prediction: schedule.X0, Loss: func(x0, _, _ *Node) *Node { return ReduceSum(x0, -1) }}
	times := []float64{0.5, 10. / 11, 0.95, 80. / 81, 1}
	moved := func(level float64) []float64 {
		f.Level = level
		out, err := model.CallOnce(gomlxtest.Go(t), model.NewStore(), func(scope *model.Scope, at *Node) *Node {
			x := InsertAxes(OnesLike(at), -1)
			return Sub(field.Call(f, scope, x, at, nil), field.Call(f.Field, scope, x, at, nil))
		}, times)
		return gomlxtest.Floats(t, out, err)
	}
	whole, usual, low := moved(1e12), moved(0), moved(10)
	for i, at := range times[:4] {
		u := at / (1 - at)
		gomlxtest.Near(t, "usual", usual[i:i+1], []float64{whole[i] * min(1, 20/u)}, 1e-9)
		gomlxtest.Near(t, "low", low[i:i+1], []float64{whole[i] * min(1, 10/u)}, 1e-9)
	}
	if v := usual[4]; math.IsNaN(v) || math.Abs(v) > 1 {
		t.Errorf("in pure noise the data are moved by %v", v)
	}
}

func TestBadLossGuided(t *testing.T) {
	good := schedule.LossGuided{Field: gaussian(schedule.VP{}, schedule.Eps, 0, 1), Schedule: schedule.VP{}, Prediction: schedule.Eps, Loss: func(x0, _, _ *Node) *Node { return ReduceSum(x0, -1) }}
	for want, spoil := range map[string]func(f *schedule.LossGuided){
		"Loss is nil":      func(f *schedule.LossGuided) { f.Loss = nil },
		"Scale is -1":      func(f *schedule.LossGuided) { f.Scale = -1 },
		"Level is -1":      func(f *schedule.LossGuided) { f.Level = -1 },
		"the field is nil": func(f *schedule.LossGuided) { f.Field = nil },
		"schedule":         func(f *schedule.LossGuided) { f.Schedule = nil },
	} {
		f := good
		spoil(&f)
		gomlxtest.Says(t, want, field.Validate(f), want)
	}
	_, err := model.CallOnce(gomlxtest.Go(t), model.NewStore(), func(scope *model.Scope, x *Node) *Node {
		f := good
		f.Loss = func(x0, _, _ *Node) *Node { return ReduceAllSum(x0) }
		return field.Call(f, scope, x, ConstAs(x, 0.5), nil)
	}, [][]float64{{1, 2}})
	gomlxtest.Says(t, "one loss for all", err, "it must have one value for each event, of the same dtype: shape (1)")
}
