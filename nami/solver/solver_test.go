package solver_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

var methods = map[string]struct {
	make  func(steps int) solver.RungeKutta
	order int
}{
	"Euler":    {solver.Euler, 1},
	"Midpoint": {solver.Midpoint, 2},
	"Heun":     {solver.Heun, 2},
	"RK4":      {solver.RK4, 4},
}

// solve integrates dy/dt = y·cos t, z' = y, from t0 to t1: y = exp(sin t - sin t0)·y0.
func solve(t *testing.T, backend compute.Backend, s solver.Solver, t0, t1 float64) float64 {
	t.Helper()
	out, err := CallOnce(backend, func(y *Node) *Node {
		f := func(y []*Node, t *Node) []*Node { return []*Node{Mul(y[0], Cos(t)), y[0]} }
		return solver.Unroll(s, f, []*Node{y, ZerosLike(y)}, t0, t1)[0]
	}, 1.0)
	if err != nil {
		t.Fatal(err)
	}
	return tensors.ToScalar[float64](out)
}

// The error falls with the steps' length as the method's order says: the slope of a
// line through log₂ error against log₂ steps, in both directions of time.
func TestOrders(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for name, m := range methods {
			for _, span := range [][2]float64{{0, 1}, {1, 0}} {
				exact := math.Exp(math.Sin(span[1]) - math.Sin(span[0]))
				var x, y []float64
				for _, steps := range []int{16, 32, 64} {
					x = append(x, math.Log2(float64(steps)))
					y = append(y, math.Log2(math.Abs(solve(t, backend, m.make(steps), span[0], span[1])-exact)))
				}
				if got := -slope(x, y); math.Abs(got-float64(m.order)) > 0.25 {
					t.Errorf("%s from t = %g: the order is %.2f, expected %d", name, span[0], got, m.order)
				}
				if m.make(1).Order() != m.order {
					t.Errorf("%s says that its order is %d", name, m.make(1).Order())
				}
			}
		}
	})
}

func slope(x, y []float64) float64 {
	var mx, my, xy, xx float64
	for i := range x {
		mx, my = mx+x[i]/float64(len(x)), my+y[i]/float64(len(y))
	}
	for i := range x {
		xy, xx = xy+(x[i]-mx)*(y[i]-my), xx+(x[i]-mx)*(x[i]-mx)
	}
	return xy / xx
}

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

// A gradient flows through an unrolled solve: d y(1)/d y(0) = exp(sin 1).
func TestGradientThroughUnroll(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		out, err := CallOnce(backend, func(y *Node) *Node {
			f := func(y []*Node, t *Node) []*Node { return []*Node{Mul(y[0], Cos(t))} }
			return Gradient(solver.Unroll(solver.RK4(16), f, []*Node{y}, 0, 1)[0], y)[0]
		}, 1.0)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := tensors.ToScalar[float64](out), math.Exp(math.Sin(1)); math.Abs(got-want) > 1e-6 {
			t.Errorf("the gradient is %v, expected %v", got, want)
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
