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
	"github.com/nami-flow/go-nami/tests/property"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"
)

// One program serves all numbers of steps and windows of time: the system is built as
// often for one as for many, and the numbers are those of the unrolled solve.
func TestProgramCompilesOnce(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		builds := 0
		p := program(t, backend, solver.RK4(8), func(scope *model.Scope, fixed []*Node) solver.System {
			builds++
			return relaxation(scope, fixed)
		})
		b := batch{x: []float64{1, 0.5, -1, 2}, z: []float64{1, -2}, w: []float64{-1, 0.5}}
		first := b.solve(t, p, dtypes.Float64, solver.Run{T0: 1, T1: 0})
		once := builds
		for _, steps := range []int{1, 3, 1000} {
			out := b.solve(t, p, dtypes.Float64, solver.Run{T0: 0.5, T1: 2, Steps: steps})
			if out.Err() != nil || out.Accepted[1] != steps || out.Rejected[1] != 0 || out.Evaluations != 4*steps || out.Times[0] != 2 {
				t.Errorf("%d steps: %d accepted, %d evaluations: %v", steps, out.Accepted[1], out.Evaluations, out.Err())
			}
		}
		if builds != once {
			t.Errorf("the system was built %d times for one number of steps, and %d for four", once, builds)
		}
		unrolled, err := CallOnceN(backend, func(x, z, w *Node) []*Node {
			return solver.Unroll(solver.RK4(8), relaxation(nil, []*Node{w}), []*Node{x, z}, 1, 0, nil)
		}, gomlx.FromFloats(dtypes.Float64, b.x, 2, 2), gomlx.FromFloats(dtypes.Float64, b.z, 2), gomlx.FromFloats(dtypes.Float64, b.w, 2))
		if err != nil {
			t.Fatal(err)
		}
		for part := range unrolled {
			gomlxtest.Near(t, "the loop", gomlxtest.Floats(t, first.Y[part], nil), gomlxtest.Floats(t, unrolled[part], nil), 1e-13)
		}
	})
}

// States of any number of parts and any shapes: for dy/dt = w·y a step of RK4 multiplies by
// 1 + z + z²/2 + z³/6 + z⁴/24 with z = w·h, exactly.
func TestShapes(t *testing.T) {
	backend := gomlxtest.Go(t)
	p := program(t, backend, solver.RK4(1), func(_ *model.Scope, fixed []*Node) solver.System {
		return solver.System{Drift: func(y []*Node, _ *Node) (dy []*Node) {
			for _, x := range y {
				dy = append(dy, Mul(x, shape.Lift(fixed[0], x)))
			}
			return dy
		}}
	})
	property.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(1, 4).Draw(r, "n")
		values := rapid.Float64Range(-2, 2)
		w := rapid.SliceOfN(values, n, n).Draw(r, "w")
		var y []*tensors.Tensor
		var starts [][]float64
		for range rapid.IntRange(1, 3).Draw(r, "parts") {
			dims := append([]int{n}, rapid.SliceOfN(rapid.IntRange(1, 3), 0, 3).Draw(r, "event")...)
			start := rapid.SliceOfN(values, shape.Size(dims), shape.Size(dims)).Draw(r, "y")
			starts = append(starts, start)
			y = append(y, gomlx.FromFloats(dtypes.Float64, start, dims...))
		}
		run := solver.Run{T0: values.Draw(r, "t0"), T1: values.Draw(r, "t1"), Steps: rapid.IntRange(1, 20).Draw(r, "steps")}
		out, err := p.Solve(context.Background(), y, []*tensors.Tensor{gomlx.FromFloats(dtypes.Float64, w, n)}, run)
		if err != nil || out.Err() != nil {
			r.Fatal(err, out.Err())
		}
		for part, start := range starts {
			each := len(start) / n
			for i, v := range gomlxtest.Floats(t, out.Y[part], nil) {
				z := w[i/each] * (run.T1 - run.T0) / float64(run.Steps)
				want := start[i] * math.Pow(1+z+z*z/2+z*z*z/6+z*z*z*z/24, float64(run.Steps))
				if !(math.Abs(v-want) <= 1e-10*math.Max(1, math.Abs(want))) {
					r.Fatalf("value %d of part %d is %v, expected %v", i, part, v, want)
				}
			}
		}
	})
}

// One program serves several callers and shapes at once.
func TestConcurrentSolves(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		p := program(t, backend, solver.Bosh3(1e-4, 1e-4), relaxation)
		var group errgroup.Group
		for i := range 8 {
			group.Go(func() error {
				n := 1 + i%2
				y := []*tensors.Tensor{gomlx.FromFloats(dtypes.Float64, make([]float64, n), n, 1), gomlx.FromFloats(dtypes.Float64, make([]float64, n), n)}
				out, err := p.Solve(context.Background(), y, []*tensors.Tensor{gomlx.FromFloats(dtypes.Float64, make([]float64, n), n)}, solver.Run{T0: 0, T1: float64(i)})
				if err != nil {
					return err
				}
				// Without relaxation dx/dt = -sin t.
				if x := gomlxtest.Floats(t, out.Y[0], nil)[0]; math.Abs(x-math.Cos(float64(i))+1) > 0.01 {
					return fmt.Errorf("x(%d) is %v", i, x)
				}
				return out.Err()
			})
		}
		if err := group.Wait(); err != nil {
			t.Error(err)
		}
	})
}

// ornsteinUhlenbeck is dy = -y dt + (1 + t) dW on two parts.
func ornsteinUhlenbeck(*model.Scope, []*Node) solver.System {
	return solver.System{
		Drift:     func(y []*Node, _ *Node) []*Node { return []*Node{Neg(y[0]), Neg(y[1])} },
		Diffusion: func(_ []*Node, t *Node) []*Node { return []*Node{Add(t, ConstAs(t, 1)), Add(t, ConstAs(t, 1))} },
	}
}

func zeros(n int) []*tensors.Tensor {
	return []*tensors.Tensor{gomlx.FromFloats(dtypes.Float64, make([]float64, 3*n), n, 3), gomlx.FromFloats(dtypes.Float64, make([]float64, n), n)}
}

// The noise of a sample depends on the seed and its number, not on how many are solved at
// once, and is the same on every backend.
func TestNoiseOfSamples(t *testing.T) {
	var goes []float64
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		p := program(t, backend, solver.SRA1(5), ornsteinUhlenbeck)
		solve := func(n, offset int, seed int64, steps int) (x, z []float64) {
			out, err := p.Solve(context.Background(), zeros(n), nil, solver.Run{T0: 1, T1: 0, Seed: seed, Offset: offset, Steps: steps})
			if err != nil {
				t.Fatal(err)
			}
			return gomlxtest.Floats(t, out.Y[0], nil), gomlxtest.Floats(t, out.Y[1], nil)
		}
		x, z := solve(5, 0, 1, 0)
		x1, z1 := solve(2, 0, 1, 0)
		x2, z2 := solve(3, 2, 1, 0)
		gomlxtest.Near(t, "two chunks", append(x1, x2...), x, 1e-13)
		gomlxtest.Near(t, "two chunks, the other part", append(z1, z2...), z, 1e-13)
		if goes == nil {
			goes = x
		}
		gomlxtest.Near(t, "another backend", x, goes, 1e-12)
		other, _ := solve(5, 0, 2, 0)
		again, _ := solve(5, 0, 1, 0)
		if slices.Equal(other, x) || !slices.Equal(again, x) {
			t.Error("the same seed must give the same numbers, another seed others")
		}
		seen := map[float64]bool{}
		one, oneZ := solve(5, 0, 1, 1)
		for _, v := range slices.Concat(x, z, one, oneZ, other) {
			if seen[v] {
				t.Errorf("the value %v comes twice", v)
			}
			seen[v] = true
		}
	})
}

// Mean and variance of 4 × 20,000 paths are those of the process: from 0 at t0 the variance
// at t1 is ∫exp(-2|t1-t|)(1+t)²dt. The bounds are 5 standard errors (false alarm 6e-7
// each) and 1% for the methods' own error; the seed is fixed.
func TestOrnsteinUhlenbeck(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, s := range []solver.Solver{solver.StochasticHeun(32), solver.SRA1(16)} {
			p := program(t, backend, s, ornsteinUhlenbeck)
			const n = 20_000
			out, err := p.Solve(context.Background(), zeros(n), nil, solver.Run{T0: 0, T1: 1, Seed: 3})
			if err != nil {
				t.Fatal(err)
			}
			if err := out.Err(); err != nil {
				t.Fatal(err)
			}
			// ∫₀¹ e^(2t-2)(1+t)² dt = [e^(2t-2)((1+t)²/2 - (1+t)/2 + 1/4)]₀¹
			want := 2 - 1 + 0.25 - math.Exp(-2)*0.25
			values := append(gomlxtest.Floats(t, out.Y[0], nil), gomlxtest.Floats(t, out.Y[1], nil)...)
			mean, square := 0.0, 0.0
			for _, v := range values {
				mean += v / float64(len(values))
				square += v * v / float64(len(values))
			}
			root := math.Sqrt(float64(len(values)))
			if math.Abs(mean) > 5*math.Sqrt(want)/root || math.Abs(square-want) > want*(5*math.Sqrt2/root+0.01) {
				t.Errorf("%v: mean %.4f and variance %.4f, expected 0 and %.4f", s, mean, square, want)
			}
		}
	})
}

// Recorded noise goes into an unrolled solve, and gradients come out: for dy = -a·y dt + dW
// with Euler–Maruyama steps, y_n = Σ (1-ah)^(n-1-i) √h z_i.
func TestUnrollStochastic(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		z := []float64{0.5, -1, 2, 0.1}
		out, err := CallOnceN(backend, func(y, a, z *Node) []*Node {
			system := solver.System{
				Drift:     func(y []*Node, _ *Node) []*Node { return []*Node{Neg(Mul(a, y[0]))} },
				Diffusion: func(_ []*Node, t *Node) []*Node { return []*Node{OnesLike(t)} },
			}
			end := solver.Unroll(solver.EulerMaruyama(4), system, []*Node{y}, 1, 0, func(step, draw, part int, like *Node) *Node {
				return Reshape(Slice(z, AxisElem(step)), like.Shape().Dimensions...)
			})[0]
			return append([]*Node{end}, Gradient(ReduceAllSum(end), y, a)...)
		}, []float64{2}, 0.7, z)
		if err != nil {
			t.Fatal(err)
		}
		// Time runs backwards, so the drift is with h = -1/4.
		const factor = 1 + 0.7/4
		y, dy, da := 2.0, 1.0, 0.0
		for _, v := range z {
			da = da*factor + y/4
			y, dy = y*factor+v/2, dy*factor
		}
		gomlxtest.Near(t, "y, its derivatives by y(1) and by a", []float64{gomlxtest.Floats(t, out[0], nil)[0], gomlxtest.Floats(t, out[1], nil)[0], gomlxtest.Floats(t, out[2], nil)[0]}, []float64{y, dy, da}, 1e-12)
	})
}

// A solve stops soon after its context, and tells how far it is.
func TestProgramStops(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		p := program(t, backend, solver.EulerMaruyama(1_000_000_000), ornsteinUhlenbeck)
		enough := errors.New("enough")
		ctx, cancel := context.WithCancelCause(context.Background())
		_, err := p.Solve(ctx, zeros(2), nil, solver.Run{T0: 0, T1: 1, Progress: func(done, total int) {
			if total != 1_000_000_000 {
				t.Errorf("progress %d of %d", done, total)
			}
			if done > 1 {
				cancel(enough)
			}
		}})
		if !errors.Is(err, enough) || !strings.Contains(err.Error(), "of 1000000000 steps") {
			t.Errorf("got %v, expected the cause and how far it came", err)
		}
	})
}

// inParts is a system in coordinates with a part that is scaled like that.
func inParts(p solver.Part, shifted ...string) solver.Build {
	return func(*model.Scope, []*Node) solver.System {
		still := func(y []*Node, _ *Node) []*Node { return y }
		return solver.System{Drift: still, Coordinates: func(over solver.Interval) *solver.Coordinates {
			if len(shifted) > 0 {
				p.Shift = over.From
			}
			return &solver.Coordinates{Parts: []solver.Part{p}, Slope: still}
		}}
	}
}

func TestProgramMisuse(t *testing.T) {
	backend := gomlxtest.Go(t)
	float := func(dims ...int) *tensors.Tensor {
		size := 1
		for _, d := range dims {
			size *= d
		}
		return gomlx.FromFloats(dtypes.Float64, make([]float64, size), dims...)
	}
	type ts = []*tensors.Tensor
	drift := func(f solver.Dynamics) solver.Build {
		return func(*model.Scope, []*Node) solver.System { return solver.System{Drift: f} }
	}
	still := drift(func(y []*Node, _ *Node) []*Node { return y })
	for name, c := range map[string]struct {
		solver solver.Solver
		build  solver.Build
		y      ts
		run    solver.Run
		want   string
	}{
		"no parts":            {y: ts{}, want: "the state has no parts"},
		"nil":                 {y: ts{float(2), nil}, want: "part 1 of the state is nil"},
		"scalar":              {y: ts{float()}, want: "the first axis of each must be the samples"},
		"other samples":       {y: ts{float(2, 3), float(3)}, want: "part 1 of the state is (Float64)[3], part 0 (Float64)[2, 3]"},
		"empty":               {y: ts{float(0, 3)}, want: "it has no values"},
		"integers":            {y: ts{tensors.FromValue([]int32{1})}, want: "all must be Float32, or all Float64"},
		"two dtypes":          {y: ts{float(2), tensors.FromValue([]float32{1, 2})}, want: "part 1 of the state is (Float32)[2], part 0 (Float64)[2]"},
		"NaN":                 {run: solver.Run{T1: math.NaN()}, want: "both times must be finite"},
		"negative steps":      {run: solver.Run{T1: 1, Steps: -2}, want: "Run.Steps is -2"},
		"too many steps":      {run: solver.Run{T1: 1, Steps: math.MaxInt32}, want: "less than 2³¹-1"},
		"negative offset":     {run: solver.Run{T1: 1, Offset: -1}, want: "Run.Offset is -1"},
		"no drift":            {build: drift(nil), want: "the system has no Drift"},
		"diffusion":           {build: ornsteinUhlenbeck, y: zeros(2), want: "RK4(4) is a method for ordinary equations, but the system has a Diffusion: use solver.SRA1"},
		"too few derivatives": {build: drift(func([]*Node, *Node) []*Node { return nil }), want: "returned 0 derivatives for a state of 1 parts"},
		"other derivatives":   {build: drift(func(y []*Node, _ *Node) []*Node { return []*Node{InsertAxes(y[0], -1)} }), want: "returned (Float64)[2, 1] for part 0 of the state, which is (Float64)[2]"},
		"power of a part":     {build: inParts(solver.Part{Power: 2}), want: "Coordinates.Parts[0].Power is 2: it must be -1, 0 or 1"},
		"power and a shift":   {build: inParts(solver.Part{Power: 1}, "shifted"), want: "Coordinates.Parts[0] has the power 1 and a Shift"},
		"g of another shape": {solver: solver.EulerMaruyama(4), want: "is (Float64)[3]: it must be shaped like the time, (Float64), or like the part, (Float64)[2]", build: func(*model.Scope, []*Node) solver.System {
			return solver.System{
				Drift:     func(y []*Node, _ *Node) []*Node { return y },
				Diffusion: func(_ []*Node, t *Node) []*Node { return []*Node{Const(t.Graph(), []float64{1, 2, 3})} },
			}
		}},
	} {
		if c.solver.Method == nil {
			c.solver = solver.RK4(4)
		}
		if c.build == nil {
			c.build = still
		}
		if c.y == nil {
			c.y = ts{float(2)}
		}
		if c.run.T1 == 0 {
			c.run.T1 = 1
		}
		_, err := program(t, backend, c.solver, c.build).Solve(context.Background(), c.y, nil, c.run)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "Exec") {
			t.Errorf("%s: got %v, expected %q", name, err, c.want)
		}
	}
	if _, err := solver.NewProgram(nil, nil, solver.RK4(1), still); err == nil || !strings.Contains(err.Error(), "one of them is nil") {
		t.Errorf("got %v", err)
	}
	for want, build := range map[string]func(y *Node){
		"Dopri5(1e-05, 1e-05) chooses its steps, and an unrolled graph needs a fixed number": func(y *Node) {
			solver.Unroll(solver.Dopri5(1e-5, 1e-5), solver.System{}, []*Node{y}, 0, 1, nil)
		},
		"SRA1(3) is a method for stochastic equations, and there is no noise": func(y *Node) {
			solver.Unroll(solver.SRA1(3), solver.System{}, []*Node{y}, 0, 1, nil)
		},
		"the noise of part 0 is nil": func(y *Node) {
			solver.Unroll(solver.SRA1(3), solver.System{}, []*Node{y}, 0, 1, func(_, _, _ int, _ *Node) *Node { return nil })
		},
	} {
		err := gomlx.Try(func() error {
			build(Const(NewGraph(backend, "misuse"), 1.0))
			return nil
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, expected %q", err, want)
		}
	}
}

// From a time to itself nothing happens.
func TestNoTimeToSolve(t *testing.T) {
	backend := gomlxtest.Go(t)
	for _, s := range []solver.Solver{solver.RK4(3), solver.Tsit5(1e-5, 1e-5)} {
		x := gomlx.FromFloats(dtypes.Float64, []float64{1, 2}, 2)
		out, err := program(t, backend, s, func(*model.Scope, []*Node) solver.System {
			return solver.System{Drift: func(y []*Node, _ *Node) []*Node { return y }}
		}).Solve(context.Background(), []*tensors.Tensor{x}, nil, solver.Run{T0: 0.5, T1: 0.5})
		if err != nil || out.Err() != nil || out.Evaluations != 0 || !slices.Equal(gomlxtest.Floats(t, out.Y[0], nil), []float64{1, 2}) || out.Times[1] != 0.5 {
			t.Errorf("%v: got %v, %v", s, out, err)
		}
	}
}
