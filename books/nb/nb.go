// Package nb ends a notebook's cell where something is wrong, with one line that says
// what: a cell has no caller to return an error to.
package nb

import (
	"fmt"
	"os"
)

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
