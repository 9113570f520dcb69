// Package nb has what cells of notebooks share. A cell has no caller to return an error to:
// [Check] and [Must] end it where something is wrong, with one line that says what. And it
// has no other way to be stopped than by an interrupt: that ends the context of [Context].
//
// Each cell is a program of its own, so its values end with it. [Keep] keeps one for later
// cells, as long as the code that makes it is the same, and [Kept] gets it. [Reads] says
// which files a notebook depends on.
package nb

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
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
// nil. In a notebook the line of the cell is said too.
func Check(err error) {
	if err == nil {
		return
	}
	if place, ok := cellPlace(); ok { // the kernel makes one line of it
		fmt.Fprintf(os.Stderr, "nami: %v\n\tat %s:%d\n", err, place.File, place.Line)
	} else {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(1)
}

// Must returns v if err is nil, and does as [Check] if not:
//
//	data := nb.Must(toy.TwoMoons{Noise: 0.05}.Sample(1, 10_000))
func Must[T any](v T, err error) T {
	Check(err)
	return v
}

// cellPlace is the innermost place in a cell's program that led here; false outside a
// notebook of our kernel, and where no cell called.
func cellPlace() (runtime.Frame, bool) {
	folder := os.Getenv("GONB_TMP_DIR")
	if folder == "" || os.Getenv(keptFolder) == "" {
		return runtime.Frame{}, false
	}
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for {
		frame, more := frames.Next()
		if filepath.Base(filepath.Dir(frame.File)) == filepath.Base(folder) { // above it there may be a link
			return frame, true
		}
		if !more {
			return frame, false
		}
	}
}

// keptFolder is the variable with the folder, in memory, that a kernel gives its cells.
const keptFolder = "NAMI_KEPT"
