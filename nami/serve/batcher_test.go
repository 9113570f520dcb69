package serve_test

import (
	"context"
	"errors"
	"fmt"
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
	"github.com/nami-flow/go-nami/nami/serve"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/tests/backends"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/prometheus/client_golang/prometheus"
)

// newBatcher makes a batcher, which the test's end closes.
func newBatcher(t testing.TB, process *nami.Process, config serve.Config) *serve.Batcher {
	t.Helper()
	b, err := serve.NewBatcher(process, config)
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, b)
	return b
}

// calls of many callers: contexts, one or several, numbers, of which there are few as the
// process alone compiles each, and seeds.
func calls(n int) (out []serve.Sample) {
	for i := range n {
		x := float32(i)
		s := serve.Sample{Context: single(x/10, -x/7, 1), N: []int{1, 5, 13}[i/3%3], Seed: int64(i % 5)}
		if i%3 == 1 {
			s.Context = tensors.FromFlatDataAndDimensions([]float32{x / 10, 0, 1, -1, x / 9, 0.5}, 2, 3)
		}
		out = append(out, s)
	}
	return out
}

// Whatever it is joined with, an answer is that of the process alone, up to rounding. With one
// size of batches XLA computes the same to the bit, whatever else is in the batch.
func TestJoined(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		ctx, gate := context.Background(), newGate()
		process := bindNetwork(t, backend, gate.option())
		for _, sizes := range [][]int{{4, 32}, {32}} {
			b := newBatcher(t, process, serve.Config{Batches: sizes, Estimator: divergence.Hutchinson{}})
			asked := calls(20)
			samples, logProbs := make([]*tensors.Tensor, len(asked)), make([]*tensors.Tensor, len(asked))
			release := gate.shut() // so that all wait together
			var all sync.WaitGroup
			for i, s := range asked {
				all.Go(func() {
					var err error
					if samples[i], err = b.Sample(ctx, s); err != nil {
						t.Error(err)
						return
					}
					logProbs[i], err = b.LogProb(ctx, serve.LogProb{X: samples[i], Context: s.Context, Seed: s.Seed})
					if err != nil {
						t.Error(err)
					}
				})
			}
			<-gate.entered
			release()
			all.Wait()
			if t.Failed() {
				return
			}
			for i, s := range asked {
				what := fmt.Sprintf("batches of %v, caller %d", sizes, i)
				if !backends.Few(backend) || backends.Runs(i) { // what is alone has sizes of its own
					alone, err := process.Rebind(s.Context)
					if err != nil {
						t.Fatal(err)
					}
					want, err := alone.Seeded(s.Seed).Sample(ctx, s.N)
					if got, dims := samples[i].Shape().Dimensions, want.Shape().Dimensions; !slices.Equal(got, dims) {
						t.Errorf("%s: the shape is %v, expected %v", what, got, dims)
					}
					gomlxtest.Near(t, what, gomlxtest.Floats(t, samples[i], nil), gomlxtest.Floats(t, want, err), 1e-5)
					wantLog, err := alone.Seeded(s.Seed).LogProb(ctx, samples[i], divergence.Hutchinson{})
					gomlxtest.Near(t, what+", log-densities", gomlxtest.Floats(t, logProbs[i], nil), gomlxtest.Floats(t, wantLog, err), 1e-4)
				}
				if len(sizes) > 1 || backend.String() == "go" {
					continue
				}
				again, err := b.Sample(ctx, s)
				if !slices.Equal(gomlxtest.Floats(t, again, err), gomlxtest.Floats(t, samples[i], nil)) {
					t.Errorf("%s: alone in a batch of the same size the samples differ", what)
				}
				againLog, err := b.LogProb(ctx, serve.LogProb{X: samples[i], Context: s.Context, Seed: s.Seed})
				if !slices.Equal(gomlxtest.Floats(t, againLog, err), gomlxtest.Floats(t, logProbs[i], nil)) {
					t.Errorf("%s: alone in a batch of the same size the log-densities differ", what)
				}
			}
		}
	})
}

// A process without a context, and one with a mask, are served too.
func TestWithoutContextAndWithMask(t *testing.T) {
	backend, ctx := gomlxtest.Go(t), context.Background()
	plain := nami.FlowMatching{
		Field: field.Func{Rank: 1, F: func(_ *model.Scope, x, _, _ *Node) *Node { return Neg(x) }},
		Base:  distribution.NewStandardNormal(1), Solver: solver.Euler(2),
	}
	process, err := plain.Bind(backend, model.NewStore(), nil)
	if err != nil {
		t.Fatal(err)
	}
	b := newBatcher(t, process, serve.Config{Batches: []int{8}})
	got, err := b.Sample(ctx, serve.Sample{N: 20, Seed: 3})
	values := gomlxtest.Floats(t, got, err)
	want, err := process.Seeded(3).Sample(ctx, 20)
	gomlxtest.Near(t, "without context", values, gomlxtest.Floats(t, want, err), 1e-6)
	_, err = b.Sample(ctx, serve.Sample{N: 1, Context: single(1)})
	gomlxtest.Says(t, "a context", err, "the model takes none")

	objects := plain
	objects.Field = field.Func{Rank: 2, F: func(_ *model.Scope, x, _, _ *Node) *Node { return Neg(x) }}
	objects.Base = distribution.NewStandardNormal(3, 2)
	masks := [][]float32{{1, 0, 0}, {1, 1, 0}, {1, 1, 1}}
	process, err = objects.Bind(backend, model.NewStore(), nil)
	if err == nil {
		process, err = process.Masked(single(masks[0]...))
	}
	if err != nil {
		t.Fatal(err)
	}
	b = newBatcher(t, process, serve.Config{Batches: []int{8}})
	for _, mask := range masks {
		got, err := b.Sample(ctx, serve.Sample{N: 3, Mask: single(mask...), Seed: 3})
		values := gomlxtest.Floats(t, got, err)
		alone, err := process.Masked(single(mask...))
		if err != nil {
			t.Fatal(err)
		}
		want, err := alone.Seeded(3).Sample(ctx, 3)
		gomlxtest.Near(t, "with a mask", values, gomlxtest.Floats(t, want, err), 1e-6)
	}
	_, err = b.Sample(ctx, serve.Sample{N: 1})
	gomlxtest.Says(t, "no mask", err, "there is no mask: expected one of shape (3)")
}

// What the queue has no room for is refused at once, and what was waiting is answered.
func TestQueueFull(t *testing.T) {
	gate := newGate()
	process := bindShift(t, gomlxtest.Go(t), gate.option())
	b := newBatcher(t, process, serve.Config{Batches: []int{4}, Queue: 10})
	release := gate.shut()
	var all sync.WaitGroup
	ask := func(n int) {
		all.Go(func() {
			if _, err := b.Sample(context.Background(), serve.Sample{Context: single(1, 2), N: n}); err != nil {
				t.Errorf("%d samples: %v", n, err)
			}
		})
	}
	ask(4)
	<-gate.entered // it is being computed
	ask(7)
	eventually(func() bool { return queued(t, b) == 7 })
	_, err := b.Sample(context.Background(), serve.Sample{Context: single(1, 2), N: 4})
	var full *serve.FullError
	if !errors.As(err, &full) || full.Waiting != 7 || full.Most != 10 || full.Retry <= 0 {
		t.Errorf("the error is %v, expected a FullError with 7 of 10 waiting", err)
	}
	ask(3)
	eventually(func() bool { return queued(t, b) == 10 })
	release()
	all.Wait()
}

// queued is the number of events that wait.
func queued(t testing.TB, b prometheus.Collector) float64 { return metric(t, b, "nami_queue_events") }

// metric is the sum of a metric's values, of those that have a label with one of the given
// values if there are any.
func metric(t testing.TB, b prometheus.Collector, name string, values ...string) (sum float64) {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(b)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			wanted := len(values) == 0
			for _, label := range m.GetLabel() {
				wanted = wanted || slices.Contains(values, label.GetValue())
			}
			if !wanted {
				continue
			}
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return sum
}

// Work of callers that have left isn't done, and a batch that all of them have left is
// stopped.
func TestLeaving(t *testing.T) {
	gate := newGate()
	process := bindShift(t, gomlxtest.Go(t), gate.option())
	b := newBatcher(t, process, serve.Config{Batches: []int{4}})
	release := gate.shut()
	var all sync.WaitGroup
	gone := errors.New("gone")
	leaver := func(n int) (leave func()) {
		ctx, cancel := context.WithCancelCause(context.Background())
		all.Go(func() {
			if _, err := b.Sample(ctx, serve.Sample{Context: single(1, 2), N: n}); !errors.Is(err, gone) {
				t.Errorf("the error is %v, expected the cause of the caller's leaving", err)
			}
		})
		return func() { cancel(gone) }
	}
	first := leaver(3)
	<-gate.entered
	second := leaver(100)
	eventually(func() bool { return queued(t, b) == 100 })
	all.Go(func() {
		if _, err := b.Sample(context.Background(), serve.Sample{Context: single(1, 2), N: 2}); err != nil {
			t.Error(err)
		}
	})
	eventually(func() bool { return queued(t, b) == 102 })
	second()
	eventually(func() bool { return queued(t, b) == 2 })
	first()
	release()
	all.Wait()
	if n := metric(t, b, "nami_events_dropped_total"); n != 100 {
		t.Errorf("%v events were dropped, expected 100", n)
	}
	eventually(func() bool { return metric(t, b, "nami_batch_seconds") == 2 })
}

// A caller whose events fail is told, and those beside it get theirs.
func TestOneFails(t *testing.T) {
	gate := newGate()
	process := exploding(t, gate.option())
	b := newBatcher(t, process, serve.Config{Batches: []int{16}, Estimator: divergence.Exact{}})
	release := gate.shut()
	var all sync.WaitGroup
	all.Go(func() { _, _ = b.Sample(context.Background(), serve.Sample{Context: single(0), N: 1}) })
	<-gate.entered
	for i, context32 := range []float32{0.5, 300, -0.5} {
		all.Go(func() {
			samples, err := b.Sample(context.Background(), serve.Sample{Context: single(context32), N: 3, Seed: 9})
			if i == 1 {
				gomlxtest.Says(t, "it fails", err, "3 of 3 samples didn't get from t = 1 to 0: 3 became NaN or infinite")
			} else if err != nil {
				t.Errorf("caller %d: %v", i, err)
			}
			if err != nil {
				return
			}
			if _, err := b.LogProb(context.Background(), serve.LogProb{X: samples, Context: single(context32)}); err != nil {
				t.Errorf("caller %d: %v", i, err)
			}
		})
	}
	eventually(func() bool { return queued(t, b) == 9 })
	release()
	all.Wait()
	if n := metric(t, b, "nami_batch_filled"); n < 3 {
		t.Errorf("there were %v batches, expected the first, the joined one, and log-densities", n)
	}
}

// A large call doesn't keep small ones waiting: it goes to the end of the queue after each of
// its batches.
func TestLargeCallsTakeTurns(t *testing.T) {
	gate := newGate()
	process := bindShift(t, gomlxtest.Go(t), gate.option())
	b := newBatcher(t, process, serve.Config{Batches: []int{8}})
	release := gate.shut()
	done := make(chan int, 2)
	go func() {
		if _, err := b.Sample(context.Background(), serve.Sample{Context: single(1, 2), N: 800}); err != nil {
			t.Error(err)
		}
		done <- 800
	}()
	<-gate.entered
	go func() {
		if _, err := b.Sample(context.Background(), serve.Sample{Context: single(1, 2), N: 8}); err != nil {
			t.Error(err)
		}
		done <- 8
	}()
	eventually(func() bool { return queued(t, b) == 800 })
	release()
	if first := <-done; first != 8 {
		t.Errorf("the call for %d events was answered first", first)
	}
	<-done
}

// A closed batcher answers what waits, and refuses what comes later; with no time for it, what
// waits gets an error.
func TestClose(t *testing.T) {
	for _, inTime := range []bool{true, false} {
		gate := newGate()
		b, err := serve.NewBatcher(bindShift(t, gomlxtest.Go(t), gate.option()), serve.Config{Batches: []int{4}})
		if err != nil {
			t.Fatal(err)
		}
		release := gate.shut()
		errs := make(chan error, 2)
		for range 2 {
			go func() {
				_, err := b.Sample(context.Background(), serve.Sample{Context: single(1, 2), N: 4})
				errs <- err
			}()
		}
		<-gate.entered
		eventually(func() bool { return queued(t, b) == 4 })
		ctx, cancel := context.WithCancelCause(context.Background())
		closed := make(chan error, 1)
		go func() { closed <- b.Close(ctx) }()
		eventually(func() bool {
			soon, cancel := context.WithTimeout(context.Background(), time.Millisecond)
			defer cancel()
			_, err := b.Sample(soon, serve.Sample{Context: single(1, 2), N: 1000})
			return errors.Is(err, serve.ErrClosed)
		})
		why := errors.New("no time")
		if !inTime {
			cancel(why)
			eventually(func() bool { return context.Cause(ctx) != nil })
		}
		release()
		err = <-closed
		if inTime && err != nil || !inTime && !errors.Is(err, why) {
			t.Errorf("in time %v: closing gives %v", inTime, err)
		}
		for range 2 {
			if err := <-errs; inTime && err != nil {
				t.Errorf("in time: a call that waited got %v", err)
			}
		}
		cancel(nil)
	}
}

func TestBadCalls(t *testing.T) {
	b := newBatcher(t, bindNetwork(t, gomlxtest.Go(t)), serve.Config{Batches: []int{4}, MaxEvents: 100, Estimator: divergence.Exact{}})
	ctx := context.Background()
	for want, s := range map[string]serve.Sample{
		"n is 0: expected at least 1":                      {Context: single(1, 2, 3)},
		"n is 101: expected at most 100 events":            {Context: single(1, 2, 3), N: 101},
		"n is 51 for each of 2 contexts":                   {Context: tensors.FromShape(single(1, 2, 3, 4, 5, 6).Shape()), N: 51},
		"there is no context: expected one of shape (3)":   {N: 1},
		"expected Float32 values of shape batch_shape+(3)": {Context: single(1, 2), N: 1},
		"NaN or infinite":                                  {Context: single(1, 2, float32(math.NaN())), N: 1},
		"there is a mask":                                  {Context: single(1, 2, 3), Mask: single(1), N: 1},
	} {
		if want == "n is 51 for each of 2 contexts" {
			s.Context = tensors.FromFlatDataAndDimensions(make([]float32, 6), 2, 3)
		}
		_, err := b.Sample(ctx, s)
		gomlxtest.Says(t, want, err, want)
	}
	for want, l := range map[string]serve.LogProb{
		"the data is nil":                   {Context: single(1, 2, 3)},
		"NaN or infinite":                   {Context: single(1, 2, 3), X: single(1, 2, 3, float32(math.Inf(1)))},
		"x has 101 events":                  {Context: single(1, 2, 3), X: tensors.FromFlatDataAndDimensions(make([]float32, 404), 101, 4)},
		"must end in the context's batch":   {Context: tensors.FromFlatDataAndDimensions(make([]float32, 6), 2, 3), X: single(1, 2, 3, 4)},
		"there is no context: expected one": {X: single(1, 2, 3, 4)},
	} {
		_, err := b.LogProb(ctx, l)
		gomlxtest.Says(t, want, err, want)
	}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	_, err := b.Sample(canceled, serve.Sample{Context: single(1, 2, 3), N: 1})
	gomlxtest.Says(t, "canceled", err, "stopped before anything was computed")
	if n := metric(t, b, "nami_batch_seconds"); n != 0 {
		t.Errorf("%v batches were computed, expected none", n)
	}
}

// What can't be joined is refused when the batcher is made.
func TestNotJoinable(t *testing.T) {
	backend := gomlxtest.Go(t)
	shared := shift
	shared.Solver = solver.Dopri5(1e-3, 1e-3)
	shared.Solver.Shared = true
	process, err := shared.Bind(backend, model.NewStore(), single(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	_, err = serve.NewBatcher(process, serve.Config{})
	gomlxtest.Says(t, "shared steps", err, "whose Shared is false")
	for want, config := range map[string]serve.Config{
		"Batches is [8 8]":           {Batches: []int{8, 8}},
		"Batches is [0]":             {Batches: []int{0}},
		"Batches is empty":           {Batches: []int{}},
		"Queue is -1":                {Queue: -1},
		"MaxBody is -5 bytes":        {MaxBody: -5},
		"raise Memory, or lower Max": {Memory: 1000},
		"Timeout is -1ns":            {Timeout: -1},
	} {
		_, err := serve.NewBatcher(bindShift(t, backend), config)
		gomlxtest.Says(t, want, err, want)
	}
	_, err = serve.NewBatcher(nil, serve.Config{})
	gomlxtest.Says(t, "nil", err, "the process is nil")
}
