package solver_test

import (
	"context"
	"fmt"
	"slices"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/solver"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Three decays with rates of their own: the fast one takes more steps, the others don't.
func ExampleProgram() {
	backend, err := gomlx.Open("go")
	if err != nil {
		panic(err)
	}
	decay := func(_ *model.Scope, fixed []*Node) solver.System {
		return solver.System{Drift: func(y []*Node, _ *Node) []*Node {
			return []*Node{Neg(Mul(fixed[0], y[0]))}
		}}
	}
	program, err := solver.NewProgram(backend, model.NewStore(), solver.Tsit5(1e-6, 1e-6), decay)
	if err != nil {
		panic(err)
	}
	y := []*tensors.Tensor{tensors.FromValue([]float64{1, 1, 1})}
	rates := []*tensors.Tensor{tensors.FromValue([]float64{1, 2, 50})}
	solution, err := program.Solve(context.Background(), y, rates, solver.Run{T0: 0, T1: 1})
	if err != nil {
		panic(err)
	}
	if err := solution.Err(); err != nil {
		panic(err)
	}
	fmt.Printf("%.4f\n", solution.Y[0].Value())
	fmt.Println(solution.Accepted[2] > 2*solution.Accepted[1])
	// Output:
	// [0.3679 0.1353 0.0000]
	// true
}

// A user's own Runge–Kutta method is a table: Ralston's, y + h·(k1 + 3·k2)/4 with the second
// slope at ⅔ of the step.
func ExampleTableau() {
	backend, err := gomlx.Open("go")
	if err != nil {
		panic(err)
	}
	ralston := solver.Tableau{
		Name: "Ralston", Convergence: 2,
		A: [][]float64{{}, {2. / 3}}, B: []float64{1. / 4, 3. / 4}, C: []float64{0, 2. / 3},
	}
	fmt.Println(solver.Solver{Method: ralston, Steps: 64}, solver.Check(backend, ralston))
	// Output: Ralston(64) <nil>
}

// Leapfrog is a user's own method with a memory, of order 2 with one evaluation in each
// step: on even steps the state goes from the one before the last, y₋ + 2h·f(y, t).
type Leapfrog struct{}

func (Leapfrog) Order() float64 { return 2 }
func (Leapfrog) Draws() int     { return 0 }

// Init makes room for the state before, and says that there is none.
func (Leapfrog) Init(_ solver.System, y []*Node, t *Node) []*Node {
	return append(slices.Clone(y), ZerosLike(t))
}

func (Leapfrog) Step(s solver.System, y, carry []*Node, over solver.Interval, _ [][]*Node) solver.Step {
	h, slope, first := over.Width(), s.Drift(y, over.From), Equal(carry[len(y)], ConstAs(over.From, 0))
	var next []*Node
	for part := range y {
		euler := Add(y[part], Mul(h, slope[part]))
		leap := Add(carry[part], Mul(Add(h, h), slope[part]))
		next = append(next, Where(first, euler, leap))
	}
	return solver.Step{Y: next, Carry: append(slices.Clone(y), OnesLike(over.From))}
}

func ExampleMethod() {
	backend, err := gomlx.Open("go")
	if err != nil {
		panic(err)
	}
	decay := func(y []*Node, _ *Node) []*Node { return []*Node{Neg(y[0])} }
	out, err := CallOnce(backend, func(y *Node) *Node {
		return solver.Unroll(solver.Solver{Method: Leapfrog{}, Steps: 100}, solver.System{Drift: decay}, []*Node{y}, 0, 1, nil)[0]
	}, 1.0)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%.4f\n", out.Value())
	// Output: 0.3679
}

func ExampleUnroll() {
	backend, err := gomlx.Open("go")
	if err != nil {
		panic(err)
	}
	decay := func(y []*Node, _ *Node) []*Node { return []*Node{Neg(y[0])} }
	out, err := CallOnce(backend, func(y *Node) *Node {
		return solver.Unroll(solver.RK4(10), solver.System{Drift: decay}, []*Node{y}, 0, 1, nil)[0]
	}, 1.0)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%.5f\n", out.Value())
	// Output: 0.36788
}
