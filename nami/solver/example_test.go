package solver_test

import (
	"context"
	"fmt"

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

// Ralston is a user's own method: y + h·(k1 + 3·k2)/4, with the second slope at ⅔ of the
// step.
type Ralston struct{ N int }

func (r Ralston) Traits() solver.Traits { return solver.Traits{Differentiable: true} }
func (r Ralston) Steps() int            { return r.N }

func (r Ralston) Step(f solver.Dynamics, y []*Node, over solver.Interval) []*Node {
	h := over.Width()
	k1 := f(y, over.At(0))
	at := make([]*Node, len(y))
	for part := range y {
		at[part] = Add(y[part], Mul(Mul(h, ConstAs(h, 2./3)), k1[part]))
	}
	k2 := f(at, over.At(2./3))
	next := make([]*Node, len(y))
	for part := range y {
		slope := Add(Mul(k1[part], ConstAs(h, 1./4)), Mul(k2[part], ConstAs(h, 3./4)))
		next[part] = Add(y[part], Mul(h, slope))
	}
	return next
}

func ExampleCheck() {
	backend, err := gomlx.Open("go")
	if err != nil {
		panic(err)
	}
	fmt.Println(solver.Check(backend, Ralston{N: 64}, 2))
	// Output: <nil>
}

func ExampleUnroll() {
	backend, err := gomlx.Open("go")
	if err != nil {
		panic(err)
	}
	decay := func(y []*Node, _ *Node) []*Node { return []*Node{Neg(y[0])} }
	out, err := CallOnce(backend, func(y *Node) *Node {
		return solver.Unroll(solver.RK4(10), decay, []*Node{y}, 0, 1)[0]
	}, 1.0)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%.5f\n", out.Value())
	// Output: 0.36788
}
