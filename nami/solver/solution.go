package solver

import (
	"fmt"
	"math"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
)

// Code says how the solve of one sample ended.
type Code int8

const (
	// Success: it reached t1.
	Success Code = iota

	// NonFinite: the state or its slope became NaN or infinite.
	NonFinite

	// StepTooSmall: the error stayed above the tolerance in the shortest step that still
	// moves the time.
	StepTooSmall

	// MaxSteps: it didn't reach t1 in the steps that were allowed.
	MaxSteps
)

// String names the code.
func (c Code) String() string {
	names := [...]string{"Success", "NonFinite", "StepTooSmall", "MaxSteps"}
	if c < 0 || int(c) >= len(names) {
		return fmt.Sprintf("Code(%d)", int8(c))
	}
	return names[c]
}

// Cure says what went wrong and what to do about it; empty for [Success].
func (c Code) Cure() string {
	switch c {
	case NonFinite:
		return "became NaN or infinite: check the field at that time; take more steps, or train longer if it is learned"
	case StepTooSmall:
		return "needed a step too short to move the time: loosen the tolerances, compute in Float64, or use a solver with a fixed number of steps"
	case MaxSteps:
		return "needed more steps than allowed: raise MaxSteps, or loosen the tolerances"
	}
	return ""
}

// Solution is what a solve gives: the state of each sample at its end, and how it got
// there. Codes, Times, Accepted and Rejected have one element for each sample.
type Solution struct {
	// Y are the parts of the state, n+event_i. A sample that failed has its last good
	// state from an adaptive solver, and what became of it from one with a fixed number
	// of steps.
	Y []*tensors.Tensor

	// Saved are the parts of the state at the times of [Run.Save], [times]+n+event_i; nil if
	// there are none. What a sample that failed didn't reach is NaN.
	Saved []*tensors.Tensor

	// Codes say how each sample ended.
	Codes []Code

	// Times are where each sample ended: t1, or the last time at which it was good.
	Times []float64

	// Accepted and Rejected count the steps of each sample.
	Accepted, Rejected []int

	// Evaluations counts how often the field was evaluated, each time for all samples.
	Evaluations int

	t0, t1 float64
}

// Err is nil if all samples succeeded. Else it says how many failed and with which code,
// the first time at which one did, and the cure.
func (s *Solution) Err() error {
	type tally struct {
		count int
		first float64
	}
	tallies := map[Code]*tally{}
	failed := 0
	for i, c := range s.Codes {
		if c == Success {
			continue
		}
		failed++
		if tallies[c] == nil {
			tallies[c] = &tally{first: s.Times[i]}
		}
		t := tallies[c]
		t.count++
		if math.Abs(s.Times[i]-s.t0) < math.Abs(t.first-s.t0) {
			t.first = s.Times[i]
		}
	}
	if failed == 0 {
		return nil
	}
	var parts []string
	for _, c := range []Code{NonFinite, StepTooSmall, MaxSteps} {
		if t := tallies[c]; t != nil {
			parts = append(parts, fmt.Sprintf("%d %s (%v, the first at t = %.6g)", t.count, c.Cure(), c, t.first))
		}
	}
	return fmt.Errorf("solver: %d of %d samples didn't get from t = %g to %g: %s", failed, len(s.Codes), s.t0, s.t1, strings.Join(parts, "; "))
}

// Finalize frees the states.
func (s *Solution) Finalize() {
	gomlx.Finalize(s.Y)
	gomlx.Finalize(s.Saved)
}
