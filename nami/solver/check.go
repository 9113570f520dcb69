package solver

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"
)

// The measured order may be this much below the one that is claimed, or above it:
// the error of a method with small leading coefficients falls faster while its steps are
// long, and so may that of one with a memory, whose first steps limit the order.
const checkBelow, checkAbove, checkAboveWithMemory = 0.3, 0.9, 1.5

// Check tests a method: that a step keeps the shapes of the state and of the memory, and
// that its error falls with the length of the steps as its Order says, forward and backward
// in time, on steps of different lengths. The estimate of an [Embedded] method must fall as
// its ErrorOrder says, and be the same for samples that have times of their own; what
// [Step].Between gives must begin and end where the step does, and be of the method's order
// within, or of order 4. For a stochastic method it is the strong order for additive noise,
// and for [DiagonalNoise] that of geometric Brownian motion; for one that steps by
// [NoiseLevels] the order of the mean and deviation of what it makes of normal data, backward
// in time. A user's own method calls it from a test.
//
// The error is measured against closed forms: of a rotation and a nonlinear equation, both
// with coefficients that change in time; of the logarithm of a stochastic logistic
// equation, whose diffusion changes in time, over 400 paths that are the same for all step
// lengths. Means and deviations of normal data are exact: the result is linear in the start and
// in each random number.
func Check(backend compute.Backend, m Method) error {
	if m == nil {
		return errors.New("solver: Check: the method is nil")
	}
	if backend == nil {
		return errors.New("solver: Check: " + gomlx.NoBackend)
	}
	if err := (Solver{Method: m, Steps: 1}).Validate(); err != nil {
		return err
	}
	fail := func(err error) error { return fmt.Errorf("solver: Check: %v: %w", m, err) }
	for _, direction := range []struct {
		name   string
		t0, t1 float64
	}{{"forward", 0.25, 1.25}, {"backward", 1.25, 0.25}} {
		in := func(what string) string { return what + ", " + direction.name + " in time" }
		if _, levels := m.(NoiseLevels); levels && m.Draws() > 0 {
			if direction.t1 > direction.t0 {
				continue
			}
			if err := checkLaw(backend, m, direction.t0, direction.t1, in); err != nil {
				return fail(err)
			}
			continue
		}
		if m.Draws() > 0 {
			trials := map[string]trial{"additive noise": additive(direction.t0, direction.t1-direction.t0)}
			orders := map[string]float64{"additive noise": m.Order()}
			if diagonal, ok := m.(DiagonalNoise); ok {
				trials["geometric Brownian motion"] = geometric(direction.t1 - direction.t0)
				orders["geometric Brownian motion"] = diagonal.DiagonalOrder()
			}
			for name, trial := range trials {
				steps, errs, err := checkSDE(backend, m, trial, direction.t0, direction.t1)
				if err == nil {
					err = checkOrder(in(name), steps, errs, orders[name], checkAbove)
				}
				if err != nil {
					return fail(err)
				}
			}
			continue
		}
		if err := checkODE(backend, m, direction.t0, direction.t1, in); err != nil {
			return fail(err)
		}
	}
	return nil
}

// checkOrder reports an order that isn't the one expected.
func checkOrder(what string, steps, errs []float64, order, above float64) error {
	measured := -slope(steps, errs)
	if !(measured > order-checkBelow && measured < order+above) {
		return fmt.Errorf("%s: the order is %.2f, expected %g to within -%g and +%g; the errors with %.0f steps are %.3g",
			what, measured, order, checkBelow, above, steps, errs)
	}
	return nil
}

// slack is how much faster than its order says the error of a method may fall that carries so
// many nodes from step to step.
func slack(carried int) float64 {
	if carried > 0 {
		return checkAboveWithMemory
	}
	return checkAbove
}

// levels is the schedule α = 1, σ = t, in which the noise level is the time.
type levels struct{}

func (levels) Alpha(t *Node) *Node     { return OnesLike(t) }
func (levels) Sigma(t *Node) *Node     { return t }
func (levels) Drift(x, _ *Node) *Node  { return ZerosLike(x) }
func (levels) Diffusion(t *Node) *Node { return Sqrt(Mul(t, ConstAs(t, 2))) }

// equation is dx/dt = (2 + 3·cos 3t)·J·x, where J turns the plane by a right angle, and
// dz/dt = -2t·z², in noise levels too, which are the times.
func equation() System {
	drift := func(y []*Node, t *Node) []*Node {
		c := func(v float64) *Node { return ConstAs(t, v) }
		turn := Const(t.Graph(), [][]float64{{0, -1}, {1, 0}})
		speed := Add(c(2), Mul(c(3), Cos(Mul(c(3), t))))
		return []*Node{Mul(shape.Lift(speed, y[0]), Einsum("ij,kj->ki", turn, y[0])), Mul(Square(y[1]), Mul(c(-2), t))}
	}
	return noiseLevelsAreTimes(drift)
}

// noiseLevelsAreTimes is the system of a drift, in the noise levels of [levels].
func noiseLevelsAreTimes(drift Dynamics) System {
	same := func(t *Node) *Node { return t }
	return System{Drift: drift, Model: &Model{
		Schedule: levels{},
		NoiseLevels: func(Interval) *Coordinates {
			return &Coordinates{
				U: same, Time: same, Slope: drift, Scale: func(t *Node) *Node { return OnesLike(t) },
				Rates: func(t *Node) (logScale, shift, u *Node) { return ZerosLike(t), ZerosLike(t), OnesLike(t) },
			}
		},
	}}
}

// startX, startZ are where the equation begins.
var startX, startZ = []float64{1, -0.5, 2, 0.3}, []float64{0.4, -0.3}

// solution is where it is at t1.
func solution(t0, t1 float64) []float64 {
	x := startX
	sin, cos := math.Sincos(2*(t1-t0) + math.Sin(3*t1) - math.Sin(3*t0))
	exact := []float64{cos*x[0] - sin*x[1], sin*x[0] + cos*x[1], cos*x[2] - sin*x[3], sin*x[2] + cos*x[3]}
	for _, z := range startZ {
		exact = append(exact, 1/(t1*t1-t0*t0+1/z))
	}
	return exact
}

// checkNode is node i of n uneven ones, the longest step three times the shortest.
func checkNode(t0, t1 float64, i, n int) float64 {
	f := float64(i) / float64(n)
	return t0 + (t1-t0)*(f+math.Sin(2*math.Pi*f)/(4*math.Pi))
}

// withinStep is where in a step the interpolant is looked at, beside its ends.
const withinStep = 0.4

// checkODE solves the equation and compares the state at the end, and within steps.
func checkODE(backend compute.Backend, m Method, t0, t1 float64, in func(what string) string) error {
	parts, carried := 2, 0
	calls, dense := 0, false
	step, err := NewExec(backend, func(in []*Node) []*Node {
		y, carry := in[2:2+parts], in[2+parts:]
		over := Interval{From: in[0], To: in[1], Last: Const(in[0].Graph(), false), Steps: ConstAs(in[0], 1)}
		out := m.Step(equation().counted(&calls), y, carry, over, nil)
		checkStep(m, y, carry, out)
		nodes := slices.Concat(out.Y, out.Carry)
		if dense = out.Between != nil; dense {
			times := Add(in[0], Mul(Sub(in[1], in[0]), ConstAsDType(in[0].Graph(), in[0].DType(), []float64{0, withinStep, 1})))
			nodes = append(nodes, out.Between().at(over, times)...)
		}
		return nodes
	})
	if err != nil {
		return err
	}
	defer step.Finalize()
	begin, err := NewExec(backend, func(in []*Node) []*Node {
		carry := m.Init(equation().counted(&calls), in[1:], in[0])
		carried = len(carry)
		return append(carry, used(in))
	})
	if err != nil {
		return err
	}
	defer begin.Finalize()
	start := func() []*tensors.Tensor {
		return []*tensors.Tensor{tensors.FromFlatDataAndDimensions(slices.Clone(startX), 2, 2), tensors.FromFlatDataAndDimensions(slices.Clone(startZ), 2)}
	}
	var steps, errs, inside []float64
	for n := 32; n <= 128; n *= 2 {
		state := start()
		carry, err := call(begin, append([]any{t0}, args(state)...)...)
		if err != nil {
			return err
		}
		state = append(state, carry[:carried]...)
		largest := 0.
		for i := range n {
			from, to := checkNode(t0, t1, i, n), checkNode(t0, t1, i+1, n)
			out, err := call(step, append([]any{from, to}, args(state)...)...)
			gomlx.Finalize(state)
			if err != nil {
				return err
			}
			state = out[:parts+carried]
			if !dense {
				continue
			}
			values := flatten(out[parts+carried:], 3)
			if i == 0 && distance(values[0], solution(t0, t0)) > 1e-12 {
				return fmt.Errorf("%s: Between gives %.6g at the beginning of a step from %.6g", in("within a step"), values[0], solution(t0, t0))
			}
			if end := flatten(state[:parts], 1)[0]; distance(values[2], end) > 1e-10 {
				return fmt.Errorf("%s: Between gives %.6g at the end of a step to %.6g", in("within a step"), values[2], end)
			}
			largest = max(largest, distance(values[1], solution(t0, from+withinStep*(to-from))))
			gomlx.Finalize(out[parts+carried:])
		}
		steps = append(steps, float64(n))
		errs = append(errs, distance(flatten(state[:parts], 1)[0], solution(t0, t1)))
		inside = append(inside, largest)
		gomlx.Finalize(state)
	}
	if err := checkOrder(in("at the end"), steps, errs, m.Order(), slack(carried)); err != nil {
		return err
	}
	if measured := -slope(steps, inside); dense && !(measured > min(m.Order(), 4)-checkBelow) {
		return fmt.Errorf("%s: the order is %.2f, expected %g; the largest errors with %.0f steps are %.3g", in("within steps"), measured, min(m.Order(), 4), steps, inside)
	}
	if embedded, ok := m.(Embedded); ok && embedded.ErrorOrder() > 0 {
		return checkEstimate(backend, embedded, start, t0, t1, in)
	}
	return nil
}

// checkEstimate looks at the error estimates of single steps of different lengths, with one
// time and with a time for each sample.
func checkEstimate(backend compute.Backend, m Embedded, start func() []*tensors.Tensor, t0, t1 float64, in func(string) string) error {
	calls := 0
	step, err := NewExec(backend, func(in []*Node) []*Node {
		s, y := equation().counted(&calls), in[2:]
		made := func(from, to *Node) []*Node {
			out := m.Step(s, y, m.Init(s, y, from), Interval{From: from, To: to}, nil)
			if out.Error == nil {
				exceptions.Panicf("the step has no Error, and ErrorOrder is %d", m.ErrorOrder())
			}
			return slices.Concat(out.Error, out.Y)
		}
		wide := func(t *Node) *Node { return BroadcastToDims(t, 2) }
		return slices.Concat(made(in[0], in[1]), made(wide(in[0]), wide(in[1])))
	})
	if err != nil {
		return err
	}
	defer step.Finalize()
	var steps, errs []float64
	for n := 16; n <= 64; n *= 2 {
		state := start()
		out, err := call(step, append([]any{t0, t0 + (t1-t0)/float64(n)}, args(state)...)...)
		gomlx.Finalize(state)
		if err != nil {
			return err
		}
		one, each := flatten(out[:4], 1)[0], flatten(out[4:], 1)[0]
		gomlx.Finalize(out)
		if distance(one, each) > 1e-12 {
			return fmt.Errorf("%s: a step has the estimate and the state %.6g with one time for all samples, and %.6g with the same time for each: times have the lead's shape where samples have their own",
				in("a single step"), one, each)
		}
		steps, errs = append(steps, float64(n)), append(errs, distance(one[:6], make([]float64, 6)))
	}
	return checkOrder(in("the error estimate"), steps, errs, float64(m.ErrorOrder()), checkAbove)
}

// flatten are the values of the parts of n states, which lie behind one another in each.
func flatten(parts []*tensors.Tensor, n int) [][]float64 {
	out := make([][]float64, n)
	for _, x := range parts {
		values := tensors.MustCopyFlatData[float64](x)
		for i := range out {
			out[i] = append(out[i], values[i*len(values)/n:(i+1)*len(values)/n]...)
		}
	}
	return out
}

// distance is the root mean square of a - b.
func distance(a, b []float64) float64 {
	sum := 0.
	for i := range a {
		sum += (a[i] - b[i]) * (a[i] - b[i])
	}
	return math.Sqrt(sum / float64(len(a)))
}

// used is made of all inputs of a graph: GoMLX's pure Go backend fails where one is of no
// use.
func used(in []*Node) (sum *Node) {
	sum = in[0]
	for _, x := range in[1:] {
		sum = Add(sum, ReduceAllSum(x))
	}
	return sum
}

func args(ts []*tensors.Tensor) (out []any) {
	for _, t := range ts {
		out = append(out, t)
	}
	return out
}

func call(exec *Exec, in ...any) (out []*tensors.Tensor, err error) {
	err = gomlx.Try(func() (err error) {
		out, err = exec.Call(in...)
		return err
	})
	return out, err
}

// checkPaths, checkSteps and checkFine are how many paths there are, the largest number of
// steps along them, and into how many pieces the shortest step is cut.
const checkPaths, checkSteps, checkFine = 400, 128, 8

// trial is a stochastic equation over a time of 1, and its solution along a path.
type trial struct {
	system System
	start  float64
	exact  func(p wienerPath) float64
}

// additive is dy = ±(cos t - exp(y)) dt + (1 + t) dW, with the sign of the direction of
// time. With dU = ±cos t dt + (1 + t) dW and V = exp(y0 + U), its solution is
// log V - log(1 + ∫V), integrated over the time that has passed.
func additive(t0, sign float64) trial {
	const start = -0.5
	return trial{
		start: start,
		system: System{
			Drift: func(y []*Node, t *Node) []*Node {
				return []*Node{Mul(Sub(Cos(t), Exp(y[0])), ConstAs(t, sign))}
			},
			Diffusion: func(_ []*Node, t *Node) []*Node { return []*Node{Add(t, ConstAs(t, 1))} },
		},
		exact: func(p wienerPath) float64 {
			return p.logistic(start, func(elapsed float64) (drift, diffusion float64) {
				t := t0 + sign*elapsed
				return math.Cos(t), 1 + t
			})
		},
	}
}

// geometric is Brownian motion dy = ±y/2 dt + y dW with the solution y0·exp(W).
func geometric(sign float64) trial {
	return trial{
		start: 1,
		system: System{
			Drift:     func(y []*Node, t *Node) []*Node { return []*Node{Mul(y[0], ConstAs(t, sign/2))} },
			Diffusion: func(y []*Node, _ *Node) []*Node { return []*Node{y[0]} },
		},
		exact: func(p wienerPath) float64 { return math.Exp(sum(p.increment)) },
	}
}

// checkSDE solves a trial and returns the mean of |y(t1) - solution| over the paths for each
// number of steps.
func checkSDE(backend compute.Backend, m Method, trial trial, t0, t1 float64) (steps, errs []float64, err error) {
	calls, carried := 0, 0
	exec, err := NewExec(backend, func(in []*Node) []*Node {
		y, carry := in[2:3], in[3:3+carried]
		var noise [][]*Node
		for _, z := range in[3+carried:] {
			noise = append(noise, []*Node{z})
		}
		out := m.Step(trial.system.counted(&calls), y, carry, Interval{From: in[0], To: in[1]}, noise)
		checkStep(m, y, carry, out)
		return append(out.Y, out.Carry...)
	})
	if err != nil {
		return nil, nil, err
	}
	defer exec.Finalize()
	begin, err := NewExec(backend, func(in []*Node) []*Node {
		carry := m.Init(trial.system.counted(&calls), in[1:], in[0])
		carried = len(carry)
		return append(carry, used(in))
	})
	if err != nil {
		return nil, nil, err
	}
	defer begin.Finalize()
	random := rand.New(rand.NewPCG(1, 2))
	paths := make([]wienerPath, checkPaths)
	exact := make([]float64, checkPaths)
	for i := range paths {
		paths[i] = newWienerPath(random, checkSteps*checkFine)
		exact[i] = trial.exact(paths[i])
	}
	for n := 16; n <= checkSteps; n *= 2 {
		state := []*tensors.Tensor{tensors.FromFlatDataAndDimensions(slices.Repeat([]float64{trial.start}, checkPaths), checkPaths)}
		carry, err := call(begin, append([]any{t0}, args(state)...)...)
		if err != nil {
			return nil, nil, err
		}
		state = append(state, carry[:carried]...)
		for i := range n {
			draws := make([][]float64, m.Draws())
			for k := range draws {
				draws[k] = make([]float64, checkPaths)
			}
			for j := range paths {
				first, second := paths[j].step(i, n)
				for k := range draws {
					switch k {
					case 0:
						draws[k][j] = first
					case 1:
						draws[k][j] = second
					default:
						draws[k][j] = random.NormFloat64()
					}
				}
			}
			var noise []*tensors.Tensor
			for _, z := range draws {
				noise = append(noise, tensors.FromFlatDataAndDimensions(z, checkPaths))
			}
			at := func(i int) float64 { return t0 + (t1-t0)*float64(i)/float64(n) }
			next, err := call(exec, append([]any{at(i), at(i + 1)}, args(append(slices.Clone(state), noise...))...)...)
			gomlx.Finalize(append(state, noise...))
			if err != nil {
				return nil, nil, err
			}
			state = next
		}
		mean := 0.0
		for i, v := range tensors.MustCopyFlatData[float64](state[0]) {
			mean += math.Abs(v-exact[i]) / checkPaths
		}
		gomlx.Finalize(state)
		steps, errs = append(steps, float64(n)), append(errs, mean)
	}
	return steps, errs, nil
}

// wienerPath is a path of the Wiener process over a time of 1, in pieces: the increment
// over each, and the integral of the process since the piece began.
type wienerPath struct {
	piece           float64
	increment, area []float64
}

func newWienerPath(random *rand.Rand, pieces int) wienerPath {
	p := wienerPath{piece: 1 / float64(pieces)}
	root := math.Sqrt(p.piece)
	for range pieces {
		a, b := random.NormFloat64(), random.NormFloat64()
		p.increment = append(p.increment, root*a)
		p.area = append(p.area, root*p.piece*(a+b/math.Sqrt(3))/2)
	}
	return p
}

// step returns the two standard normal numbers of step i of n (see [Method]).
func (p wienerPath) step(i, n int) (first, second float64) {
	m := len(p.increment) / n
	h := p.piece * float64(m)
	w, j := 0.0, 0.0
	for k := i * m; k < (i+1)*m; k++ {
		j += w*p.piece + p.area[k]
		w += p.increment[k]
	}
	first = w / math.Sqrt(h)
	return first, math.Sqrt(3) * (2*j/(h*math.Sqrt(h)) - first)
}

// logistic is the solution of dy = (a - exp(y)) dt + g dW at the time 1. Over a piece a and
// g are linear, and V is expanded to the first order in its length.
func (p wienerPath) logistic(y0 float64, coefficients func(elapsed float64) (a, g float64)) float64 {
	logV, integral, h := y0, 0.0, p.piece
	for k, dW := range p.increment {
		a0, g0 := coefficients(h * float64(k))
		a1, g1 := coefficients(h * float64(k+1))
		integral += math.Exp(logV) * (h + (a0+g0*g0/2)*h*h/2 + g0*p.area[k])
		// ∫s dW over a piece is the piece times its increment, less the integral of W.
		logV += h*(a0+a1)/2 + g1*dW - (g1-g0)/h*p.area[k]
	}
	return logV - math.Log(1+integral)
}

// slope is that of the line of least squares through log₂ y against log₂ x.
func slope(x, y []float64) float64 {
	var mx, my, xy, xx float64
	n := float64(len(x))
	for i := range x {
		mx, my = mx+math.Log2(x[i])/n, my+math.Log2(y[i])/n
	}
	for i := range x {
		dx := math.Log2(x[i]) - mx
		xy, xx = xy+dx*(math.Log2(y[i])-my), xx+dx*dx
	}
	return xy / xx
}
