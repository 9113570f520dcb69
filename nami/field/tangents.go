package field

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
)

// Tangents are the derivatives of a network's units by the values of its event. They go through
// it beside the units, those by several values at once: [n, directions, units]. The first layer
// costs no product, as its tangents are the rows of its weights, and neither does the last, of
// which a trace takes one column for each direction.

// Directions are taken in blocks: as many at once as have about cacheValues tangents of one layer
// together, which stay in a processor's cache (one by one for 1,000 events and layers of 128), but
// more where that would make more than mostBlocks blocks, each of which makes the program longer,
// and never so many that they have more than memoryValues.
const (
	cacheValues  = 1 << 17
	mostBlocks   = 8
	memoryValues = 1 << 22
)

// chain is a network of linear layers without a nonlinear one around them, whose Jacobian is
// W₀·D₁·W₁·D₂ ⋯ D_L·W_L: the weights Wᵢ, [in, out], the first with a row for each value of the
// event, the last with a column; and D₁ to D_L, the derivatives of the activations between them,
// [n, units] for n events.
type chain struct {
	n       int
	weights []*Node
	rates   []*Node
}

// trace is the trace of the Jacobian, [n]; counted, [n, values], is nil or 1 for the values that
// count and 0 for others.
//
// With two hidden layers it is bilinear in D₁ and D₂, and takes one product for all directions:
// Σ D₁[k]·(W₁ ⊙ W₀ᵀW₂ᵀ)[k,l]·D₂[l]. With more, tangents come from both ends and meet: the
// first and last product have the derivatives on one side and a matrix that doesn't depend on the
// events on the other.
func (c chain) trace(counted *Node) *Node {
	w, last := c.weights, len(c.weights)-1
	d := w[0].Shape().Dim(0)
	switch {
	case last == 0:
		diagonal := ReduceSum(Mul(w[0], DiagonalWithValue(ConstAs(w[0], 1), d)), 0)
		return c.ofDiagonal(BroadcastPrefix(diagonal, c.n), counted)
	case last == 1:
		return c.ofDiagonal(MatMul(c.rates[0], Mul(Transpose(w[0], 0, 1), w[1])), counted)
	case last == 2 && counted == nil:
		joined := Mul(w[1], MatMul(Transpose(w[0], 0, 1), Transpose(w[2], 0, 1)))
		return sum(Mul(MatMul(c.rates[0], joined), c.rates[1]))
	}
	width := 0
	for _, rate := range c.rates {
		width = max(width, rate.Shape().Dim(-1))
	}
	factor := c.rates[max(1, last-2)]
	return inBlocks(c.n, d, width, counted, factor, func(from, to int) *Node {
		front := spread(c.rates[0], rows(w[0], from, to), w[1])
		for i := 1; i < last-2; i++ {
			front = through(Mul(front, InsertAxes(c.rates[i], 1)), w[i+1])
		}
		end := Transpose(columns(w[last], from, to), 0, 1) // [directions, units]
		if last == 2 {
			return Mul(front, InsertAxes(end, 0))
		}
		back := spread(c.rates[last-1], end, Transpose(w[last-1], 0, 1))
		return Mul(front, back)
	})
}

// ofDiagonal is the sum of a Jacobian's diagonal, [n, values].
func (c chain) ofDiagonal(diagonal, counted *Node) *Node {
	if counted != nil {
		diagonal = Mul(diagonal, counted)
	}
	return sum(diagonal)
}

// inBlocks is the sum over directions and units of what of makes of the directions from one to
// before another, [n, directions, units], times a factor of each unit, [n, units]. A direction
// that isn't counted is left out.
func inBlocks(n, d, width int, counted, factor *Node, of func(from, to int) *Node) *Node {
	each := n * width
	size := max(1, cacheValues/each, (d+mostBlocks-1)/mostBlocks)
	size = min(d, size, max(1, memoryValues/each))
	var total *Node
	for from := 0; from < d; from += size {
		to := min(d, from+size)
		u := of(from, to)
		if counted != nil {
			u = Mul(u, InsertAxes(columns(counted, from, to), -1))
		}
		u = overDirections(u)
		if total != nil {
			u = Add(total, u)
		}
		total = u
	}
	return sum(Mul(total, factor))
}

// overDirections sums u, [n, directions, units], over the directions: few of them one by one,
// which XLA joins with what stands before and after.
func overDirections(u *Node) (total *Node) {
	const few = 8
	n := u.Shape().Dim(1)
	if n > few {
		return ReduceSum(u, 1)
	}
	for i := range n {
		one := Squeeze(Slice(u, AxisRange(), AxisElem(i)), 1)
		if total == nil {
			total = one
		} else {
			total = Add(total, one)
		}
	}
	return total
}

// spread is Σₖ rate[n,k]·rows[direction,k]·w[k,l], [n, directions, l]. With many events the
// product is by a matrix of rows and w, which is the same for all, and that a compiled loop makes
// once.
func spread(rate, rows, w *Node) *Node {
	n, b, out := rate.Shape().Dim(0), rows.Shape().Dim(0), w.Shape().Dim(1)
	if n < out {
		return through(Mul(InsertAxes(rate, 1), InsertAxes(rows, 0)), w)
	}
	matrix := Mul(InsertAxes(Transpose(rows, 0, 1), -1), InsertAxes(w, 1))
	return Reshape(MatMul(rate, Reshape(matrix, -1, b*out)), n, b, out)
}

// through are tangents j, [n, directions, in], times w, in one product.
func through(j, w *Node) *Node {
	dims := j.Shape().Dimensions
	return Reshape(MatMul(Reshape(j, -1, dims[2]), w), dims[0], dims[1], -1)
}

// sum is that over the last axis of x, [n, k], as a product: XLA's own sum of a row takes
// several passes.
func sum(x *Node) *Node {
	k := x.Shape().Dim(1)
	return Einsum("nk,k->n", x, BroadcastToDims(ConstAs(x, 1), k))
}

// rows and columns are those from one to before another.
func rows(w *Node, from, to int) *Node {
	if from == 0 && to == w.Shape().Dim(0) {
		return w
	}
	return Slice(w, AxisRange(from, to))
}

func columns(w *Node, from, to int) *Node {
	if from == 0 && to == w.Shape().Dim(1) {
		return w
	}
	return Slice(w, AxisRange(), AxisRange(from, to))
}

// activated is an activation at z, and its derivative there.
func activated(act activation.Type, z *Node) (a, rate *Node) {
	switch act {
	case activation.TypeSilu, activation.TypeSwish:
		s := Sigmoid(z) // both need it, once
		a = Mul(z, s)
		return a, Add(s, Mul(a, OneMinus(s)))
	case activation.TypeTanh:
		a = Tanh(z)
		return a, OneMinus(Square(a))
	}
	a = activation.Apply(act, z)
	return a, Gradient(ReduceAllSum(a), z)[0]
}

// ofEachUnit is true if an activation is a function of each unit alone.
func ofEachUnit(act activation.Type) bool { return act.HiddenDimMultiplier() == 1 }

// asRows is h, lead+[k], as [n, k].
func asRows(h *Node) *Node { return Reshape(h, -1, h.Shape().Dim(-1)) }
