// A step that is far off must not pass the error estimate: diffrax's issue 632 (a decay over a
// tiny interval comes out wrong, and differently for other lengths). y' = -y/τ from 0 to τ
// must give 1/e = 0.367879 for each τ.
//
//	go run ../shared/cases/bosh3_zero/main.go  (from the project's root)
//
// Bosh3's estimate is a multiple of (1 + hλ): it vanishes for hλ = -1. Hairer's rule starts with
// at most 100·(0.01·|y|/|f|), which is hλ = -1 itself for a linear decay, once the rule's other
// bound, which isn't homogeneous in time, exceeds it: for τ below about 10⁻⁶. The one step gives
// 1 - 1 + 1/2 - 1/6 = 1/3, with the code Success, 9 % off at rtol 10⁻⁴.
package main

import (
	"context"
	"fmt"
	"math"
	"os"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/solver"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

func main() {
	backend, bad := nami.MustBackend(), 0
	for _, s := range []solver.Solver{solver.Bosh3(1e-4, 1e-4), solver.Dopri5(1e-4, 1e-4), solver.Tsit5(1e-4, 1e-4)} {
		for _, tau := range []float64{1, 1e-3, 1e-6, 1e-9, 1e-11} {
			p, err := solver.NewProgram(backend, model.NewStore(), s, func(*model.Scope, []*Node) solver.System {
				return solver.System{Drift: func(y []*Node, _ *Node) []*Node { return []*Node{MulScalar(y[0], -1/tau)} }}
			})
			if err != nil {
				panic(err)
			}
			out, err := p.Solve(context.Background(), []*tensors.Tensor{tensors.FromValue([]float64{1})}, nil, solver.Run{T1: tau})
			if err != nil {
				panic(err)
			}
			got, verdict := tensors.MustCopyFlatData[float64](out.Y[0])[0], "ok"
			if math.Abs(got-math.Exp(-1)) > 1e-3 {
				verdict, bad = "WRONG", bad+1
			}
			fmt.Printf("%v, τ = %g: %.6f after %d steps, %v (right: %.6f) %s\n", s, tau, got, out.Accepted[0], out.Codes[0], math.Exp(-1), verdict)
		}
	}
	if bad > 0 {
		os.Exit(1)
	}
}
