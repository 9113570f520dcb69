package nami

import (
	"fmt"

	"github.com/nami-flow/go-nami/nami/solver"
)

// Failure is the error of a call some of whose events didn't get to their end: they became NaN
// or infinite, or needed more steps than were allowed. The others are in it:
//
//	samples, err := process.Sample(ctx, n)
//	var failure *nami.Failure
//	if errors.As(err, &failure) {
//		// failure.Solution.Codes[i] is solver.Success where event i came out,
//		// and failure.Solution.Y[0] are the samples.
//	}
type Failure struct {
	// Solution has what the call would have returned as the first of Y, and for each event, in
	// the order of its lead's elements, how it fared.
	Solution *solver.Solution

	what string // was done
}

// Error says how many events failed and why, the first time at which one did, and the cure.
func (f *Failure) Error() string { return fmt.Sprintf("nami: %s: %v", f.what, f.Solution.Err()) }

// Unwrap is the solution's error.
func (f *Failure) Unwrap() error { return f.Solution.Err() }
