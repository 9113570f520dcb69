package solver

import (
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// adaptiveState is what an adaptive solve carries from one attempt to the next. All but
// y and slope have the shape of the lead: a value for each sample, or a scalar if they
// share one.
type adaptiveState struct {
	y, slope []*Node // the slope is f(y, t)
	t, h     *Node   // where it is, and the signed length to try next
	previous *Node   // the error's norm in the last accepted step
	accepted *Node   // int32
	rejected *Node   // int32
	code     *Node   // int32, a Code
}

// controls is the number of nodes of an adaptiveState after y and slope.
const controls = 6

func (s adaptiveState) list() []*Node {
	out := append(append([]*Node(nil), s.y...), s.slope...)
	return append(out, s.t, s.h, s.previous, s.accepted, s.rejected, s.code)
}

func adaptiveStateOf(list []*Node) adaptiveState {
	parts := (len(list) - controls) / 2
	c := list[2*parts:]
	return adaptiveState{
		y: list[:parts], slope: list[parts : 2*parts],
		t: c[0], h: c[1], previous: c[2], accepted: c[3], rejected: c[4], code: c[5],
	}
}

// begin is the state at t0, with the first step towards t1. lead is the shape of what each
// sample has of its own; smallest is as in resolution.
func (a Adaptive) begin(f Dynamics, y []*Node, lead []int, t0, t1, smallest *Node) adaptiveState {
	g, dtype := t0.Graph(), t0.DType()
	t := BroadcastToDims(t0, lead...)
	s := adaptiveState{
		y: y, slope: f(y, t), t: t,
		previous: BroadcastToDims(ConstAsDType(g, dtype, 1), lead...),
		accepted: Zeros(g, shapes.Make(dtypes.Int32, lead...)),
		rejected: Zeros(g, shapes.Make(dtypes.Int32, lead...)),
	}
	finite := IsFinite(a.norm(s.slope, y, y, lead))
	s.code = Where(finite, ZerosLike(s.accepted), AddScalar(ZerosLike(s.accepted), int(NonFinite)))
	h := BroadcastToDims(ConstAsDType(g, dtype, a.FirstStep), lead...)
	if a.FirstStep == 0 {
		h = a.firstStep(f, s, lead, Sign(Sub(t1, t0)))
	}
	s.h = Mul(Min(Max(h, resolution(t, smallest)), Abs(Sub(t1, t0))), Sign(Sub(t1, t0)))
	return s
}

// firstStep is Hairer's rule: a step in which an Euler step changes y by a hundredth, and
// in which the next term of the local error, from the change of the slope over such a
// step, is a hundredth of the tolerance (Hairer, Nørsett & Wanner, II.4).
func (a Adaptive) firstStep(f Dynamics, s adaptiveState, lead []int, direction *Node) *Node {
	d0, d1 := a.norm(s.y, s.y, s.y, lead), a.norm(s.slope, s.y, s.y, lead)
	small := LogicalOr(LessThan(d0, ConstAs(d0, 1e-5)), LessThan(d1, ConstAs(d1, 1e-5)))
	h0 := Where(small, ConstAs(d0, 1e-6), Mul(ConstAs(d0, 0.01), Div(d0, d1)))
	step := Mul(h0, direction)
	slope := f(advance(s.y, [][]*Node{s.slope}, []float64{1}, step), Add(s.t, step))
	change := make([]*Node, len(slope))
	for part := range slope {
		change[part] = Sub(slope[part], s.slope[part])
	}
	d2 := Div(a.norm(change, s.y, s.y, lead), h0)
	largest := Max(d1, d2)
	exponent := ConstAs(d0, 1/float64(a.tableau.errorOrder))
	h1 := Where(LessOrEqual(largest, ConstAs(d0, 1e-15)),
		Max(ConstAs(d0, 1e-6), Mul(h0, ConstAs(d0, 1e-3))),
		Pow(Div(ConstAs(d0, 0.01), largest), exponent))
	h := Min(Mul(ConstAs(h0, 100), h0), h1)
	return Where(IsFinite(h), h, h0)
}

// attempt tries a step, and says whether any sample needs another.
func (a Adaptive) attempt(f Dynamics, s adaptiveState, t1, smallest *Node) (next adaptiveState, more *Node) {
	lead := s.t.Shape().Dimensions
	running := s.unfinished(t1)
	remaining := Sub(t1, s.t)
	last := GreaterOrEqual(Abs(s.h), Abs(remaining))
	h := Where(last, remaining, s.h)
	end := Where(last, t1, Add(s.t, h)) // t1 itself, not what rounding makes of it

	slopes := [][]*Node{s.slope}
	var y []*Node
	for stage, weights := range a.tableau.a[1:] {
		c := a.tableau.c[1+stage]
		t := end
		if c != 1 {
			t = Add(s.t, Mul(h, ConstAs(h, c)))
		}
		y = advance(s.y, slopes, weights, h)
		slopes = append(slopes, f(y, t))
	}
	// The last stage is the new state, and its slope the next step's first.
	slope := slopes[len(slopes)-1]
	estimate := make([]*Node, len(y))
	for part := range y {
		sum := combine(a.tableau.e, slopes, part)
		estimate[part] = Mul(shape.Lift(h, sum), sum)
	}
	e := a.norm(estimate, s.y, y, lead)

	// A norm that is NaN or infinite is no number at most 1, so such a step is rejected.
	finite := IsFinite(e)
	small := LessOrEqual(e, ConstAs(e, 1))
	accept := LogicalAnd(running, small)
	reject := LogicalAnd(running, LogicalNot(small))
	proposed := Mul(h, Where(finite, a.factor(e, s.previous, small), ConstAs(e, a.Control.Min)))
	stuck := LogicalAnd(reject, LessThan(Abs(proposed), resolution(s.t, smallest)))

	next = adaptiveState{
		y: choose(accept, y, s.y), slope: choose(accept, slope, s.slope),
		t: Where(accept, end, s.t), h: Where(running, proposed, s.h),
		previous: Where(accept, Max(e, ConstAs(e, 1e-4)), s.previous),
		accepted: Add(s.accepted, ConvertDType(accept, dtypes.Int32)),
		rejected: Add(s.rejected, ConvertDType(reject, dtypes.Int32)),
		code: Where(stuck, Where(finite, ConstAs(s.code, int32(StepTooSmall)), ConstAs(s.code, int32(NonFinite))),
			s.code),
	}
	more = next.unfinished(t1)
	if !more.IsScalar() {
		more = ReduceLogicalOr(more)
	}
	return next, more
}

// ulps is how many units in the last place of the time a step is at least.
const ulps = 16

// resolution is the length of the shortest step from t: in units of its last place, and
// near t = 0, where these vanish, smallest.
func resolution(t, smallest *Node) *Node {
	return Max(Mul(Abs(t), ConstAs(t, ulps*epsilon(t.DType()))), smallest)
}

// epsilon is the distance from 1 to the next number.
func epsilon(dtype dtypes.DType) float64 {
	if dtype == dtypes.Float32 {
		return 0x1p-23
	}
	return 0x1p-52
}

// unfinished is true for the samples that have neither failed nor reached t1.
func (s adaptiveState) unfinished(t1 *Node) *Node {
	return LogicalAnd(Equal(s.code, ConstAs(s.code, int32(Success))), NotEqual(s.t, t1))
}

// factor is by how much the next step is longer.
func (a Adaptive) factor(e, previous, accepted *Node) *Node {
	c, k := a.Control, float64(a.tableau.errorOrder)
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

// norm is the root mean square of v/(ATol + RTol·max(|y|, |z|)) over the values that each
// element of the lead has: NaN or infinite if one of them is, even in a part without
// weight.
func (a Adaptive) norm(v, y, z []*Node, lead []int) *Node {
	var sum *Node
	count := 0
	for part, x := range v {
		weight := 1.0
		if len(a.Weights) > 0 { // those that are left out, in an adjoint, have none
			weight = 0
			if part < len(a.Weights) {
				weight = a.Weights[part]
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
			scale := Add(Mul(size, ConstAs(size, a.RTol/weight)), ConstAs(size, a.ATol/weight))
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
	for part := range a {
		out[part] = Where(mask, a[part], b[part])
	}
	return out
}
