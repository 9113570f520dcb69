package solver_test

import (
	"context"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// lastTime is a method whose state is the time at the end of its last step.
type lastTime struct{}

func (lastTime) Order() float64                             { return 1 }
func (lastTime) Draws() int                                 { return 0 }
func (lastTime) Init(solver.System, []*Node, *Node) []*Node { return nil }
func (lastTime) Step(_ solver.System, y, _ []*Node, over solver.Interval, _ [][]*Node) solver.Step {
	return solver.Step{Y: []*Node{Add(ZerosLike(y[0]), over.To)}}
}

// The last step ends at t1 bit for bit, in float32, whatever the number of steps, on even
// and other grids.
func TestLastStepEndsAtTheEnd(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, grid := range []solver.Grid{nil, solver.Power{P: 3}} {
			p := program(t, backend, solver.Solver{Method: lastTime{}, Steps: 1, Grid: grid}, func(*model.Scope, []*Node) solver.System {
				return solver.System{}
			})
			for n := 1; n <= 250; n += 7 {
				for _, span := range [][2]float64{{1, 0}, {0, 1}} {
					y := []*tensors.Tensor{gomlx.FromFloats(dtypes.Float32, []float64{7}, 1)}
					out, err := p.Solve(context.Background(), y, nil, solver.Run{T0: span[0], T1: span[1], Steps: n})
					if err != nil {
						t.Fatal(err)
					}
					if got := gomlxtest.Floats(t, out.Y[0], nil)[0]; got != span[1] {
						t.Fatalf("%d steps from %g end at %g, expected %g", n, span[0], got, span[1])
					}
				}
			}
		}
	})
}

// What a solver lacks or contradicts is said wherever one goes in.
func TestBadSolvers(t *testing.T) {
	backend := gomlxtest.Go(t)
	change := func(s solver.Solver, f func(s *solver.Solver)) solver.Solver { f(&s); return s }
	for want, s := range map[string]solver.Solver{
		"RK4(0) has 0 steps: it needs at least 1":    solver.RK4(0),
		"Heun(-3) has -3 steps":                      solver.Heun(-3),
		"SRA1(-1) has -1 steps":                      solver.SRA1(-1),
		"the solver has no method":                   {},
		"LMS has the order 5":                        solver.LMS(5, 10),
		"LMS has the order 0":                        solver.LMS(0, 10),
		"both a number of steps and tolerances":      change(solver.Dopri5(1e-3, 1e-3), func(s *solver.Solver) { s.Steps = 4 }),
		"RK4(0.001, 0.001): the method has no error": change(solver.RK4(0), func(s *solver.Solver) { s.RTol, s.ATol = 1e-3, 1e-3 }),
		"a stochastic method has no error estimate":  change(solver.SRA1(0), func(s *solver.Solver) { s.ATol = 1e-3 }),
		"InTime asks for steps in time":              change(solver.DPM2(4), func(s *solver.Solver) { s.InTime = true }),
		"there are 1 times: give at least both":      change(solver.RK4(0), func(s *solver.Solver) { s.Grid = solver.Times{1} }),
		"the times go from 0.5 (number 1) to 0.6 (number 2): they must fall strictly from 1 to 0": change(solver.RK4(0), func(s *solver.Solver) {
			s.Grid = solver.Times{1, 0.5, 0.6, 0}
		}),
		"go from 0.5 (number 1) to 0.5 (number 2)": change(solver.RK4(0), func(s *solver.Solver) { s.Grid = solver.Times{0, 0.5, 0.5, 1} }),
		"Steps is 7, and the grid has 3 times":     change(solver.RK4(7), func(s *solver.Solver) { s.Grid = solver.Times{1, 0.5, 0} }),
		"solver.Power: P is -1":                    change(solver.RK4(7), func(s *solver.Solver) { s.Grid = solver.Power{P: -1} }),
		"solver.Karras: Rho is":                    change(solver.RK4(7), func(s *solver.Solver) { s.Grid = solver.Karras{Rho: -1} }),
	} {
		_, err := solver.NewProgram(backend, model.NewStore(), s, relaxation)
		unrolled := gomlx.Try(func() error {
			solver.Unroll(s, solver.System{}, []*Node{Const(NewGraph(backend, "misuse"), 1.0)}, 0, 1, nil)
			return nil
		})
		for _, err := range []error{err, unrolled} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, expected it to say %q", err, want)
			}
		}
	}
}
