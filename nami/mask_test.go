package nami_test

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/tests/backends"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// objects takes the objects from events of shape (3, 2) whose third object is padding.
func objects(t *testing.T, what string, x []float64) (out []float64) {
	t.Helper()
	for i := 0; i < len(x); i += 6 {
		out = append(out, x[i:i+4]...)
		if x[i+4] != 0 || x[i+5] != 0 {
			t.Errorf("%s: the padding is %v, expected exactly 0", what, x[i+4:i+6])
		}
	}
	return out
}

// pooledFlow is a flow of events of so many objects.
func pooledFlow(objects, steps int) nami.FlowMatching {
	return nami.FlowMatching{Field: pooled, Base: distribution.NewStandardNormal(objects, 2), Solver: solver.RK4(steps)}
}

// bindDoubles binds a model without weights in float64.
func bindDoubles(t *testing.T, backend compute.Backend, m builder) *nami.Process {
	t.Helper()
	process, err := m.Bind(backend, model.NewStore(), nil, nami.DType(dtypes.Float64))
	if err != nil {
		t.Fatal(err)
	}
	return process
}

// padded is an event of two objects and padding, and twoOfThree its mask.
func padded() *tensors.Tensor {
	return doubles([]float64{0.1, 0.2, 0.3, 0.4, math.NaN(), 7}, 1, 3, 2)
}

func twoOfThree() *tensors.Tensor { return doubles([]float64{1, 1, 0}, 1, 3) }

// maskedLike is a masked process that is to agree with a masked model in a graph.
func maskedLike(t *testing.T, backend compute.Backend, m builder) *nami.Process {
	t.Helper()
	process, err := bindDoubles(t, backend, m).Masked(twoOfThree())
	if err != nil {
		t.Fatal(err)
	}
	return process
}

// Whatever a process does with a mask, it does with the objects alone: samples come with
// their own log-density, whose derivative is that of the unpadded event, and 0 in the
// padding, whatever stands there.
func TestMaskedLikelihood(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		ctx := context.Background()
		bind := func(objects int) *nami.Process { return bindDoubles(t, backend, pooledFlow(objects, 10)) }
		masked, err := bind(3).Masked(doubles([]float64{1, 1, 0}, 3))
		if err != nil {
			t.Fatal(err)
		}
		samples, logProb, err := masked.SampleWithLogProb(ctx, divergence.Exact{}, 3)
		alone := objects(t, "SampleWithLogProb", gomlxtest.Floats(t, samples, err))
		want, err := bind(2).LogProb(ctx, doubles(alone, 3, 2, 2), divergence.Exact{})
		gomlxtest.Near(t, "the samples' log-density", gomlxtest.Floats(t, logProb, nil), gomlxtest.Floats(t, want, err), 1e-5)

		got, err := masked.LogProbGradient(ctx, padded(), divergence.Exact{})
		if err != nil {
			t.Fatal(err)
		}
		plain, err := bind(2).LogProbGradient(ctx, doubles([]float64{0.1, 0.2, 0.3, 0.4}, 1, 2, 2), divergence.Exact{})
		if err != nil {
			t.Fatal(err)
		}
		gomlxtest.Near(t, "its derivative", objects(t, "LogProbGradient", gomlxtest.Floats(t, got.X, nil)), gomlxtest.Floats(t, plain.X, nil), 1e-10)
		gomlxtest.Near(t, "the log-density", gomlxtest.Floats(t, got.LogProb, nil), gomlxtest.Floats(t, plain.LogProb, nil), 1e-10)

		estimate, err := masked.LogProb(ctx, padded(), divergence.Hutchinson{N: 4})
		gomlxtest.Floats(t, estimate, err) // finite, though the padding isn't
		path, err := masked.Trajectory(ctx, []float64{1, 0.5, 0}, 2)
		objects(t, "Trajectory", gomlxtest.Floats(t, path, err))
		z, err := masked.Encode(ctx, padded())
		objects(t, "Encode", gomlxtest.Floats(t, z, err))
	})
}

// Diffusion models take a mask as flows do, by the probability flow and the reverse
// process: noise becomes the objects that it becomes without padding.
func TestMaskedDiffusion(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		ctx := context.Background()
		for _, method := range []solver.Solver{solver.Heun(8), solver.EulerMaruyama(8), solver.UniPC(3, 8), solver.AdamsPEC(4, 8), solver.DDIM(1, 8), solver.DPMSolverPP3MSDE(8), {Method: solver.Churn{Churn: 2}, Steps: 8}} {
			if backends.Few(backend) && fmt.Sprint(method.Method) != "Heun" {
				continue // XLA compiles each anew
			}
			bind := func(objects int) *nami.Process {
				return bindDoubles(t, backend, nami.Diffusion{Field: pooled, Prediction: schedule.X0, Schedule: schedule.VP{}, Solver: method, EventShape: []int{objects, 2}})
			}
			masked, err := bind(3).Masked(doubles([]float64{1, 1, 0}, 3))
			if err != nil {
				t.Fatal(err)
			}
			samples, err := masked.Sample(ctx, 4)
			objects(t, "Sample", gomlxtest.Floats(t, samples, err))
			if method.Stochastic() {
				trajectory, err := masked.Trajectory(ctx, []float64{1, 0.55, 0.3, 0}, 4) // within steps, too
				objects(t, "Trajectory", gomlxtest.Floats(t, trajectory, err))
				continue
			}
			noise := []float64{0.1, -0.2, 0.3, 0.4}
			from := func(p *nami.Process, z *tensors.Tensor) []float64 {
				x, err := p.SampleFrom(ctx, z)
				return gomlxtest.Floats(t, x, err)
			}
			got := objects(t, "SampleFrom", from(masked, doubles([]float64{0.1, -0.2, 0.3, 0.4, 5, math.Inf(1)}, 1, 3, 2)))
			gomlxtest.Near(t, "the samples", got, from(bind(2), doubles(noise, 1, 2, 2)), 1e-10)
			logProb, err := masked.LogProb(ctx, samples, divergence.Exact{})
			alone, errAlone := bind(2).LogProb(ctx, doubles(objects(t, "Sample", gomlxtest.Floats(t, samples, nil)), 4, 2, 2), divergence.Exact{})
			gomlxtest.Near(t, "the log-density", gomlxtest.Floats(t, logProb, err), gomlxtest.Floats(t, alone, errAlone), 1e-8)
		}
	})
}

// A masked flow in a graph gives what a masked process gives, and derivatives that are
// finite and zero in the padding, even of a NaN there.
func TestMaskedInGraphs(t *testing.T) {
	flow := pooledFlow(3, 2)
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		ctx := context.Background()
		out, err := model.CallOnceN(backend, model.NewStore(), func(scope *model.Scope, x, mask *Node) []*Node {
			m := flow.Masked(mask)
			logProb := m.LogProb(scope, x, nil, divergence.Exact{})
			samples, ofSamples := m.SampleWithLogProb(scope, x.Graph(), x.DType(), nil, divergence.Exact{}, 1)
			return []*Node{
				logProb, Gradient(ReduceAllSum(logProb), x)[0], m.Integrate(scope, x, nil, 1, 0),
				samples, Sub(ofSamples, m.LogProb(scope, samples, nil, divergence.Exact{})),
			}
		}, padded(), twoOfThree())
		if err != nil {
			t.Fatal(err)
		}
		masked := maskedLike(t, backend, flow)
		want, err := masked.LogProb(ctx, padded(), divergence.Exact{})
		gomlxtest.Near(t, "the log-density", gomlxtest.Floats(t, out[0], nil), gomlxtest.Floats(t, want, err), 1e-10)
		grads, err := masked.LogProbGradient(ctx, padded(), divergence.Exact{})
		if err != nil {
			t.Fatal(err)
		}
		gomlxtest.Near(t, "its derivative", objects(t, "Gradient", gomlxtest.Floats(t, out[1], nil)), objects(t, "LogProbGradient", gomlxtest.Floats(t, grads.X, nil)), 5e-3)
		moved, err := masked.SampleFrom(ctx, padded())
		gomlxtest.Near(t, "Integrate", gomlxtest.Floats(t, out[2], nil), gomlxtest.Floats(t, moved, err), 1e-10)
		objects(t, "SampleWithLogProb", gomlxtest.Floats(t, out[3], nil))
		gomlxtest.Near(t, "the samples' log-density", gomlxtest.Floats(t, out[4], nil), []float64{0}, 5e-3)
	})
}

// So does a masked diffusion, whose drift f·x has a divergence of its own.
func TestMaskedDiffusionInGraphs(t *testing.T) {
	m := nami.Diffusion{Field: pooled, Prediction: schedule.X0, Schedule: schedule.VP{}, Solver: solver.Euler(2), EventShape: []int{3, 2}}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		out, err := model.CallOnceN(backend, model.NewStore(), func(scope *model.Scope, x, mask *Node) []*Node {
			m := m.Masked(mask)
			logProb := m.LogProb(scope, x, nil, divergence.Exact{})
			return []*Node{logProb, Gradient(ReduceAllSum(logProb), x)[0], m.Sample(scope, x.Graph(), x.DType(), nil, 1)}
		}, padded(), twoOfThree())
		if err != nil {
			t.Fatal(err)
		}
		want, err := maskedLike(t, backend, m).LogProb(context.Background(), padded(), divergence.Exact{})
		gomlxtest.Near(t, "the log-density", gomlxtest.Floats(t, out[0], nil), gomlxtest.Floats(t, want, err), 1e-10)
		for what, node := range map[string]*tensors.Tensor{"Gradient": out[1], "Sample": out[2]} {
			if v := gomlxtest.Floats(t, node, nil); v[4] != 0 || v[5] != 0 || !(math.Abs(v[0]) > 0) {
				t.Errorf("%s: %v, expected numbers, and 0 in the padding", what, v)
			}
		}
	})
}

// A mask of nil takes the mask away, from a process and from a model in a graph alike.
func TestNoMask(t *testing.T) {
	backend, ctx := gomlxtest.Go(t), context.Background()
	plain := bindDoubles(t, backend, pooledFlow(3, 2))
	masked, err := plain.Masked(twoOfThree())
	if err != nil {
		t.Fatal(err)
	}
	again, err := masked.Masked(nil)
	if err != nil {
		t.Fatal(err)
	}
	x := doubles([]float64{0.1, 0.2, 0.3, 0.4, 0.5, 0.6}, 1, 3, 2)
	value, err := plain.LogProb(ctx, x, divergence.Exact{})
	want := gomlxtest.Floats(t, value, err)
	value, err = again.LogProb(ctx, x, divergence.Exact{})
	gomlxtest.Near(t, "the process", gomlxtest.Floats(t, value, err), want, 0)
	out, err := model.CallOnceN(backend, model.NewStore(), func(scope *model.Scope, x, mask *Node) []*Node {
		return []*Node{pooledFlow(3, 2).Masked(mask).Masked(nil).LogProb(scope, x, nil, divergence.Exact{})}
	}, x, twoOfThree())
	if err != nil {
		t.Fatal(err)
	}
	gomlxtest.Near(t, "the graph", gomlxtest.Floats(t, out[0], nil), want, 1e-12)
}

func TestMaskedMisuse(t *testing.T) {
	for want, build := range map[string]func(x *Node) *Node{
		"bind the model without it": func(x *Node) *Node {
			_, err := pooledFlow(3, 1).Masked(ReduceSum(x, -1)).Bind(gomlxtest.Go(t), model.NewStore(), nil)
			panic(err)
		},
		"the mask must be (2, 3), the lead and the objects": func(x *Node) *Node {
			return pooledFlow(3, 1).Masked(ReduceSum(x, -1, -2)).Integrate(nil, x, nil, 1, 0)
		},
		"Base is nil": func(x *Node) *Node { return nami.FlowMatching{Field: pooled}.Masked(x).Integrate(nil, x, nil, 1, 0) },
	} {
		computation, err := nami.NewComputation(gomlxtest.Go(t), nil, func(_ *model.Scope, in []*Node) []*Node { return []*Node{build(in[0])} })
		if err != nil {
			t.Fatal(err)
		}
		_, err = computation.Call(ones(2, 3, 2))
		gomlxtest.Says(t, want, err, want)
	}
}
