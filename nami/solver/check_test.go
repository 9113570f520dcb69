package solver_test

import (
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/tests/backends"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
)

func TestCheckPassesOurs(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		var methods []solver.Method
		for _, tab := range tableaus {
			methods = append(methods, tab)
		}
		for _, s := range []solver.Solver{
			solver.LMS(1, 1), solver.LMS(2, 1), solver.LMS(3, 1), solver.LMS(4, 1),
			solver.AdamsPEC(1, 1), solver.AdamsPEC(2, 1), solver.AdamsPEC(3, 1), solver.AdamsPEC(4, 1),
			solver.DPM2(1), solver.DPMSolverPP2S(1), solver.DPMSolverPP2M(1), solver.DPMSolverPP3M(1),
			solver.DEIS(2, 1), solver.DEIS(3, 1),
			solver.UniPC(2, 1), solver.UniPC(3, 1), solver.UniPCB1(2, 1), solver.UniPCB1(3, 1),
			solver.DDIM(0, 1), solver.DDIM(0.5, 1), solver.DDIM(1, 1),
			solver.DPMSolverPP2MSDE(1), solver.DPMSolverPP3MSDE(1),
			{Method: solver.Churn{}, Steps: 1},
			{Method: solver.Churn{Churn: 2}, Steps: 1},
			{Method: solver.Churn{Churn: 2, Min: 0.5, Max: 1}, Steps: 1},
			solver.EulerMaruyama(1), solver.StochasticHeun(1), solver.Milstein(1), solver.SRA1(1),
		} {
			methods = append(methods, s.Method)
		}
		for i, m := range methods {
			if backends.Few(backend) && !backends.Runs(i) {
				continue
			}
			if err := solver.Check(backend, m); err != nil {
				t.Error(err)
			}
		}
	})
}

// own is a user's method: Ralston's, of order 2, or something wrong in its place.
type own struct {
	step  func(s solver.System, y []*Node, over solver.Interval) []*Node
	order float64
	carry func(t *Node) []*Node // what Init and Step carry on
}

func (o own) Order() float64 { return o.order }
func (o own) Draws() int     { return 0 }
func (o own) String() string { return "own" }
func (o own) Init(_ solver.System, _ []*Node, t *Node) []*Node {
	if o.carry == nil {
		return nil
	}
	return o.carry(t)
}

func (o own) Step(s solver.System, y, carry []*Node, over solver.Interval, _ [][]*Node) solver.Step {
	return solver.Step{Y: o.step(s, y, over), Carry: carry}
}

// ralston makes a step of length h from begin, with the second slope at the given time.
func ralston(s solver.System, y []*Node, begin, second, h *Node) (next []*Node) {
	k1 := s.Drift(y, begin)
	var at []*Node
	for i := range y {
		at = append(at, Add(y[i], Mul(Mul(h, ConstAs(h, 2./3)), k1[i])))
	}
	k2 := s.Drift(at, second)
	for i := range y {
		slope := Add(Mul(k1[i], ConstAs(h, 1./4)), Mul(k2[i], ConstAs(h, 3./4)))
		next = append(next, Add(y[i], Mul(h, slope)))
	}
	return next
}

func TestCheckOfOwnMethods(t *testing.T) {
	backend := gomlxtest.Go(t)
	type step = func(s solver.System, y []*Node, over solver.Interval) []*Node
	right := func(s solver.System, y []*Node, over solver.Interval) []*Node {
		return ralston(s, y, over.From, over.At(2./3), over.Width())
	}
	for name, c := range map[string]struct {
		step  step
		order float64
		want  string // empty if it passes
	}{
		"right":         {right, 2, ""},
		"another order": {right, 3, "at the end, forward in time: the order is "},
		"a lower order": {right, 1, "at the end, forward in time: the order is "},
		"flipped time": {func(s solver.System, y []*Node, over solver.Interval) []*Node {
			flip := func(t *Node) *Node { return Sub(ConstAs(t, 1), t) }
			return ralston(s, y, flip(over.From), flip(over.At(2./3)), over.Width())
		}, 2, "the order is"},
		"only forward": {func(s solver.System, y []*Node, over solver.Interval) []*Node {
			return ralston(s, y, over.From, over.At(2./3), Abs(over.Width()))
		}, 2, "backward in time: the order is"},
		"another length": {func(s solver.System, y []*Node, over solver.Interval) []*Node {
			return ralston(s, y, over.From, over.At(2./3), ConstAs(over.From, 0.1))
		}, 2, "the order is"},
		"one time for both slopes": {func(s solver.System, y []*Node, over solver.Interval) []*Node {
			return ralston(s, y, over.From, over.From, over.Width())
		}, 2, "forward in time: the order is 1."},
		"a part is missing": {func(s solver.System, y []*Node, over solver.Interval) []*Node {
			return y[:1]
		}, 2, "returned 1 parts for a state of 2"},
		"another shape": {func(s solver.System, y []*Node, over solver.Interval) []*Node {
			return []*Node{y[1], y[0]}
		}, 2, "for part 0 of the state"},
	} {
		err := solver.Check(backend, own{step: c.step, order: c.order})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, expected %q", name, err, c.want)
		}
	}
	withMemory := own{step: right, order: 2, carry: func(t *Node) []*Node { return []*Node{t} }}
	for want, m := range map[string]solver.Method{
		"the method is nil":                           nil,
		"carries 0 nodes on, and Init gave it 1":      forgetful{own: withMemory},
		"is (Float64)[1], and Init made it (Float64)": forgetful{own: withMemory, longer: true},
	} {
		if err := solver.Check(backend, m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, expected %q", err, want)
		}
	}
	wrong := solver.Dopri5Tableau
	wrong.EstimateOrder = 3
	if err := solver.Check(backend, wrong); err == nil || !strings.Contains(err.Error(), "the error estimate, forward in time: the order is 4") {
		t.Errorf("an estimate of another order: got %v", err)
	}
	wrong = solver.RK4Tableau
	wrong.Dense = [][]float64{{1. / 6}, {1. / 3}, {1. / 3}, {1. / 6}}
	if err := solver.Check(backend, wrong); err == nil || !strings.Contains(err.Error(), "within steps, forward in time: the order is") {
		t.Errorf("a straight interpolant: got %v", err)
	}
}

// forgetful is a method whose memory isn't what it was.
type forgetful struct {
	own
	longer bool
}

func (f forgetful) Step(s solver.System, y, carry []*Node, over solver.Interval, noise [][]*Node) solver.Step {
	step := f.own.Step(s, y, carry, over, noise)
	if step.Carry = nil; f.longer {
		step.Carry = []*Node{InsertAxes(carry[0], 0)}
	}
	return step
}

// ownSDE is a user's method for stochastic equations: Euler and Maruyama's, with what it
// makes of a step's length for the noise.
type ownSDE struct {
	scale func(h *Node) *Node
	draw  int
}

func (ownSDE) Order() float64 { return 1 }
func (o ownSDE) Draws() int   { return o.draw + 1 }

func (ownSDE) Init(solver.System, []*Node, *Node) []*Node { return nil }

func (o ownSDE) Step(s solver.System, y, _ []*Node, over solver.Interval, noise [][]*Node) solver.Step {
	h := over.Width()
	drift, g := s.Drift(y, over.From), s.Diffusion(y, over.From)
	var next []*Node
	for part := range y {
		shake := Mul(Mul(g[part], o.scale(h)), noise[o.draw][part])
		next = append(next, Add(Add(y[part], Mul(h, drift[part])), shake))
	}
	return solver.Step{Y: next}
}

func TestCheckOfOwnSDEs(t *testing.T) {
	backend := gomlxtest.Go(t)
	root := func(h *Node) *Node { return Sqrt(Abs(h)) }
	for name, c := range map[string]struct {
		solver ownSDE
		want   string
	}{
		"right":                        {ownSDE{scale: root}, ""},
		"h for its root":               {ownSDE{scale: Abs}, "additive noise, forward in time: the order is"},
		"the root of a negative h":     {ownSDE{scale: Sqrt}, "backward in time: the order is NaN"},
		"noise of another sign":        {ownSDE{scale: func(h *Node) *Node { return Neg(root(h)) }}, "the order is"},
		"another draw than the path's": {ownSDE{scale: root, draw: 2}, "the order is"},
	} {
		err := solver.Check(backend, c.solver)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, expected %q", name, err, c.want)
		}
	}
}
