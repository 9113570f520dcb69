package solver

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// The measured order may be this much below the one that is claimed, or above it:
// the error of a method with small leading coefficients falls faster while its steps are
// long.
const checkBelow, checkAbove = 0.3, 0.9

// Check tests a method with equal steps, an [ODE] or an [SDE]: that its traits are what it
// is, that a step keeps the shapes of the state, and that its error falls with the length
// of the step as order says, 4 for RK4, forward and backward in time. For an SDE it is the
// strong order for additive noise. A user's own method calls it from a test.
//
// The error is measured against closed forms: of a rotation and a nonlinear equation, both
// with coefficients that change in time; of the logarithm of a stochastic logistic
// equation, whose diffusion changes in time, over 400 paths that are the same for all step
// lengths.
func Check(backend compute.Backend, s Solver, order float64) error {
	if err := Validate(s); err != nil {
		return err
	}
	if backend == nil {
		return errors.New("solver: Check: " + gomlx.NoBackend)
	}
	check := checkODE
	switch {
	case s.Traits().Adaptive:
		return fmt.Errorf("solver: Check: %v chooses its steps: it has no order in their length to measure", s)
	case s.Traits().Stochastic:
		check = checkSDE
	}
	for _, direction := range []struct {
		name   string
		t0, t1 float64
	}{{"forward", 0.25, 1.25}, {"backward", 1.25, 0.25}} {
		steps, errs, err := check(backend, s, direction.t0, direction.t1)
		if err != nil {
			return fmt.Errorf("solver: Check: %v: %w", s, err)
		}
		measured := -slope(steps, errs)
		if !(measured > order-checkBelow && measured < order+checkAbove) {
			return fmt.Errorf("solver: Check: %v, %s in time: the order is %.2f, expected %g to within -%g and +%g; the errors with %.0f steps are %.3g",
				s, direction.name, measured, order, checkBelow, checkAbove, steps, errs)
		}
	}
	return nil
}

// checkODE solves two equations in parts of different shapes, and returns the root mean
// square of the error for each number of steps: dx/dt = (2 + 3·cos 3t)·J·x, where J turns
// the plane by a right angle, and dz/dt = -2t·z².
func checkODE(backend compute.Backend, s Solver, t0, t1 float64) (steps, errs []float64, err error) {
	f := func(y []*Node, t *Node) []*Node {
		c := func(v float64) *Node { return ConstAs(t, v) }
		turn := Const(t.Graph(), [][]float64{{0, -1}, {1, 0}})
		speed := Add(c(2), Mul(c(3), Cos(Mul(c(3), t))))
		return []*Node{Mul(speed, Einsum("ij,kj->ki", turn, y[0])), Mul(Square(y[1]), Mul(c(-2), t))}
	}
	exec, err := NewExec(backend, func(in []*Node) []*Node {
		y := in[4:]
		calls := 0
		next := s.(ODE).Step(Dynamics(f).checked(&calls), y, NewInterval(in[0], in[1], in[2], in[3]))
		checkStep(s, y, next)
		return next
	})
	if err != nil {
		return nil, nil, err
	}
	defer exec.Finalize()
	x0, z0 := []float64{1, -0.5, 2, 0.3}, []float64{0.4, -0.3}
	sin, cos := math.Sincos(2*(t1-t0) + math.Sin(3*t1) - math.Sin(3*t0))
	exact := []float64{cos*x0[0] - sin*x0[1], sin*x0[0] + cos*x0[1], cos*x0[2] - sin*x0[3], sin*x0[2] + cos*x0[3]}
	for _, z := range z0 {
		exact = append(exact, 1/(t1*t1-t0*t0+1/z))
	}
	for n := 16; n <= 64; n *= 2 {
		y := []*tensors.Tensor{tensors.FromFlatDataAndDimensions(x0, 2, 2), tensors.FromFlatDataAndDimensions(z0, 2)}
		for i := range n {
			if y, err = callStep(exec, t0, t1, i, n, y); err != nil {
				return nil, nil, err
			}
		}
		sum := 0.0
		for i, v := range append(tensors.MustCopyFlatData[float64](y[0]), tensors.MustCopyFlatData[float64](y[1])...) {
			sum += (v - exact[i]) * (v - exact[i])
		}
		steps, errs = append(steps, float64(n)), append(errs, math.Sqrt(sum/float64(len(exact))))
	}
	return steps, errs, nil
}

// callStep runs a compiled step, and consumes y.
func callStep(exec *Exec, t0, t1 float64, i, n int, y []*tensors.Tensor, noise ...*tensors.Tensor) (next []*tensors.Tensor, err error) {
	args := []any{t0, t1, float64(i), float64(n)}
	for _, x := range append(append([]*tensors.Tensor(nil), y...), noise...) {
		args = append(args, x)
	}
	err = gomlx.Try(func() (err error) {
		next, err = exec.Call(args...)
		return err
	})
	finalize(y)
	finalize(noise)
	if err == nil && len(next) != len(y) {
		err = errors.New("a step returned the wrong number of values")
	}
	return next, err
}

// checkPaths, checkSteps and checkFine are how many paths there are, the largest number of
// steps along them, and into how many pieces the shortest step is cut.
const checkPaths, checkSteps, checkFine = 400, 128, 8

// checkSDE solves dy = ±(cos t - exp(y)) dt + (1 + t) dW, with the sign of t1-t0, and
// returns the mean of |y(t1) - solution| over the paths for each number of steps. With
// dU = ±cos t dt + (1 + t) dW and V = exp(y0 + U), the solution is
// log V - log(1 + ∫V), integrated over the time that has passed.
func checkSDE(backend compute.Backend, s Solver, t0, t1 float64) (steps, errs []float64, err error) {
	sde, sign := s.(SDE), t1-t0 // the length of time is 1
	system := System{
		Drift: func(y []*Node, t *Node) []*Node {
			return []*Node{Mul(Sub(Cos(t), Exp(y[0])), ConstAs(t, sign))}
		},
		Diffusion: func(t *Node) *Node { return Add(t, ConstAs(t, 1)) },
	}
	exec, err := NewExec(backend, func(in []*Node) []*Node {
		y := in[4:5]
		var noise [][]*Node
		for _, z := range in[5:] {
			noise = append(noise, []*Node{z})
		}
		next := sde.Step(system, y, NewInterval(in[0], in[1], in[2], in[3]), noise)
		checkStep(s, y, next)
		return next
	})
	if err != nil {
		return nil, nil, err
	}
	defer exec.Finalize()
	random := rand.New(rand.NewPCG(1, 2))
	paths := make([]wienerPath, checkPaths)
	exact := make([]float64, checkPaths)
	const y0 = -0.5
	for i := range paths {
		paths[i] = newWienerPath(random, checkSteps*checkFine)
		exact[i] = paths[i].logistic(y0, func(elapsed float64) (drift, diffusion float64) {
			t := t0 + sign*elapsed
			return math.Cos(t), 1 + t
		})
	}
	for n := 16; n <= checkSteps; n *= 2 {
		y := []*tensors.Tensor{tensors.FromFlatDataAndDimensions(constant(y0, checkPaths), checkPaths)}
		for i := range n {
			draws := make([][]float64, sde.Draws())
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
			if y, err = callStep(exec, t0, t1, i, n, y, noise...); err != nil {
				return nil, nil, err
			}
		}
		mean := 0.0
		for i, v := range tensors.MustCopyFlatData[float64](y[0]) {
			mean += math.Abs(v-exact[i]) / checkPaths
		}
		steps, errs = append(steps, float64(n)), append(errs, mean)
	}
	return steps, errs, nil
}

// wienerPath is a path of the Wiener process over a time of 1, in pieces: the increment
// over each, and the integral of the process since the piece's begin.
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

// step returns the two standard normal numbers of step i of n (see [SDE]).
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

func constant(v float64, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = v
	}
	return out
}
