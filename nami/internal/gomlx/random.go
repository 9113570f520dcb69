package gomlx

import (
	"math"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Uniforms is a source of uniform numbers in [0, 1). A *model.Scope is one, and so is
// a [Counter].
type Uniforms interface {
	RandomUniform(g *Graph, shape shapes.Shape) *Node
}

// Normal draws standard normal numbers by Box and Muller's method, both values of each
// pair, or as the source itself does if it can. GoMLX's own RandomNormal gives ±Inf on
// XLA where a uniform number is exactly 0; here 1-u is never 0.
func Normal(random Uniforms, g *Graph, shape shapes.Shape) *Node {
	if own, ok := random.(interface {
		Normal(g *Graph, shape shapes.Shape) *Node
	}); ok {
		return own.Normal(g, shape)
	}
	size := shape.Size()
	half := shapes.Make(shape.DType, (size+1)/2)
	constant := func(v float64) *Node { return ConstAsDType(g, shape.DType, v) }
	radius := Sqrt(Mul(constant(-2), Log(Sub(constant(1), random.RandomUniform(g, half)))))
	angle := Mul(constant(2*math.Pi), random.RandomUniform(g, half))
	z := Concatenate([]*Node{Mul(radius, Cos(angle)), Mul(radius, Sin(angle))}, 0)
	return Reshape(Slice(z, AxisRange(0, size)), shape.Dimensions...)
}
