package solver

import (
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
)

// Interpolant is the state within a step, a polynomial in the fraction θ of the way that
// the coordinates measure: z(θ) = Σⱼ Powers[j]·θ^j, part by part.
type Interpolant struct {
	Coordinates *Coordinates
	Powers      [][]*Node
}

// polynomial is z + h·Σᵢ Σⱼ dense[i][j]·slopes[i]·θ^(j+1).
func polynomial(z []*Node, slopes [][]*Node, dense [][]float64, h *Node) [][]*Node {
	degree := 0
	for _, row := range dense {
		degree = max(degree, len(row))
	}
	powers := [][]*Node{z}
	for j := range degree {
		weights := make([]float64, len(dense))
		for i, row := range dense {
			if j < len(row) {
				weights[i] = row[j]
			}
		}
		term := make([]*Node, len(z))
		for part := range z {
			if total := combine(weights, slopes, part); total != nil {
				term[part] = Mul(shape.Lift(h, total), total)
			}
		}
		powers = append(powers, term)
	}
	return powers
}

// hermite is the cubic polynomial through both ends of a step and the slopes there, which
// it evaluates: the state within the step of a method without an interpolant of its own.
func hermite(s System, over Interval, from, to []*Node) Interpolant {
	c := s.Over(over)
	h := c.Width(over)
	z, end := c.Enter(from, over.From), c.Enter(to, over.To)
	first, last := c.Slope(z, over.From), c.Slope(end, over.To)
	square, cube := make([]*Node, len(z)), make([]*Node, len(z))
	linear := make([]*Node, len(z))
	for part := range z {
		scale := shape.Lift(h, z[part])
		k0, k1, change := Mul(scale, first[part]), Mul(scale, last[part]), Sub(end[part], z[part])
		linear[part] = k0
		square[part] = Sub(Mul(change, ConstAs(change, 3)), Add(Add(k0, k0), k1))
		cube[part] = Sub(Add(k0, k1), Add(change, change))
	}
	return Interpolant{c, [][]*Node{z, linear, square, cube}}
}

// straight is the line through both ends of a step, in the state and the time themselves.
func straight(from, to []*Node) Interpolant {
	change := make([]*Node, len(from))
	for part := range from {
		change[part] = Sub(to[part], from[part])
	}
	return Interpolant{&Coordinates{}, [][]*Node{from, change}}
}

// at is the state of each part at several times in a step, which add an axis at the front.
// They are a vector, or of shape [times]+lead.
func (p Interpolant) at(over Interval, times *Node) []*Node {
	c := p.Coordinates
	begin, end := c.Position(over.From), c.Position(over.To)
	if !begin.IsScalar() {
		begin, end = InsertAxes(begin, 0), InsertAxes(end, 0)
	}
	fraction := Div(Sub(c.Position(times), begin), Sub(end, begin))
	z := make([]*Node, len(p.Powers[0]))
	for part := range z {
		var value *Node
		for j := len(p.Powers) - 1; j >= 0; j-- {
			term := p.Powers[j][part]
			if term != nil {
				term = InsertAxes(term, 0)
			}
			switch {
			case value == nil:
				value = term
			default:
				value = Mul(value, lifted(fraction, value.Rank()))
				if term != nil {
					value = Add(value, term)
				}
			}
		}
		z[part] = value
	}
	return c.severally().Leave(z, times)
}

// lifted is x with axes of size 1 added at the end.
func lifted(x *Node, rank int) *Node {
	for x.Rank() < rank {
		x = InsertAxes(x, -1)
	}
	return x
}
