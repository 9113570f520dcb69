package transform

import (
	"fmt"
	"math"

	"github.com/nami-flow/go-nami/nami/distribution"

	. "github.com/gomlx/gomlx/core/graph"
)

// Asinh is y = asinh(x/Scale): linear for values that are small beside Scale and logarithmic
// for large ones of either sign, such as momenta, fluxes and charges (Lupton, Gunn & Szalay
// 1999).
type Asinh struct {
	// Scale is where the logarithm begins. 0 is 1.
	Scale float64
}

// Forward implements [Transform].
func (a Asinh) Forward(_ distribution.Random, x *Node) (y, logDet *Node) {
	must(a.validate())
	z := Div(x, ConstAs(x, a.scale()))
	size := magnitude(z)
	// asinh z = log(z + √(z²+1)); beyond 10⁸ it is log 2z, and the square might overflow.
	large := GreaterThan(size, ConstAs(x, 1e8))
	small := Where(large, OnesLike(size), size)
	root := Sqrt(Add(Square(small), ConstAs(x, 1)))
	y = Log1P(Add(small, Div(Square(small), Add(root, ConstAs(x, 1)))))
	y = Where(large, Add(Log(Where(large, size, OnesLike(size))), ConstAs(x, math.Ln2)), y)
	y = Mul(sign(z), y)
	return y, a.logDet(y)
}

// Inverse implements [Transform].
func (a Asinh) Inverse(y *Node) (x, logDet *Node) {
	must(a.validate())
	return Mul(ConstAs(y, a.scale()/2), Sub(Exp(y), Exp(Neg(y)))), a.logDet(y)
}

// logDet is -log(Scale·cosh y).
func (a Asinh) logDet(y *Node) *Node {
	size := magnitude(y)
	logCosh := Add(size, Log1P(Exp(Mul(ConstAs(y, -2), size)))) // and log 2
	return Sub(ConstAs(y, math.Ln2-math.Log(a.scale())), logCosh)
}

// ModelShape implements [Transform].
func (a Asinh) ModelShape(event []int) ([]int, error) { return same(event), a.validate() }

// WithDefaults returns the transform with the scale 1 where it is 0.
func (a Asinh) WithDefaults() Asinh { return Asinh{Scale: a.scale()} }

func (a Asinh) scale() float64 {
	if a.Scale == 0 {
		return 1
	}
	return a.Scale
}

func (a Asinh) validate() error {
	if !(a.scale() > 0) || math.IsInf(a.Scale, 0) {
		return fmt.Errorf("transform.Asinh: Scale is %v: it must be positive and finite, or 0 for 1", a.Scale)
	}
	return nil
}
