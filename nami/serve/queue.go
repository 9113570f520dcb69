package serve

import (
	"context"
	"slices"
	"time"

	"github.com/nami-flow/go-nami/nami"

	"github.com/gomlx/gomlx/core/tensors"
)

// kind is what is computed; a batch is of one kind.
type kind int

const (
	sampling kind = iota
	logProb
	kinds
)

// String is the kind as metrics and paths call it.
func (k kind) String() string { return [...]string{"sample", "logprob"}[k] }

// job is a call that was checked. Its events are rows, which go into batches in their order.
type job struct {
	ctx     context.Context
	kind    kind
	process *nami.Process // with the context and the mask
	seed    int64
	batch   []int // the batch shape
	shape   []int // of the result
	rows    int

	context, mask *tensors.Tensor // a row for each element of the batch; or nil
	x             *tensors.Tensor // a row for each event, of log-densities

	given, done int // rows that were put into batches, and that were computed
	gone        bool
	out         *tensors.Tensor
	err         error
	finished    chan struct{}
}

// piece are rows first to first+n-1 of a job.
type piece struct {
	job      *job
	first, n int
}

// enqueue puts a job into the queue, if there is room.
func (b *Batcher) enqueue(j *job) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return ErrClosed
	}
	if b.events+j.rows > b.config.Queue {
		return &FullError{Events: j.rows, Waiting: b.events, Most: b.config.Queue, Retry: b.wait()}
	}
	b.waiting = append(b.waiting, j)
	b.events += j.rows
	b.wake.Signal()
	return nil
}

// wait is about how long the computation of what waits will take, in whole seconds from 1 to
// 60.
func (b *Batcher) wait() time.Duration {
	var all time.Duration
	for _, j := range b.waiting {
		all += time.Duration(j.rows-j.given) * b.perRow[j.kind]
	}
	return min(max(all.Round(time.Second), time.Second), time.Minute)
}

// leave takes a job whose caller has gone out of the queue.
func (b *Batcher) leave(j *job) {
	b.mu.Lock()
	defer b.mu.Unlock()
	j.gone = true
	if i := slices.Index(b.waiting, j); i >= 0 {
		b.waiting = slices.Delete(b.waiting, i, i+1)
		b.drop(j)
	}
}

// drop gives up what wasn't computed of a job.
func (b *Batcher) drop(j *job) {
	b.events -= j.rows - j.given
	b.metrics.dropped.WithLabelValues(j.kind.String()).Add(float64(j.rows - j.given))
	j.given = j.rows
}

// take waits for work, and takes as much of it as a batch holds: of the kind that has waited
// longest, in the order in which it came. What is left of a job comes first in the next batch if
// that can hold it, and else goes to the end, so that large jobs don't keep small ones waiting.
// ok is false at the end.
func (b *Batcher) take() (pieces []piece, size int, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		for len(b.waiting) == 0 {
			if b.closed {
				return nil, 0, false
			}
			b.wake.Wait()
		}
		var first, rest, again []*job
		kind, left := b.waiting[0].kind, 0
		for _, j := range b.waiting {
			if j.kind == kind {
				left += j.rows - j.given
			}
		}
		size = sizeFor(left, b.config.Batches)
		left = size
		for _, j := range b.waiting {
			switch {
			case j.ctx.Err() != nil: // its caller hasn't taken it out yet
				b.drop(j)
				continue
			case j.kind != kind || left == 0:
				rest = append(rest, j)
				continue
			}
			n := min(left, j.rows-j.given)
			pieces = append(pieces, piece{j, j.given, n})
			j.given, left, b.events = j.given+n, left-n, b.events-n
			switch missing := j.rows - j.given; {
			case missing > size:
				again = append(again, j)
			case missing > 0:
				first = append(first, j)
			}
		}
		b.waiting = slices.Concat(first, rest, again)
		if len(pieces) > 0 {
			return pieces, size, true
		}
	}
}

// sizeFor is the size of the next batch where so many events wait: the smallest that holds
// them all, unless they would fill less than half of it: then the one before.
func sizeFor(events int, sizes []int) int {
	for i, size := range sizes {
		if size >= events {
			if i > 0 && 2*events < size {
				return sizes[i-1]
			}
			return size
		}
	}
	return sizes[len(sizes)-1]
}

// finish ends a job: with an error, or when all of it is computed.
func (b *Batcher) finish(j *job, rows int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-j.finished:
		return
	default:
	}
	if err != nil {
		j.err = err
		if i := slices.Index(b.waiting, j); i >= 0 {
			b.waiting = slices.Delete(b.waiting, i, i+1)
			b.drop(j)
		}
		j.out = nil
		close(j.finished)
		return
	}
	if j.done += rows; j.done == j.rows {
		close(j.finished)
	}
}
