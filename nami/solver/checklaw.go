package solver

import (
	"fmt"
	"math"
	"slices"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// lawMean, lawSpread are those of the normal data of [normalData].
const lawMean, lawSpread = 0.7, 0.6

// normalData is the probability flow of normal data at noise levels that are the times. The
// predicted noise is t·(x - mean)/(spread² + t²).
func normalData() System {
	drift := func(y []*Node, t *Node) []*Node {
		x := y[0]
		rate := Div(t, Add(Square(t), ConstAs(t, lawSpread*lawSpread)))
		return []*Node{Mul(Sub(x, ConstAs(x, lawMean)), shape.Lift(rate, x))}
	}
	return noiseLevelsAreTimes(drift)
}

// checkLaw compares mean and deviation of what the method makes of normal data with the exact
// ones. They need no random numbers: the result is linear in them, so the batch holds the
// result without any, that of a start that is 1 higher, and that of each random number.
func checkLaw(backend compute.Backend, m Method, t0, t1 float64, in func(what string) string) error {
	var steps, errs []float64
	memory := 0
	for n := 16; n <= 64; n *= 2 {
		mean, deviation, carried, err := law(backend, m, t0, t1, n)
		if err != nil {
			return err
		}
		memory = carried
		steps = append(steps, float64(n))
		errs = append(errs, math.Abs(mean-lawMean)+math.Abs(deviation-math.Hypot(lawSpread, t1)))
	}
	return checkOrder(in("mean and deviation of normal data"), steps, errs, m.Order(), slack(memory))
}

// law is the mean and deviation after n steps from the exact law at t0, and how many nodes the
// method carries.
func law(backend compute.Backend, m Method, t0, t1 float64, n int) (mean, deviation float64, carried int, err error) {
	const fixed = 2 // the samples before those of random numbers
	draws, calls := m.Draws(), 0
	size := fixed + n*draws
	begin, err := NewExec(backend, func(in []*Node) []*Node {
		carry := m.Init(normalData().counted(&calls), in[1:], in[0])
		carried = len(carry)
		return append(carry, used(in))
	})
	if err != nil {
		return 0, 0, 0, err
	}
	defer begin.Finalize()
	step, err := NewExec(backend, func(in []*Node) []*Node {
		y, carry := in[2:3], in[3:3+carried]
		var noise [][]*Node
		for _, z := range in[3+carried:] {
			noise = append(noise, []*Node{z})
		}
		over := Interval{From: in[0], To: in[1], Last: Const(in[0].Graph(), false), Steps: ConstAs(in[0], float64(n))}
		out := m.Step(normalData().counted(&calls), y, carry, over, noise)
		checkStep(m, y, carry, out)
		return slices.Concat(out.Y, out.Carry)
	})
	if err != nil {
		return 0, 0, 0, err
	}
	defer step.Finalize()
	start := make([]float64, size)
	start[1] = 1
	state := []*tensors.Tensor{tensors.FromFlatDataAndDimensions(start, size)}
	carry, err := call(begin, append([]any{t0}, args(state)...)...)
	if err != nil {
		return 0, 0, 0, err
	}
	state = append(state, carry[:carried]...)
	for i := range n {
		var noise []*tensors.Tensor
		for k := range draws {
			z := make([]float64, size)
			z[fixed+i*draws+k] = 1
			noise = append(noise, tensors.FromFlatDataAndDimensions(z, size))
		}
		ends := []any{checkNode(t0, t1, i, n), checkNode(t0, t1, i+1, n)}
		next, err := call(step, append(ends, args(append(slices.Clone(state), noise...))...)...)
		gomlx.Finalize(append(state, noise...))
		if err != nil {
			return 0, 0, 0, err
		}
		state = next
	}
	values := tensors.MustCopyFlatData[float64](state[0])
	gomlx.Finalize(state)
	without := values[0]
	variance := (values[1] - without) * (values[1] - without) * (lawSpread*lawSpread + t0*t0)
	for _, v := range values[fixed:] {
		variance += (v - without) * (v - without)
	}
	if math.IsNaN(variance) {
		return 0, 0, 0, fmt.Errorf("the step of %v isn't finite", m)
	}
	return without + (values[1]-without)*lawMean, math.Sqrt(variance), carried, nil
}
