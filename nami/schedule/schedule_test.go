package schedule_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/tests/property"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"pgregory.net/rapid"
)

// all holds every schedule, and one with only the four methods.
var all = []schedule.Schedule{
	schedule.VP{},
	schedule.VP{BetaMin: 0.3, BetaMax: 7},
	schedule.VE{},
	schedule.VE{SigmaMin: 0.02, SigmaMax: 5},
	schedule.EDM{},
	schedule.EDM{SigmaMin: 0.01, SigmaMax: 4, Rho: 3},
	schedule.Cosine{},
	schedule.Linear{},
	bare{schedule.VP{}},
}

// bare hides all but the four methods of a schedule.
type bare struct{ schedule.Schedule }

var bothDTypes = []dtypes.DType{dtypes.Float32, dtypes.Float64}

// eval runs a graph on float64 numbers that it computes with in dtype.
func eval(t testing.TB, backend compute.Backend, dtype dtypes.DType, f func(in []*Node) []*Node, in ...any) [][]float64 {
	t.Helper()
	outs, err := CallOnceN(backend, func(in []*Node) []*Node {
		for i := range in {
			in[i] = ConvertDType(in[i], dtype)
		}
		out := f(in)
		for i := range out {
			if out[i].DType() != dtype {
				t.Errorf("output %d is %s, expected %s", i, out[i].DType(), dtype)
			}
			out[i] = ConvertDType(out[i], dtypes.Float64)
		}
		return out
	}, in...)
	if err != nil {
		t.Fatal(err)
	}
	values := make([][]float64, len(outs))
	for i, o := range outs {
		values[i] = tensors.MustCopyFlatData[float64](o)
	}
	return values
}

// compare fails where |got-want| > tol·max(1, |want|).
func compare(t testing.TB, what string, got, want []float64, tol float64) {
	t.Helper()
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= tol*math.Max(1, math.Abs(want[i]))) {
			t.Errorf("%s: value %d is %v, expected %v", what, i, got[i], want[i])
			return
		}
	}
}

func TestCheckAcceptsOurs(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, s := range all {
			if err := schedule.Check(backend, s); err != nil {
				t.Error(err)
			}
		}
	})
}

// So are they with any parameters that make sense.
func TestCheckAcceptsAnyParameters(t *testing.T) {
	backend := gomlxtest.Go(t)
	property.Check(t, func(t *rapid.T) {
		between := func(low, high float64, name string) float64 {
			return math.Exp(rapid.Float64Range(math.Log(low), math.Log(high)).Draw(t, name))
		}
		low, high := between(1e-4, 0.09, "low"), between(1.1, 1000, "high")
		s := rapid.SampledFrom([]schedule.Schedule{
			schedule.VP{BetaMin: low, BetaMax: between(3, 40, "β")},
			schedule.VE{SigmaMin: low, SigmaMax: high},
			schedule.EDM{SigmaMin: low, SigmaMax: high, Rho: between(0.5, 12, "ρ")},
		}).Draw(t, "schedule")
		if err := schedule.Check(backend, s); err != nil {
			t.Fatal(err)
		}
	})
}

// Every schedule is finite over all of [0, 1], with the limits that its formulas have.
func TestEnds(t *testing.T) {
	times := []float64{0, 1e-15, 1e-12, 1e-7, 1e-3, 0.5, 1 - 1e-3, 1 - 1e-7, 1}
	limits := map[string][4]float64{ // α(0), σ(0), α(1), σ(1)
		"VP{0.1, 20}":        {1, 0, math.Exp(-10.05 / 2), math.Sqrt(-math.Expm1(-10.05))},
		"VP{0.3, 7}":         {1, 0, math.Exp(-3.65 / 2), math.Sqrt(-math.Expm1(-3.65))},
		"VE{0.01, 50}":       {1, 0.01, 1, 50},
		"VE{0.02, 5}":        {1, 0.02, 1, 5},
		"EDM{0.002, 80, 7}":  {1, 0.002, 1, 80},
		"EDM{0.01, 4, 3}":    {1, 0.01, 1, 4},
		"Cosine":             {1, 0, 0, 1},
		"Linear":             {1, 0, 0, 1},
		"schedule_test.bare": {1, 0, math.Exp(-10.05 / 2), math.Sqrt(-math.Expm1(-10.05))},
	}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, dtype := range bothDTypes {
			out := eval(t, backend, dtype, func(in []*Node) (out []*Node) {
				x := OnesLike(in[0])
				for _, s := range all {
					out = append(out, s.Alpha(in[0]), s.Sigma(in[0]), s.Drift(x, in[0]), s.Diffusion(in[0]),
						schedule.AlphaDot(s, in[0]), schedule.SigmaDot(s, in[0]), schedule.SNR(s, in[0]))
				}
				return out
			}, times)
			for i, s := range all {
				name, of := fmt.Sprint(s), out[7*i:7*i+7]
				if _, ok := s.(bare); ok {
					name = "schedule_test.bare"
				}
				for k, what := range []string{"Alpha", "Sigma", "Drift", "Diffusion", "AlphaDot", "SigmaDot", "SNR"} {
					for j, v := range of[k] {
						infinite := what == "SNR" && of[1][j] == 0
						if math.IsNaN(v) || math.IsInf(v, 0) != infinite {
							t.Errorf("%s %s: %s(%v) is %v", name, dtype, what, times[j], v)
						}
					}
				}
				last := len(times) - 1
				want, ok := limits[name]
				if !ok {
					t.Fatalf("no limits for %s", name)
				}
				got := []float64{of[0][0], of[1][0], of[0][last], of[1][last]}
				compare(t, name+": α and σ at the ends", got, want[:], 2e-6)
				if want[1] == 0 && got[1] != 0 || want[2] == 0 && got[2] != 0 {
					t.Errorf("%s %s: σ(0) is %v and α(1) %v, where the limit is 0 itself", name, dtype, got[1], got[2])
				}
			}
		}
	})
}

// Near t=0 the noise of VP keeps its digits: σ = √B to leading order.
func TestVPKeepsDigits(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, dtype := range bothDTypes {
			at := []float64{1e-12, 1e-10, 1e-8, 1e-6, 1e-4}
			out := eval(t, backend, dtype, func(in []*Node) []*Node { return []*Node{schedule.VP{}.Sigma(in[0])} }, at)
			for i, v := range at {
				b := v * (0.1 + 0.5*19.9*v)
				if want := math.Sqrt(-math.Expm1(-b)); math.Abs(out[0][i]/want-1) > 4*gomlx.Epsilon(dtype) {
					t.Errorf("%s: σ(%v) is %v, expected %v", dtype, v, out[0][i], want)
				}
			}
		}
	})
}

// TimeOf undoes α and σ, in closed form and by search, up to a common factor; what no
// time has goes to the nearer end.
func TestTimeOf(t *testing.T) {
	times := []float64{0.003, 0.02, 0.2, 0.5, 0.8, 0.97, 1}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, dtype := range bothDTypes {
			schedules := append(on(backend), bare{schedule.EDM{}}, bare{schedule.Cosine{}})
			out := eval(t, backend, dtype, func(in []*Node) (out []*Node) {
				for _, s := range schedules {
					out = append(out, schedule.TimeOf(s,
						Concatenate([]*Node{MulScalar(s.Alpha(in[0]), 3), in[1]}, 0),
						Concatenate([]*Node{MulScalar(s.Sigma(in[0]), 3), in[2]}, 0)))
				}
				return out
			}, times, []float64{1, 0}, []float64{0, 1}) // and pure data, pure noise
			for i, s := range schedules {
				// σ/α of EDM and VE starts where a digit of it is worth many of t.
				compare(t, fmt.Sprint(s, dtype), out[i], append(times[:len(times):len(times)], 0, 1), math.Max(1e-10, 40*gomlx.Epsilon(dtype)))
			}
		}
	})
}

func TestValidate(t *testing.T) {
	for want, s := range map[string]schedule.Schedule{
		"VP: BetaMin is 0 and BetaMax 20: both must be positive":  schedule.VP{BetaMax: 20},
		"BetaMin is 2 and BetaMax 1":                              schedule.VP{BetaMin: 2, BetaMax: 1},
		"BetaMin is 1 and BetaMax 1":                              schedule.VP{BetaMin: 1, BetaMax: 1},
		"BetaMin is 1 and BetaMax +Inf":                           schedule.VP{BetaMin: 1, BetaMax: math.Inf(1)},
		"BetaMin is NaN and BetaMax 1":                            schedule.VP{BetaMin: math.NaN(), BetaMax: 1},
		"VE: SigmaMin is 0 and SigmaMax 5: both must be positive": schedule.VE{SigmaMax: 5},
		"VE: SigmaMin is 2 and SigmaMax 1":                        schedule.VE{SigmaMin: 2, SigmaMax: 1},
		"EDM: SigmaMin is -1 and SigmaMax 80":                     schedule.EDM{SigmaMin: -1, SigmaMax: 80, Rho: 7},
		"EDM: SigmaMin is 2 and SigmaMax 1":                       schedule.EDM{SigmaMin: 2, SigmaMax: 1, Rho: 7},
		"Rho is 0: it must be positive":                           schedule.EDM{SigmaMin: 0.1, SigmaMax: 1},
		"the schedule is nil: choose one":                         nil,
	} {
		err := schedule.Validate(s)
		gomlxtest.Says(t, fmt.Sprint(s), err, want)
		if s == nil {
			continue
		}
		build := gomlx.Try(func() error {
			g := NewGraph(gomlxtest.Go(t), "bad")
			defer g.Finalize()
			s.Sigma(Const(g, 0.5))
			return nil
		})
		if build == nil || !strings.HasPrefix(build.Error(), err.Error()) {
			t.Errorf("%v: its graph panics with %v, expected %v", s, build, err)
		}
	}
	if err := schedule.Validate(bare{schedule.VP{}}); err != nil {
		t.Error(err)
	}
}

// A t that doesn't stand on x's lead axes panics, whether the drift needs it or not.
func TestDriftMisuse(t *testing.T) {
	for _, s := range all {
		err := gomlx.Try(func() error {
			g := NewGraph(gomlxtest.Go(t), "bad")
			defer g.Finalize()
			s.Drift(Const(g, [][]float64{{1, 2, 3}, {4, 5, 6}}), Const(g, []float64{0.1, 0.2, 0.3}))
			return nil
		})
		if err == nil || !strings.Contains(err.Error(), "t is (Float64)[3], x is (Float64)[2, 3]: axis 0 of t must be axis 0 of x") {
			t.Errorf("%v: %v", s, err)
		}
	}
}
