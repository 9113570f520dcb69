package nami_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// shift moves a base around 0 at t=1 to the context at t=0; the velocity is -c.
var shift = nami.FlowMatching{
	Field: field.Func{Rank: 1, F: func(_ *model.Scope, x, _, c *Node) *Node {
		if c == nil {
			return ZerosLike(x)
		}
		return Neg(c)
	}},
	Base:   distribution.NewStandardNormal(2),
	Solver: solver.Euler(4),
}

var mlp = nami.FlowMatching{
	Field:  field.MLP{EventShape: []int{8}, Hidden: []int{8}, ContextDim: 4},
	Base:   distribution.NewStandardNormal(8),
	Solver: solver.RK4(3),
}

func ones(dims ...int) *tensors.Tensor {
	size := 1
	for _, d := range dims {
		size *= d
	}
	flat := make([]float32, size)
	for i := range flat {
		flat[i] = 1
	}
	return tensors.FromFlatDataAndDimensions(flat, dims...)
}

func poisoned(value float64, dims ...int) *tensors.Tensor {
	x := ones(dims...)
	x.MustMutableFlatData(func(flat any) { flat.([]float32)[1] = float32(value) })
	return x
}

func flat(t *testing.T, x *tensors.Tensor, err error) []float32 {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return tensors.MustCopyFlatData[float32](x)
}

func initialised(t *testing.T, backend compute.Backend) *model.Store {
	t.Helper()
	store := model.NewStore()
	if err := nami.Initialize(backend, store, mlp.Field, []int{8}, []int{4}, 1); err != nil {
		t.Fatal(err)
	}
	return store
}

// Shapes are sample + batch + event, and draws follow the seed.
func TestSample(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		ctx := context.Background()
		process, err := mlp.Bind(backend, initialised(t, backend), ones(16, 4), nami.Seed(5))
		if err != nil {
			t.Fatal(err)
		}
		first, err := process.Sample(ctx, 1)
		a := flat(t, first, err)
		if got := fmt.Sprint(first.Shape().Dimensions); got != "[1 16 8]" {
			t.Errorf("the shape is %s, expected [1 16 8]", got)
		}
		second, err := process.Sample(ctx, 1)
		if b := flat(t, second, err); slices.Equal(a, b) {
			t.Error("two calls drew the same samples")
		}
		again, err := process.Seeded(5).Sample(ctx, 1)
		if b := flat(t, again, err); !slices.Equal(a, b) {
			t.Error("the same seed drew other samples")
		}
		other, err := process.Rebind(ones(2, 3, 4))
		if err != nil {
			t.Fatal(err)
		}
		third, err := other.Sample(ctx, 5)
		flat(t, third, err)
		if got := fmt.Sprint(third.Shape().Dimensions); got != "[5 2 3 8]" {
			t.Errorf("the shape is %s, expected [5 2 3 8]", got)
		}
	})
}

// The flow of a constant velocity is a shift, and the context reaches its own rows.
func TestContextShifts(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		c := tensors.FromFlatDataAndDimensions([]float32{1, 2, 3, 4}, 2, 2)
		process, err := shift.Bind(backend, model.NewStore(), c)
		if err != nil {
			t.Fatal(err)
		}
		out, err := process.SampleFrom(context.Background(), ones(3, 2, 2))
		got := flat(t, out, err)
		for i, v := range got {
			if want := 1 + float32(1+i%4); math.Abs(float64(v-want)) > 1e-6 {
				t.Fatalf("value %d is %v, expected %v", i, v, want)
			}
		}
	})
}

// The graph's solve and the process's agree, and a gradient flows through the graph's.
func TestGraphLevel(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		store := initialised(t, backend)
		process, err := mlp.Bind(backend, store, ones(2, 4))
		if err != nil {
			t.Fatal(err)
		}
		eager, err := process.SampleFrom(context.Background(), ones(3, 2, 8))
		want := flat(t, eager, err)
		out, err := model.CallOnceN(backend, store, func(scope *model.Scope, x, c *Node) []*Node {
			y := mlp.Integrate(scope, x, c, 1, 0)
			sampled := mlp.Sample(scope, x.Graph(), x.DType(), c, 5, 2)
			return []*Node{y, Gradient(ReduceAllSum(y), x)[0], sampled}
		}, ones(3, 2, 8), ones(2, 4))
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range tensors.MustCopyFlatData[float32](out[0]) {
			if math.Abs(float64(v-want[i])) > 1e-5 {
				t.Fatalf("value %d is %v in a graph and %v in a process", i, v, want[i])
			}
		}
		// Finite difference in the first value of x.
		h := float32(1e-2)
		sums := [2]float64{}
		for k, sign := range []float32{1, -1} {
			x := ones(3, 2, 8)
			x.MustMutableFlatData(func(flat any) { flat.([]float32)[0] += sign * h })
			moved, err := process.SampleFrom(context.Background(), x)
			for _, v := range flat(t, moved, err) {
				sums[k] += float64(v)
			}
		}
		gradient := float64(tensors.MustCopyFlatData[float32](out[1])[0])
		if difference := (sums[0] - sums[1]) / float64(2*h); math.Abs(gradient-difference) > 1e-2 {
			t.Errorf("the gradient is %v, by finite differences %v", gradient, difference)
		}
		if got := fmt.Sprint(out[2].Shape().Dimensions); got != "[5 2 8]" {
			t.Errorf("Sample in a graph has shape %s, expected [5 2 8]", got)
		}
	})
}

func TestConcurrentSamples(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		process, err := mlp.Bind(backend, initialised(t, backend), ones(4))
		if err != nil {
			t.Fatal(err)
		}
		var group sync.WaitGroup
		for i := range 8 {
			group.Go(func() {
				for range 3 {
					if _, err := process.Seeded(int64(i)).Sample(context.Background(), 1+i%3); err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
	})
}

func TestBadBinding(t *testing.T) {
	backend := gomlxtest.Go(t)
	store := initialised(t, backend)
	with := func(change func(*nami.FlowMatching)) nami.FlowMatching {
		m := mlp
		change(&m)
		return m
	}
	for name, c := range map[string]struct {
		flow    nami.FlowMatching
		context *tensors.Tensor
		options []nami.Option
		want    string
	}{
		"no field":     {with(func(m *nami.FlowMatching) { m.Field = nil }), nil, nil, "Field is nil"},
		"no base":      {with(func(m *nami.FlowMatching) { m.Base = nil }), nil, nil, "Base is nil"},
		"no solver":    {with(func(m *nami.FlowMatching) { m.Solver = solver.Solver{} }), nil, nil, "Solver is empty"},
		"no steps":     {with(func(m *nami.FlowMatching) { m.Solver = solver.RK4(0) }), nil, nil, "0 steps"},
		"minus steps":  {with(func(m *nami.FlowMatching) { m.Solver = solver.RK4(-1) }), nil, nil, "-1 steps"},
		"rank":         {with(func(m *nami.FlowMatching) { m.Base = distribution.NewStandardNormal(2, 4) }), ones(4), nil, "rank 1, the base's shape (2, 4)"},
		"event":        {with(func(m *nami.FlowMatching) { m.Base = distribution.NewStandardNormal(7) }), ones(4), nil, "must end in the event shape (8)"},
		"no context":   {mlp, nil, nil, "expects one of 4 values"},
		"context size": {mlp, ones(16, 3), nil, "expects 4 values"},
		"context rank": {mlp, tensors.FromScalar(float32(1)), nil, "batch_shape+[context_dim]"},
		"NaN context":  {mlp, poisoned(math.NaN(), 16, 4), nil, "1 of 64 values of the context"},
		"dtype":        {mlp, tensors.FromFlatDataAndDimensions(make([]float64, 4), 4), nil, "expected Float32"},
		"odd dtype":    {mlp, ones(4), []nami.Option{nami.DType(dtypes.Int32)}, "the dtype is Int32"},
		"unasked context": {
			nami.FlowMatching{Field: field.MLP{EventShape: []int{2}}, Base: distribution.NewStandardNormal(2), Solver: solver.RK4(2)},
			ones(3, 1), nil, "expects none",
		},
		"untrained": {
			nami.FlowMatching{Field: field.MLP{EventShape: []int{2}, Hidden: []int{3}}, Base: distribution.NewStandardNormal(2), Solver: solver.RK4(2)},
			nil, nil, "different shape",
		},
	} {
		_, err := c.flow.Bind(backend, store, c.context, c.options...)
		gomlxtest.Says(t, name, err, c.want)
	}
	_, err := mlp.Bind(backend, model.NewStore(), ones(4))
	gomlxtest.Says(t, "empty store", err, "the store lacks 4 of the field's variables (/mlp/layer_0/dense/weights")
	_, err = mlp.Bind(nil, store, ones(4))
	gomlxtest.Says(t, "no backend", err, "the backend is nil")
	_, err = mlp.Bind(backend, nil, ones(4))
	gomlxtest.Says(t, "no store", err, "the store is nil")
}

func TestBadSampling(t *testing.T) {
	backend := gomlxtest.Go(t)
	ctx := context.Background()
	process, err := mlp.Bind(backend, initialised(t, backend), ones(16, 4))
	if err != nil {
		t.Fatal(err)
	}
	for _, shape := range [][]int{{0}, {3, -1}} {
		_, err := process.Sample(ctx, shape...)
		gomlxtest.Says(t, fmt.Sprint(shape), err, "every axis needs at least 1")
	}
	for want, noise := range map[string]*tensors.Tensor{
		"events of shape (8)": ones(16, 7), "must end in the context's batch shape (16)": ones(3, 8), "the noise is nil": nil,
		"1 of 128 values of the noise": poisoned(math.Inf(1), 16, 8), "expected Float32": tensors.FromFlatDataAndDimensions(make([]float64, 8), 8),
	} {
		_, err := process.SampleFrom(ctx, noise)
		gomlxtest.Says(t, want, err, want)
	}

	diverging := shift
	diverging.Field = field.Func{Rank: 1, F: func(_ *model.Scope, x, _, _ *Node) *Node { return Log(Neg(Square(x))) }}
	bad, err := diverging.Bind(backend, model.NewStore(), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = bad.Sample(ctx, 3)
	gomlxtest.Says(t, "diverging", err, "3 of 3 samples didn't get from t = 1 to 0: 3 became NaN or infinite")

	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := process.Sample(cancelled, 2); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, expected a cancellation", err)
	}
}

func TestUnknownBackend(t *testing.T) {
	_, err := nami.OpenBackend("abacus")
	gomlxtest.Says(t, "abacus", err, `"abacus" is unknown`)
}

func ExampleFlowMatching_Bind() {
	backend, err := nami.OpenBackend("go")
	if err != nil {
		panic(err)
	}
	still := nami.FlowMatching{
		Field:  field.Func{Rank: 1, F: func(_ *model.Scope, x, t, c *Node) *Node { return ZerosLike(x) }},
		Base:   distribution.NewStandardNormal(8),
		Solver: solver.RK4(32),
	}
	conditions := tensors.FromFlatDataAndDimensions(make([]float32, 16*4), 16, 4)
	process, err := still.Bind(backend, model.NewStore(), conditions)
	if err != nil {
		panic(err)
	}
	samples, err := process.Sample(context.Background(), 1)
	if err != nil {
		panic(err)
	}
	fmt.Println(samples.Shape().Dimensions)
	// Output: [1 16 8]
}

// A model goes from one backend and dtype to another: same values, to rounding.
func TestConvert(t *testing.T) {
	ctx := context.Background()
	store := initialised(t, gomlxtest.Go(t))
	noise := ones(3, 8)
	process, err := mlp.Bind(gomlxtest.Go(t), store, ones(3, 4))
	if err != nil {
		t.Fatal(err)
	}
	samples, err := process.SampleFrom(ctx, noise)
	want := flat(t, samples, err)
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.Float64} {
			other, err := nami.Convert(store, dtype)
			if err != nil {
				t.Fatal(err)
			}
			wide := func(x *tensors.Tensor) *tensors.Tensor {
				if dtype == dtypes.Float32 {
					return x
				}
				values := make([]float64, x.Size())
				for i := range values {
					values[i] = 1
				}
				return tensors.FromFlatDataAndDimensions(values, x.Shape().Dimensions...)
			}
			process, err := mlp.Bind(backend, other, wide(ones(3, 4)), nami.DType(dtype))
			if err != nil {
				t.Fatal(err)
			}
			samples, err := process.SampleFrom(ctx, wide(noise))
			if err != nil {
				t.Fatal(err)
			}
			i := 0
			samples.MustConstFlatData(func(data any) {
				at := func(i int) float64 {
					if dtype == dtypes.Float64 {
						return data.([]float64)[i]
					}
					return float64(data.([]float32)[i])
				}
				for ; i < len(want); i++ {
					if math.Abs(at(i)-float64(want[i])) > 1e-5 {
						t.Errorf("%s: value %d is %v, expected %v", dtype, i, at(i), want[i])
					}
				}
			})
		}
	})
	_, err = mlp.Bind(gomlxtest.Go(t), store, doubles(make([]float64, 8), 2, 4), nami.DType(dtypes.Float64))
	gomlxtest.Says(t, "dtype", err, "nami.Convert makes a store of that dtype")
	_, err = nami.Convert(store, dtypes.Int32)
	gomlxtest.Says(t, "Int32", err, "expected Float32 or Float64")
	_, err = nami.Convert(nil, dtypes.Float32)
	gomlxtest.Says(t, "nil", err, "the store is nil")
}
