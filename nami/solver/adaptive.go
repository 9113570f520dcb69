package solver

import (
	"fmt"
	"math"
)

// Adaptive is an embedded Runge–Kutta method that chooses its steps so that the local
// error stays below the tolerances. [Bosh3], [Dopri5] and [Tsit5] make one, and its
// fields may be changed then; the zero value is no method.
//
// Each sample has its own time and step size: a stiff one takes more steps itself, and
// the others' results are what they would be without it. The batch is done when its
// last sample is, and each step evaluates the field for all.
type Adaptive struct {
	tableau *tableau

	// RTol and ATol bound the error estimate of one step: a step is accepted if the root
	// mean square of error/(ATol + RTol·max(|y|, |y'|)), over all values of a sample, is
	// at most 1; y and y' are the state before and after. RTol may be 0, ATol not.
	RTol, ATol float64

	// MaxSteps is how many steps are attempted at most, accepted or not: 4096 unless
	// changed. A sample that needs more ends with the code [MaxSteps].
	MaxSteps int

	// FirstStep is the length of the first step. 0, the default, chooses it by Hairer's
	// rule, which costs another evaluation (Hairer, Nørsett & Wanner, II.4).
	FirstStep float64

	// Shared takes one step size for the whole batch, from the norm over all its values,
	// as torchdiffeq does. The field is then called with a scalar time, and the batch
	// fails or succeeds as one. It takes fewer steps where samples are alike.
	Shared bool

	// Weights multiply the error of each part of the state in the norm: {1, 0} lets the
	// first part alone choose the steps. Empty is 1 for all.
	Weights []float64

	// Control chooses the next step from the error.
	Control Control
}

// Control is a proportional-integral controller of the step size. With the norm e of a
// step's error relative to the tolerance, that of the accepted step before it e', and an
// estimate that falls as h^k, the next step is longer by the factor
//
//	Safety · e^(-(I+P)/k) · e'^(P/k)
//
// within [Min, Max]; after a rejected step by Safety·e^(-1/k) (Gustafsson 1991, ACM
// TOMS 17, 533; Söderlind 2003, Numer. Algorithms 31, 281; Hairer & Wanner, IV.2).
type Control struct {
	I, P, Safety, Min, Max float64
}

// PI is the default controller, with I = P = 1/3 (PI3333 in Söderlind 2003). The
// proportional part keeps steps from swinging between too long and too short: on a flow
// in two dimensions it rejects next to none, [Integral] a third.
func PI() Control { return Control{I: 1. / 3, P: 1. / 3, Safety: 0.9, Min: 0.2, Max: 10} }

// Integral is the classical controller, with the factor 0.9·e^(-1/k): that of
// torchdiffeq and, unless told otherwise, of diffrax.
func Integral() Control { return Control{I: 1, Safety: 0.9, Min: 0.2, Max: 10} }

// Bosh3 is the method of Bogacki and Shampine, of order 3 with an error estimate of
// order 2: three evaluations in each step, for low accuracy, rtol 1e-2 to 1e-3, say.
func Bosh3(rtol, atol float64) Adaptive { return newAdaptive(&bosh3, rtol, atol) }

// Dopri5 is the method of Dormand and Prince, of order 5 with an error estimate of order
// 4: six evaluations in each step.
func Dopri5(rtol, atol float64) Adaptive { return newAdaptive(&dopri5, rtol, atol) }

// Tsit5 is Tsitouras's method, of order 5 with an error estimate of order 4: six
// evaluations in each step, with smaller error constants than [Dopri5].
func Tsit5(rtol, atol float64) Adaptive { return newAdaptive(&tsit5, rtol, atol) }

func newAdaptive(t *tableau, rtol, atol float64) Adaptive {
	return Adaptive{tableau: t, RTol: rtol, ATol: atol, MaxSteps: 4096, Control: PI()}
}

// Traits implements [Solver].
func (a Adaptive) Traits() Traits { return Traits{Adaptive: true} }

// Steps implements [Solver]: the most steps that are attempted.
func (a Adaptive) Steps() int { return a.MaxSteps }

// Order is the method's order of convergence.
func (a Adaptive) Order() int { return a.tableau.order }

// String names the method and its tolerances, as in Dopri5(1e-05, 1e-05).
func (a Adaptive) String() string {
	if a.tableau == nil {
		return "Adaptive{}"
	}
	return fmt.Sprintf("%s(%g, %g)", a.tableau.name, a.RTol, a.ATol)
}

// validate says what is wrong with the fields.
func (a Adaptive) validate() error {
	if a.tableau == nil {
		return fmt.Errorf("solver: the zero value of Adaptive is no method: use solver.Dopri5(1e-5, 1e-5), say")
	}
	fail := func(format string, args ...any) error {
		return fmt.Errorf("solver: %s: %s", a, fmt.Sprintf(format, args...))
	}
	tolerances := !(a.RTol >= 0 && a.ATol > 0) || math.IsInf(a.RTol+a.ATol, 0)
	c := a.Control
	switch {
	case tolerances:
		return fail("rtol must be at least 0 and atol more than 0: a value that passes 0 has no relative error")
	case !(a.FirstStep >= 0) || math.IsInf(a.FirstStep, 0):
		return fail("FirstStep is %g: it must be a length of time, or 0 to be chosen", a.FirstStep)
	case !(c.I >= 0 && c.P >= 0 && c.I+c.P > 0):
		return fail("the controller has I = %g and P = %g: they must be at least 0 and one of them more (use solver.PI())", c.I, c.P)
	case !(c.Safety > 0 && c.Safety <= 1 && c.Min > 0 && c.Min < 1 && c.Max > 1):
		return fail("the controller has Safety = %g, Min = %g, Max = %g: expected 0 < Safety ≤ 1, 0 < Min < 1 and Max > 1", c.Safety, c.Min, c.Max)
	}
	for part, w := range a.Weights {
		if !(w >= 0) || math.IsInf(w, 0) {
			return fail("the weight of part %d of the state is %g: it must be at least 0", part, w)
		}
	}
	return nil
}
