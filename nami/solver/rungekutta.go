package solver

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// RungeKutta is an explicit Runge–Kutta method with equal steps. [Euler], [Midpoint],
// [Heun] and [RK4] make one; the zero value is no method.
type RungeKutta struct {
	tableau *tableau
	steps   int
}

var _ ODE = RungeKutta{}

// Euler is the method of order 1, with one evaluation of the field in each of the
// given number of steps.
func Euler(steps int) RungeKutta { return RungeKutta{&euler, steps} }

// Midpoint is Runge's method of order 2, with two evaluations in each step.
func Midpoint(steps int) RungeKutta { return RungeKutta{&midpoint, steps} }

// Heun is the explicit trapezoidal rule, of order 2, with two evaluations in each step.
func Heun(steps int) RungeKutta { return RungeKutta{&heun, steps} }

// RK4 is Kutta's classical method of order 4, with four evaluations in each step.
func RK4(steps int) RungeKutta { return RungeKutta{&rk4, steps} }

// Traits implements [Solver].
func (r RungeKutta) Traits() Traits { return Traits{Differentiable: true} }

// Steps implements [Solver].
func (r RungeKutta) Steps() int { return r.steps }

// Order is the method's order of convergence.
func (r RungeKutta) Order() int { return r.tableau.order }

// String names the method and its number of steps, as in RK4(64).
func (r RungeKutta) String() string {
	if r.tableau == nil {
		return "RungeKutta{}"
	}
	return fmt.Sprintf("%s(%d)", r.tableau.name, r.steps)
}

// Step implements [ODE].
func (r RungeKutta) Step(f Dynamics, y []*Node, over Interval) []*Node {
	if r.tableau == nil {
		exceptions.Panicf("solver.RungeKutta: the zero value is no method: use solver.RK4(64), say")
	}
	h := over.Width()
	var slopes [][]*Node
	for stage, weights := range r.tableau.a {
		slopes = append(slopes, f(advance(y, slopes, weights, h), over.At(r.tableau.c[stage])))
	}
	return advance(y, slopes, r.tableau.b, h)
}
