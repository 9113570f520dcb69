package nami_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/nami/transform"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// inPieces runs the pieces of a process one after the other, each compiled by itself.
func inPieces(t *testing.T, backend compute.Backend, g nami.Graphs, x *tensors.Tensor, inputs ...*tensors.Tensor) []*tensors.Tensor {
	t.Helper()
	run := func(in []*tensors.Tensor, build func(scope *model.Scope, in []*Node) []*Node) []*tensors.Tensor {
		t.Helper()
		c, err := nami.NewComputation(backend, g.Store, build)
		if err != nil {
			t.Fatal(err)
		}
		out, err := c.Call(in...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if len(g.Inputs) != len(inputs) {
		t.Fatalf("it has the inputs %v, expected %d", g.Inputs, len(inputs))
	}
	if len(inputs) > 0 {
		inputs = run(inputs, g.Map)
	}
	state := run(append([]*tensors.Tensor{x}, inputs...), func(scope *model.Scope, in []*Node) []*Node { return g.Begin(scope, in[:1], in[1:]) })
	n := len(state)
	step, err := nami.NewComputation(backend, g.Store, func(scope *model.Scope, in []*Node) []*Node {
		next, more := g.Step(scope, in[0], in[1:1+n], in[1+n:])
		if more == nil {
			more = Const(in[0].Graph(), true)
		}
		return append(next, more)
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < g.Steps; i++ {
		out, err := step.Call(append(append([]*tensors.Tensor{tensors.FromScalar(int32(i))}, state...), inputs...)...)
		if err != nil {
			t.Fatal(err)
		}
		if state = out[:n]; !tensors.ToScalar[bool](out[n]) {
			break
		}
	}
	return run(append(state, inputs...), func(scope *model.Scope, in []*Node) []*Node { return g.End(scope, in[:n], in[n:]) })
}

// The pieces of a process make the numbers that the process makes: for both models, with
// contexts and transforms, of fixed and of chosen steps, with log-densities.
func TestGraphs(t *testing.T) {
	flow := gauss(8)
	flow.Transform, flow.ContextTransform = logarithms, halves
	adaptive := flow
	adaptive.Solver = solver.Dopri5(1e-8, 1e-8)
	diffusion := nami.Diffusion{Field: flow.Field, Schedule: schedule.VP{}, Solver: solver.LMS(2, 8), EventShape: []int{2}, Transform: logarithms, ContextTransform: halves}
	noise := []float64{0.5, -1, 2, 0.1, -0.3, 0.8}
	data := []float64{4.5, 3, 1, 7.4, 20, 900}
	contexts := []float64{10.6, 19.6, 12, 21, 9, 20}
	backend, ctx := gomlxtest.Go(t), context.Background() // compiling fifty programs takes XLA long
	for name, m := range map[string]builder{"flow": flow, "adaptive flow": adaptive, "diffusion": diffusion} {
		c := doubles(contexts, 3, 2)
		process, err := m.Bind(backend, model.NewStore(), c, nami.DType(dtypes.Float64))
		if err != nil {
			t.Fatal(err)
		}
		samples, err := process.SampleFrom(ctx, doubles(noise, 3, 2))
		want := gomlxtest.Floats(t, samples, err)
		g, err := process.SampleGraphs(nil)
		if err != nil {
			t.Fatal(err)
		}
		got := inPieces(t, backend, g, doubles(noise, 3, 2), c)
		gomlxtest.Near(t, name+": samples", gomlxtest.Floats(t, got[0], nil), want, 1e-9)

		g, err = process.SampleGraphs(divergence.Exact{})
		if err != nil {
			t.Fatal(err)
		}
		both := inPieces(t, backend, g, doubles(noise, 3, 2), c)
		gomlxtest.Near(t, name+": samples with log p", gomlxtest.Floats(t, both[0], nil), want, 1e-6)

		logProb, err := process.LogProb(ctx, doubles(data, 3, 2), divergence.Exact{})
		wantLogProb := gomlxtest.Floats(t, logProb, err)
		if g, err = process.LogProbGraphs(divergence.Exact{}); err != nil {
			t.Fatal(err)
		}
		got = inPieces(t, backend, g, doubles(data, 3, 2), c)
		gomlxtest.Near(t, name+": log p", gomlxtest.Floats(t, got[0], nil), wantLogProb, 1e-9)

		// Those of samples and of data are one density, up to the solver's error.
		if name == "adaptive flow" {
			logProb, err := process.LogProb(ctx, both[0], divergence.Exact{})
			gomlxtest.Near(t, name+": log p of samples", gomlxtest.Floats(t, both[1], nil), gomlxtest.Floats(t, logProb, err), 1e-6)
		}
	}
}

// A row that an adaptive solver can't finish is NaN, and the others are what they would be
// without it.
func TestGraphsOfARowThatFails(t *testing.T) {
	flow := nami.FlowMatching{
		Field: field.Func{Rank: 1, F: func(_ *model.Scope, x, _, _ *Node) *Node { // dx/dt = x, up to 5
			return Where(GreaterThan(x, ConstAs(x, 5)), MulScalar(OnesLike(x), math.NaN()), x)
		}},
		Base: distribution.NewStandardNormal(1), Solver: solver.Dopri5(1e-9, 1e-9),
	}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		g, err := bindDoubles(t, backend, flow).SampleGraphs(nil)
		if err != nil {
			t.Fatal(err)
		}
		got := gomlxtest.Floats(t, inPieces(t, backend, g, doubles([]float64{1, 10, -3}, 3, 1))[0], nil)
		if !math.IsNaN(got[1]) {
			t.Errorf("the row that fails is %v, expected NaN", got[1])
		}
		gomlxtest.Near(t, "the others", []float64{got[0], got[2]}, []float64{1 / math.E, -3 / math.E}, 1e-7)
	})
}

// Where a transform adds noise, its random numbers are an input: the log-density is that of the
// count with this noise, and of the angle with this radius.
func TestGraphsWithNoise(t *testing.T) {
	still := field.Func{Rank: 1, F: func(_ *model.Scope, x, _, c *Node) *Node {
		return Sub(ZerosLike(x), Slice(c, AxisRange(), AxisRange(0, 1)))
	}}
	flow := nami.FlowMatching{
		Field: still, Base: distribution.NewStandardNormal(4), Solver: solver.RK4(2),
		Transform: transform.Columns{{Of: []int{0, 2}, By: transform.Dequantize{}}, {Of: []int{1}, By: transform.Circle{}}},
	}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		process, err := flow.Bind(backend, model.NewStore(), doubles([]float64{0.5}, 1), nami.DType(dtypes.Float64))
		if err != nil {
			t.Fatal(err)
		}
		g, err := process.LogProbGraphs(divergence.Exact{})
		if err != nil {
			t.Fatal(err)
		}
		if last := g.Inputs[len(g.Inputs)-1]; last.Name != "uniform" || last.Shape.Size() != 3 {
			t.Fatalf("the last input is %v", last)
		}
		x := []float64{0, 1, -1, 2, -2, 1}
		context := []float64{0.5, -0.25}
		uniform := []float64{0.25, 0.75, 0.5, 0.5, 0.125, 0.25} // two counts, then the angle's
		got := inPieces(t, backend, g, doubles(x, 2, 3), doubles(context, 2, 1), doubles(uniform, 2, 3))
		var want []float64
		for i := range 2 {
			u, c, r2 := uniform[3*i:], context[i], -2*math.Log1p(-uniform[3*i+2])
			sum := r2 / 2
			for _, y := range []float64{x[3*i] + u[0], math.Sqrt(r2) * math.Cos(x[3*i+1]), math.Sqrt(r2) * math.Sin(x[3*i+1]), x[3*i+2] + u[1]} {
				sum += -(y-c)*(y-c)/2 - math.Log(2*math.Pi)/2
			}
			want = append(want, sum+math.Log(1))
		}
		gomlxtest.Near(t, "log p", gomlxtest.Floats(t, got[0], nil), want, 1e-9)
	})
}

// What draws random numbers can't be given in pieces, and says so.
func TestGraphsMisuse(t *testing.T) {
	backend := gomlxtest.Go(t)
	still := field.Func{Rank: 1, F: func(_ *model.Scope, x, _, _ *Node) *Node { return ZerosLike(x) }}
	flow := nami.FlowMatching{Field: still, Base: distribution.NewStandardNormal(2), Solver: solver.Euler(2)}
	reverse := nami.Diffusion{Field: still, Schedule: schedule.VP{}, Solver: solver.SRA1(4), EventShape: []int{2}}
	for _, c := range []struct {
		name string
		do   func() (nami.Graphs, error)
		want string
	}{
		{"a stochastic solver", func() (nami.Graphs, error) { return bindDoubles(t, backend, reverse).SampleGraphs(nil) }, "SRA1(4) draws random numbers"},
		{"a stochastic estimator", func() (nami.Graphs, error) {
			return bindDoubles(t, backend, flow).SampleGraphs(divergence.Hutchinson{})
		}, "Hutchinson{Rademacher, 1} draws random numbers"},
		{"no estimator", func() (nami.Graphs, error) { return bindDoubles(t, backend, flow).LogProbGraphs(nil) }, "estimator of the divergence is nil"},
	} {
		if _, err := c.do(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: the error is %v, expected %q in it", c.name, err, c.want)
		}
	}
}
