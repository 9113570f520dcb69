package metric

import (
	"runtime"

	"golang.org/x/sync/errgroup"
)

// each calls f for all numbers below n, on all processors.
func each(n int, f func(i int)) {
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	const chunk = 64
	for start := 0; start < n; start += chunk {
		group.Go(func() error {
			for i := start; i < min(start+chunk, n); i++ {
				f(i)
			}
			return nil
		})
	}
	_ = group.Wait() // its functions return no error
}
