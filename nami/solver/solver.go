// Package solver integrates ordinary and stochastic differential equations.
//
// A [Method] makes one step: an explicit Runge–Kutta method is a [Tableau], a table of
// numbers; multistep and stochastic methods are types, and so may a user's own be. A
// [Solver] is a method and where its steps go: a number of steps on a [Grid], or tolerances
// that choose them. The same solver, with the same numbers, runs in a compiled loop
// ([Program]), as an unrolled graph that gradients flow through ([Unroll], for a fixed number
// of steps), and in a solve backwards for gradients in constant memory ([Adjoint]).
//
//	solver                         order        evaluations in a step
//	Euler                          1            1
//	Midpoint, Heun                 2            2
//	RK4                            4            4
//	Bosh3                          3, adaptive  3
//	Dopri5, Tsit5                  5, adaptive  6
//	LMS(k, n)                      k, 2 at most 1
//	AdamsPEC(k, n)                 3            1
//	DPM2, DPMSolverPP2S            2            2
//	DPMSolverPP2M, DPMSolverPP3M   2            1
//	DEIS(k, n)                     2            1
//	UniPC(k, n), UniPCB1(k, n)     3            1
//	DDIM(eta, n)                   1            1
//	DPMSolverPP2MSDE, …3MSDE       2, in law    1
//	Churn                          2, in law    2
//	EulerMaruyama                  1, strong    1
//	StochasticHeun                 1, strong    2
//	SRA1                           1.5, strong  2
//	Milstein                       1, strong    1
//
// The strong orders are those for additive noise. Where the diffusion depends on the state,
// EulerMaruyama is of order ½, Milstein of order 1, and the others refuse it. In law means the
// mean and deviation of what a sampler makes of normal data. From DPM2 to Churn the methods step
// from one noise level to the next, and need a system with a [Model]; DDIM draws random numbers
// unless eta is 0, and Churn unless it is 0.
package solver

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// Solver is a method and where its steps go. The short constructors make one, such as
// RK4(64) or Dopri5(1e-5, 1e-5), and its fields may be changed then:
//
//	s := solver.Heun(18)
//	s.Grid = solver.Karras{}
//
// A solver with a method of your own is Solver{Method: m, Steps: 20}. With Steps, or a Grid that
// has its own number of them, the steps are those of the grid. Without, they are chosen so
// that the estimate of the local error stays below the tolerances, which takes an
// [Embedded] method. Each sample has its own time and step size then, unless they are
// Shared: a stiff sample takes more steps itself, and the others' results are what they
// would be without it.
type Solver struct {
	// Method makes a step.
	Method Method

	// Steps is the number of steps; 0 if they are chosen by the error.
	Steps int

	// Grid places the steps. Nil is the one that suits the system: [Even] steps of time,
	// or what a diffusion's schedule needs.
	Grid Grid

	// InTime makes a method step in the model's time and state where it would otherwise
	// take the coordinates that suit the system (see [Coordinates]): dx/dt as it stands,
	// from one end of time to the other, on even steps unless there is a Grid. Methods that
	// are made for noise levels refuse it.
	InTime bool

	// RTol and ATol bound the error estimate of one step: a step is accepted if the root
	// mean square of error/(ATol + RTol·max(|y|, |y'|)), over all values of a sample, is
	// at most 1; y and y' are the state before and after. RTol may be 0, ATol must be positive.
	RTol, ATol float64

	// Control chooses the next step from the error; [PI] if unset.
	Control Control

	// MaxSteps is how many steps are attempted at most, accepted or not; 4096 if 0. A
	// sample that needs more ends with the code [MaxSteps].
	MaxSteps int

	// FirstStep is the length of the first step. 0 chooses it by how fast the slope
	// changes, which costs another evaluation.
	FirstStep float64

	// Shared takes one step size for the whole batch, from the norm over all its values.
	// The field is then called with a scalar time, and the batch fails or succeeds as one.
	// It takes fewer evaluations where samples are alike.
	Shared bool

	// Weights multiply the error of each part of the state in the norm: with {1, 0} the first
	// part alone chooses the steps. All are 1 if it is empty.
	Weights []float64
}

// defaultMaxSteps is how many steps an adaptive solver attempts if it isn't told.
const defaultMaxSteps = 4096

// Adaptive is true if the solver chooses its steps by the error.
func (s Solver) Adaptive() bool { return s.Grid == nil && s.Steps == 0 && s.tolerances() }

func (s Solver) tolerances() bool { return s.RTol != 0 || s.ATol != 0 }

// Stochastic is true if the solver is for stochastic equations: its method draws random
// numbers.
func (s Solver) Stochastic() bool { return s.Method != nil && s.Method.Draws() > 0 }

// limit is the number of steps, or the most that are attempted.
func (s Solver) limit() int {
	if times, ok := s.Grid.(Times); ok {
		return len(times) - 1
	}
	if !s.Adaptive() {
		return s.Steps
	}
	if s.MaxSteps == 0 {
		return defaultMaxSteps
	}
	return s.MaxSteps
}

// WithDefaults returns the solver with the usual controller and number of attempts, where it
// chooses its steps by the error and has none of them.
func (s Solver) WithDefaults() Solver {
	if s.Adaptive() {
		s.Control, s.MaxSteps = s.control(), s.limit()
	}
	return s
}

// control is the controller, PI if none is given.
func (s Solver) control() Control {
	if s.Control == (Control{}) {
		return PI()
	}
	return s.Control
}

// String names the method and its steps or tolerances, as in RK4(64) or
// Dopri5(1e-05, 1e-05), and whatever isn't as usual.
func (s Solver) String() string {
	if s.Method == nil {
		return "Solver{}"
	}
	var in []string
	switch {
	case s.Adaptive():
		in = append(in, fmt.Sprint(s.RTol), fmt.Sprint(s.ATol))
		for _, option := range []struct {
			name  string
			value any
			set   bool
		}{
			{"Control", s.Control, s.control() != PI()},
			{"MaxSteps", s.MaxSteps, s.limit() != defaultMaxSteps},
			{"FirstStep", s.FirstStep, s.FirstStep != 0},
			{"Shared", s.Shared, s.Shared},
			{"Weights", s.Weights, len(s.Weights) > 0},
		} {
			if option.set {
				in = append(in, fmt.Sprintf("%s: %v", option.name, option.value))
			}
		}
	case s.Grid == nil:
		in = append(in, fmt.Sprint(s.Steps))
	case s.Steps == 0:
		in = append(in, fmt.Sprint(s.Grid))
	default:
		in = append(in, fmt.Sprint(s.Steps), fmt.Sprint(s.Grid))
	}
	if s.InTime {
		in = append(in, "InTime")
	}
	return fmt.Sprintf("%v(%s)", s.Method, strings.Join(in, ", "))
}

// Validate says what is wrong with a solver: no method, no steps, or settings that are out
// of range or contradict one another.
func (s Solver) Validate() error {
	if s.Method == nil {
		return errors.New("solver: the solver has no method: use solver.RK4(64), or give Method and Steps")
	}
	if v, ok := s.Method.(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			return err
		}
	}
	fail := func(format string, args ...any) error {
		return fmt.Errorf("solver: %s: %s", s, fmt.Sprintf(format, args...))
	}
	if v, ok := s.Grid.(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			return fail("%v", err)
		}
	}
	_, noise := s.Method.(NoiseLevels)
	_, times := s.Grid.(Times)
	switch {
	case s.InTime && noise:
		return fail("the method steps from one noise level to the next, and InTime asks for steps in time: leave one of them out")
	case times && s.Steps != 0 && s.Steps != s.limit():
		return fail("Steps is %d, and the grid has %d times, which are %d steps: leave Steps at 0", s.Steps, s.limit()+1, s.limit())
	case (s.Grid != nil || s.Steps != 0) && s.tolerances():
		return fail("it has both a number of steps and tolerances: give Steps for a fixed number, RTol and ATol for steps chosen by the error")
	}
	if s.Adaptive() {
		return s.validateAdaptive(fail)
	}
	if s.limit() < 1 {
		return fmt.Errorf("solver: %v has %d steps: it needs at least 1", s, s.limit())
	}
	return nil
}

func (s Solver) validateAdaptive(fail func(format string, args ...any) error) error {
	c := s.control()
	embedded, ok := s.Method.(Embedded)
	switch {
	case s.Stochastic():
		return fail("a stochastic method has no error estimate: give it a number of steps")
	case !ok || embedded.ErrorOrder() < 1:
		return fail("the method has no error estimate to choose its steps by: give it a number of steps, or use a method that has one, such as solver.Dopri5(1e-5, 1e-5)")
	case !(s.RTol >= 0 && s.ATol > 0) || math.IsInf(s.RTol+s.ATol, 0):
		return fail("rtol must be at least 0 and atol more than 0: a value that passes 0 has no relative error")
	case s.MaxSteps < 0:
		return fail("MaxSteps is %d: it must be at least 1, or 0 for %d", s.MaxSteps, defaultMaxSteps)
	case !(s.FirstStep >= 0) || math.IsInf(s.FirstStep, 0):
		return fail("FirstStep is %g: it must be a length of time, or 0 to be chosen", s.FirstStep)
	case !(c.I >= 0 && c.P >= 0 && c.I+c.P > 0):
		return fail("the controller has I = %g and P = %g: they must be at least 0 and one of them more (use solver.PI())", c.I, c.P)
	case !(c.Safety > 0 && c.Safety <= 1 && c.Min > 0 && c.Min < 1 && c.Max > 1):
		return fail("the controller has Safety = %g, Min = %g, Max = %g: expected 0 < Safety ≤ 1, 0 < Min < 1 and Max > 1", c.Safety, c.Min, c.Max)
	}
	for part, w := range s.Weights {
		if !(w >= 0) || math.IsInf(w, 0) {
			return fail("the weight of part %d of the state is %g: it must be at least 0", part, w)
		}
	}
	return nil
}
