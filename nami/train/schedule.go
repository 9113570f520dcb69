package train

import (
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph"
)

// RateSchedule says how a learning rate changes with the step. A type of your own is one
// as soon as it has this method.
type RateSchedule interface {
	// Factor is the factor of the learning rate in a step. step is its number, from 0, a
	// Float64 scalar, as is the result; steps is how many there are, 0 if that isn't known, as
	// in a [Trainer].
	Factor(step *Node, steps int) *Node
}

// Cosine lets the rate fall along half a cosine, from all of it at the first step to 0
// after the last (Loshchilov & Hutter 2017, arXiv:1608.03983, eq. 5, without restarts): the
// last steps settle what the large ones scatter.
type Cosine struct {
	// Steps is the number of steps to 0, where the rate then stays; all of the fit if 0. As
	// the rate of each step then depends on how many there are, a checkpoint of such a run
	// can't be continued with more of them: [Constant] is for runs that are to be.
	Steps int
}

// Validate reports a negative number of steps.
func (c Cosine) Validate() error {
	if c.Steps < 0 {
		return fmt.Errorf("train.Cosine: Steps is %d: it must be at least 1, or 0 for all of the fit", c.Steps)
	}
	return nil
}

// Factor implements [RateSchedule].
func (c Cosine) Factor(step *Node, steps int) *Node {
	if c.Steps > 0 {
		steps = c.Steps
	}
	if steps < 1 {
		panic(fmt.Errorf("train.Cosine: Steps is 0, and a Trainer doesn't know how many steps there will be: set Steps"))
	}
	g := step.Graph()
	done := Min(Mul(step, Const(g, 1/float64(steps))), Const(g, 1.0))
	return Mul(Add(Cos(Mul(done, Const(g, math.Pi))), Const(g, 1.0)), Const(g, 0.5))
}

// Constant leaves the learning rate as it is: for runs that are continued with more steps, where a
// rate that falls with [Cosine] would have ended at 0.
type Constant struct{}

// Factor implements [RateSchedule].
func (Constant) Factor(step *Node, _ int) *Node { return Const(step.Graph(), 1.0) }

// WarmUp lets the rate rise in equal parts over the first steps, and then follow another
// schedule.
type WarmUp struct {
	// Steps is the number of steps until all of the rate is reached: step i of them has
	// (i+1)/Steps of it.
	Steps int

	// Then is the schedule of the steps that follow, which for it begin at 0 again; constant
	// if nil.
	Then RateSchedule
}

// Validate reports a number of steps below 1, and what is wrong with Then.
func (w WarmUp) Validate() error {
	if w.Steps < 1 {
		return fmt.Errorf("train.WarmUp: Steps is %d: it must be at least 1", w.Steps)
	}
	return checkSchedule(w.Then)
}

// Factor implements [RateSchedule].
func (w WarmUp) Factor(step *Node, steps int) *Node {
	g := step.Graph()
	rising := Mul(Add(step, Const(g, 1.0)), Const(g, 1/float64(w.Steps)))
	then := Const(g, 1.0)
	if w.Then != nil {
		if steps > 0 {
			steps = max(1, steps-w.Steps)
		}
		then = w.Then.Factor(Sub(step, Const(g, float64(w.Steps))), steps)
	}
	return Where(LessThan(step, Const(g, float64(w.Steps))), rising, then)
}

// RateFunc is a schedule that is a function of the step: step and factor are Float64
// scalars.
type RateFunc func(step *Node) *Node

// Validate reports a nil function.
func (f RateFunc) Validate() error {
	if f == nil {
		return fmt.Errorf("train.RateFunc: the function is nil: give one of the step, or leave out the Schedule")
	}
	return nil
}

// Factor implements [RateSchedule].
func (f RateFunc) Factor(step *Node, _ int) *Node { return f(step) }

// checkSchedule asks a schedule's Validate() error, if it has one.
func checkSchedule(s RateSchedule) error {
	if v, ok := s.(interface{ Validate() error }); ok {
		return v.Validate()
	}
	return nil
}

// dependsOnSteps says whether a schedule changes with the number of steps of a fit.
func dependsOnSteps(s RateSchedule) bool {
	switch s := s.(type) {
	case Cosine:
		return s.Steps == 0
	case WarmUp:
		return dependsOnSteps(s.Then)
	}
	return false
}
