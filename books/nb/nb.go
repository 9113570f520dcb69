// Package nb has what cells of notebooks share. A cell has no caller to return an error to:
// [Check] and [Must] end it where something is wrong, with one line that says what. And it
// has no other way to be stopped than by an interrupt: that ends the context of [Context].
package nb

import (
	"context"
	"fmt"
	"os"
	"os/signal"
)

// Context returns a context that ends when the kernel is interrupted. Training that is given
// it stops, saves, and says how many steps are kept:
//
//	history := nb.Must(train.Fit(nb.Context(), backend, store, loss, events, train.Checkpoint("moons")))
func Context() context.Context {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second interrupt ends the cell's program
	return ctx
}

// Check writes err to standard error and ends the program with exit code 1, if err isn't
// nil.
func Check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Must returns v if err is nil, and does as [Check] if not:
//
//	data := nb.Must(toy.TwoMoons{Noise: 0.05}.Sample(1, 10_000))
func Must[T any](v T, err error) T {
	Check(err)
	return v
}
