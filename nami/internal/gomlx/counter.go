package gomlx

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// Counter draws random numbers that depend on a key and on where they stand, and on
// nothing else: element e of row r of the d-th draw is the same whatever the number of
// rows, the backend or the order of the calls. So a million samples are the same drawn
// at once or in chunks, and step i of a solve can ask for its noise without a state
// that is handed from step to step. GoMLX's generators depend on the whole shape.
//
// The numbers are Threefry-2x32 with 20 rounds (Salmon et al. 2011, "Parallel random
// numbers: as easy as 1, 2, 3", SC'11), of the counter (row, element/2).
type Counter struct {
	key   [2]*Node // uint32: scalars, or vectors with the key of each row
	rows  *Node    // scalar or vector of uint32
	draws uint32
}

// NewCounter draws with key, a vector of two uint32 (see [Key]), or [rows, 2] with a key for
// each row (see [Keys]). The first axis of what is drawn are rows: rows, of uint32, is the
// number of the first one, or a vector with the number of each.
func NewCounter(key, rows *Node) *Counter {
	word := func(i int) *Node {
		if key.Rank() == 1 {
			return Reshape(Slice(key, AxisElem(i)))
		}
		return Reshape(Slice(key, AxisRange(), AxisElem(i)), -1)
	}
	return &Counter{key: [2]*Node{word(0), word(1)}, rows: rows}
}

// Fold returns the stream of the i-th step, a scalar of integers, and a number b below
// 2³²-1. Streams of one key are independent, and so are they and the draws of c itself.
func (c *Counter) Fold(i *Node, b uint32) *Counter {
	k0, k1 := threefry(c.key, ConvertDType(i, dtypes.Uint32), Const(c.key[0].Graph(), b))
	return &Counter{key: [2]*Node{k0, k1}, rows: c.rows}
}

// RandomUniform implements [Uniforms]: numbers in [0, 1), of 24 bits in Float32 and of
// 53 in Float64.
func (c *Counter) RandomUniform(_ *Graph, shape shapes.Shape) *Node {
	key := c.next()
	a, b := c.words(key, shape, 0)
	if shape.DType == dtypes.Float64 {
		a2, b2 := c.words(key, shape, 1)
		return c.pick(shape, c.long(a, a2), c.long(b, b2))
	}
	short := func(n *Node) *Node {
		n = right(n, 8)
		return Mul(ConvertDType(n, shape.DType), ConstAsDType(n.Graph(), shape.DType, 0x1p-24))
	}
	return c.pick(shape, short(a), short(b))
}

// long makes 53 bits of two words.
func (c *Counter) long(high, low *Node) *Node {
	g := high.Graph()
	high = ConvertDType(right(high, 5), dtypes.Float64)
	low = ConvertDType(right(low, 6), dtypes.Float64)
	return Mul(Add(Mul(high, Const(g, 0x1p26)), low), Const(g, 0x1p-53))
}

// Normal draws standard normal numbers by Box and Muller's method. The radius comes from
// all 32 bits of a word, so that numbers up to 6.7 occur in Float32, and none is infinite.
func (c *Counter) Normal(g *Graph, shape shapes.Shape) *Node {
	key := c.next()
	a, b := c.words(key, shape, 0)
	constant := func(v float64) *Node { return ConstAsDType(g, shape.DType, v) }
	// A word w and the lower one l make (w + (l+1/2)/2³²)/2³², in (0, 1].
	fraction := func(word, lower *Node) *Node {
		word = ConvertDType(word, shape.DType)
		if lower == nil {
			return Mul(Add(word, constant(0.5)), constant(0x1p-32))
		}
		lower = Mul(Add(ConvertDType(lower, shape.DType), constant(0.5)), constant(0x1p-32))
		return Mul(Add(word, lower), constant(0x1p-32))
	}
	var a2, b2 *Node
	if shape.DType == dtypes.Float64 {
		a2, b2 = c.words(key, shape, 1)
	}
	radius := Sqrt(Mul(constant(-2), Log(fraction(a, a2))))
	angle := Mul(constant(2*math.Pi), fraction(b, b2))
	// Odd elements have the sine of the angle: its cosine a quarter of a turn back.
	turn := Mul(ConvertDType(odd(g, shape), shape.DType), constant(math.Pi/2))
	return Reshape(Mul(radius, Cos(Sub(angle, turn))), shape.Dimensions...)
}

// next is the key of the next draw.
func (c *Counter) next() [2]*Node {
	g := c.key[0].Graph()
	k0, k1 := threefry(c.key, Const(g, c.draws), Const(g, uint32(math.MaxUint32)))
	c.draws++
	return [2]*Node{k0, k1}
}

// words are two random words for each element of each row of shape, the same ones for two
// elements beside each other; level keeps several of them apart. Each element computes
// its own: to share them between two takes a concatenation or a broadcast, which keep XLA
// from making one loop of vector instructions of it all, and cost ten times more.
func (c *Counter) words(key [2]*Node, shape shapes.Shape, level uint32) (a, b *Node) {
	g := key[0].Graph()
	rows, columns := matrix(shape)
	s := shapes.Make(dtypes.Uint32, rows, columns)
	byRow := func(values *Node) *Node { return ExpandAndBroadcast(values, s.Dimensions, []int{1}) }
	var row *Node
	if c.rows.IsScalar() {
		row = Add(Iota(g, s, 0), c.rows)
	} else {
		row = byRow(c.rows)
	}
	if !key[0].IsScalar() {
		key = [2]*Node{byRow(key[0]), byRow(key[1])}
	}
	column := right(Iota(g, s, 1), 1)
	if level > 0 {
		column = Add(column, Const(g, level<<31))
	}
	return threefry(key, row, column)
}

// pick takes even elements from one, odd elements from the other.
func (c *Counter) pick(shape shapes.Shape, even, uneven *Node) *Node {
	g := even.Graph()
	return Reshape(Where(Equal(odd(g, shape), Const(g, uint32(0))), even, uneven), shape.Dimensions...)
}

// odd is 1 where the element of a row has an odd number, else 0.
func odd(g *Graph, shape shapes.Shape) *Node {
	rows, columns := matrix(shape)
	return BitwiseAnd(Iota(g, shapes.Make(dtypes.Uint32, rows, columns), 1), Const(g, uint32(1)))
}

// matrix is shape as rows and the number of elements of each.
func matrix(shape shapes.Shape) (rows, columns int) {
	if shape.Rank() == 0 {
		return 1, 1
	}
	rows, columns = shape.Dimensions[0], 1
	for _, d := range shape.Dimensions[1:] {
		columns *= d
	}
	return rows, columns
}

// rotations are Threefry-2x32's, four rounds of each row in turn.
var rotations = [2][4]int{{13, 15, 26, 6}, {17, 29, 16, 24}}

// parity is the constant from which Threefry makes its third word of key.
const parity = 0x1bd11bda

// threefry encrypts the counter (x0, x1).
func threefry(key [2]*Node, x0, x1 *Node) (*Node, *Node) {
	g := x0.Graph()
	third := BitwiseXor(BitwiseXor(key[0], key[1]), Const(g, uint32(parity)))
	ks := [3]*Node{key[0], key[1], third}
	x0, x1 = Add(x0, ks[0]), Add(x1, ks[1])
	for block := range 5 {
		for _, r := range rotations[block%2] {
			x0 = Add(x0, x1)
			x1 = BitwiseXor(BitwiseOr(BitwiseShiftLeft(x1, Const(g, uint32(r))), right(x1, 32-r)), x0)
		}
		x0 = Add(x0, ks[(block+1)%3])
		x1 = Add(Add(x1, ks[(block+2)%3]), Const(g, uint32(block+1)))
	}
	return x0, x1
}

// right shifts the words of x to the right.
func right(x *Node, bits int) *Node {
	return BitwiseShiftRightLogical(x, Const(x.Graph(), uint32(bits)))
}

// Key is the key of the draw-th part of a program that was given a seed, for
// [NewCounter]: a vector of two uint32.
func Key(seed int64, draw uint64) *tensors.Tensor {
	k := uint64(Derive(seed, draw))
	return tensors.FromFlatDataAndDimensions([]uint32{uint32(k), uint32(k >> 32)}, 2)
}

// Keys are the keys of the draw-th part of programs that were given seeds, one for each row:
// [len(seeds), 2].
func Keys(seeds []int64, draw uint64) *tensors.Tensor {
	words := make([]uint32, 0, 2*len(seeds))
	for _, seed := range seeds {
		k := uint64(Derive(seed, draw))
		words = append(words, uint32(k), uint32(k>>32))
	}
	return tensors.FromFlatDataAndDimensions(words, len(seeds), 2)
}

// Derive returns the seed of the draw-th part of a program that was given a seed.
func Derive(seed int64, draw uint64) int64 {
	k0, k1 := hostThreefry([2]uint32{uint32(seed), uint32(uint64(seed) >> 32)}, uint32(draw), uint32(draw>>32))
	return int64(uint64(k0) | uint64(k1)<<32)
}

// hostThreefry is threefry on the host.
func hostThreefry(key [2]uint32, x0, x1 uint32) (uint32, uint32) {
	ks := [3]uint32{key[0], key[1], key[0] ^ key[1] ^ parity}
	x0, x1 = x0+ks[0], x1+ks[1]
	for block := range 5 {
		for _, r := range rotations[block%2] {
			x0 += x1
			x1 = x1<<r | x1>>(32-r)
			x1 ^= x0
		}
		x0 += ks[(block+1)%3]
		x1 += ks[(block+2)%3] + uint32(block) + 1
	}
	return x0, x1
}
