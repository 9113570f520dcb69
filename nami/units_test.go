package nami_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/nami/transform"
	"github.com/nami-flow/go-nami/tests/backends"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Units of two positive columns, of which the second also has a scale, and of contexts.
var (
	logarithms = transform.Columns{
		{Of: []int{0}, By: transform.Logarithm{}},
		{Of: []int{1}, By: transform.Chain{transform.Logarithm{}, transform.Standardize{Mean: []float64{2}, Std: []float64{3}}}},
	}
	halves = transform.Standardize{Mean: []float64{10, 20}, Std: []float64{2, 2}}
)

// inLogarithms is log p of a point in the data's units: log-normal in both columns, with the
// means of the model moved by the context.
func inLogarithms(x, c []float64) float64 {
	sum := 0.0
	for j, of := range []struct{ mean, scale float64 }{{0, 1}, {2, 3}} {
		y := (math.Log(x[j]) - of.mean) / of.scale
		sum += logNormal(y, mean[j]+(c[j]-halves.Mean[j])/halves.Std[j], std[j]) - math.Log(of.scale*x[j])
	}
	return sum
}

// A flow with transforms gives densities of log-normal data in the data's units, from contexts
// in theirs, with their derivatives; its samples have those densities; and in a graph it gives
// the same.
func TestLogProbInUnits(t *testing.T) {
	points := []float64{4.5, 3, 1, 7.4, 20, 900, 2, 0.1}
	contexts := []float64{10.6, 19.6, 12, 21}
	contextOf := func(i int) []float64 { return contexts[2*(i%2) : 2*(i%2)+2] }
	flow := gauss(40)
	flow.Transform, flow.ContextTransform = logarithms, halves
	var want []float64
	for i := range 4 {
		want = append(want, inLogarithms(points[2*i:2*i+2], contextOf(i)))
	}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		ctx := context.Background()
		x, c := doubles(slices.Clone(points), 2, 2, 2), doubles(slices.Clone(contexts), 2, 2)
		process, err := flow.Bind(backend, model.NewStore(), c, nami.DType(dtypes.Float64), nami.ChunkSize(3))
		if err != nil {
			t.Fatal(err)
		}
		logProb, err := process.LogProb(ctx, x, divergence.Exact{})
		gomlxtest.Near(t, "log p", gomlxtest.Floats(t, logProb, err), want, 1e-6)

		samples, ofSamples, err := process.SampleWithLogProb(ctx, divergence.Exact{}, 3)
		drawn, density := gomlxtest.Floats(t, samples, err), gomlxtest.Floats(t, ofSamples, err)
		for i := range 6 {
			gomlxtest.Near(t, "log p of a sample", density[i:i+1], []float64{inLogarithms(drawn[2*i:2*i+2], contextOf(i))}, 1e-5)
		}

		if backends.Few(backend) {
			return // what follows is mathematics, at the price of many compilations
		}
		gradients, err := process.LogProbGradient(ctx, x, divergence.Exact{})
		if err != nil {
			t.Fatal(err)
		}
		gomlxtest.Near(t, "log p beside its derivatives", tensors.MustCopyFlatData[float64](gradients.LogProb), want, 1e-6)
		var byX, byContext []float64
		byContext = make([]float64, 4)
		for i := range 4 {
			for j := range 2 {
				byX = append(byX, slope(func(h float64) float64 {
					p := slices.Clone(points[2*i : 2*i+2])
					p[j] += h
					return inLogarithms(p, contextOf(i))
				}))
				byContext[2*(i%2)+j] += slope(func(h float64) float64 {
					c := slices.Clone(contextOf(i))
					c[j] += h
					return inLogarithms(points[2*i:2*i+2], c)
				})
			}
		}
		gomlxtest.Near(t, "the derivative by the data", tensors.MustCopyFlatData[float64](gradients.X), byX, 1e-5)
		gomlxtest.Near(t, "the derivative by the context", tensors.MustCopyFlatData[float64](gradients.Context), byContext, 1e-5)

		flow := flow
		flow.Solver = solver.RK4(10) // unrolled, its graph is large
		inGraph, err := model.CallOnce(backend, model.NewStore(), func(scope *model.Scope, in []*Node) *Node {
			return flow.LogProb(scope, in[0], in[1], divergence.Exact{})
		}, x, c)
		gomlxtest.Near(t, "log p in a graph", gomlxtest.Floats(t, inGraph, err), want, 1e-3)
		both, err := model.CallOnceN(backend, model.NewStore(), func(scope *model.Scope, in []*Node) []*Node {
			x, logProb := flow.SampleWithLogProb(scope, in[0].Graph(), dtypes.Float64, in[0], divergence.Exact{}, 2)
			return []*Node{x, logProb, flow.LogProb(scope, x, in[0], divergence.Exact{})}
		}, c)
		if err != nil {
			t.Fatal(err)
		}
		gomlxtest.Near(t, "log p of samples in a graph", tensors.MustCopyFlatData[float64](both[1]), tensors.MustCopyFlatData[float64](both[2]), 1e-3)
	})
}

// slope is a derivative at 0 by central differences.
func slope(f func(h float64) float64) float64 {
	const h = 1e-5
	return (f(h) - f(-h)) / (2 * h)
}

// The ways between noise and data agree: samples from noise, the noise of samples, and the end
// of a trajectory, of events of other shapes in both units.
func TestWaysInUnits(t *testing.T) {
	angle := transform.Columns{{Of: []int{0}, By: transform.Circle{Low: -math.Pi}}}
	flow := nami.FlowMatching{
		Field: bridge([]float64{0.3, 0, 1}, []float64{0.5, 0.6, 0.8}), Base: distribution.NewStandardNormal(3),
		Solver: solver.RK4(30), Transform: angle,
	}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		ctx := context.Background()
		process, err := flow.Bind(backend, model.NewStore(), nil, nami.DType(dtypes.Float64), nami.ChunkSize(16))
		if err != nil {
			t.Fatal(err)
		}
		if got := process.EventShape(); !slices.Equal(got, []int{2}) {
			t.Fatalf("an event in the data's units has shape %v, expected [2]", got)
		}
		x, err := process.Seeded(3).Sample(ctx, 40)
		samples := gomlxtest.Floats(t, x, err)
		for i := 0; i < len(samples); i += 2 {
			if !(samples[i] >= -math.Pi && samples[i] <= math.Pi) {
				t.Fatalf("sample %d has the angle %v, outside -π to π", i/2, samples[i])
			}
		}
		frames, err := process.Seeded(3).Trajectory(ctx, []float64{0.9, 0.5, 0}, 40)
		all := gomlxtest.Floats(t, frames, err)
		if got := frames.Shape().Dimensions; !slices.Equal(got, []int{3, 40, 2}) {
			t.Fatalf("the trajectory has the shape %v, expected [3 40 2]", got)
		}
		gomlxtest.Near(t, "the end of the trajectory", all[2*40*2:], samples, 1e-6)

		noise, err := process.Encode(ctx, x)
		if err != nil {
			t.Fatal(err)
		}
		if got := noise.Shape().Dimensions; !slices.Equal(got, []int{40, 3}) {
			t.Fatalf("the noise has the shape %v, expected [40 3]", got)
		}
		back, err := process.SampleFrom(ctx, noise)
		gomlxtest.Near(t, "samples from their own noise", gomlxtest.Floats(t, back, err), samples, 1e-6)
	})
}

// Padded events with units: padding is zero in samples and has no part in a density, whatever
// stands in it, though a logarithm isn't defined there.
func TestMaskInUnits(t *testing.T) {
	flow := gauss(30)
	ofObjects := bridge([]float64{0.5}, []float64{0.7}).(field.Func)
	ofObjects.Rank = 2
	flow.Field = ofObjects
	flow.Base = distribution.NewStandardNormal(3, 1)
	flow.Transform = transform.Logarithm{}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		ctx := context.Background()
		process, err := flow.Bind(backend, model.NewStore(), nil, nami.DType(dtypes.Float64))
		if err != nil {
			t.Fatal(err)
		}
		mask := doubles([]float64{1, 1, 0, 1, 0, 0}, 2, 3)
		if process, err = process.Masked(mask); err != nil {
			t.Fatal(err)
		}
		density := func(values ...float64) float64 {
			sum := 0.0
			for _, v := range values {
				sum += logNormal(math.Log(v), 0.5, 0.7) - math.Log(v)
			}
			return sum
		}
		for _, padding := range []float64{0, -7, math.NaN()} {
			x := doubles([]float64{2, 3, padding, 0.4, padding, padding}, 2, 3, 1)
			logProb, err := process.LogProb(ctx, x, divergence.Exact{})
			gomlxtest.Near(t, "log p of padded events", gomlxtest.Floats(t, logProb, err), []float64{density(2, 3), density(0.4)}, 1e-6)
		}
		samples, err := process.Sample(ctx, 2)
		for i, v := range gomlxtest.Floats(t, samples, err) {
			if object := tensors.MustCopyFlatData[float64](mask)[i%6] == 1; object != (v > 0) || !object && v != 0 {
				t.Errorf("value %d of the samples is %v, where the mask has object %v", i, v, object)
			}
		}
	})
}

// What isn't in the domain of a transform is an error with its place, before a solve; so is a
// transform that doesn't fit.
func TestBadUnits(t *testing.T) {
	ctx := context.Background()
	backend := gomlxtest.Go(t)
	flow := gauss(2)
	flow.Transform, flow.ContextTransform = logarithms, transform.Logarithm{}
	process, err := flow.Bind(backend, model.NewStore(), doubles([]float64{1, 1}, 1, 2), nami.DType(dtypes.Float64))
	if err != nil {
		t.Fatal(err)
	}
	_, err = process.LogProb(ctx, doubles([]float64{1, 1, 1, -3}, 2, 1, 2), divergence.Exact{})
	gomlxtest.Says(t, "a value outside the domain", err, "the value in row 1, column 1 of (Float64)[2, 1, 2] is -3")
	_, err = process.Encode(ctx, doubles([]float64{1, 0}, 1, 1, 2))
	gomlxtest.Says(t, "a value at its edge", err, "the value in row 0, column 1")
	_, err = process.Rebind(doubles([]float64{1, -1}, 1, 2))
	gomlxtest.Says(t, "a context outside the domain", err, "the context: the value in row 0, column 1 of (Float64)[1, 2] is -1")

	bind := func(change func(*nami.FlowMatching)) error {
		flow := gauss(2)
		change(&flow)
		_, err := flow.Bind(backend, model.NewStore(), doubles([]float64{1, 1}, 1, 2), nami.DType(dtypes.Float64))
		return err
	}
	gomlxtest.Says(t, "not fitted", bind(func(m *nami.FlowMatching) { m.Transform = transform.Standardize{} }), "fit them with transform.Fit")
	gomlxtest.Says(t, "another number of columns", bind(func(m *nami.FlowMatching) { m.Transform = transform.Columns{{Of: []int{2}, By: transform.Logarithm{}}} }),
		"column 2, and there are 2")
	gomlxtest.Says(t, "angles of an odd number", bind(func(m *nami.FlowMatching) {
		m.Field, m.Base, m.Transform = bridge([]float64{1, 2, 3}, []float64{1, 1, 1}), distribution.NewStandardNormal(3), transform.Circle{}
	}), "expected two columns for each angle")
	gomlxtest.Says(t, "a context of another size", bind(func(m *nami.FlowMatching) {
		m.ContextTransform = transform.Standardize{Mean: []float64{1, 2, 3}, Std: []float64{1, 1, 1}}
	}), "the ContextTransform doesn't fit a context of shape (2)")
}

// A diffusion's density in the data's units is that of the model, with the log-determinant.
func TestDiffusionInUnits(t *testing.T) {
	ctx := context.Background()
	backend := gomlxtest.Go(t)
	plain := nami.Diffusion{
		Field:      field.Func{Rank: 1, F: func(_ *model.Scope, x, t, _ *Node) *Node { return MulScalar(x, 0.8) }},
		Prediction: schedule.Eps, Schedule: schedule.VP{}, Solver: solver.Heun(10), EventShape: []int{2},
	}
	inUnits := plain
	inUnits.Transform = logarithms
	var got [2][]float64
	x := doubles([]float64{0.5, 7, 2, 900}, 2, 2)
	y, logDet, err := transform.Apply(backend, logarithms, transform.Data{X: x}, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range []nami.Diffusion{plain, inUnits} {
		process, err := m.Bind(backend, model.NewStore(), nil, nami.DType(dtypes.Float64))
		if err != nil {
			t.Fatal(err)
		}
		logProb, err := process.LogProb(ctx, []*tensors.Tensor{y, x}[i], divergence.Exact{})
		got[i] = gomlxtest.Floats(t, logProb, err)
	}
	for i, det := range tensors.MustCopyFlatData[float64](logDet) {
		got[0][i] += det
	}
	gomlxtest.Near(t, "log p", got[1], got[0], 1e-9)
}
