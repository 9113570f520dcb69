package schedule_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/tests/backends"
	"github.com/nami-flow/go-nami/tests/property"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"pgregory.net/rapid"
)

// on returns the schedules to try on a backend. XLA takes seconds to compile them all, and
// the few differ from the rest in the formulas of TestEnds only.
func on(backend compute.Backend) []schedule.Schedule {
	if !backends.Few(backend) {
		return slices.Clone(all)
	}
	return []schedule.Schedule{schedule.VP{}, schedule.Cosine{}, schedule.Linear{}}
}

var predictions = []schedule.Prediction{schedule.Eps, schedule.Score, schedule.X0, schedule.V, schedule.Velocity}

// mix holds α, σ and their derivatives at one time, from formulas of their own.
type mix struct{ alpha, sigma, alphaDot, sigmaDot float64 }

func exactMix(s schedule.Schedule, t float64) mix {
	switch s := s.(type) {
	case bare:
		return exactMix(s.Schedule, t)
	case schedule.VP:
		if s == (schedule.VP{}) {
			s = schedule.VP{BetaMin: 0.1, BetaMax: 20}
		}
		b, beta := s.BetaMin*t+(s.BetaMax-s.BetaMin)*t*t/2, s.BetaMin+(s.BetaMax-s.BetaMin)*t
		m := mix{alpha: math.Exp(-b / 2), sigma: math.Sqrt(-math.Expm1(-b))}
		m.alphaDot, m.sigmaDot = -beta/2*m.alpha, beta*math.Exp(-b)/(2*m.sigma)
		return m
	case schedule.VE:
		if s == (schedule.VE{}) {
			s = schedule.VE{SigmaMin: 0.01, SigmaMax: 50}
		}
		r := s.SigmaMax / s.SigmaMin
		sigma := s.SigmaMin * math.Pow(r, t)
		return mix{1, sigma, 0, sigma * math.Log(r)}
	case schedule.EDM:
		if s == (schedule.EDM{}) {
			s = schedule.EDM{SigmaMin: 0.002, SigmaMax: 80, Rho: 7}
		}
		a, b := math.Pow(s.SigmaMin, 1/s.Rho), math.Pow(s.SigmaMax, 1/s.Rho)
		root := a + t*(b-a)
		return mix{1, math.Pow(root, s.Rho), 0, s.Rho * (b - a) * math.Pow(root, s.Rho-1)}
	case schedule.Cosine:
		sin, cos := math.Sincos(math.Pi / 2 * t)
		return mix{cos, sin, -math.Pi / 2 * sin, math.Pi / 2 * cos}
	case schedule.Linear:
		return mix{1 - t, t, -1, 1}
	default:
		panic(fmt.Sprintf("no formulas for %v", s))
	}
}

// exactPredictions are all predictions at x for data N(mean, std²), in closed form: the
// marginal is N(αμ, α²s² + σ²), its score linear, and E[x0|x] Tweedie's formula.
func exactPredictions(m mix, mean, std, x float64) map[schedule.Prediction]float64 {
	score := -(x - m.alpha*mean) / (m.alpha*m.alpha*std*std + m.sigma*m.sigma)
	x0, eps := (x+m.sigma*m.sigma*score)/m.alpha, -m.sigma*score
	return map[schedule.Prediction]float64{
		schedule.Eps: eps, schedule.Score: score, schedule.X0: x0,
		schedule.V: m.alpha*eps - m.sigma*x0, schedule.Velocity: m.alphaDot*x0 + m.sigmaDot*eps,
	}
}

// condition bounds how much a conversion at m multiplies the rounding of its inputs.
func (m mix) condition() float64 {
	wronskian := m.alpha*m.sigmaDot - m.alphaDot*m.sigma
	return (1 + m.sigma*m.sigma) * (1 + 1/(m.sigma*m.sigma)) * (1 + 1/m.alpha) *
		(1 + math.Abs(m.alphaDot) + math.Abs(m.sigmaDot)) * (1 + 1/wronskian)
}

// Every prediction converts to every other as the closed forms of a Gaussian say, in
// every schedule, and converts back.
func TestConvertGaussian(t *testing.T) {
	const mean, std = 0.7, 0.6
	random := rand.New(rand.NewPCG(1, 2))
	times := make([]float64, 40)
	for i := range times {
		times[i] = 0.03 + 0.94*random.Float64()
	}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		in := []any{times}
		for _, s := range on(backend) {
			rows := make([][]float64, 1+len(predictions)) // x, then the predictions
			for _, at := range times {
				m := exactMix(s, at)
				x := m.alpha*mean + random.NormFloat64()*math.Hypot(m.alpha*std, m.sigma)
				rows[0] = append(rows[0], x)
				for p, v := range exactPredictions(m, mean, std, x) {
					rows[1+p] = append(rows[1+p], v)
				}
			}
			in = append(in, rows)
		}
		for _, dtype := range bothDTypes {
			out := eval(t, backend, dtype, func(in []*Node) (out []*Node) {
				for i, s := range on(backend) {
					row := func(k int) *Node { return Squeeze(Slice(in[1+i], AxisElem(k)), 0) }
					var converted, back []*Node
					for _, from := range predictions {
						for _, to := range predictions {
							there := schedule.Convert(s, from, to, row(1+int(from)), row(0), in[0])
							converted = append(converted, there)
							if !backends.Few(backend) {
								back = append(back, schedule.Convert(s, to, from, there, row(0), in[0]))
							}
						}
					}
					out = append(out, Stack(append(converted, back...), 0))
				}
				return out
			}, in...)
			for i, s := range on(backend) {
				rows := in[1+i].([][]float64)
				for k := range len(predictions) * len(predictions) {
					from, to := predictions[k/len(predictions)], predictions[k%len(predictions)]
					there := out[i][k*len(times):][:len(times)]
					back := out[i][len(out[i])-len(predictions)*len(predictions)*len(times):][k*len(times):]
					for j, at := range times {
						tol := 20 * gomlx.Epsilon(dtype) * exactMix(s, at).condition()
						what := fmt.Sprintf("%v %s: %v to %v at t=%v", s, dtype, from, to, at)
						compare(t, what, there[j:j+1], rows[1+to][j:j+1], tol)
						if !backends.Few(backend) {
							compare(t, what+" and back", back[j:j+1], rows[1+from][j:j+1], tol)
						}
					}
				}
			}
		}
	})
}

// Whatever the time, nothing is infinite or NaN; where a conversion has a limit, it is it.
func TestConvertEnds(t *testing.T) {
	times := []float64{0, 1e-9, 1e-4, 1 - 1e-4, 1 - 1e-9, 1}
	x, value := []float64{-1.3, 0.4, 2, -1.3, 0.4, 2}, []float64{0.8, -2, 1.1, 0.8, -2, 1.1}
	const x0, v0, x1, v1 = -1.3, 0.8, 2, 1.1 // x and value at t=0 and t=1
	vpRate, vpSpread := 0.05, 0.05           // -f and g²/2 of VP{} at t=0
	limits := map[string][2]float64{         // at t=0 and t=1; NaN: there is none
		"VP{0.1, 20} score to velocity": {-vpRate*x0 - vpSpread*v0, math.NaN()},
		"VP{0.1, 20} velocity to score": {(-vpRate*x0 - v0) / vpSpread, math.NaN()},
		"VP{0.1, 20} score to x0":       {x0, math.NaN()},
		"VP{0.1, 20} velocity to eps":   {0, math.NaN()},
		"VP{0.1, 20} eps to v":          {v0, math.NaN()},
		"Linear velocity to x0":         {x0, x1 - v1},
		"Linear velocity to eps":        {x0 + v0, x1},
		"Linear eps to x0":              {x0, math.NaN()},
		"Linear x0 to velocity":         {math.NaN(), x1 - v1},
		"Linear x0 to score":            {math.NaN(), -x1},
		"Cosine v to x0":                {x0, -v1},
		"Cosine v to eps":               {v0, x1},
		"Cosine v to velocity":          {math.Pi / 2 * v0, math.Pi / 2 * v1},
		"Cosine velocity to v":          {v0 / (math.Pi / 2), v1 / (math.Pi / 2)},
	}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, dtype := range bothDTypes {
			out := eval(t, backend, dtype, func(in []*Node) (out []*Node) {
				for _, s := range on(backend) {
					var converted []*Node
					for _, from := range predictions {
						for _, to := range predictions {
							converted = append(converted, schedule.Convert(s, from, to, in[1], in[2], in[0]))
						}
					}
					out = append(out, Stack(converted, 0))
				}
				return out
			}, times, value, x)
			seen := 0
			for i, s := range on(backend) {
				for k := range len(predictions) * len(predictions) {
					what := fmt.Sprintf("%v %v to %v", s, predictions[k/len(predictions)], predictions[k%len(predictions)])
					got := out[i][k*len(times):][:len(times)]
					for j, v := range got {
						if math.IsNaN(v) || math.IsInf(v, 0) {
							t.Errorf("%s %s at t=%v is %v", dtype, what, times[j], v)
						}
					}
					limit, ok := limits[what]
					if !ok {
						continue
					}
					seen++
					for end, want := range limit {
						if !math.IsNaN(want) {
							compare(t, fmt.Sprint(dtype, " ", what, " at t=", end), got[end*(len(times)-1):], []float64{want}, 20*gomlx.Epsilon(dtype))
						}
					}
				}
			}
			if seen != len(limits) {
				t.Errorf("%d limits were compared, expected %d", seen, len(limits))
			}
		}
	})
}

// One time for each event, on events of any rank, is as that time alone for each.
func TestConvertTimeOnLead(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		out := eval(t, backend, bothDTypes[1], func(in []*Node) (out []*Node) {
			x, value, at := in[0], in[1], in[2]
			each := schedule.Convert(schedule.VP{}, schedule.X0, schedule.Velocity, value, x, at)
			for i := range 2 {
				row := func(n *Node) *Node { return Squeeze(Slice(n, AxisElem(i)), 0) }
				out = append(out, row(each), schedule.Convert(schedule.VP{}, schedule.X0, schedule.Velocity, row(value), row(x), row(at)))
			}
			return out
		}, [][][]float64{{{1, 2}, {3, -4}}, {{0.5, 6}, {-7, 8}}}, [][][]float64{{{0, 1}, {-2, 3}}, {{1, 0.3}, {5, 1}}}, []float64{0.2, 0.7})
		compare(t, "event 0", out[0], out[1], 1e-13)
		compare(t, "event 1", out[2], out[3], 1e-13)
	})
}

// Every conversion keeps the shape of any event under any lead, with either kind of time.
func TestConvertShapes(t *testing.T) {
	backend := gomlxtest.Go(t)
	property.Check(t, func(t *rapid.T) {
		lead := rapid.SliceOfN(rapid.IntRange(1, 4), 0, 3).Draw(t, "lead")
		shape := rapid.SliceOfN(rapid.IntRange(1, 4), 0, 3).Draw(t, "event")
		s := rapid.SampledFrom(all).Draw(t, "schedule")
		from, to := rapid.SampledFrom(predictions).Draw(t, "from"), rapid.SampledFrom(predictions).Draw(t, "to")
		dtype := rapid.SampledFrom(bothDTypes).Draw(t, "dtype")
		g := NewGraph(backend, "shapes")
		defer g.Finalize()
		x := Parameter(g, "x", shapes.Make(dtype, append(lead[:len(lead):len(lead)], shape...)...))
		for name, dims := range map[string][]int{"scalar": nil, "each": lead} {
			at := Parameter(g, name, shapes.Make(dtype, dims...))
			if got := schedule.Convert(s, from, to, x, x, at); !got.Shape().Equal(x.Shape()) {
				t.Fatalf("%v %v to %v with t %s: the result is %s for x %s", s, from, to, at.Shape(), got.Shape(), x.Shape())
			}
		}
	})
}

func TestConvertMisuse(t *testing.T) {
	g := NewGraph(gomlxtest.Go(t), "bad")
	defer g.Finalize()
	x, at := Const(g, [][]float64{{1, 2}, {3, 4}, {5, 6}}), Const(g, []float64{0.1, 0.5, 0.9})
	convert := func(s schedule.Schedule, from, to schedule.Prediction, value, x, t *Node) func() {
		return func() { schedule.Convert(s, from, to, value, x, t) }
	}
	for want, f := range map[string]func(){
		"the x0 is (Float64)[3], x is (Float64)[3, 2]":                     convert(schedule.VP{}, schedule.X0, schedule.Eps, at, x, at),
		"t is (Float64)[2], x is (Float64)[3, 2]: axis 0":                  convert(schedule.VP{}, schedule.X0, schedule.Eps, x, x, Const(g, []float64{0, 1})),
		"t is (Float32), x is (Float64)[3, 2]: both must have one dtype":   convert(schedule.VP{}, schedule.X0, schedule.Eps, x, x, Const(g, float32(0))),
		"Prediction(7) isn't a prediction: it must be one of schedule.Eps": convert(schedule.VP{}, schedule.Prediction(7), schedule.Eps, x, x, at),
		"Prediction(-1) isn't a prediction":                                convert(schedule.VP{}, schedule.Eps, schedule.Prediction(-1), x, x, at),
		"the schedule is nil":                                              convert(nil, schedule.Eps, schedule.X0, x, x, at),
		"BetaMin is 3 and BetaMax 2":                                       convert(schedule.VP{BetaMin: 3, BetaMax: 2}, schedule.Eps, schedule.X0, x, x, at),
	} {
		err := gomlx.Try(func() error { f(); return nil })
		gomlxtest.Says(t, want, err, want)
	}
}

func TestParsePrediction(t *testing.T) {
	for _, p := range predictions {
		if got, err := schedule.ParsePrediction(p.String()); err != nil || got != p {
			t.Errorf("%v parses as %v, %v", p, got, err)
		}
	}
	_, err := schedule.ParsePrediction("noise")
	want := `no prediction "noise": it must be one of eps, score, x0, v, velocity`
	gomlxtest.Says(t, want, err, want)
}
