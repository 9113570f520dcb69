package nami_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/tests/backends"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// bridge is the velocity of the linear path from N(0, I) to N(mean + c, std²), whose
// log-density is known: an event's value i has mean[i] and std[i].
func bridge(mean, std []float64) field.Field {
	return field.Func{Rank: 1, F: func(_ *model.Scope, x, t, c *Node) *Node {
		row := func(values []float64) *Node {
			return ExpandLeftToRank(ConstAsDType(x.Graph(), x.DType(), values), x.Rank())
		}
		t = shape.Lift(t, x)
		m := Mul(OnesLike(x), row(mean))
		if c != nil {
			m = Add(m, c)
		}
		s := OneMinus(t)
		s2 := Add(Mul(Square(s), Square(row(std))), Square(t))
		return Sub(Mul(Div(Sub(t, Mul(s, Square(row(std)))), s2), Sub(x, Mul(s, m))), m)
	}}
}

var (
	mean = []float64{1.5, -0.5}
	std  = []float64{0.5, 0.8}
)

func gauss(steps int) nami.FlowMatching {
	return nami.FlowMatching{Field: bridge(mean, std), Base: distribution.NewStandardNormal(2), Solver: solver.RK4(steps)}
}

func logNormal(x, mean, std float64) float64 {
	z := (x - mean) / std
	return -z*z/2 - math.Log(std) - math.Log(2*math.Pi)/2
}

func doubles(values []float64, dims ...int) *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(values, dims...)
}

// The log-density of a Gaussian's flow is the Gaussian's, with a context that shifts it
// and without, for both estimators: the Jacobian is diagonal, where Rademacher probes have
// no variance. An adaptive solver gives it too, and the field's own divergence.
func TestLogProbOfGaussian(t *testing.T) {
	points := []float64{1.5, -0.5, 0, 0, 3, 1, 0.7, -2}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		ctx := context.Background()
		for _, c := range []*tensors.Tensor{nil, doubles([]float64{0.3, -0.2, 1, 0.5}, 2, 2)} {
			if backends.Few(backend) && c == nil {
				continue // XLA compiles each anew
			}
			var want []float64
			for i := range 4 {
				sum := 0.0
				for j := range 2 {
					m := mean[j]
					if c != nil {
						m += tensors.MustCopyFlatData[float64](c)[2*(i%2)+j]
					}
					sum += logNormal(points[2*i+j], m, std[j])
				}
				want = append(want, sum)
			}
			x := doubles(slices.Clone(points), 2, 2, 2)
			for name, s := range map[string]solver.Solver{"rk4": solver.RK4(40), "dopri5": solver.Dopri5(1e-8, 1e-8)} {
				flow := gauss(1)
				flow.Solver = s
				process, err := flow.Bind(backend, model.NewStore(), c, nami.DType(dtypes.Float64))
				if err != nil {
					t.Fatal(err)
				}
				exact, err := process.LogProb(ctx, x, divergence.Exact{})
				gomlxtest.Near(t, name+", exact", gomlxtest.Floats(t, exact, err), want, 1e-6)
				if got := exact.Shape().Dimensions; !slices.Equal(got, []int{2, 2}) {
					t.Errorf("the shape is %v, expected [2 2]", got)
				}
				estimate, err := process.LogProb(ctx, x, divergence.Hutchinson{})
				gomlxtest.Near(t, name+", Hutchinson", gomlxtest.Floats(t, estimate, err), want, 1e-6)
			}
		}
	})
}

// Samples with their log-density have the one that LogProb gives them, and encoding them
// gives back their noise.
func TestSampleWithLogProb(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		ctx := context.Background()
		process, err := gauss(32).Bind(backend, model.NewStore(), nil, nami.DType(dtypes.Float64), nami.Seed(3))
		if err != nil {
			t.Fatal(err)
		}
		samples, logProb, err := process.SampleWithLogProb(ctx, divergence.Exact{}, 5, 3)
		got := gomlxtest.Floats(t, logProb, err)
		again, err := process.LogProb(ctx, samples, divergence.Exact{})
		gomlxtest.Near(t, "the log-density", got, gomlxtest.Floats(t, again, err), 1e-6)
		drawn, err := process.Seeded(3).Sample(ctx, 5, 3)
		gomlxtest.Near(t, "the samples", gomlxtest.Floats(t, samples, nil), gomlxtest.Floats(t, drawn, err), 1e-12)
		noise, err := process.Encode(ctx, samples)
		if err != nil {
			t.Fatal(err)
		}
		back, err := process.SampleFrom(ctx, noise)
		gomlxtest.Near(t, "encoded and sampled", gomlxtest.Floats(t, back, err), gomlxtest.Floats(t, samples, nil), 1e-6)
	})
}

// Gradients of log-densities: of x, the score of the Gaussian; of the context, whose
// shift is the mean, minus that; by the adjoint and unrolled.
func TestLogProbGradient(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		ctx := context.Background()
		points, shifts := []float64{1, -1, 2, 0.5, 0.1, 0.2, 1.5, -0.5}, []float64{0.1, 0.2, -0.3, 0.4}
		c := doubles(slices.Clone(shifts), 2, 2)
		wantX, wantC := make([]float64, 8), make([]float64, 4)
		for i := range 4 {
			for j := range 2 {
				score := -(points[2*i+j] - mean[j] - shifts[2*(i%2)+j]) / (std[j] * std[j])
				wantX[2*i+j] = score
				wantC[2*(i%2)+j] -= score
			}
		}
		for _, chunk := range []int{100, 3} {
			process, err := gauss(64).Bind(backend, model.NewStore(), c, nami.DType(dtypes.Float64), nami.ChunkSize(chunk))
			if err != nil {
				t.Fatal(err)
			}
			x := doubles(slices.Clone(points), 2, 2, 2)
			grads, err := process.LogProbGradient(ctx, x, divergence.Exact{})
			if err != nil {
				t.Fatal(err)
			}
			gomlxtest.Near(t, "the derivative of x", gomlxtest.Floats(t, grads.X, nil), wantX, 1e-4)
			gomlxtest.Near(t, "the derivative of the context", gomlxtest.Floats(t, grads.Context, nil), wantC, 1e-4)
			logProb, err := process.LogProb(ctx, x, divergence.Exact{})
			gomlxtest.Near(t, "the log-density", gomlxtest.Floats(t, grads.LogProb, nil), gomlxtest.Floats(t, logProb, err), 1e-12)
		}
	})
}

// The derivatives of a network's weights agree with finite differences of the
// log-density: by the adjoint with many steps, through the unrolled solve with few, which
// takes XLA long to compile.
func TestLogProbGradientOfWeights(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		ctx := context.Background()
		store := model.NewStore()
		state := tinyWeights(t, store, []int{3, 5, 2})
		x := doubles([]float64{0.3, -0.7, 1, 0.2}, 2, 2)
		for _, steps := range []int{24, 2} {
			if backends.Few(backend) && steps == 2 {
				continue // [TestMaskedInGraphs] has the gradient of an unrolled solve on XLA
			}
			flow := nami.FlowMatching{
				Field:  field.MLP{EventShape: []int{2}, Hidden: []int{5}},
				Base:   distribution.NewStandardNormal(2),
				Solver: solver.RK4(steps),
			}
			process, err := flow.Bind(backend, store, nil, nami.DType(dtypes.Float64))
			if err != nil {
				t.Fatal(err)
			}
			derivatives := map[string][]float64{}
			if steps == 2 {
				out, err := model.CallOnceN(backend, store, func(scope *model.Scope, x *Node) []*Node {
					return scope.BuildTrainableVariablesGradientsGraph(ReduceAllSum(flow.LogProb(scope, x, nil, divergence.Exact{})))
				}, x)
				if err != nil {
					t.Fatal(err)
				}
				for v := range store.IterVariables() {
					derivatives[v.Path()], out = gomlxtest.Floats(t, out[0], nil), out[1:]
				}
			} else {
				grads, err := process.LogProbGradient(ctx, x, divergence.Exact{})
				if err != nil {
					t.Fatal(err)
				}
				for path, grad := range grads.Variables {
					derivatives[path] = gomlxtest.Floats(t, grad, nil)
				}
			}
			for v := range store.IterVariables() { // one weight of each variable by differences
				const h = 1e-5
				sum := func(delta float64) (total float64) {
					moved := slices.Clone(state[v.Path()])
					moved[1] += delta
					if err := v.SetValue(doubles(moved, v.Shape().Dimensions...)); err != nil {
						t.Fatal(err)
					}
					logProb, err := process.LogProb(ctx, x, divergence.Exact{})
					for _, l := range gomlxtest.Floats(t, logProb, err) {
						total += l
					}
					return total
				}
				slope := (sum(h) - sum(-h)) / (2 * h)
				sum(0)
				// The adjoint's derivatives are those of the exact solution: the difference
				// to the discrete one falls with the step's fourth power.
				if tol := map[int]float64{24: 1e-4, 2: 1e-6}[steps]; math.Abs(slope-derivatives[v.Path()][1]) > tol*max(1, math.Abs(slope)) {
					t.Errorf("%d steps, %s: the derivative is %v, differences give %v", steps, v.Path(), derivatives[v.Path()][1], slope)
				}
			}
		}
	})
}

// tinyWeights gives an MLP's layers deterministic weights, and returns them by path.
func tinyWeights(t *testing.T, store *model.Store, sizes []int) map[string][]float64 {
	t.Helper()
	state := map[string][]float64{}
	for l := range len(sizes) - 1 {
		scope := store.RootScope().At("mlp").At("layer_%d", l).At("dense")
		for name, dims := range map[string][]int{"weights": {sizes[l], sizes[l+1]}, "biases": {sizes[l+1]}} {
			flat := make([]float64, shape.Size(dims))
			for i := range flat {
				flat[i] = 0.8 * math.Sin(float64(3*i+7*l+len(dims)))
			}
			v, err := scope.CreateVariable(name, doubles(slices.Clone(flat), dims...))
			if err != nil {
				t.Fatal(err)
			}
			state[v.Path()] = flat
		}
	}
	return state
}

// A sample that fails in a later chunk, with the filling of the last chunk after it, is an
// error of every likelihood that names it.
func TestLikelihoodOfFailure(t *testing.T) {
	backend, ctx := gomlxtest.Go(t), context.Background()
	flow := nami.FlowMatching{
		Field: field.Func{Rank: 1, F: func(_ *model.Scope, x, _, _ *Node) *Node { // NaN where x₀ > 5
			return Where(GreaterThan(x, ConstAs(x, 5)), Sqrt(ConstAs(x, -1)), Neg(x))
		}},
		Base: distribution.NewStandardNormal(1),
	}
	for _, s := range []solver.Solver{solver.RK4(4), solver.Dopri5(1e-3, 1e-3)} {
		flow.Solver = s
		process, err := flow.Bind(backend, model.NewStore(), nil, nami.DType(dtypes.Float64), nami.ChunkSize(2))
		if err != nil {
			t.Fatal(err)
		}
		x := doubles([]float64{0, 0.1, 0.2, 9, 0.4}, 5, 1)
		_, err = process.LogProb(ctx, x, divergence.Exact{})
		gomlxtest.Says(t, fmt.Sprint(s, ", LogProb"), err, "1 of 5 samples didn't get from t = 0 to 1")
		_, err = process.LogProbGradient(ctx, x, divergence.Exact{})
		gomlxtest.Says(t, fmt.Sprint(s, ", LogProbGradient"), err, "rows 2 to 3: solver: 1 of 2 samples didn't get from t = 0 to 1")
		_, err = process.Encode(ctx, x)
		gomlxtest.Says(t, fmt.Sprint(s, ", Encode"), err, "1 of 5 samples didn't get from t = 0 to 1")
	}
}

// The programs of gradients are made for the variables that are trainable: freezing one
// between two calls leaves it out of the second, and training it again brings it back.
func TestGradientOfFrozenWeights(t *testing.T) {
	backend, ctx := gomlxtest.Go(t), context.Background()
	store := model.NewStore()
	tinyWeights(t, store, []int{3, 5, 2})
	learned := distribution.LearnedNormal{Event: []int{2}}
	flow := nami.FlowMatching{Field: field.MLP{EventShape: []int{2}, Hidden: []int{5}}, Base: learned, Solver: solver.RK4(4)}
	if _, err := model.CallOnce(backend, store, func(scope *model.Scope, x *Node) *Node {
		return learned.Given(scope, nil).LogProb(x)
	}, doubles([]float64{0, 0}, 1, 2)); err != nil {
		t.Fatal(err)
	}
	process, err := flow.Bind(backend, store, nil, nami.DType(dtypes.Float64))
	if err != nil {
		t.Fatal(err)
	}
	gradients := func() map[string]*tensors.Tensor {
		grads, err := process.LogProbGradient(ctx, doubles([]float64{0.3, -0.7, 1, 0.2}, 2, 2), divergence.Exact{})
		if err != nil {
			t.Fatal(err)
		}
		return grads.Variables
	}
	all := gradients()
	for v := range store.IterVariables() {
		if all[v.Path()] == nil {
			t.Fatalf("%s has no gradient: there are those of %v", v.Path(), slices.Sorted(maps.Keys(all)))
		}
	}
	for v := range store.IterVariables() {
		v.SetTrainable(false)
		some := gradients()
		v.SetTrainable(true)
		if len(some) != len(all)-1 || some[v.Path()] != nil {
			t.Errorf("with %s frozen there are the gradients of %v", v.Path(), slices.Sorted(maps.Keys(some)))
		}
		for path, g := range some {
			gomlxtest.Near(t, path+" with "+v.Path()+" frozen", gomlxtest.Floats(t, g, nil), gomlxtest.Floats(t, all[path], nil), 1e-9)
		}
	}
	if again := gradients(); len(again) != len(all) {
		t.Errorf("with none frozen any more there are the gradients of %v", slices.Sorted(maps.Keys(again)))
	}
}

// A likelihood needs an estimator that fits the event, and a deterministic solver.
func TestBadLikelihood(t *testing.T) {
	backend, ctx := gomlxtest.Go(t), context.Background()
	process, err := gauss(4).Bind(backend, model.NewStore(), nil, nami.DType(dtypes.Float64))
	if err != nil {
		t.Fatal(err)
	}
	x := doubles(make([]float64, 6), 3, 2)
	for want, call := range map[string]func() error{
		"the estimator of the divergence is nil": func() error { _, err := process.LogProb(ctx, x, nil); return err },
		"more than MaxSize 1":                    func() error { _, err := process.LogProb(ctx, x, divergence.Exact{MaxSize: 1}); return err },
		"N is -1":                                func() error { _, err := process.LogProb(ctx, x, divergence.Hutchinson{N: -1}); return err },
		"events of shape (2)": func() error {
			_, err := process.LogProb(ctx, doubles(make([]float64, 3), 3), divergence.Exact{})
			return err
		},
		"expected Float64":               func() error { _, err := process.LogProb(ctx, ones(3, 2), divergence.Exact{}); return err },
		"the data is nil":                func() error { _, err := process.Encode(ctx, nil); return err },
		"1 of 4 values of the data":      func() error { _, err := process.Encode(ctx, doubles([]float64{1, math.NaN(), 0, 0}, 2, 2)); return err },
		"axis 0 of the sample shape (0)": func() error { _, _, err := process.SampleWithLogProb(ctx, divergence.Exact{}, 0); return err },
		"there are no times":             func() error { _, err := process.Trajectory(ctx, nil, 3); return err },
		"times must fall":                func() error { _, err := process.Trajectory(ctx, []float64{0.5, 0.5}, 3); return err },
		"times[1] is 1.5":                func() error { _, err := process.Trajectory(ctx, []float64{0.5, 1.5}, 3); return err },
		"both times must lie between":    func() error { _, err := process.Solve(ctx, x, 2, 0); return err },
	} {
		if err := call(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, expected it to say %q", err, want)
		}
	}
}
