package solver_test

import (
	"fmt"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// The last step ends at t1 bit for bit, in float32, whatever the number of steps.
func TestLastStepEndsAtTheEnd(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		exec, err := NewExec(backend, func(t0, t1, i, n *Node) *Node { return solver.NewInterval(t0, t1, i, n).At(1) })
		if err != nil {
			t.Fatal(err)
		}
		for n := 1; n <= 1000; n += 7 {
			for _, span := range [][2]float32{{1, 0}, {0, 1}} {
				out, err := exec.Call(span[0], span[1], float32(n-1), float32(n))
				if err != nil {
					t.Fatal(err)
				}
				if got := tensors.ToScalar[float32](out[0]); got != span[1] {
					t.Fatalf("%d steps from %g end at %g, expected %g", n, span[0], got, span[1])
				}
			}
		}
	})
}

func TestMisuse(t *testing.T) {
	backend := gomlxtest.Go(t)
	for want, s := range map[string]solver.Solver{
		"RK4(0) has 0 steps": solver.RK4(0), "Heun(-3) has -3 steps": solver.Heun(-3), "RungeKutta{} has 0 steps": solver.RungeKutta{},
	} {
		err := gomlx.Try(func() error {
			g := NewGraph(backend, "misuse")
			solver.Unroll(s, nil, []*Node{Const(g, 1.0)}, 0, 1)
			return nil
		})
		if err == nil || err.Error() != fmt.Sprintf("solver.Unroll: %s: it needs at least 1", want) {
			t.Errorf("got %v, expected it to say %q", err, want)
		}
	}
}
