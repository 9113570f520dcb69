package solver

import (
	"fmt"
	"math"

	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// scheme is how a method for stochastic equations makes a step. Without diffusion it is one for
// ordinary equations.
type scheme struct {
	order    float64
	draws    int
	step     func(k kick, y []*Node, over Interval, noise [][]*Node) []*Node
	diagonal float64 // the order where the diffusion depends on the state; 0 if it may not
}

// schemes are those that there are.
var schemes = map[string]scheme{
	"EulerMaruyama":  eulerMaruyama,
	"StochasticHeun": stochasticHeun,
	"SRA1":           sra1,
	"Milstein":       milstein,
}

// stochastic is a method for stochastic equations with additive noise, known by its scheme's
// name alone.
type stochastic struct{ Scheme string }

// Validate reports a scheme that there isn't.
func (m stochastic) Validate() error {
	if s, known := schemes[m.Scheme]; !known || s.diagonal > 0 {
		return fmt.Errorf("solver: there is no stochastic method for additive noise of the name %q: use solver.StochasticHeun(64) or solver.SRA1(64)", m.Scheme)
	}
	return nil
}

// Order implements [Method].
func (m stochastic) Order() float64 { return schemes[m.Scheme].order }

// Draws implements [Method].
func (m stochastic) Draws() int { return schemes[m.Scheme].draws }

// String is the method's name.
func (m stochastic) String() string { return m.Scheme }

// Init implements [Method].
func (m stochastic) Init(System, []*Node, *Node) []*Node { return nil }

// Step implements [Method].
func (m stochastic) Step(s System, y, _ []*Node, over Interval, noise [][]*Node) Step {
	return stochasticStep(m.Scheme, s, y, over, noise)
}

func stochasticStep(name string, s System, y []*Node, over Interval, noise [][]*Node) Step {
	c, how := s.Over(over), schemes[name]
	if c.U != nil {
		exceptions.Panicf("solver: %s steps in time, and the system has coordinates of its own: use a method for ordinary equations", name)
	}
	h := c.Width(over)
	return Step{Y: how.step(kick{c, name, how.diagonal > 0, h, c.Width(c.stages(over))}, y, over, noise)}
}

// anyNoise is a stochastic method whose diffusion may depend on the state.
type anyNoise struct{ Scheme string }

// Validate reports a scheme that there isn't.
func (m anyNoise) Validate() error {
	if schemes[m.Scheme].diagonal == 0 {
		return fmt.Errorf("solver: there is no stochastic method for any noise of the name %q: use solver.EulerMaruyama(64) or solver.Milstein(64)", m.Scheme)
	}
	return nil
}

// Order implements [Method].
func (m anyNoise) Order() float64 { return schemes[m.Scheme].order }

// Draws implements [Method].
func (m anyNoise) Draws() int { return schemes[m.Scheme].draws }

// String is the method's name.
func (m anyNoise) String() string { return m.Scheme }

// Init implements [Method].
func (m anyNoise) Init(System, []*Node, *Node) []*Node { return nil }

// Step implements [Method].
func (m anyNoise) Step(s System, y, _ []*Node, over Interval, noise [][]*Node) Step {
	return stochasticStep(m.Scheme, s, y, over, noise)
}

// DiagonalOrder implements [DiagonalNoise].
func (m anyNoise) DiagonalOrder() float64 { return schemes[m.Scheme].diagonal }

// kick adds diffusion in a step of width h, whose stages are that of the width within.
type kick struct {
	*Coordinates
	name      string
	diagonal  bool
	h, within *Node
}

// root is √|h|.
func (k kick) root() *Node { return Sqrt(Abs(k.h)) }

// wiener is ΔW = √|h|·noise[0].
func (k kick) wiener(noise [][]*Node) []*Node {
	dW := make([]*Node, len(noise[0]))
	for part, z := range noise[0] {
		dW[part] = Mul(z, k.root())
	}
	return dW
}

// diffusion is g of each part at y and t; nil if there is none.
func (k kick) diffusion(y []*Node, t *Node) []*Node {
	if k.Diffusion == nil {
		return nil
	}
	g := k.Diffusion(y, t)
	if len(g) != len(y) {
		exceptions.Panicf("solver: the diffusion returned %d values for a state of %d parts: expected one for each", len(g), len(y))
	}
	for part := range g {
		switch {
		case g[part].Shape().Equal(t.Shape()):
		case !g[part].Shape().Equal(y[part].Shape()):
			exceptions.Panicf("solver: the diffusion of part %d is %s: it must be shaped like the time, %s, or like the part, %s", part, g[part].Shape(), t.Shape(), y[part].Shape())
		case !k.diagonal:
			exceptions.Panicf("solver: %s is for additive noise, and the diffusion of part %d depends on the state: use solver.Milstein(64), or return one value shaped like the time", k.name, part)
		}
	}
	return g
}

// add is y + g·dW.
func (k kick) add(y, g, dW []*Node) []*Node {
	if g == nil {
		return y
	}
	next := make([]*Node, len(y))
	for part := range y {
		next[part] = scaled(y[part], g[part], dW[part])
	}
	return next
}

var eulerMaruyama = scheme{
	order: 1, draws: 1, diagonal: 0.5,
	step: func(k kick, y []*Node, over Interval, noise [][]*Node) []*Node {
		next := advance(y, [][]*Node{k.Slope(y, over.From)}, []float64{1}, k.h)
		return k.add(next, k.diffusion(y, over.From), k.wiener(noise))
	},
}

var milstein = scheme{
	order: 1, draws: 1, diagonal: 1,
	step: func(k kick, y []*Node, over Interval, noise [][]*Node) []*Node {
		next := advance(y, [][]*Node{k.Slope(y, over.From)}, []float64{1}, k.h)
		if k.Diffusion == nil {
			return next
		}
		// The derivative is of this place alone, not of how it came about.
		at := make([]*Node, len(y))
		for part := range y {
			at[part] = Identity(StopGradient(y[part]))
		}
		g, dW := k.diffusion(at, over.From), k.wiener(noise)
		next = k.add(next, g, dW)
		for part := range y {
			if g[part].Shape().Equal(over.From.Shape()) {
				continue
			}
			slope := Gradient(contract(g[part:part+1], []*Node{OnesLike(g[part])}), at[part])[0]
			excess := Sub(Square(dW[part]), shape.Lift(Abs(k.h), dW[part]))
			next[part] = Add(next[part], Mul(Mul(Mul(g[part], slope), excess), ConstAs(excess, 1./2)))
		}
		return next
	},
}

var stochasticHeun = scheme{
	order: 1, draws: 1,
	step: func(k kick, y []*Node, over Interval, noise [][]*Node) []*Node {
		dW, g := k.wiener(noise), k.diffusion(y, over.From)
		first := k.Slope(y, over.From)
		predicted := k.add(advance(y, [][]*Node{first}, []float64{1}, k.within), g, dW)
		second := k.Slope(predicted, over.To)
		next := advance(y, [][]*Node{first, second}, []float64{1. / 2, 1. / 2}, k.h)
		half := multiplied(dW, 1./2)
		return k.add(k.add(next, g, half), k.diffusion(predicted, over.To), half)
	},
}

// sra1 is, with J = ∫(W(s)-W(t))ds/|h| over the step and g0, g1 the diffusion at its ends,
//
//	k1 = f(y, t),  k2 = f(y + ¾h·k1 + 3/2·g1·J, t + ¾h)
//	y' = y + h·(k1 + 2·k2)/3 + g1·ΔW + (g0 - g1)·J
var sra1 = scheme{
	order: 1.5, draws: 2,
	step: func(k kick, y []*Node, over Interval, noise [][]*Node) []*Node {
		dW := k.wiener(noise)
		J, rest := make([]*Node, len(y)), make([]*Node, len(y)) // rest = ΔW - J
		for part := range y {
			z := noise[1][part]
			J[part] = scaled(dW[part], Mul(k.root(), ConstAs(z, 1/math.Sqrt(3))), z)
			J[part] = Mul(J[part], ConstAs(z, 1./2))
			rest[part] = Sub(dW[part], J[part])
		}
		g0, g1 := k.diffusion(y, over.From), k.diffusion(y, over.To)
		first := k.Slope(y, over.From)
		at := k.add(advance(y, [][]*Node{first}, []float64{3. / 4}, k.within), g1, multiplied(J, 3./2))
		second := k.Slope(at, over.At(3./4))
		next := advance(y, [][]*Node{first, second}, []float64{1. / 3, 2. / 3}, k.h)
		return k.add(k.add(next, g1, rest), g0, J)
	},
}

func multiplied(xs []*Node, c float64) []*Node {
	out := make([]*Node, len(xs))
	for i, x := range xs {
		out[i] = Mul(x, ConstAs(x, c))
	}
	return out
}
