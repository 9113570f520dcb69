package metric

import (
	"context"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// each calls f for all numbers below n, on all processors.
func each(n int, f func(i int)) {
	_ = eachUntil(context.Background(), n, f) // which has no other end
}

// eachUntil calls f for all numbers below n, on all processors, until ctx ends.
func eachUntil(ctx context.Context, n int, f func(i int)) error {
	const chunk = 16
	parts := (n + chunk - 1) / chunk
	return parallel(ctx, parts, func(part int) {
		for i := part * chunk; i < min((part+1)*chunk, n); i++ {
			f(i)
		}
	})
}

// parallel calls f for all numbers below n, each on a processor, until ctx ends.
func parallel(ctx context.Context, n int, f func(i int)) error {
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := 0; i < n && ctx.Err() == nil; i++ {
		group.Go(func() error {
			f(i)
			return nil
		})
	}
	_ = group.Wait() // its functions return no error
	return context.Cause(ctx)
}

// eachPart calls f for parts of the numbers below n, on all processors.
func eachPart(n int, f func(from, to int)) {
	parts := min(n, 4*runtime.GOMAXPROCS(0))
	_ = parallel(context.Background(), parts, func(i int) { f(i*n/parts, (i+1)*n/parts) })
}
