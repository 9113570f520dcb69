package solver

import (
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Control is a proportional-integral controller of the step size. With the norm e of a
// step's error relative to the tolerance, that of the accepted step before it e', and an
// estimate that falls as h^k, the next step is longer by the factor
//
//	Safety · e^(-(I+P)/k) · e'^(P/k)
//
// within [Min, Max]; after a rejected step by Safety·e^(-1/k) (Gustafsson 1991, ACM
// TOMS 17, 533; Söderlind 2003, Numer. Algorithms 31, 281; Hairer & Wanner, IV.2).
type Control struct {
	I, P, Safety, Min, Max float64
}

// PI is the default controller, with I = P = 1/3 (PI3333 in Söderlind 2003). The
// proportional part keeps steps from swinging between too long and too short: on a flow
// in two dimensions it rejects next to none, [Integral] a third.
func PI() Control { return Control{I: 1. / 3, P: 1. / 3, Safety: 0.9, Min: 0.2, Max: 10} }

// Integral is the classical controller, with the factor 0.9·e^(-1/k): that of
// torchdiffeq and, unless told otherwise, of diffrax.
func Integral() Control { return Control{I: 1, Safety: 0.9, Min: 0.2, Max: 10} }

// factor is by how much the next step is longer, for an estimate that falls as h^k.
func (c Control) factor(e, previous, accepted *Node, k float64) *Node {
	power := func(x *Node, p float64) *Node { return Pow(x, ConstAs(x, p)) }
	f := power(e, -1/k)
	if c.I != 1 || c.P != 0 {
		after := power(e, -(c.I+c.P)/k)
		if c.P != 0 {
			after = Mul(after, power(previous, c.P/k))
		}
		f = Where(accepted, after, f)
	}
	f = Mul(f, ConstAs(f, c.Safety))
	return Min(Max(f, ConstAs(f, c.Min)), ConstAs(f, c.Max))
}

// ulps is how many units in the last place of the time a step is at least.
const ulps = 16

// resolution is the length of the shortest step from t: in units of its last place, and
// near t = 0, where these vanish, smallest.
func resolution(t, smallest *Node) *Node {
	return Max(Mul(Abs(t), ConstAs(t, ulps*gomlx.Epsilon(t.DType()))), smallest)
}

// firstStep is the length of the first step: one in which the error is about a hundredth of
// the tolerance, if the slope goes on changing as it does over a step h0 in which the state
// changes by a hundredth. With d1 = |f| and d2 = |f'|, in units of the tolerance, the slope
// changes within the time T = d1/d2, so a method whose error falls as h^k errs by about
// d1·T·(h/T)^k/k. It is at most 30·h0, in which the state changes by a third.
//
// This is the rule of Hairer, Nørsett & Wanner (II.4) in units of the problem's own time:
// theirs compares lengths of time with numbers, and for fast problems it could start with a
// step that is far too long, at which an estimate can vanish by chance.
func (s Solver) firstStep(f Dynamics, y, slope []*Node, t *Node, lead []int, span *Node, k float64) *Node {
	tiny, direction := ConstAs(t, 1e-30), Sign(span)
	length := Abs(span)
	d0, d1 := s.norm(y, y, y, lead), s.norm(slope, y, y, lead)
	// A state of 0 says nothing of the time in which it changes.
	h0 := Where(LessThan(d0, ConstAs(d0, 1e-5)), Mul(length, ConstAs(d0, 1e-6)), Mul(ConstAs(d0, 0.01), Div(d0, Max(d1, tiny))))
	h0 = Min(h0, Mul(length, ConstAs(d0, 0.01)))
	after := f(advance(y, [][]*Node{slope}, []float64{1}, Mul(h0, direction)), Add(t, Mul(h0, direction)))
	change := make([]*Node, len(slope))
	for part := range slope {
		change[part] = Sub(after[part], slope[part])
	}
	d2 := Div(s.norm(change, y, y, lead), h0)
	within := Div(d1, Max(d2, tiny))
	h1 := Mul(within, Pow(Div(ConstAs(d0, 0.01*k), Max(Mul(d1, within), tiny)), ConstAs(d0, 1/k)))
	h := Min(Mul(ConstAs(h0, 30), h0), h1)
	return Where(IsFinite(h), h, h0)
}

// norm is the root mean square of v/(ATol + RTol·max(|y|, |z|)) over the values that each
// element of the lead has: NaN or infinite if one of them is, even in a part without
// weight.
func (s Solver) norm(v, y, z []*Node, lead []int) *Node {
	var sum *Node
	count := 0
	for part, x := range v {
		weight := 1.0
		if len(s.Weights) > 0 { // those that are left out, in an adjoint, have none
			weight = 0
			if part < len(s.Weights) {
				weight = s.Weights[part]
			}
		}
		var square *Node
		if weight == 0 {
			square = Mul(x, ConstAs(x, 0)) // NaN for what isn't finite
		} else {
			size := Abs(y[part])
			if z[part] != y[part] {
				size = Max(size, Abs(z[part]))
			}
			scale := Add(Mul(size, ConstAs(size, s.RTol/weight)), ConstAs(size, s.ATol/weight))
			square = Square(Div(x, scale))
			count += x.Shape().Size() / shape.Size(lead)
		}
		square = overEvent(square, len(lead), ReduceSum)
		if sum == nil {
			sum = square
		} else {
			sum = Add(sum, square)
		}
	}
	return Sqrt(Mul(sum, ConstAs(sum, 1/float64(count))))
}

// overEvent reduces the axes of x after the first rank ones, if any.
func overEvent(x *Node, rank int, reduce func(x *Node, axes ...int) *Node) *Node {
	if x.Rank() == rank {
		return x
	}
	axes := make([]int, x.Rank()-rank)
	for i := range axes {
		axes[i] = rank + i
	}
	return reduce(x, axes...)
}

// choose takes each sample from a where mask is true, else from b: what isn't taken may
// be NaN.
func choose(mask *Node, a, b []*Node) []*Node {
	out := make([]*Node, len(a))
	for i := range a {
		out[i] = Where(mask, a[i], b[i])
	}
	return out
}

// count is 1 where mask is true, else 0.
func count(mask *Node) *Node { return ConvertDType(mask, dtypes.Int32) }
