package solver

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/nami-flow/go-nami/nami/shape"
)

// levelStep is a step from one noise level of a model to another, in z = x/α and u = σ/α.
type levelStep struct {
	*Coordinates
	over     Interval
	z, slope []*Node // at the beginning
	from, to *Node   // u at both ends

	// lasting is true if the beginning has a logarithm, in the coordinates of the next step;
	// inner if both ends have, and the step isn't to be of first order.
	lasting, inner *Node
}

func newLevelStep(s System, y []*Node, over Interval) levelStep {
	c := s.NoiseLevels(over)
	l := levelStep{Coordinates: c, over: over, z: c.Enter(y, over.From), from: c.Position(over.From), to: c.Position(over.To)}
	l.slope = c.Slope(l.z, over.From)
	zero := ZerosLike(l.from)
	l.lasting = GreaterThan(l.from, zero)
	if c.Restart != nil {
		l.lasting = LogicalAnd(l.lasting, LogicalNot(c.Restart))
	}
	l.inner = LogicalAnd(l.lasting, GreaterThan(l.to, zero))
	if c.FirstOrder != nil {
		l.inner = LogicalAnd(l.inner, LogicalNot(c.FirstOrder))
	}
	return l
}

// perLevel is 1/u at the beginning; 0 where that has no meaning for the next step.
func (l levelStep) perLevel() *Node {
	return Where(l.lasting, Div(OnesLike(l.from), Where(l.lasting, l.from, OnesLike(l.from))), ZerosLike(l.from))
}

// ratio is u'/u; 0 where there is no inner step.
func (l levelStep) ratio() *Node {
	return Where(l.inner, Mul(l.to, l.perLevel()), ZerosLike(l.from))
}

// width is what the slope at the beginning is multiplied by in a step of first order, of the
// probability flow for the rate 1 and of the reverse process for 2.
func (l levelStep) width(rate float64) *Node {
	flow := Sub(l.to, l.from)
	if rate == 1 {
		return flow
	}
	return Where(l.inner, Mul(l.from, Sub(Square(l.ratio()), OnesLike(l.from))), flow)
}

// ancestral is the deviation, in z, of the noise that the reverse process adds, times eta
// (Song, Meng & Ermon 2021, arXiv:2010.02502, eq. 16). A step from pure noise and the last one
// to the data add none.
func (l levelStep) ancestral(eta float64) *Node {
	deviation := Mul(l.to, otherSide(OnesLike(l.from), l.ratio()))
	return Where(l.inner, MulScalar(deviation, eta), ZerosLike(l.from))
}

// shaken completes a step that ends in z plus noise of a deviation, in the first part.
func (l levelStep) shaken(z []*Node, deviation *Node, noise [][]*Node, step Step) Step {
	z = append([]*Node{Add(z[0], Mul(shape.Lift(deviation, z[0]), noise[0][0]))}, z[1:]...)
	step.Y = l.Leave(z, l.over.To)
	step.Deviation = deviation
	if l.Scale != nil {
		step.Deviation = l.part(0).grow(deviation, l.Scale(l.over.To))
	}
	return step
}

// line is the straight line in z to the end of the step.
func (l levelStep) line(end []*Node) Interpolant {
	change := make([]*Node, len(end))
	for part := range end {
		change[part] = Sub(end[part], l.z[part])
	}
	return Interpolant{l.Coordinates, [][]*Node{l.z, change}}
}

// otherSide is the side of a right triangle beside one, given the hypotenuse: what a deviation
// lacks to a larger one. It is exactly 0 where both are equal, also where a compiler fuses
// products with sums, and half of the digits of √(a² − b²) would be noise.
func otherSide(hypotenuse, side *Node) *Node {
	product := Mul(Sub(hypotenuse, side), Add(hypotenuse, side))
	return Sqrt(MaxScalar(product, 0))
}
