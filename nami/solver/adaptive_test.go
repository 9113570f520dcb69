package solver_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/tests/backends"
	"github.com/nami-flow/go-nami/tests/property"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"pgregory.net/rapid"
)

// relaxation is dx/dt = w·(x - cos t) - sin t, dz/dt = z·x₀, with a rate w for each sample:
// x = cos t + (x(t0) - cos t0)·exp(w·(t-t0)). It is stiff where w is large and negative.
func relaxation(_ *model.Scope, fixed []*Node) solver.System {
	return solver.System{Drift: func(y []*Node, t *Node) []*Node {
		x, z := y[0], y[1]
		w := shape.Lift(fixed[0], x)
		t = shape.Lift(t, x)
		first := Reshape(Slice(x, AxisRange(), AxisRange(0, 1)), z.Shape().Dimensions...)
		return []*Node{Sub(Mul(w, Sub(x, Cos(t))), Sin(t)), Mul(z, first)}
	}}
}

func relaxed(x0, w, t0, t1 float64) float64 {
	return math.Cos(t1) + (x0-math.Cos(t0))*math.Exp(w*(t1-t0))
}

// batch is a state and its rates: x is [n, 2], z is [n].
type batch struct{ x, z, w []float64 }

func (b batch) solve(t testing.TB, p *solver.Program, dtype dtypes.DType, run solver.Run) *solver.Solution {
	t.Helper()
	n := len(b.w)
	y := []*tensors.Tensor{gomlx.FromFloats(dtype, b.x, n, len(b.x)/n), gomlx.FromFloats(dtype, b.z, n)}
	s, err := p.Solve(context.Background(), y, []*tensors.Tensor{gomlx.FromFloats(dtype, b.w, n)}, run)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// without is the batch without sample i.
func (b batch) without(i int) batch {
	k := len(b.x) / len(b.w)
	return batch{
		slices.Delete(slices.Clone(b.x), k*i, k*(i+1)),
		slices.Delete(slices.Clone(b.z), i, i+1), slices.Delete(slices.Clone(b.w), i, i+1),
	}
}

func program(t testing.TB, backend compute.Backend, s solver.Solver, build solver.Build) *solver.Program {
	t.Helper()
	p, err := solver.NewProgram(backend, model.NewStore(), s, build)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The error is about the tolerance, in both directions of time, both dtypes, with a step
// size for each sample or one for all.
func TestAdaptiveAccuracy(t *testing.T) {
	b := batch{x: []float64{1, 0.5, -1, 2, 0, 0.3}, z: []float64{1, 1, 1}, w: []float64{-1, 1, 2.5}}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for name, c := range map[string]struct {
			make  func(rtol, atol float64) solver.Solver
			tol   float64
			dtype dtypes.DType
		}{
			"Bosh3":  {solver.Bosh3, 1e-5, dtypes.Float64},
			"Dopri5": {solver.Dopri5, 1e-9, dtypes.Float64},
			"Tsit5":  {solver.Tsit5, 1e-5, dtypes.Float32},
		} {
			for _, shared := range []bool{false, true} {
				s := c.make(c.tol, c.tol)
				s.Shared = shared
				p := program(t, backend, s, relaxation)
				for _, span := range [][2]float64{{0, 1.5}, {1.5, 0}} {
					out := b.solve(t, p, c.dtype, solver.Run{T0: span[0], T1: span[1]})
					if err := out.Err(); err != nil {
						t.Fatalf("%s: %v", name, err)
					}
					for i, x := range gomlxtest.Floats(t, out.Y[0], nil) {
						want := relaxed(b.x[i], b.w[i/2], span[0], span[1])
						if math.Abs(x-want) > 200*c.tol*math.Max(1, math.Abs(want)) {
							t.Errorf("%s, shared %t, from %g: x is %v, expected %v", name, shared, span[0], x, want)
						}
					}
					for i := range out.Codes {
						if out.Times[i] != span[1] || out.Accepted[i] < 3 {
							t.Errorf("%s: sample %d ended at %g after %d steps", name, i, out.Times[i], out.Accepted[i])
						}
					}
					attempts := 0
					for i := range out.Accepted {
						attempts = max(attempts, out.Accepted[i]+out.Rejected[i])
					}
					if stages := map[string]int{"Bosh3": 3}[name]; out.Evaluations != 2+attempts*max(stages, 6*(1-stages/3)) {
						t.Errorf("%s: %d evaluations for %d attempts", name, out.Evaluations, attempts)
					}
				}
			}
		}
	})
}

// A tighter tolerance costs more steps and gives a smaller error, about in proportion.
func TestToleranceProportionality(t *testing.T) {
	backend := gomlxtest.Go(t)
	b := batch{x: []float64{1.3, -0.4}, z: []float64{1}, w: []float64{-2}}
	var steps []int
	var errs []float64
	for _, tol := range []float64{1e-4, 1e-6, 1e-8, 1e-10} {
		out := b.solve(t, program(t, backend, solver.Dopri5(tol, tol), relaxation), dtypes.Float64, solver.Run{T0: 0, T1: 3})
		steps = append(steps, out.Accepted[0])
		errs = append(errs, math.Abs(gomlxtest.Floats(t, out.Y[0], nil)[0]-relaxed(1.3, -2, 0, 3)))
	}
	for i := range steps[1:] {
		if steps[i+1] <= steps[i] || errs[i+1] > errs[i]/10 {
			t.Fatalf("steps %v, errors %v: expected more steps and errors that fall with the tolerance", steps, errs)
		}
	}
}

// Others' results and counts don't depend on a stiff sample among them, nor on one that
// becomes NaN; and the stiff one gets there itself.
func TestSamplesDontDisturbEachOther(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		p := program(t, backend, solver.Tsit5(1e-6, 1e-6), relaxation)
		trial := func(t *rapid.T, tb testing.TB) {
			n, k := 4, 2
			if !backends.Few(backend) {
				n, k = rapid.IntRange(2, 5).Draw(t, "n"), rapid.IntRange(1, 3).Draw(t, "k")
			}
			gen := rapid.Float64Range(-1.5, 1.5)
			b := batch{
				x: rapid.SliceOfN(gen, n*k, n*k).Draw(t, "x"), z: rapid.SliceOfN(gen, n, n).Draw(t, "z"),
				w: rapid.SliceOfN(gen, n, n).Draw(t, "w"),
			}
			odd := rapid.IntRange(0, n-1).Draw(t, "odd")
			b.w[odd] = rapid.SampledFrom([]float64{-40, 1e9, math.NaN(), math.Inf(1)}).Draw(t, "rate")
			run := solver.Run{T0: 0.2, T1: 1, Steps: 100}
			all := b.solve(tb, p, dtypes.Float64, run)
			alone := b.without(odd).solve(tb, p, dtypes.Float64, run)
			if want := b.w[odd] == -40; (all.Codes[odd] == solver.Success) != want {
				t.Fatalf("the odd sample, of rate %g, ended with %v at t = %g", b.w[odd], all.Codes[odd], all.Times[odd])
			}
			if b.w[odd] == -40 && all.Accepted[odd] < 15 {
				t.Fatalf("the stiff sample took %d steps only", all.Accepted[odd])
			}
			x, x1, z, z1 := gomlxtest.Floats(t, all.Y[0], nil), gomlxtest.Floats(t, alone.Y[0], nil), gomlxtest.Floats(t, all.Y[1], nil), gomlxtest.Floats(t, alone.Y[1], nil)
			x, z = slices.Delete(x, k*odd, k*(odd+1)), slices.Delete(z, odd, odd+1)
			for i := range x {
				if !(math.Abs(x[i]-x1[i]) < 1e-12) {
					t.Fatalf("x %v, alone %v", x, x1)
				}
			}
			for i := range z {
				if !(math.Abs(z[i]-z1[i]) < 1e-12) {
					t.Fatalf("z %v, alone %v", z, z1)
				}
			}
			if !slices.Equal(slices.Delete(all.Accepted, odd, odd+1), alone.Accepted) || !slices.Equal(slices.Delete(all.Rejected, odd, odd+1), alone.Rejected) {
				t.Fatalf("the others took %v steps and rejected %v, alone %v and %v", all.Accepted, all.Rejected, alone.Accepted, alone.Rejected)
			}
		}
		property.Check(t, func(r *rapid.T) { trial(r, t) })
	})
}

// How a sample fails is said by its code, with the time at which it was last good.
func TestCodes(t *testing.T) {
	// dx/dt = x², which is infinite at t = 1/x(0), or NaN from a time on.
	explosion := func(_ *model.Scope, fixed []*Node) solver.System {
		return solver.System{Drift: func(y []*Node, t *Node) []*Node {
			late := GreaterThan(Add(ZerosLike(y[0]), t), fixed[0])
			return []*Node{Where(late, Mul(y[0], Log(Sub(ZerosLike(y[0]), ConstAs(y[0], 1)))), Square(y[0]))}
		}}
	}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, s := range []solver.Solver{solver.Dopri5(1e-6, 1e-6), solver.RK4(100)} {
			p := program(t, backend, s, explosion)
			x := tensors.FromFlatDataAndDimensions([]float64{0.1, 1, 0.2, math.NaN()}, 4)
			end := tensors.FromFlatDataAndDimensions([]float64{9, 9, 0.6, 9}, 4)
			out, err := p.Solve(context.Background(), []*tensors.Tensor{x}, []*tensors.Tensor{end}, solver.Run{T0: 0, T1: 2})
			if err != nil {
				t.Fatal(err)
			}
			want := []solver.Code{solver.Success, solver.StepTooSmall, solver.NonFinite, solver.NonFinite}
			times := []float64{2, 1, 0.6, 0}
			if s.Adaptive() {
				for i, v := range gomlxtest.Floats(t, out.Y[0], nil)[:3] {
					if math.IsNaN(v) {
						t.Errorf("sample %d is %v: a sample that fails keeps its last good state", i, v)
					}
				}
			} else {
				want[1] = solver.NonFinite
			}
			if !slices.Equal(out.Codes, want) {
				t.Errorf("%v: the codes are %v, expected %v (times %v)", s, out.Codes, want, out.Times)
			}
			for i := range times {
				if math.Abs(out.Times[i]-times[i]) > 0.15 {
					t.Errorf("%v: sample %d ended at %v, expected about %v", s, i, out.Times[i], times[i])
				}
			}
			if s.Adaptive() {
				for _, part := range []string{"solver: 3 of 4 samples didn't get from t = 0 to 2", "2 became NaN or infinite", "(NonFinite, the first at t = 0)", "1 needed a step too short", "loosen the tolerances", "(StepTooSmall, the first at t = "} {
					if err := out.Err(); err == nil || !strings.Contains(err.Error(), part) {
						t.Errorf("%v: expected it to say %q", err, part)
					}
				}
			}
		}
		p := program(t, backend, solver.Tsit5(1e-9, 1e-9), explosion)
		out, err := p.Solve(context.Background(), []*tensors.Tensor{tensors.FromFlatDataAndDimensions([]float64{0.1, 0.9, 0, 0}, 4)},
			[]*tensors.Tensor{tensors.FromFlatDataAndDimensions([]float64{9, 9, 9, 9}, 4)}, solver.Run{T0: 0, T1: 1, Steps: 6})
		if err != nil {
			t.Fatal(err)
		}
		if out.Codes[1] != solver.MaxSteps || out.Accepted[1]+out.Rejected[1] != 6 || !(out.Times[1] > 0 && out.Times[1] < 1) ||
			!strings.Contains(out.Err().Error(), "raise MaxSteps") {
			t.Errorf("with 6 steps: %v after %d + %d at %v: %v", out.Codes, out.Accepted[1], out.Rejected[1], out.Times, out.Err())
		}
	})
}

// Steps end at t1 itself, the first may be given, and the number attempted is an input.
func TestFirstStep(t *testing.T) {
	backend := gomlxtest.Go(t)
	b := batch{x: []float64{1, -0.4}, z: []float64{1}, w: []float64{-1}}
	s := solver.Dopri5(1e-5, 1e-5)
	s.FirstStep = 0.01
	out := b.solve(t, program(t, backend, s, relaxation), dtypes.Float64, solver.Run{T0: 1, T1: 0})
	if out.Err() != nil || (out.Evaluations-1)%6 != 0 {
		t.Errorf("%d evaluations, expected one and six in each step: %v", out.Evaluations, out.Err())
	}
	s.FirstStep = 100 // longer than the way: cut to it
	if out = b.solve(t, program(t, backend, s, relaxation), dtypes.Float64, solver.Run{T0: 1, T1: 0.99}); out.Err() != nil || out.Accepted[0] != 1 {
		t.Errorf("%d steps: %v", out.Accepted[0], out.Err())
	}
}

// A step that is far off doesn't pass the error estimate because it vanishes there: Bosh3's is
// a multiple of h³·(1+hλ) for a decay, Dopri5's and Tsit5's vanish elsewhere, and the first
// step must be short of it whatever the unit of time: a decay over its own time, and ten
// others, is solved to a few times the tolerance, in as many steps, for every length of time,
// and a scaled one is the same solve.
func TestFirstStepInAnyUnit(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		own := solver.HeunTableau
		own.Name, own.E, own.EstimateOrder = "HeunEuler", []float64{-0.5, 0.5}, 2
		for _, s := range []solver.Solver{
			solver.Bosh3(1e-4, 1e-4), solver.Dopri5(1e-4, 1e-4), solver.Tsit5(1e-4, 1e-4), solver.Bosh3(1e-2, 1e-2),
			solver.Tsit5(1e-8, 1e-8),
			{Method: own, RTol: 1e-3, ATol: 1e-3},
		} {
			if backends.Few(backend) && s.RTol != 1e-4 {
				continue
			}
			p := program(t, backend, s, func(_ *model.Scope, fixed []*Node) solver.System {
				return solver.System{Drift: func(y []*Node, _ *Node) []*Node { return []*Node{Neg(Mul(y[0], fixed[0]))} }}
			})
			var steps []int
			for _, tau := range []float64{1, 1e3, 1e-3, 1e-6, 1e-9, 1e-11, 1e12} {
				for _, span := range []float64{1, 10} {
					for _, start := range []float64{1, 300} {
						run := solver.Run{T1: tau * span}
						out, err := p.Solve(context.Background(), []*tensors.Tensor{gomlx.FromFloats(dtypes.Float64, []float64{start}, 1)}, []*tensors.Tensor{gomlx.FromFloats(dtypes.Float64, []float64{1 / tau}, 1)}, run)
						if err != nil || out.Err() != nil {
							t.Fatal(err, out.Err())
						}
						want, got := start*math.Exp(-span), gomlxtest.Floats(t, out.Y[0], nil)[0]
						if !(math.Abs(got-want) <= 10*s.RTol*(1+start)) {
							t.Errorf("%v, τ = %g over %g·τ from %g: %v, expected %v, after %d steps", s, tau, span, start, got, want, out.Accepted[0])
						}
						steps = append(steps, out.Accepted[0])
					}
				}
			}
			for i, n := range steps {
				if n != steps[i%4] {
					t.Errorf("%v: %v steps: they must not depend on the unit of time", s, steps)
					break
				}
			}
		}
	})
}

// Near t = 0 steps may be shorter than the resolution of time at 1: dx/dt = 1/(t + ε) from 1
// to 0 in Float32, x = log(t + ε).
func TestShortStepsNearZero(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		const epsilon = 1e-7
		p := program(t, backend, solver.Tsit5(1e-4, 1e-4), func(*model.Scope, []*Node) solver.System {
			return solver.System{Drift: func(y []*Node, t *Node) []*Node {
				return []*Node{Div(ConstAs(t, 1), Add(t, ConstAs(t, epsilon)))}
			}}
		})
		out, err := p.Solve(context.Background(), []*tensors.Tensor{gomlx.FromFloats(dtypes.Float32, []float64{0, 1}, 2)}, nil, solver.Run{T0: 1, T1: 0})
		if err != nil {
			t.Fatal(err)
		}
		if err := out.Err(); err != nil {
			t.Fatal(err)
		}
		gomlxtest.Near(t, "log ε", gomlxtest.Floats(t, out.Y[0], nil), []float64{math.Log(epsilon), math.Log(epsilon) + 1}, 2e-3)
	})
}

// A part without weight doesn't choose steps.
func TestWeights(t *testing.T) {
	backend := gomlxtest.Go(t)
	b := batch{x: []float64{1, -0.4}, z: []float64{1e6}, w: []float64{-1}}
	steps := map[string]int{}
	for name, weights := range map[string][]float64{"none": nil, "ones": {1, 1}, "x": {1, 0}, "z": {0, 1}} {
		s := solver.Tsit5(0, 1e-5)
		s.Weights = weights
		out := b.solve(t, program(t, backend, s, relaxation), dtypes.Float64, solver.Run{T0: 0, T1: 1})
		if out.Err() != nil {
			t.Fatal(out.Err())
		}
		steps[name] = out.Accepted[0]
	}
	if steps["none"] != steps["ones"] || steps["x"] >= steps["ones"] || steps["z"] < steps["x"] {
		t.Errorf("the steps are %v", steps)
	}
	b.z[0] = math.NaN()
	s := solver.Tsit5(1e-5, 1e-5)
	s.Weights = []float64{1, 0}
	if out := b.solve(t, program(t, backend, s, relaxation), dtypes.Float64, solver.Run{T0: 0, T1: 1}); out.Codes[0] != solver.NonFinite {
		t.Errorf("NaN in a part without weight: %v", out.Codes)
	}
}

// A solve stops soon after its context, and reports how far it is.
func TestAdaptiveStops(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		s := solver.Bosh3(0, 1e-13)
		s.MaxSteps = 100_000_000
		p := program(t, backend, s, relaxation)
		enough := errors.New("enough")
		ctx, cancel := context.WithCancelCause(context.Background())
		last := 0
		y := []*tensors.Tensor{gomlx.FromFloats(dtypes.Float64, make([]float64, 4), 2, 2), gomlx.FromFloats(dtypes.Float64, []float64{1, 1}, 2)}
		_, err := p.Solve(ctx, y, []*tensors.Tensor{gomlx.FromFloats(dtypes.Float64, []float64{-1, -2}, 2)}, solver.Run{T0: 0, T1: 50, Progress: func(done, total int) {
			if done < last || done > total || total != 1000 {
				t.Errorf("progress %d of %d after %d", done, total, last)
			}
			if last = done; done >= 1 {
				cancel(enough)
			}
		}})
		if !errors.Is(err, enough) {
			t.Errorf("got %v, expected the cause", err)
		}
	})
}

func TestAdaptiveMisuse(t *testing.T) {
	backend := gomlxtest.Go(t)
	for want, change := range map[string]func(s *solver.Solver){
		"rtol must be at least 0":              func(s *solver.Solver) { s.RTol = -1 },
		"atol more than 0":                     func(s *solver.Solver) { s.ATol = 0 },
		"MaxSteps is -1":                       func(s *solver.Solver) { s.MaxSteps = -1 },
		"FirstStep is -1":                      func(s *solver.Solver) { s.FirstStep = -1 },
		"I = 0 and P = 0":                      func(s *solver.Solver) { s.Control = solver.Control{Safety: 0.9, Min: 0.2, Max: 10} },
		"Safety = 2":                           func(s *solver.Solver) { s.Control = solver.PI(); s.Control.Safety = 2 },
		"the weight of part 1 of the state is": func(s *solver.Solver) { s.Weights = []float64{1, -1} },
		"the solver has no method":             func(s *solver.Solver) { *s = solver.Solver{} },
	} {
		s := solver.Dopri5(1e-5, 1e-5)
		change(&s)
		_, err := solver.NewProgram(backend, model.NewStore(), s, relaxation)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, expected %q", err, want)
		}
	}
	for want, weights := range map[string][]float64{"has 3 weights for a state of 2 parts": {1, 1, 1}, "are 0": {0, 0}} {
		s := solver.Dopri5(1e-5, 1e-5)
		s.Weights = weights
		y := []*tensors.Tensor{gomlx.FromFloats(dtypes.Float64, make([]float64, 4), 2, 2), gomlx.FromFloats(dtypes.Float64, []float64{1, 1}, 2)}
		_, err := program(t, backend, s, relaxation).Solve(context.Background(), y, nil, solver.Run{T1: 1})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, expected %q", err, want)
		}
	}
	if got := fmt.Sprint(solver.Tsit5(1e-5, 1e-6), solver.Solver{}, solver.Code(9), solver.Success.Cure() == ""); got != "Tsit5(1e-05, 1e-06) Solver{} Code(9) true" {
		t.Errorf("got %q", got)
	}
}

// Both controllers keep the tolerance; the proportional part saves rejected steps where the
// solution's scale changes fast.
func TestControllers(t *testing.T) {
	backend := gomlxtest.Go(t)
	b := batch{x: []float64{1.3, -0.4}, z: []float64{1}, w: []float64{-60}}
	rejected := map[string]int{}
	for name, control := range map[string]solver.Control{"PI": solver.PI(), "I": solver.Integral()} {
		s := solver.Dopri5(1e-6, 1e-6)
		s.Control = control
		out := b.solve(t, program(t, backend, s, relaxation), dtypes.Float64, solver.Run{T0: 0, T1: 3})
		if out.Err() != nil {
			t.Fatal(out.Err())
		}
		rejected[name] = out.Rejected[0]
		gomlxtest.Near(t, name, gomlxtest.Floats(t, out.Y[0], nil)[:1], []float64{relaxed(1.3, -60, 0, 3)}, 1e-4)
	}
	if rejected["PI"] >= rejected["I"] {
		t.Errorf("steps rejected: %v, expected fewer by PI", rejected)
	}
}
