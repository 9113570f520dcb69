package solver_test

import (
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
)

func TestCheckPassesOurs(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, s := range []solver.RungeKutta{solver.Euler(1), solver.Midpoint(1), solver.Heun(1), solver.RK4(1)} {
			if err := solver.Check(backend, s, float64(s.Order())); err != nil {
				t.Error(err)
			}
		}
		for _, s := range []solver.Stochastic{solver.EulerMaruyama(1), solver.StochasticHeun(1), solver.SRA1(1)} {
			if err := solver.Check(backend, s, s.Order()); err != nil {
				t.Error(err)
			}
		}
	})
}

// own is a user's method: Ralston's, of order 2, or something wrong in its place.
type own struct {
	step   func(f solver.Dynamics, y []*Node, over solver.Interval) []*Node
	traits solver.Traits
	steps  int
}

func (o own) Traits() solver.Traits { return o.traits }
func (o own) Steps() int            { return o.steps }
func (o own) String() string        { return "own" }
func (o own) Step(f solver.Dynamics, y []*Node, over solver.Interval) []*Node {
	return o.step(f, y, over)
}

// ralston makes a step of length h from begin, with the second slope at the given time.
func ralston(f solver.Dynamics, y []*Node, begin, second, h *Node) (next []*Node) {
	k1 := f(y, begin)
	var at []*Node
	for i := range y {
		at = append(at, Add(y[i], Mul(Mul(h, ConstAs(h, 2./3)), k1[i])))
	}
	k2 := f(at, second)
	for i := range y {
		slope := Add(Mul(k1[i], ConstAs(h, 1./4)), Mul(k2[i], ConstAs(h, 3./4)))
		next = append(next, Add(y[i], Mul(h, slope)))
	}
	return next
}

func TestCheckOfOwnSolvers(t *testing.T) {
	backend := gomlxtest.Go(t)
	for name, c := range map[string]struct {
		step   func(f solver.Dynamics, y []*Node, over solver.Interval) []*Node
		traits solver.Traits
		steps  int
		order  float64
		want   string // empty if it passes
	}{
		"right": {order: 2, step: func(f solver.Dynamics, y []*Node, s solver.Interval) []*Node {
			return ralston(f, y, s.At(0), s.At(2./3), s.Width())
		}},
		"another order": {order: 3, want: "forward in time: the order is ", step: func(f solver.Dynamics, y []*Node, s solver.Interval) []*Node {
			return ralston(f, y, s.At(0), s.At(2./3), s.Width())
		}},
		"a lower order": {order: 1, want: "forward in time: the order is ", step: func(f solver.Dynamics, y []*Node, s solver.Interval) []*Node {
			return ralston(f, y, s.At(0), s.At(2./3), s.Width())
		}},
		"flipped time": {order: 2, want: "the order is", step: func(f solver.Dynamics, y []*Node, s solver.Interval) []*Node {
			flip := func(t *Node) *Node { return Sub(ConstAs(t, 1), t) }
			return ralston(f, y, flip(s.At(0)), flip(s.At(2./3)), s.Width())
		}},
		"only forward": {order: 2, want: "backward in time: the order is", step: func(f solver.Dynamics, y []*Node, s solver.Interval) []*Node {
			return ralston(f, y, s.At(0), s.At(2./3), Abs(s.Width()))
		}},
		"another length": {order: 2, want: "the order is", step: func(f solver.Dynamics, y []*Node, s solver.Interval) []*Node {
			return ralston(f, y, s.At(0), s.At(2./3), ConstAs(s.Width(), 0.1))
		}},
		"one time for both slopes": {order: 2, want: "forward in time: the order is 1.0", step: func(f solver.Dynamics, y []*Node, s solver.Interval) []*Node {
			return ralston(f, y, s.At(0), s.At(0), s.Width())
		}},
		"a part is missing": {order: 2, want: "returned 1 parts for a state of 2", step: func(f solver.Dynamics, y []*Node, s solver.Interval) []*Node {
			return y[:1]
		}},
		"another shape": {order: 2, want: "for part 0 of the state", step: func(f solver.Dynamics, y []*Node, s solver.Interval) []*Node {
			return []*Node{y[1], y[0]}
		}},
		"says it is stochastic": {traits: solver.Traits{Stochastic: true}, want: "lacks the methods Draws and Step of solver.SDE"},
		"says it is adaptive":   {traits: solver.Traits{Adaptive: true}, want: "say Adaptive: true"},
		"no steps":              {steps: -1, want: "own has -1 steps: it needs at least 1"},
	} {
		o := own{step: c.step, traits: c.traits, steps: c.steps}
		if o.steps == 0 {
			o.steps = 4
		}
		err := solver.Check(backend, o, c.order)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, expected %q", name, err, c.want)
		}
	}
	if err := solver.Check(backend, solver.Dopri5(1e-5, 1e-5), 5); err == nil || !strings.Contains(err.Error(), "chooses its steps") {
		t.Errorf("an adaptive solver: got %v", err)
	}
	if err := solver.Check(backend, solver.EulerMaruyama(1), 1.5); err == nil || !strings.Contains(err.Error(), "the order is 0.9") {
		t.Errorf("Euler–Maruyama as of order 1.5: got %v", err)
	}
}

// ownSDE is a user's method for stochastic equations: Euler and Maruyama's, with what it
// makes of a step's length for the noise.
type ownSDE struct {
	scale func(h *Node) *Node
	draw  int
}

func (ownSDE) Traits() solver.Traits { return solver.Traits{Stochastic: true} }
func (ownSDE) Steps() int            { return 1 }
func (o ownSDE) Draws() int          { return o.draw + 1 }
func (o ownSDE) Step(s solver.System, y []*Node, over solver.Interval, noise [][]*Node) (next []*Node) {
	h := over.Width()
	drift := s.Drift(y, over.At(0))
	for part := range y {
		shake := Mul(Mul(s.Diffusion(over.At(0)), o.scale(h)), noise[o.draw][part])
		next = append(next, Add(Add(y[part], Mul(h, drift[part])), shake))
	}
	return next
}

func TestCheckOfOwnSDEs(t *testing.T) {
	backend := gomlxtest.Go(t)
	root := func(h *Node) *Node { return Sqrt(Abs(h)) }
	for name, c := range map[string]struct {
		solver ownSDE
		want   string
	}{
		"right":                        {ownSDE{scale: root}, ""},
		"h for its root":               {ownSDE{scale: Abs}, "forward in time: the order is"},
		"the root of a negative h":     {ownSDE{scale: Sqrt}, "backward in time: the order is NaN"},
		"noise of another sign":        {ownSDE{scale: func(h *Node) *Node { return Neg(root(h)) }}, "the order is"},
		"another draw than the path's": {ownSDE{scale: root, draw: 2}, "the order is"},
	} {
		err := solver.Check(backend, c.solver, 1)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, expected %q", name, err, c.want)
		}
	}
}
