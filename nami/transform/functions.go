package transform

import . "github.com/gomlx/gomlx/core/graph"

// sign is -1 for negative numbers and 1 for the others, 0 too.
func sign(x *Node) *Node {
	return Where(LessThan(x, ConstAs(x, 0)), Neg(OnesLike(x)), OnesLike(x))
}

// magnitude is |x|, whose derivative is 1 at 0, where graph.Abs has 0: what is even in x
// keeps its derivative there, and so does what is odd and written with sign.
func magnitude(x *Node) *Node { return Mul(sign(x), x) }
