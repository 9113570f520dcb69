package serve

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/internal/run"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
)

// errLeft is why a batch is stopped whose callers have all gone.
var errLeft = errors.New("all who asked have gone")

// work computes batches until the end.
func (b *Batcher) work() {
	defer close(b.ended)
	for {
		pieces, size, ok := b.take()
		if !ok {
			return
		}
		b.compute(pieces, size)
	}
}

// compute computes a batch and gives each job its own.
func (b *Batcher) compute(pieces []piece, size int) {
	kind := pieces[0].job.kind
	ctx, cancel := context.WithCancelCause(b.base)
	defer cancel(nil)
	var staying atomic.Int64
	staying.Store(int64(len(pieces)))
	for _, p := range pieces {
		defer context.AfterFunc(p.job.ctx, func() {
			if staying.Add(-1) == 0 {
				cancel(errLeft)
			}
		})()
	}
	start := time.Now()
	y, err := b.joined(ctx, kind, pieces, size)
	took := time.Since(start)
	b.metrics.batch(kind, pieces, size, took)
	if err == nil || errors.As(err, new(*nami.Failure)) {
		b.learn(kind, took/time.Duration(size))
	}
	var failure *nami.Failure
	switch {
	case errors.As(err, &failure):
		b.share(pieces, failure.Solution.Y[0], failure.Solution)
	case err == nil:
		b.share(pieces, y, nil)
	case len(pieces) > 1 && ctx.Err() == nil:
		// One of them may be to blame: each is computed alone.
		for _, p := range pieces {
			b.compute([]piece{p}, size)
		}
	default:
		for _, p := range pieces {
			b.finish(p.job, 0, err)
		}
	}
}

// learn remembers how long an event took.
func (b *Batcher) learn(k kind, perRow time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.perRow[k] == 0 {
		b.perRow[k] = perRow
	}
	b.perRow[k] += (perRow - b.perRow[k]) / 4
}

// share gives each job its rows of a batch's result. solution says which of them failed; nil
// for none.
func (b *Batcher) share(pieces []piece, y *tensors.Tensor, solution *solver.Solution) {
	row, at := y.Shape().Dimensions[1:], 0
	for _, p := range pieces {
		err := failed(solution, at, p.n)
		if err == nil {
			if p.job.out == nil {
				p.job.out = b.result(p.job)
			}
			err = copyRows(p.job.out, p.first, y, y.Shape().Dim(0), at, p.n, row)
		}
		b.finish(p.job, p.n, err)
		at += p.n
	}
}

// failed is the error of n rows of a solution from number first on.
func failed(solution *solver.Solution, first, n int) error {
	if solution == nil {
		return nil
	}
	own := *solution
	own.Codes, own.Times = own.Codes[first:first+n], own.Times[first:first+n]
	if err := own.Err(); err != nil {
		return failedError{err}
	}
	return nil
}

// failedError is the error of a job some of whose events didn't come out.
type failedError struct{ error }

func (e failedError) Unwrap() error { return e.error }

// joined computes a batch of pieces, filled up with copies of its first row.
func (b *Batcher) joined(ctx context.Context, k kind, pieces []piece, size int) (*tensors.Tensor, error) {
	process, err := b.bind(pieces, size)
	if err != nil {
		return nil, err
	}
	if k == sampling {
		return process.Sample(ctx)
	}
	x, err := rows(pieces, size, b.process.EventShape(), func(j *job) (*tensors.Tensor, int) { return j.x, j.rows })
	if err != nil {
		return nil, err
	}
	return process.LogProb(ctx, x, b.config.Estimator)
}

// bind is the process of a batch: with a context, a mask and a source of random numbers for
// each row.
func (b *Batcher) bind(pieces []piece, size int) (*nami.Process, error) {
	contexts, err := rows(pieces, size, b.one(b.example.Context()), func(j *job) (*tensors.Tensor, int) { return j.context, shape.Size(j.batch) })
	if err != nil {
		return nil, err
	}
	process, err := b.process.Rebind(contexts)
	if err != nil {
		return nil, err
	}
	masks, err := rows(pieces, size, b.one(b.example.Mask()), func(j *job) (*tensors.Tensor, int) { return j.mask, shape.Size(j.batch) })
	if err == nil && masks != nil {
		process, err = process.Masked(masks)
	}
	if err != nil {
		return nil, err
	}
	return process.SeededEach(sources(pieces, size))
}

// one is the shape of one context, or one mask, like the example.
func (b *Batcher) one(example *tensors.Tensor) []int {
	if example == nil {
		return nil
	}
	return example.Shape().Dimensions[len(b.example.BatchShape()):]
}

// sources are where the rows of a batch have their random numbers from.
func sources(pieces []piece, size int) []solver.Source {
	out := make([]solver.Source, 0, size)
	for _, p := range pieces {
		for i := range p.n {
			out = append(out, solver.Source{Seed: p.job.seed, Number: p.first + i})
		}
	}
	return append(out, slices.Repeat(out[:1], size-len(out))...)
}

// rows are those of a batch, of the shape row, from a tensor of each job that has so many of
// them, again and again; nil if there is none.
func rows(pieces []piece, size int, row []int, of func(j *job) (*tensors.Tensor, int)) (*tensors.Tensor, error) {
	t, _ := of(pieces[0].job)
	if t == nil {
		return nil, nil
	}
	out := tensors.FromShape(shapes.Make(t.DType(), slices.Concat([]int{size}, row)...))
	at := 0
	for _, p := range pieces {
		t, count := of(p.job)
		if err := copyRows(out, at, t, count, p.first, p.n, row); err != nil {
			return nil, err
		}
		at += p.n
	}
	if at < size {
		first, err := run.TakeRows(out, size, 0, 1, row)
		if err == nil {
			err = copyRows(out, at, first, 1, 0, size-at, row)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// copyRows copies n rows of from, which has count and starts again at its end, into to.
func copyRows(to *tensors.Tensor, at int, from *tensors.Tensor, count, first, n int, row []int) error {
	part, err := run.TakeRows(from, count, first, n, row)
	if err == nil {
		err = run.PutRows(to, at, part, 1, run.Chunk{N: n, Keep: n})
	}
	if err != nil {
		return fmt.Errorf("serve: copying events: %w", err)
	}
	return nil
}
