package solver

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// maxMultistep is the highest order of [LMS]: beyond it extrapolation amplifies noise.
const maxMultistep = 4

// multistep is the Adams–Bashforth method of a number of slopes on steps of any lengths:
// the polynomial through the last slopes is integrated over the step.
type multistep struct {
	// Slopes is the number of slopes, which is the order where they are exact.
	Slopes int
}

// Order implements [Method]: 2 at most, as the first step is one of Euler's, whose local
// error falls as h².
func (m multistep) Order() float64 { return float64(min(m.Slopes, 2)) }

// Draws implements [Method].
func (m multistep) Draws() int { return 0 }

// Validate reports an order out of range.
func (m multistep) Validate() error {
	if m.Slopes < 1 || m.Slopes > maxMultistep {
		return fmt.Errorf("solver: LMS has the order %d: it must be from 1 to %d", m.Slopes, maxMultistep)
	}
	return nil
}

// String names the method with its order, as in LMS4.
func (m multistep) String() string { return fmt.Sprintf("LMS%d", m.Slopes) }

// memory is what a multistep method carries: the slopes of the last steps, the newest
// first, where they were, and how many there are.
type memory struct {
	slopes    [][]*Node
	positions []*Node // shaped like t
	count     *Node   // shaped like t
}

func (m memory) list() []*Node {
	return append(append(slices.Concat(m.slopes...), m.positions...), m.count)
}

// memoryOf takes apart what list made, for so many slopes of a state of so many parts.
func memoryOf(list []*Node, slopes, parts int) (m memory) {
	for range slopes {
		m.slopes, list = append(m.slopes, list[:parts]), list[parts:]
	}
	m.positions, m.count = list[:slopes], list[slopes]
	return m
}

// Init implements [Method].
func (m multistep) Init(_ System, y []*Node, t *Node) []*Node {
	var memory memory
	for range m.Slopes - 1 {
		var none []*Node
		for _, x := range y {
			none = append(none, Zeros(t.Graph(), shapes.Make(x.DType(), x.Shape().Dimensions...)))
		}
		memory.slopes, memory.positions = append(memory.slopes, none), append(memory.positions, ZerosLike(t))
	}
	memory.count = ZerosLike(t)
	return memory.list()
}

// Step implements [Method].
func (m multistep) Step(s System, y, carry []*Node, over Interval, _ [][]*Node) Step {
	past := memoryOf(carry, m.Slopes-1, len(y))
	c := s.Over(over)
	z, begin, h := c.Enter(y, over.From), c.Position(over.From), c.Width(over)
	slopes := append([][]*Node{c.Slope(z, over.From)}, past.slopes...)
	// The slopes' places in units of the step, where it begins at 0 and ends at 1.
	places := []*Node{ZerosLike(h)}
	for _, u := range past.positions {
		places = append(places, Div(Sub(u, begin), h))
	}
	known := func(j int) *Node { return GreaterOrEqual(past.count, ConstAs(past.count, float64(j))) }
	next, powers := z, [][]*Node{z}
	for range m.Slopes {
		powers = append(powers, make([]*Node, len(z)))
	}
	for j, slope := range slopes {
		weight := ZerosLike(h)
		for k, coefficient := range lagrange(places, known, j) {
			coefficient = Mul(h, Div(coefficient, ConstAs(h, float64(k+1))))
			weight = Add(weight, coefficient)
			for part := range z {
				term := scaled(ZerosLike(slope[part]), coefficient, slope[part])
				if powers[k+1][part] != nil {
					term = Add(powers[k+1][part], term)
				}
				powers[k+1][part] = term
			}
		}
		next = advance(next, [][]*Node{slope}, []float64{1}, weight)
	}
	kept := m.Slopes - 1
	now := memory{
		slopes: slopes[:kept], positions: append([]*Node{begin}, past.positions...)[:kept],
		count: Min(Add(past.count, ConstAs(past.count, 1)), ConstAs(past.count, float64(kept))),
	}
	if c.Restart != nil {
		now.count = Where(c.Restart, ZerosLike(now.count), now.count)
	}
	return Step{
		Y: c.Leave(next, over.To), Carry: now.list(),
		Between: func() Interpolant { return Interpolant{c, powers} },
	}
}

// lagrange are the coefficients of 1, θ, θ², … of the polynomial that is 1 at place j and 0
// at the other places that are known: 0 if j isn't known itself.
func lagrange(places []*Node, known func(j int) *Node, j int) []*Node {
	one, zero := OnesLike(places[0]), ZerosLike(places[0])
	product := []*Node{Where(known(j), one, zero)}
	for k, place := range places {
		if k == j {
			continue
		}
		// The factor (θ - place)/(places[j] - place), or 1.
		distance := Where(known(k), Sub(places[j], place), one)
		distance = Where(known(j), distance, one)
		constant, linear := Where(known(k), Neg(Div(place, distance)), one), Where(known(k), Div(one, distance), zero)
		next := make([]*Node, len(product)+1)
		for i, p := range product {
			add := func(at int, term *Node) {
				if next[at] != nil {
					term = Add(next[at], term)
				}
				next[at] = term
			}
			add(i, Mul(p, constant))
			add(i+1, Mul(p, linear))
		}
		product = next
	}
	return product
}
