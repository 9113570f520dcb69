package schedule_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/tests/backends"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// gaussian is the perfect field for data N(mean, std²) in each value: events are vectors.
func gaussian(s schedule.Schedule, p schedule.Prediction, mean, std float64) field.Field {
	return field.Func{Rank: 1, F: func(_ *model.Scope, x, t, _ *Node) *Node {
		alpha, sigma := shape.Lift(s.Alpha(t), x), shape.Lift(s.Sigma(t), x)
		variance := Add(MulScalar(Square(alpha), std*std), Square(sigma))
		away := Div(Sub(x, MulScalar(alpha, mean)), variance) // minus the score
		x0 := AddScalar(MulScalar(Mul(alpha, away), std*std), mean)
		eps := Mul(sigma, away)
		switch p {
		case schedule.Eps:
			return eps
		case schedule.Score:
			return Neg(away)
		case schedule.X0:
			return x0
		case schedule.V:
			return Sub(Mul(alpha, eps), Mul(sigma, x0))
		default:
			alphaDot, sigmaDot := schedule.AlphaDot(s, t), schedule.SigmaDot(s, t)
			return Add(Mul(shape.Lift(alphaDot, x), x0), Mul(shape.Lift(sigmaDot, x), eps))
		}
	}}
}

// A field that was trained with one schedule samples with another: following its velocity
// from noise to data maps every point as the closed form says, so that the marginal ends
// as the data's.
func TestRescheduledSamples(t *testing.T) {
	const mean, std, steps = 0.7, 0.6, 200
	// VP doesn't reach the noise that Linear begins with, nor does EDM reach Cosine's
	// data; what ends short of t=0 does so as the slope there is infinite.
	for _, c := range []struct {
		p        schedule.Prediction
		from, to schedule.Schedule
		begin    float64
		end      float64
	}{
		{schedule.Eps, schedule.VP{}, schedule.Linear{}, 1, 0},
		{schedule.V, schedule.VP{}, schedule.EDM{}, 1, 0},
		{schedule.X0, schedule.EDM{SigmaMin: 1e-4, SigmaMax: 1000, Rho: 7}, schedule.Cosine{}, 1, 1e-3},
		{schedule.Velocity, schedule.Linear{}, schedule.VP{}, 1, 1e-3},
		{schedule.Score, schedule.Cosine{}, schedule.VE{}, 1, 0},
		{schedule.Eps, bare{schedule.VP{}}, schedule.Linear{}, 1, 0},
	} {
		t.Run(fmt.Sprintf("%v to %v by %v", c.from, c.to, c.p), func(t *testing.T) {
			gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
				f := schedule.Rescheduled{
					Field: gaussian(c.from, c.p, mean, std),
					From:  c.from, Prediction: c.p, To: c.to, As: schedule.Velocity,
				}
				velocity, err := model.NewExec(backend, model.NewStore(), func(scope *model.Scope, x, t *Node) *Node {
					return field.Call(f, scope, x, t, nil)
				})
				if err != nil {
					t.Fatal(err)
				}
				start, end := exactMix(c.to, c.begin), exactMix(c.to, c.end)
				spread := func(m mix) float64 { return math.Hypot(m.alpha*std, m.sigma) }
				var x, want []float64
				for _, z := range []float64{-3, -1, 0, 0.5, 2} {
					x = append(x, start.alpha*mean+spread(start)*z)
					want = append(want, end.alpha*mean+spread(end)*z)
				}
				got := integrate(t, velocity, x, c.begin, c.end, steps)
				compare(t, "the end of the flow", got, want, 2e-4)
			})
		})
	}
}

// integrate follows a velocity by the classical Runge–Kutta method, driven from here.
func integrate(t *testing.T, velocity *model.Exec, x []float64, t0, t1 float64, steps int) []float64 {
	t.Helper()
	slope := func(x []float64, at float64) []float64 {
		out, err := velocity.Call([][]float64{x}, at)
		if err != nil {
			t.Fatal(err)
		}
		return tensors.MustCopyFlatData[float64](out[0])
	}
	add := func(x []float64, h float64, v []float64) []float64 {
		y := make([]float64, len(x))
		for i := range x {
			y[i] = x[i] + h*v[i]
		}
		return y
	}
	h := (t1 - t0) / float64(steps)
	for i := range steps {
		at, next := t0+(t1-t0)*float64(i)/float64(steps), t0+(t1-t0)*float64(i+1)/float64(steps)
		a := slope(x, at)
		b := slope(add(x, h/2, a), (at+next)/2)
		c := slope(add(x, h/2, b), (at+next)/2)
		d := slope(add(x, h, c), next)
		x = add(add(add(add(x, h/6, a), h/3, b), h/3, c), h/6, d)
	}
	return x
}

// To the schedule it was trained with, a rescheduled field is itself; and a perfect field
// of one schedule becomes the perfect field of the other, for a time for each event.
func TestRescheduledIsExact(t *testing.T) {
	const mean, std = -0.3, 1.7
	times := []float64{0.05, 0.3, 0.6, 0.9}
	x := [][]float64{{-1, 0, 2}, {0.4, 1, -2}, {3, -0.7, 1}, {0, 1.5, -3}}
	from, to := schedule.VP{}, schedule.VE{SigmaMin: 0.02, SigmaMax: 20}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		predictions := predictions
		if backends.Few(backend) { // the rest is as quick to say, and slow to compile
			predictions = []schedule.Prediction{schedule.Eps, schedule.Velocity}
		}
		for _, dtype := range bothDTypes {
			out, err := model.CallOnceN(backend, model.NewStore(), func(scope *model.Scope, x, at *Node) (out []*Node) {
				x, at = ConvertDType(x, dtype), ConvertDType(at, dtype)
				for _, p := range predictions {
					f := gaussian(from, p, mean, std)
					same := schedule.Rescheduled{Field: f, From: from, Prediction: p, To: from, As: p}
					other := schedule.Rescheduled{Field: f, From: from, Prediction: p, To: to, As: p}
					for _, pair := range [][2]field.Field{{same, f}, {other, gaussian(to, p, mean, std)}} {
						out = append(out, field.Call(pair[0], scope, x, at, nil), field.Call(pair[1], scope, x, at, nil))
					}
				}
				for i := range out {
					out[i] = ConvertDType(out[i], bothDTypes[1])
				}
				return out
			}, x, times)
			if err != nil {
				t.Fatal(err)
			}
			tol := map[string]float64{"Float32": 2e-3, "Float64": 1e-9}[dtype.String()] // the velocity of VE has rate 7
			for i, p := range predictions {
				for k, what := range []string{"to its own schedule", "to another"} {
					got, want := out[4*i+2*k], out[4*i+2*k+1]
					compare(t, fmt.Sprint(dtype, " ", p, " ", what), tensors.MustCopyFlatData[float64](got), tensors.MustCopyFlatData[float64](want), tol)
				}
			}
		}
	})
}

// A rescheduled field is differentiable, as its divergence needs: the velocity for a
// Gaussian is linear in x, and its slope that of the perfect field.
func TestRescheduledGradient(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, from := range []schedule.Schedule{schedule.VP{}, schedule.Cosine{}, bare{schedule.Cosine{}}} {
			f := schedule.Rescheduled{
				Field: gaussian(from, schedule.Eps, 0.7, 0.6), From: from,
				To: schedule.EDM{}, As: schedule.Velocity,
			}
			want := gaussian(schedule.EDM{}, schedule.Velocity, 0.7, 0.6)
			out, err := model.CallOnceN(backend, model.NewStore(), func(scope *model.Scope, x, t *Node) []*Node {
				slope := func(f field.Field) *Node { return Gradient(ReduceAllSum(field.Call(f, scope, x, t, nil)), x)[0] }
				return []*Node{slope(f), slope(want)}
			}, [][]float64{{1, -2}, {0, 3}, {1, 1}}, []float64{0.1, 0.4, 0.8})
			if err != nil {
				t.Fatal(err)
			}
			compare(t, fmt.Sprint(from), tensors.MustCopyFlatData[float64](out[0]), tensors.MustCopyFlatData[float64](out[1]), 1e-6)
		}
	})
}

// A wrapped field sees the same context and variables as alone.
func TestWrappersPassContextAndScope(t *testing.T) {
	mlp := field.MLP{EventShape: []int{2, 3}, Hidden: []int{4}, ContextDim: 2}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		store := model.NewStore()
		out, err := model.CallOnceN(backend, store, func(scope *model.Scope, x, at, c *Node) []*Node {
			converted := schedule.Converted{Field: mlp, Schedule: schedule.Cosine{}, From: schedule.Eps, To: schedule.X0}
			rescheduled := schedule.Rescheduled{Field: mlp, From: schedule.Cosine{}, To: schedule.Cosine{}}
			alone := field.Call(mlp, scope, x, at, c)
			return []*Node{
				schedule.Convert(schedule.Cosine{}, schedule.Eps, schedule.X0, alone, x, at), field.Call(converted, scope, x, at, c),
				alone, field.Call(rescheduled, scope, x, at, c),
			}
		}, [][][]float32{{{1, 2, 3}, {4, 5, 6}}, {{-1, 2, 0}, {0.5, 1, 1}}}, []float32{0.2, 0.7}, [][]float32{{1, 0}, {0, 2}})
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(out); i += 2 {
			if !out[i].InDelta(out[i+1], 1e-4) {
				t.Errorf("wrapped, the field is %v, expected %v", out[i+1], out[i])
			}
		}
		for v := range store.IterVariables() {
			if !strings.HasPrefix(v.Path(), "/mlp/") && v.Path() != "/"+model.RNGStateVariableName {
				t.Errorf("there is a variable %s", v.Path())
			}
		}
	})
}

func TestWrapperMisuse(t *testing.T) {
	f := gaussian(schedule.VP{}, schedule.Eps, 0, 1)
	for want, wrapper := range map[string]field.Field{
		"Prediction(9) isn't a prediction": schedule.Rescheduled{Field: f, From: schedule.VP{}, Prediction: 9, To: schedule.VE{}},
		"Prediction(6) isn't a prediction": schedule.Rescheduled{Field: f, From: schedule.VP{}, To: schedule.VE{}, As: 6},
		"the schedule is nil":              schedule.Rescheduled{Field: f, From: schedule.VP{}},
		"SigmaMin is 5 and SigmaMax 0":     schedule.Rescheduled{Field: f, From: schedule.VE{SigmaMin: 5}, To: schedule.VP{}},
		"Prediction(8) isn't a prediction": schedule.Converted{Field: f, Schedule: schedule.VP{}, From: schedule.Eps, To: 8},
		"the field is nil":                 schedule.Converted{Schedule: schedule.VP{}, To: schedule.X0},
		"the field is nil: give":           schedule.Rescheduled{From: schedule.VP{}, To: schedule.VP{}},
		"BetaMin is 5 and BetaMax 0":       schedule.Converted{Field: f, Schedule: schedule.VP{BetaMin: 5}, To: schedule.X0},
	} {
		_, err := model.CallOnce(gomlxtest.Go(t), model.NewStore(), func(scope *model.Scope, x, at *Node) *Node {
			return field.Call(wrapper, scope, x, at, nil)
		}, [][]float64{{1, 2}}, 0.5)
		gomlxtest.Says(t, fmt.Sprint(wrapper), err, want)
		err = field.Validate(wrapper)
		gomlxtest.Says(t, fmt.Sprint("Validate of ", wrapper), err, want)
	}
}

func TestStrings(t *testing.T) {
	converted := schedule.Converted{Field: field.MLP{EventShape: []int{2}}, Schedule: schedule.VP{}, To: schedule.Velocity}
	for _, c := range []struct{ got, want string }{
		{fmt.Sprint(schedule.VP{}), "VP{0.1, 20}"},
		{fmt.Sprint(schedule.EDM{}), "EDM{0.002, 80, 7}"},
		{fmt.Sprint(converted), "VP{0.1, 20}, eps to velocity}"},
		{fmt.Sprint(schedule.Rescheduled{Field: converted, From: schedule.VP{}, To: schedule.Linear{}}), "VP{0.1, 20} eps to Linear eps}"},
		{schedule.Prediction(7).String(), "Prediction(7)"},
	} {
		if !strings.HasSuffix(c.got, c.want) {
			t.Errorf("got %s, expected it to end in %s", c.got, c.want)
		}
	}
}
