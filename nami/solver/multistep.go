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

	// Correct has the state at the beginning of a step corrected once the slope there is known,
	// by the step before with the polynomial that goes through it as well.
	Correct bool
}

// remembered is how many slopes are carried on.
func (m multistep) remembered() int {
	if m.Correct {
		return m.Slopes
	}
	return m.Slopes - 1
}

// Order implements [Method]: 2 at most, as the first step is one of Euler's, whose local
// error falls as h²; 3 if it is corrected to the trapezoidal rule.
func (m multistep) Order() float64 {
	if m.Correct {
		return float64(min(m.Slopes+1, 3))
	}
	return float64(min(m.Slopes, 2))
}

// Draws implements [Method].
func (m multistep) Draws() int { return 0 }

// Validate reports an order out of range.
func (m multistep) Validate() error {
	if m.Correct && (m.Slopes < 1 || m.Slopes > maxMultistep) {
		return fmt.Errorf("solver: AdamsPEC has the order %d: it must be from 1 to %d", m.Slopes, maxMultistep)
	}
	if m.Slopes < 1 || m.Slopes > maxMultistep {
		return fmt.Errorf("solver: LMS has the order %d: it must be from 1 to %d", m.Slopes, maxMultistep)
	}
	return nil
}

// String names the method with its order, as in LMS4.
func (m multistep) String() string {
	if m.Correct {
		return fmt.Sprintf("AdamsPEC%d", m.Slopes)
	}
	return fmt.Sprintf("LMS%d", m.Slopes)
}

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
	for range m.remembered() {
		var none []*Node
		for _, x := range y {
			none = append(none, Zeros(t.Graph(), shapes.Make(x.DType(), x.Shape().Dimensions...)))
		}
		memory.slopes, memory.positions = append(memory.slopes, none), append(memory.positions, ZerosLike(t))
	}
	memory.count = ZerosLike(t)
	carry := memory.list()
	if m.Correct {
		for _, x := range y {
			carry = append(carry, ZerosLike(x))
		}
	}
	return carry
}

// Step implements [Method].
func (m multistep) Step(s System, y, carry []*Node, over Interval, _ [][]*Node) Step {
	kept := m.remembered()
	past := memoryOf(carry, kept, len(y))
	c := s.Over(over)
	z, begin, h := c.Enter(y, over.From), c.Position(over.From), c.Width(over)
	slope := c.Slope(z, over.From)
	if m.Correct {
		z = corrected(z, slope, carry[len(carry)-len(y):], past, begin)
	}
	others, positions := past.slopes[:m.Slopes-1], past.positions[:m.Slopes-1]
	known := func(j int) *Node { return GreaterOrEqual(past.count, ConstAs(past.count, float64(j))) }
	powers := integrated(z, append([][]*Node{slope}, others...), append([]*Node{begin}, positions...), known, begin, h)
	now := memory{
		slopes: append([][]*Node{slope}, past.slopes...)[:kept], positions: append([]*Node{begin}, past.positions...)[:kept],
		count: Min(Add(past.count, ConstAs(past.count, 1)), ConstAs(past.count, float64(kept))),
	}
	if c.Restart != nil {
		now.count = Where(c.Restart, ZerosLike(now.count), now.count)
	}
	step := Step{
		Y: c.Leave(total(powers), over.To), Carry: now.list(),
		Between: func() Interpolant { return Interpolant{c, powers} },
	}
	if m.Correct {
		// What is between starts from the corrected state, and the step from the one before.
		step.Carry, step.Between = append(step.Carry, z...), nil
	}
	return step
}

// corrected is z at the beginning of a step, once its slope is known, by the step before from
// the state before; z itself if there is none.
func corrected(z, slope, before []*Node, past memory, begin *Node) []*Node {
	count := past.count
	usable := GreaterThan(count, ZerosLike(count))
	start := Where(usable, past.positions[0], Sub(begin, OnesLike(begin)))
	slopes := append(slices.Clone(past.slopes), slope)
	positions := append(append([]*Node{start}, past.positions[1:]...), begin)
	known := func(j int) *Node {
		if j == len(slopes)-1 {
			return usable
		}
		return GreaterThan(count, ConstAs(count, float64(j)))
	}
	out := total(integrated(before, slopes, positions, known, start, Sub(begin, start)))
	for part := range out {
		out[part] = Where(usable, out[part], z[part])
	}
	return out
}

// integrated is z + h·∫₀^θ of the polynomial through the slopes that are known, by powers of θ,
// in a step from begin of length h.
func integrated(z []*Node, slopes [][]*Node, positions []*Node, known func(j int) *Node, begin, h *Node) [][]*Node {
	places := make([]*Node, len(positions)) // in units of the step
	for j, u := range positions {
		places[j] = Div(Sub(u, begin), h)
	}
	powers := [][]*Node{z}
	for range slopes {
		powers = append(powers, make([]*Node, len(z)))
	}
	for j, slope := range slopes {
		for k, coefficient := range lagrange(places, known, j) {
			coefficient = Mul(h, Div(coefficient, ConstAs(h, float64(k+1))))
			for part := range z {
				term := scaled(ZerosLike(slope[part]), coefficient, slope[part])
				if powers[k+1][part] != nil {
					term = Add(powers[k+1][part], term)
				}
				powers[k+1][part] = term
			}
		}
	}
	return powers
}

// total is the polynomial at θ = 1.
func total(powers [][]*Node) []*Node {
	sum := slices.Clone(powers[0])
	for _, power := range powers[1:] {
		for part := range sum {
			sum[part] = Add(sum[part], power[part])
		}
	}
	return sum
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
