package serve

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/nami/transform"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
)

// Batcher answers many callers of one process: what they ask for, each with a context and a
// seed of its own, is joined into batches. It is safe for concurrent use, and of use without
// HTTP. Each caller gets what the process would have given it alone.
type Batcher struct {
	config  Config
	process *nami.Process // without context and mask
	example *nami.Process // as it was given
	metrics *metrics

	// base ends what is computed when the batcher is closed for good.
	base  context.Context
	abort context.CancelCauseFunc
	ended chan struct{} // the worker is done

	mu      sync.Mutex
	wake    *sync.Cond // there may be work, or an end
	waiting []*job
	events  int // in waiting, not yet in a batch
	closed  bool
	perRow  [kinds]time.Duration // how long an event took lately
}

// Sample asks for samples, as [nami.Process.Sample] does.
type Sample struct {
	// Context is of shape batch_shape+context_shape, Mask of batch_shape+[objects]: needed if
	// the served process has one, and nil if not.
	Context, Mask *tensors.Tensor

	// N is how many samples are drawn for each context.
	N int

	// Seed makes the answer reproducible: it is that of [nami.Process.Seeded] with it.
	Seed int64
}

// LogProb asks for log-densities, as [nami.Process.LogProb] does.
type LogProb struct {
	// X are the events, of shape sample_shape+batch_shape+event_shape.
	X *tensors.Tensor

	// Context and Mask are as in [Sample].
	Context, Mask *tensors.Tensor

	// Seed is where the random numbers start where log-densities are noisy: see
	// [nami.Process.Noisy].
	Seed int64
}

// FullError is the error of a call for which the queue has no room.
type FullError struct {
	Events, Waiting, Most int

	// Retry is about when there will be room.
	Retry time.Duration
}

// Error says how full the queue is.
func (e *FullError) Error() string {
	return fmt.Sprintf("serve: %d events were asked for, %d are waiting, and at most %d may: ask again in about %v", e.Events, e.Waiting, e.Most, e.Retry)
}

// ErrClosed is the error of a call to a batcher that was closed.
var ErrClosed = errors.New("serve: the batcher was closed, and takes no more calls")

// ErrNoLogProb is in the error of a call for log-densities that the process can't give.
var ErrNoLogProb = errors.New("serve: this process is served without log-densities")

// NewBatcher returns the batcher of a process. Its context and mask are examples, used by
// [Batcher.Warm]: each call gives its own, of the same shape but for the batch. Close the
// batcher when it is no longer needed.
func NewBatcher(process *nami.Process, config Config) (*Batcher, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	if process == nil {
		return nil, errors.New("serve: the process is nil: bind a model")
	}
	bare, err := process.Masked(nil)
	if err != nil {
		return nil, err
	}
	b := &Batcher{config: config, process: bare, example: process, ended: make(chan struct{})}
	if err := b.schema().check(b.sizes()); err != nil {
		return nil, err
	}
	// A process that can't be joined is refused before anyone asks.
	two, err := b.newJob(sampling, process.Context(), process.Mask(), nil, 2)
	if err == nil {
		_, err = b.bind([]piece{{two, 0, 1}, {two, 1, 1}}, 2)
	}
	if err != nil {
		return nil, fmt.Errorf("serve: calls can't be joined: %w", err)
	}
	b.wake = sync.NewCond(&b.mu)
	b.base, b.abort = context.WithCancelCause(context.Background())
	b.metrics = newMetrics(b)
	go b.work()
	return b, nil
}

// schema is what the values of events and contexts are.
func (b *Batcher) schema() schema { return schema{b.config.Columns} }

// Sample draws samples, of shape (N)+batch_shape+event_shape: those of
// process.Rebind(Context).Masked(Mask).Seeded(Seed).Sample(ctx, N). It returns when they are
// drawn, or when ctx is done, and what was not computed by then isn't any more.
func (b *Batcher) Sample(ctx context.Context, s Sample) (*tensors.Tensor, error) {
	j, err := b.sampleJob(s)
	if err != nil {
		return nil, err
	}
	return b.do(ctx, j)
}

// LogProb gives log-densities, of shape sample_shape+batch_shape: those of
// process.Rebind(Context).Masked(Mask).Seeded(Seed).LogProb(ctx, X, Config.Estimator). It
// returns when they are computed, or when ctx is done.
func (b *Batcher) LogProb(ctx context.Context, l LogProb) (*tensors.Tensor, error) {
	j, err := b.logProbJob(l)
	if err != nil {
		return nil, err
	}
	return b.do(ctx, j)
}

// Warm compiles the programs of all sizes of batches, by running each once.
func (b *Batcher) Warm(ctx context.Context) error {
	per := shape.Size(b.example.BatchShape())
	for _, size := range b.config.Batches {
		n := (size + per - 1) / per
		j, err := b.newJob(sampling, b.example.Context(), b.example.Mask(), slices.Concat([]int{n}, b.example.BatchShape(), b.example.EventShape()), n*per)
		if err != nil {
			return err
		}
		pieces := []piece{{j, 0, size}}
		samples, err := b.joined(ctx, sampling, pieces, size)
		if err != nil {
			return fmt.Errorf("serve: warming up with %d events: %w", size, err)
		}
		if b.example.CheckLogProb(b.config.Estimator) != nil {
			continue
		}
		// Any finite events will do; the last of the batch aren't needed.
		j.kind, j.x = logProb, samples
		if _, err = b.joined(ctx, logProb, pieces, size); err != nil {
			return fmt.Errorf("serve: warming up the log-densities of %d events: %w", size, err)
		}
	}
	return nil
}

// Close ends the batcher: it takes no more calls, and returns when those that wait are
// answered. When ctx is done before, they are answered with an error.
func (b *Batcher) Close(ctx context.Context) error {
	b.mu.Lock()
	b.closed = true
	b.wake.Broadcast()
	b.mu.Unlock()
	select {
	case <-b.ended:
		return nil
	case <-ctx.Done():
		b.abort(fmt.Errorf("the batcher was closed: %w", context.Cause(ctx)))
		<-b.ended
		return fmt.Errorf("serve: calls were still waiting when the batcher was closed: %w", context.Cause(ctx))
	}
}

// sampleJob checks a call for samples.
func (b *Batcher) sampleJob(s Sample) (*job, error) {
	j, err := b.newJob(sampling, s.Context, s.Mask, nil, 0)
	if err != nil {
		return nil, err
	}
	per := shape.Size(j.batch)
	switch {
	case s.N < 1:
		return nil, fmt.Errorf("serve: n is %d: expected at least 1", s.N)
	case s.N > b.config.MaxEvents/per && per > 1:
		return nil, fmt.Errorf("serve: n is %d for each of %d contexts: expected at most %d events in one call: ask several times, with other seeds", s.N, per, b.config.MaxEvents)
	case s.N > b.config.MaxEvents/per:
		return nil, fmt.Errorf("serve: n is %d: expected at most %d events in one call: ask several times, with other seeds", s.N, b.config.MaxEvents)
	}
	j.rows, j.seed = s.N*per, s.Seed
	j.shape = slices.Concat([]int{s.N}, j.batch, b.process.EventShape())
	return j, nil
}

// logProbJob checks a call for log-densities.
func (b *Batcher) logProbJob(l LogProb) (*job, error) {
	if err := b.example.CheckLogProb(b.config.Estimator); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoLogProb, err)
	}
	j, err := b.newJob(logProb, l.Context, l.Mask, nil, 0)
	if err != nil {
		return nil, err
	}
	if err := j.process.CheckData(l.X); errors.Is(err, transform.ErrOutside) {
		return nil, b.schema().outside(err)
	} else if err != nil {
		return nil, hinted(err, b.schema().event())
	}
	dims, event := l.X.Shape().Dimensions, b.process.EventShape()
	j.shape = slices.Clone(dims[:len(dims)-len(event)])
	j.rows, j.x, j.seed = shape.Size(j.shape), l.X, l.Seed
	if j.rows > b.config.MaxEvents {
		return nil, fmt.Errorf("serve: x has %d events: expected at most %d in one call", j.rows, b.config.MaxEvents)
	}
	return j, nil
}

// newJob checks the context and the mask of a call.
func (b *Batcher) newJob(k kind, given, mask *tensors.Tensor, dims []int, rows int) (*job, error) {
	for _, part := range []struct {
		name           string
		given, example *tensors.Tensor
	}{{"context", given, b.example.Context()}, {"mask", mask, b.example.Mask()}} {
		if err := fits(part.name, part.given, part.example, b.one(part.example)); err != nil {
			if part.name == "context" && part.example != nil {
				err = hinted(err, b.schema().context())
			}
			return nil, err
		}
	}
	if err := b.schema().checkClasses(given); err != nil {
		return nil, err
	}
	process, err := b.process.Rebind(given)
	if err == nil && mask != nil {
		process, err = process.Masked(mask)
	}
	if err != nil {
		return nil, err
	}
	return &job{
		kind: k, process: process, context: given, mask: mask, batch: process.BatchShape(),
		shape: dims, rows: rows, finished: make(chan struct{}),
	}, nil
}

// fits refuses a context or a mask that isn't there, or shouldn't be, or isn't like the
// example but for the batch. one is the shape of a single one.
func fits(name string, given, example *tensors.Tensor, one []int) error {
	switch {
	case example == nil && given == nil:
		return nil
	case example == nil:
		return fmt.Errorf("serve: there is a %s, of shape %s, and the model takes none", name, shape.Format(given.Shape().Dimensions))
	}
	if given == nil {
		return fmt.Errorf("serve: there is no %s: expected one of shape %s, or batch_shape+%s for several", name, shape.Format(one), shape.Format(one))
	}
	dims := given.Shape().Dimensions
	if len(dims) < len(one) || !slices.Equal(dims[len(dims)-len(one):], one) || given.DType() != example.DType() || given.Size() == 0 {
		return fmt.Errorf("serve: the %s is %s: expected %s values of shape batch_shape+%s, none of them 0", name, given.Shape(), example.DType(), shape.Format(one))
	}
	return nil
}

// do puts a job into the queue and waits for its end.
func (b *Batcher) do(ctx context.Context, j *job) (*tensors.Tensor, error) {
	j.ctx = ctx
	if ctx == nil {
		return nil, errors.New("serve: the context.Context is nil: give context.Background()")
	}
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("serve: stopped before anything was computed: %w", err)
	}
	if err := b.enqueue(j); err != nil {
		return nil, err
	}
	select {
	case <-j.finished:
		return j.out, j.err
	case <-ctx.Done():
		b.leave(j)
		return nil, fmt.Errorf("serve: stopped before all was computed: %w", context.Cause(ctx))
	}
}

// result is where the events of a job go.
func (b *Batcher) result(j *job) *tensors.Tensor {
	return tensors.FromShape(shapes.Make(b.process.DType(), j.shape...))
}
