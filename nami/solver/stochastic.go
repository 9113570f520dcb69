package solver

import (
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Stochastic is a method with equal steps for stochastic equations with additive noise.
// [EulerMaruyama], [StochasticHeun] and [SRA1] make one; the zero value is no method.
// Without diffusion they are methods for ordinary equations. As the noise is additive,
// Itô's and Stratonovich's readings of the equation are the same.
type Stochastic struct {
	method *stochastic
	steps  int
}

type stochastic struct {
	name  string
	order float64
	draws int
	step  func(s System, y []*Node, over Interval, noise [][]*Node) []*Node
}

var _ SDE = Stochastic{}

// EulerMaruyama is y + f·h + g·ΔW, both taken at the begin of the step: of strong order 1
// for additive noise, with one evaluation of the drift in each step (Kloeden & Platen
// 1992, eq. 10.2.4).
func EulerMaruyama(steps int) Stochastic { return Stochastic{&eulerMaruyama, steps} }

// StochasticHeun averages drift and diffusion over both ends of the step, the second
// reached by an Euler–Maruyama step: of strong order 1 for additive noise, with two
// evaluations in each step; of order 2 without noise (Rümelin 1982, SIAM J. Numer. Anal.
// 19, 604).
func StochasticHeun(steps int) Stochastic { return Stochastic{&stochasticHeun, steps} }

// SRA1 is of strong order 1.5 for additive noise, and of order 2 without noise, with two
// evaluations in each step and two random numbers (Rößler 2010, SIAM J. Numer. Anal. 48,
// 922: the scheme SRA1).
func SRA1(steps int) Stochastic { return Stochastic{&sra1, steps} }

// Traits implements [Solver].
func (s Stochastic) Traits() Traits { return Traits{Stochastic: true, Differentiable: true} }

// Steps implements [Solver].
func (s Stochastic) Steps() int { return s.steps }

// Order is the method's strong order of convergence for additive noise.
func (s Stochastic) Order() float64 { return s.method.order }

// Draws implements [SDE].
func (s Stochastic) Draws() int { return s.method.draws }

// String names the method and its number of steps, as in SRA1(64).
func (s Stochastic) String() string {
	if s.method == nil {
		return "Stochastic{}"
	}
	return fmt.Sprintf("%s(%d)", s.method.name, s.steps)
}

// Step implements [SDE].
func (s Stochastic) Step(system System, y []*Node, over Interval, noise [][]*Node) []*Node {
	if s.method == nil {
		exceptions.Panicf("solver.Stochastic: the zero value is no method: use solver.EulerMaruyama(64), say")
	}
	return s.method.step(system, y, over, noise)
}

var eulerMaruyama = stochastic{
	name: "EulerMaruyama", order: 1, draws: 1,
	step: func(s System, y []*Node, over Interval, noise [][]*Node) []*Node {
		next := advance(y, [][]*Node{s.Drift(y, over.At(0))}, []float64{1}, over.Width())
		return s.shaken(next, over, 0, wiener(over, noise))
	},
}

var stochasticHeun = stochastic{
	name: "StochasticHeun", order: 1, draws: 1,
	step: func(s System, y []*Node, over Interval, noise [][]*Node) []*Node {
		h, dW := over.Width(), wiener(over, noise)
		first := s.Drift(y, over.At(0))
		predicted := s.shaken(advance(y, [][]*Node{first}, []float64{1}, h), over, 0, dW)
		second := s.Drift(predicted, over.At(1))
		next := advance(y, [][]*Node{first, second}, []float64{1. / 2, 1. / 2}, h)
		half := times(dW, 1./2)
		return s.shaken(s.shaken(next, over, 0, half), over, 1, half)
	},
}

// sra1 is, with J = ∫(W(s)-W(t))ds/|h| over the step and g0, g1 the diffusion at its ends,
//
//	k1 = f(y, t),  k2 = f(y + ¾h·k1 + 3/2·g1·J, t + ¾h)
//	y' = y + h·(k1 + 2·k2)/3 + g1·ΔW + (g0 - g1)·J
var sra1 = stochastic{
	name: "SRA1", order: 1.5, draws: 2,
	step: func(s System, y []*Node, over Interval, noise [][]*Node) []*Node {
		h, dW := over.Width(), wiener(over, noise)
		J, rest := make([]*Node, len(y)), make([]*Node, len(y)) // rest = ΔW - J
		for part := range y {
			z := noise[1][part]
			J[part] = scaled(dW[part], Mul(root(over), ConstAs(z, 1/math.Sqrt(3))), z)
			J[part] = Mul(J[part], ConstAs(z, 1./2))
			rest[part] = Sub(dW[part], J[part])
		}
		first := s.Drift(y, over.At(0))
		at := s.shaken(advance(y, [][]*Node{first}, []float64{3. / 4}, h), over, 1, times(J, 3./2))
		second := s.Drift(at, over.At(3./4))
		next := advance(y, [][]*Node{first, second}, []float64{1. / 3, 2. / 3}, h)
		return s.shaken(s.shaken(next, over, 1, rest), over, 0, J)
	},
}

// shaken is y with the diffusion at a fraction of the step times dW added.
func (s System) shaken(y []*Node, over Interval, fraction float64, dW []*Node) []*Node {
	if s.Diffusion == nil {
		return y
	}
	g := s.Diffusion(over.At(fraction))
	if !g.IsScalar() {
		exceptions.Panicf("solver: the diffusion is %s at a scalar time: it must be shaped like the time", g.Shape())
	}
	next := make([]*Node, len(y))
	for part := range y {
		next[part] = scaled(y[part], g, dW[part])
	}
	return next
}

// wiener is ΔW = √|h|·noise[0].
func wiener(over Interval, noise [][]*Node) []*Node {
	dW := make([]*Node, len(noise[0]))
	for part, z := range noise[0] {
		dW[part] = Mul(z, root(over))
	}
	return dW
}

// root is √|h|.
func root(over Interval) *Node { return Sqrt(Abs(over.Width())) }

func times(xs []*Node, c float64) []*Node {
	out := make([]*Node, len(xs))
	for i, x := range xs {
		out[i] = Mul(x, ConstAs(x, c))
	}
	return out
}
