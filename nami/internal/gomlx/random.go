package gomlx

import (
	"math"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// Uniforms is a source of uniform numbers in [0, 1). A *model.Scope is one, and so is
// a [Stream].
type Uniforms interface {
	RandomUniform(g *Graph, shape shapes.Shape) *Node
}

// Normal draws standard normal numbers by Box and Muller's method, both values of each
// pair. GoMLX's own RandomNormal gives ±Inf on XLA where a uniform number is exactly
// 0; here 1-u is never 0.
func Normal(random Uniforms, g *Graph, shape shapes.Shape) *Node {
	size := shape.Size()
	half := shapes.Make(shape.DType, (size+1)/2)
	constant := func(v float64) *Node { return ConstAsDType(g, shape.DType, v) }
	radius := Sqrt(Mul(constant(-2), Log(Sub(constant(1), random.RandomUniform(g, half)))))
	angle := Mul(constant(2*math.Pi), random.RandomUniform(g, half))
	z := Concatenate([]*Node{Mul(radius, Cos(angle)), Mul(radius, Sin(angle))}, 0)
	return Reshape(Slice(z, AxisRange(0, size)), shape.Dimensions...)
}

// Stream draws from a state that it is given, for programs that have no store or must
// not change one.
type Stream struct {
	state *Node
}

// NewStream starts at state, a node that holds what [SeedState] returns.
func NewStream(state *Node) *Stream { return &Stream{state: state} }

// State is the state that the next draw starts from.
func (s *Stream) State() *Node { return s.state }

// RandomUniform implements [Uniforms].
func (s *Stream) RandomUniform(_ *Graph, shape shapes.Shape) (values *Node) {
	s.state, values = RandomUniform(s.state, shape)
	return values
}

// SeedState returns the state of a generator started with seed.
func SeedState(seed int64) (*tensors.Tensor, error) {
	return RNGStateFromSeed(seed)
}
