package loss

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// rows are the n events of a batch, in groups of one size; the last group is filled up with the
// first events.
type rows struct{ n, groups, size int }

// newRows makes groups of at most size events.
func newRows(n, size int) rows {
	groups := (n + size - 1) / size
	return rows{n: n, groups: groups, size: (n + groups - 1) / groups}
}

// split returns [groups, size, values] of what has so many values for each event.
func (r rows) split(x *Node, values int) *Node {
	x = Reshape(x, r.n, values)
	if more := r.groups*r.size - r.n; more > 0 {
		x = Concatenate([]*Node{x, Slice(x, AxisRange(0, more))}, 0)
	}
	return Reshape(x, r.groups, r.size, values)
}

// join undoes split, in a shape of one value for each of the events' values.
func (r rows) join(x *Node, dims []int) *Node {
	x = Reshape(x, r.groups*r.size, x.Shape().Dim(-1))
	return Reshape(Slice(x, AxisRange(0, r.n)), dims...)
}

// identity is true where both events are one, [groups, size, size].
func (r rows) identity(g *Graph) *Node {
	s := shapes.Make(dtypes.Int32, r.groups, r.size, r.size)
	return Equal(Iota(g, s, 1), Iota(g, s, 2))
}

// same is true where the second event of two, [groups, size, size], is there only once, and has
// the context and the mask of the first.
func (r rows) same(b Batch) *Node {
	g := b.X.Graph()
	s := shapes.Make(dtypes.Int32, r.groups, r.size, r.size)
	number := Add(MulScalar(Iota(g, s, 0), r.size), Iota(g, s, 2))
	same := LessThan(number, ConstAsDType(g, dtypes.Int32, r.n))
	for _, part := range []*Node{b.Context, b.Mask} {
		if part == nil {
			continue
		}
		part = r.split(part, part.Shape().Size()/r.n)
		equal := Equal(InsertAxes(part, 2), InsertAxes(part, 1)) // [groups, size, size, values]
		same = And(same, LogicalAll(equal, -1))
	}
	return same
}

// lengths are the squared lengths, [groups, size, size], of the noise with which the second event
// of two would have come to the x_t of the first: ε + α/σ·(x - x_j). ratio is α/σ.
func (r rows) lengths(x, noise, ratio *Node) *Node {
	values := x.Shape().Dim(-1)
	if values > 16 {
		return ReduceSum(Square(Add(InsertAxes(noise, 2), Mul(InsertAxes(ratio, 2), Sub(InsertAxes(x, 2), InsertAxes(x, 1))))), -1)
	}
	// Along events rather than their few values, processors compute with several at once.
	var sum *Node
	for k := range values {
		of := func(v *Node) *Node { return Slice(v, AxisRange(), AxisRange(), AxisElem(k)) } // [groups, size, 1]
		square := Square(Add(of(noise), Mul(ratio, Sub(of(x), Transpose(of(x), 1, 2)))))
		if sum == nil {
			sum = square
		} else {
			sum = Add(sum, square)
		}
	}
	return sum
}
