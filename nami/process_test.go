package nami_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/path"
	"github.com/nami-flow/go-nami/nami/schedule"
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

// Samples are the same whatever the size of the chunks, streamed or at once, with and
// without contexts, of ordinary and stochastic equations.
func TestSamplesDontDependOnChunks(t *testing.T) {
	ctx := context.Background()
	bindings := map[string]func(backend compute.Backend, chunk int) (*nami.Process, error){
		"flow": func(backend compute.Backend, chunk int) (*nami.Process, error) {
			return gauss(3).Bind(backend, model.NewStore(), nil, nami.Seed(1), nami.DType(dtypes.Float64), nami.ChunkSize(chunk))
		},
		"contexts": func(backend compute.Backend, chunk int) (*nami.Process, error) {
			return gauss(3).Bind(backend, model.NewStore(), doubles([]float64{1, 2, 3, 4, 5, 6}, 3, 2),
				nami.Seed(1), nami.DType(dtypes.Float64), nami.ChunkSize(chunk))
		},
		"reverse process": func(backend compute.Backend, chunk int) (*nami.Process, error) {
			return diffusion(schedule.VP{}, schedule.Eps, solver.SRA1(4)).Bind(backend, model.NewStore(), nil,
				nami.Seed(1), nami.DType(dtypes.Float64), nami.ChunkSize(chunk))
		},
		"noise between levels": func(backend compute.Backend, chunk int) (*nami.Process, error) {
			return diffusion(schedule.VP{}, schedule.Eps, solver.DPMSolverPP3MSDE(4)).Bind(backend, model.NewStore(), nil,
				nami.Seed(1), nami.DType(dtypes.Float64), nami.ChunkSize(chunk))
		},
		"noise of a flow": func(backend compute.Backend, chunk int) (*nami.Process, error) {
			flow := gauss(4)
			flow.Path, flow.Solver = path.Linear{}, solver.DDIM(1, 4)
			return flow.Bind(backend, model.NewStore(), nil, nami.Seed(1), nami.DType(dtypes.Float64), nami.ChunkSize(chunk))
		},
	}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for name, bind := range bindings {
			if backends.Few(backend) && name != "contexts" && name != "noise between levels" {
				continue // XLA compiles each anew
			}
			var want []float64
			for _, chunk := range []int{1000, 7} {
				process, err := bind(backend, chunk)
				if err != nil {
					t.Fatal(err)
				}
				samples, err := process.Sample(ctx, 20)
				got := gomlxtest.Floats(t, samples, err)
				if want == nil {
					want = got
				}
				gomlxtest.Near(t, name, got, want, 1e-12)
				var streamed []float64
				for part, err := range process.Seeded(1).Stream(ctx, 20) {
					streamed = append(streamed, gomlxtest.Floats(t, part, err)...)
				}
				gomlxtest.Near(t, name+", streamed", streamed, want, 1e-12)
			}
		}
	})
}

// A trajectory begins with the noise and ends with the samples, and its times are where
// they say: a Gaussian's flow is known at each.
func TestTrajectory(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		ctx := context.Background()
		process, err := gauss(40).Bind(backend, model.NewStore(), nil, nami.Seed(4), nami.DType(dtypes.Float64))
		if err != nil {
			t.Fatal(err)
		}
		times := []float64{1, 0.6, 0.1, 0}
		trajectory, err := process.Trajectory(ctx, times, 3)
		got := gomlxtest.Floats(t, trajectory, err)
		if dims := trajectory.Shape().Dimensions; !slices.Equal(dims, []int{4, 3, 2}) {
			t.Errorf("the shape is %v, expected [4 3 2]", dims)
		}
		samples, err := process.Seeded(4).Sample(ctx, 3)
		gomlxtest.Near(t, "the last positions", got[18:], gomlxtest.Floats(t, samples, err), 1e-6)
		for k, at := range times {
			for i := range 6 {
				s := 1 - at
				want := s*mean[i%2] + math.Sqrt(s*s*std[i%2]*std[i%2]+at*at)*got[i]
				if math.Abs(got[6*k+i]-want) > 1e-5 {
					t.Errorf("at t = %v value %d is %v, expected %v", at, i, got[6*k+i], want)
				}
			}
		}
		// A part of the way tells how each event fared.
		solution, err := process.Solve(ctx, samples, 0, 0.5)
		if err != nil || solution.Err() != nil {
			t.Fatal(err, solution.Err())
		}
		if len(solution.Codes) != 3 || solution.Times[0] != 0.5 || solution.Evaluations != 160 {
			t.Errorf("the solution has %d codes, ends at %v after %d evaluations", len(solution.Codes), solution.Times[0], solution.Evaluations)
		}
	})
}

// pooled is a field of events of objects, each pulled to the mean of all places: one that
// would see padding.
var pooled = field.Func{Rank: 2, F: func(_ *model.Scope, x, t, c *Node) *Node {
	sum := InsertAxes(ReduceSum(x, -2), -2)
	return Sub(MulScalar(x, 0.5), BroadcastToDims(MulScalar(sum, 0.3), x.Shape().Dimensions...))
}}

// With a mask samples are zero in the padding, what stands there changes nothing, not
// even a NaN, and the log-density is that of the objects alone, as an event of theirs has.
func TestMask(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		ctx := context.Background()
		bind := func(objects int) *nami.Process { return bindDoubles(t, backend, pooledFlow(objects, 5)) }
		masked, err := bind(3).Masked(doubles([]float64{1, 1, 0, 1, 1, 0}, 2, 3))
		if err != nil {
			t.Fatal(err)
		}
		nan := math.NaN()
		padded := doubles([]float64{0.1, 0.2, 0.3, 0.4, nan, 7, -1, 1, 2, -0.5, math.Inf(1), 0}, 2, 3, 2)
		plain := doubles([]float64{0.1, 0.2, 0.3, 0.4, -1, 1, 2, -0.5}, 2, 2, 2)
		got, err := masked.LogProb(ctx, padded, divergence.Exact{})
		want, errWant := bind(2).LogProb(ctx, plain, divergence.Exact{})
		gomlxtest.Near(t, "the log-density", gomlxtest.Floats(t, got, err), gomlxtest.Floats(t, want, errWant), 1e-12)
		samples, err := masked.SampleFrom(ctx, padded)
		alone, errAlone := bind(2).SampleFrom(ctx, plain)
		a, b := gomlxtest.Floats(t, samples, err), gomlxtest.Floats(t, alone, errAlone)
		gomlxtest.Near(t, "the samples", slices.Concat(a[:4], a[6:10]), b, 1e-12)
		drawn, err := masked.Sample(ctx, 5)
		c := gomlxtest.Floats(t, drawn, err)
		for i := range 10 {
			if c[6*i+4] != 0 || c[6*i+5] != 0 || c[6*i] == 0 {
				t.Fatalf("sample %d is %v, expected padding of exactly 0 and nothing else", i, c[6*i:6*i+6])
			}
		}
	})
}

func TestBadMask(t *testing.T) {
	backend := gomlxtest.Go(t)
	flow := nami.FlowMatching{Field: pooled, Base: distribution.NewStandardNormal(3, 2), Solver: solver.RK4(2)}
	process, err := flow.Bind(backend, model.NewStore(), ones(4, 1))
	if err != nil {
		t.Fatal(err)
	}
	for want, mask := range map[string]*tensors.Tensor{
		"expected Float32 values of shape batch_shape+[3]":      ones(4, 2),
		"one mask for each context":                             ones(5, 3),
		"value 1 of the mask, of shape (Float32)[4, 3], is 0.5": poisoned(0.5, 4, 3),
	} {
		_, err := process.Masked(mask)
		gomlxtest.Says(t, want, err, want)
	}
	flat, err := shift.Bind(backend, model.NewStore(), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = flat.Masked(ones(2))
	gomlxtest.Says(t, "rank 1", err, "an axis of objects and one of features")
}

// Any sample shape, batch shape and event shape of rank 0 to 3 goes through, and the
// context's batch ends the lead.
func TestShapesProperty(t *testing.T) {
	backend, ctx := gomlxtest.Go(t), context.Background()
	property.Check(t, func(t *rapid.T) {
		dims := func(name string, least, most int) []int {
			return rapid.SliceOfN(rapid.IntRange(1, 3), least, most).Draw(t, name)
		}
		event, batch, sample := dims("event", 0, 3), dims("batch", 0, 2), dims("sample", 0, 2)
		flow := nami.FlowMatching{
			Field: field.Func{Rank: len(event), F: func(_ *model.Scope, x, t, c *Node) *Node { return Neg(x) }},
			Base:  distribution.NewStandardNormal(event...), Solver: solver.Heun(1),
		}
		process, err := flow.Bind(backend, model.NewStore(), ones(append(slices.Clone(batch), 2)...), nami.ChunkSize(rapid.IntRange(1, 20).Draw(t, "chunk")))
		if err != nil {
			t.Fatal(err)
		}
		x, logProb, err := process.SampleWithLogProb(ctx, divergence.Exact{}, sample...)
		if err != nil {
			t.Fatal(err)
		}
		lead := slices.Concat(sample, batch)
		if got := x.Shape().Dimensions; !slices.Equal(got, slices.Concat(lead, event)) {
			t.Errorf("the samples' shape is %v, expected %v", got, slices.Concat(lead, event))
		}
		if got := logProb.Shape().Dimensions; !slices.Equal(got, lead) {
			t.Errorf("the log-density's shape is %v, expected %v", got, lead)
		}
	})
}

// One process serves several goroutines, and several processes one model: each gets what
// it would have got alone.
func TestConcurrentUse(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		ctx, store := context.Background(), initialised(t, backend)
		first, err := mlp.Bind(backend, store, ones(3, 4))
		if err != nil {
			t.Fatal(err)
		}
		second, err := mlp.Bind(backend, store, nil)
		if err == nil || second != nil {
			t.Fatal("a conditional field was bound without a context")
		}
		if second, err = mlp.Bind(backend, store, ones(2, 4)); err != nil {
			t.Fatal(err)
		}
		noise := []*tensors.Tensor{ones(3, 8), ones(2, 8)}
		var want [2][]float32
		for i, p := range []*nami.Process{first, second} {
			x, err := p.SampleFrom(ctx, noise[i])
			want[i] = flat(t, x, err)
		}
		var group sync.WaitGroup
		for k := range 8 {
			group.Go(func() {
				for range 5 {
					x, err := []*nami.Process{first, second}[k%2].SampleFrom(ctx, noise[k%2])
					if err != nil {
						t.Error(err)
						return
					}
					if got := tensors.MustCopyFlatData[float32](x); !slices.Equal(got, want[k%2]) {
						t.Errorf("goroutine %d got %v, expected %v", k, got, want[k%2])
					}
					if _, err := first.Sample(ctx, 2); err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
	})
}

// Models bound at once to one store: each looks at the weights, which none may change while
// another does.
func TestConcurrentBind(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		store := initialised(t, backend)
		var group sync.WaitGroup
		for range 6 {
			group.Go(func() {
				p, err := mlp.Bind(backend, store, ones(3, 4))
				if err == nil {
					_, err = p.Sample(context.Background(), 2)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	})
}

// A long solve reports its progress, and stops within the 100 ms that the device works
// between two looks at the context: twenty times that, on a machine that is busy besides.
func TestCancelAndProgress(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		ctx, cancel := context.WithCancelCause(context.Background())
		enough := errors.New("enough")
		last, cancelled := 0, make(chan time.Time, 1)
		var once sync.Once
		process, err := gauss(1_000_000).Bind(backend, model.NewStore(), nil, nami.WithProgress(func(done, total int) {
			if done <= last || total != 1_000_000 {
				t.Errorf("progress went from %d to %d of %d", last, done, total)
			}
			if last = done; done > 100 {
				once.Do(func() {
					time.AfterFunc(30*time.Millisecond, func() { // while the device works
						cancelled <- time.Now()
						cancel(enough)
					})
				})
			}
		}))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := process.Sample(ctx, 2000); !errors.Is(err, enough) {
			t.Errorf("got %v, expected the cause of the cancellation", err)
		}
		took := time.Since(<-cancelled)
		t.Logf("it stopped %v after it was cancelled", took)
		if last == 0 || last >= 1_000_000 || took > 2*time.Second {
			t.Errorf("it stopped after %d steps, and %v after it was cancelled", last, took)
		}
	})
}

// A base that is a batch of distributions gives each element of the batch its own.
func TestBatchedBase(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		ctx := context.Background()
		base, err := distribution.NewDiagonalNormal(doubles([]float64{10, 20, 30}, 3, 1), doubles([]float64{0.1, 0.2, 0.3}, 3, 1), 1)
		if err != nil {
			t.Fatal(err)
		}
		still := field.Func{Rank: 1, F: func(_ *model.Scope, x, _, _ *Node) *Node { return ZerosLike(x) }}
		flow := nami.FlowMatching{Field: still, Base: base, Solver: solver.Euler(1)}
		process, err := flow.Bind(backend, model.NewStore(), nil, nami.DType(dtypes.Float64), nami.ChunkSize(7))
		if err != nil {
			t.Fatal(err)
		}
		samples, err := process.Sample(ctx, 5)
		x := gomlxtest.Floats(t, samples, err)
		if dims := samples.Shape().Dimensions; !slices.Equal(dims, []int{5, 3, 1}) {
			t.Fatalf("the shape is %v, expected [5 3 1]", dims)
		}
		logProb, err := process.LogProb(ctx, samples, divergence.Exact{})
		got := gomlxtest.Floats(t, logProb, err)
		for i := range x {
			m, s := float64(10*(i%3+1)), 0.1*float64(i%3+1)
			if math.Abs(x[i]-m) > 6*s || math.Abs(got[i]-logNormal(x[i], m, s)) > 1e-9 {
				t.Errorf("sample %d is %v with the log-density %v, expected N(%v, %v²)", i, x[i], got[i], m, s)
			}
		}
		_, err = flow.Bind(backend, model.NewStore(), doubles([]float64{1, 2}, 2, 1), nami.DType(dtypes.Float64))
		gomlxtest.Says(t, "context", err, "expected a context for each element of that batch")
	})
}

// Bases that draw uniform numbers, uniform ones and mixtures, serve a process in batches
// too, each element with its own, whatever the chunks.
func TestBatchesOfOtherBases(t *testing.T) {
	uniform, err := distribution.NewUniform(doubles([]float64{0, 10}, 2, 1), doubles([]float64{1, 12}, 2, 1), 1)
	if err != nil {
		t.Fatal(err)
	}
	mixture, err := distribution.NewGaussianMixture(doubles([]float64{1, 1, 1, 3}, 2, 2),
		doubles([]float64{0, 1, 10, 12}, 2, 2, 1), doubles([]float64{0.01, 0.01, 0.01, 0.01}, 2, 2, 1), 1)
	if err != nil {
		t.Fatal(err)
	}
	still := field.Func{Rank: 1, F: func(_ *model.Scope, x, _, _ *Node) *Node { return ZerosLike(x) }}
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for name, base := range map[string]distribution.Base{"uniform": uniform, "mixture": mixture} {
			var want []float64
			for _, chunk := range []int{100, 5} {
				process, err := nami.FlowMatching{Field: still, Base: base, Solver: solver.Euler(1)}.
					Bind(backend, model.NewStore(), nil, nami.DType(dtypes.Float64), nami.ChunkSize(chunk))
				if err != nil {
					t.Fatal(err)
				}
				samples, err := process.Sample(context.Background(), 10)
				got := gomlxtest.Floats(t, samples, err)
				for i, v := range got {
					if low := float64(10 * (i % 2)); v < low-0.1 || v > low+float64(1+i%2)+0.1 {
						t.Errorf("%s: sample %d is %v, expected one from the base's element %d", name, i, v, i%2)
					}
				}
				if want == nil {
					want = got
				}
				gomlxtest.Near(t, name+" in chunks", got, want, 1e-12)
			}
		}
	})
}
