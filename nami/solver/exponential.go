package solver

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
)

// exponentialScheme is how an exponential multistep method makes a step. With z = x/α,
// u = σ/α and λ = -log u, and the data D = z - u·dz/du that is predicted, the equation is
//
//	dz/dλ = rate·(D - z) dλ + noise,
//
// with the rate 1 for the probability flow and 2 for the reverse process. Its linear part is
// solved exactly. D is the polynomial in λ through the last predictions, whose integral is
// exact, too:
//
//	z' = z + (1 - exp(-x))·(D₀ - z) + Σ Wⱼ·(Dⱼ - D₀),   x = rate·Δλ,   Wⱼ = ∫₀¹ x·exp(x·(θ-1))·Lⱼ(θ) dθ
//
// with Lagrange's polynomials Lⱼ, in units of the step. Methods that extrapolate the
// predicted noise ε = dz/du have it in place of D, and the weights -∫ u(θ)·Δλ·Lⱼ(θ) dθ.
type exponentialScheme struct {
	order  float64
	points int     // how many predictions the polynomial goes through
	noise  bool    // they are of the noise, not of the data
	rate   float64 // see above
	pair   pairRule

	// correct has the polynomial through the end of the step as well, once the prediction there
	// is known, which is at the beginning of the next step.
	correct bool
}

// pairRule is the weight of the difference of two predictions over their distance, where
// there are two alone: its integral, or half of a function of the step, which is as accurate.
type pairRule int

const (
	exactPair pairRule = iota
	halfB1             // x/2
	halfB2             // (1 - exp(-x))/2
)

// exponentials are the schemes that there are.
var exponentials = map[string]exponentialScheme{
	"DPMSolverPP2M":    {order: 2, points: 2, rate: 1, pair: halfB2},
	"DPMSolverPP3M":    {order: 2, points: 3, rate: 1, pair: halfB2},
	"DPMSolverPP2MSDE": {order: 2, points: 2, rate: 2, pair: halfB2},
	"DPMSolverPP3MSDE": {order: 2, points: 3, rate: 2, pair: halfB2},
	"DEIS2":            {order: 2, points: 2, rate: 1, noise: true},
	"DEIS3":            {order: 2, points: 3, rate: 1, noise: true},
	"UniPC2":           {order: 3, points: 2, rate: 1, pair: halfB2, correct: true},
	"UniPC3":           {order: 3, points: 3, rate: 1, pair: halfB2, correct: true},
	"UniPC2B1":         {order: 3, points: 2, rate: 1, pair: halfB1, correct: true},
	"UniPC3B1":         {order: 3, points: 3, rate: 1, pair: halfB1, correct: true},
}

// remembered is how many predictions are carried on.
func (e exponentialScheme) remembered() int {
	if e.correct {
		return e.points
	}
	return e.points - 1
}

// exponential is an exponential multistep method, known by its scheme's name alone.
type exponential struct{ Scheme string }

var _ NoiseLevels = exponential{}

// Validate reports a scheme that there isn't.
func (m exponential) Validate() error {
	if _, known := exponentials[m.Scheme]; !known {
		return fmt.Errorf("solver: there is no multistep method of the name %q: there are %s", m.Scheme, strings.Join(slices.Sorted(maps.Keys(exponentials)), ", "))
	}
	return nil
}

// Order implements [Method].
func (m exponential) Order() float64 { return exponentials[m.Scheme].order }

// Draws implements [Method].
func (m exponential) Draws() int {
	if exponentials[m.Scheme].rate > 1 {
		return 1
	}
	return 0
}

// NeedsNoiseLevels implements [NoiseLevels].
func (exponential) NeedsNoiseLevels() {}

// String is the method's name.
func (m exponential) String() string { return m.Scheme }

// Init implements [Method]: no predictions, and for a corrector no state at the last one.
func (m exponential) Init(s System, y []*Node, t *Node) []*Node {
	how := exponentials[m.Scheme]
	carry := multistep{Slopes: how.remembered() + 1}.Init(s, y, t)
	if how.correct {
		for _, x := range y {
			carry = append(carry, ZerosLike(x))
		}
	}
	return carry
}

// Step implements [Method].
func (m exponential) Step(s System, y, carry []*Node, over Interval, noise [][]*Node) Step {
	how := exponentials[m.Scheme]
	kept := how.remembered()
	past := memoryOf(carry, kept, len(y))
	l := newLevelStep(s, y, over)
	z, slope := l.z, l.slope
	value := slope
	if !how.noise {
		value = advance(z, [][]*Node{slope}, []float64{-1}, l.from)
	}
	if how.correct {
		before := carry[len(carry)-len(y):]
		z = how.corrected(l, past, before, value)
		slope = make([]*Node, len(z))
		for part := range z {
			slope[part] = scaled(l.slope[part], l.perLevel(), Sub(z[part], l.z[part]))
		}
	}
	next := advance(z, [][]*Node{slope}, []float64{1}, l.width(how.rate))
	others, positions := past.slopes[:how.points-1], past.positions[:how.points-1]
	count := Min(past.count, ConstAs(past.count, float64(how.points-1)))
	if over.BeforeLast != nil { // the orders fall to the data as they rose from the noise
		count = Where(over.BeforeLast, Min(count, ConstAs(count, 1)), count)
	}
	usable := LogicalAnd(l.inner, GreaterThan(count, ConstAs(count, 0)))
	weights := how.weights(l.from, l.to, positions, count, usable, false)
	next = weighted(next, value, others, weights)

	now := memory{
		slopes: append([][]*Node{value}, past.slopes...)[:kept], positions: append([]*Node{l.from}, past.positions...)[:kept],
		count: Min(Add(past.count, ConstAs(past.count, 1)), ConstAs(past.count, float64(kept))),
	}
	// What has no logarithm, or is in coordinates of its own, isn't gone on from.
	now.count = Where(l.lasting, now.count, ZerosLike(now.count))
	step := Step{Carry: now.list()}
	if how.correct {
		step.Carry = append(step.Carry, z...)
	}
	if how.rate > 1 {
		return l.shaken(next, l.ancestral(1), noise, step)
	}
	step.Y = l.Leave(next, over.To)
	if how.points == 2 && !how.correct {
		step.Between = func() Interpolant { return l.line(next) }
	}
	return step
}

// corrected is z at the beginning of a step once the prediction there is known: the step
// before, from the state before, by the polynomial through it as well. Without a step before
// it is z itself.
func (e exponentialScheme) corrected(l levelStep, past memory, before, value []*Node) []*Node {
	usable := LogicalAnd(l.lasting, GreaterThan(past.count, ConstAs(past.count, 0)))
	begin := Where(usable, past.positions[0], OnesLike(l.from))
	decay := Div(Where(usable, l.from, OnesLike(l.from)), begin)
	z := make([]*Node, len(before))
	for part := range z { // the first-order step, z·u'/u + D·(1 - u'/u)
		z[part] = scaled(past.slopes[0][part], decay, Sub(before[part], past.slopes[0][part]))
	}
	positions := append(slices.Clone(past.positions[1:]), l.from)
	others := append(slices.Clone(past.slopes[1:]), value)
	older := Sub(past.count, ConstAs(past.count, 1))
	z = weighted(z, past.slopes[0], others, e.weights(begin, l.from, positions, older, usable, true))
	for part := range z {
		z[part] = Where(usable, z[part], l.z[part])
	}
	return z
}

// weighted is z + Σ weights[j]·(others[j] - value).
func weighted(z, value []*Node, others [][]*Node, weights []*Node) []*Node {
	out := slices.Clone(z)
	for j, other := range others {
		for part := range out {
			out[part] = scaled(out[part], weights[j], Sub(other[part], value[part]))
		}
	}
	return out
}

// weights are those of the predictions beside the one at the beginning of a step between two
// noise levels, where the others are; count of them are known, and the last one beside if it
// is the one at the end. They are 0 where the step isn't usable.
func (e exponentialScheme) weights(from, to *Node, positions []*Node, count, usable *Node, end bool) []*Node {
	c := func(v float64) *Node { return ConstAs(from, v) }
	one, zero := OnesLike(from), ZerosLike(from)
	log := func(u *Node, known *Node) *Node { return Log(Where(known, u, one)) }
	known := func(j int) *Node { // place 0 is that of the beginning
		switch {
		case j == 0 || end && j == len(positions):
			return usable
		}
		return LogicalAnd(usable, GreaterOrEqual(count, c(float64(j))))
	}
	begin := log(from, usable)
	h := Where(usable, Sub(begin, log(to, usable)), one)
	places := []*Node{zero}
	for j, u := range positions {
		places = append(places, Div(Sub(begin, log(u, known(j+1))), h))
	}
	moments := e.moments(h, to, len(positions))
	weights := make([]*Node, len(positions))
	for j := range weights {
		weights[j] = zero
		for k, coefficient := range lagrange(places, known, j+1) {
			if k > 0 {
				weights[j] = Add(weights[j], Mul(coefficient, moments[k-1]))
			}
		}
	}
	if e.pair != exactPair {
		j, alone := 0, Equal(count, c(1))
		if end {
			j, alone = len(positions)-1, Equal(count, zero)
		}
		x := Mul(h, c(e.rate))
		half := Mul(x, c(0.5))
		if e.pair == halfB2 {
			half = Mul(Neg(Expm1(Neg(x))), c(0.5))
		}
		place := Where(known(j+1), places[j+1], one)
		if len(positions) == 1 && !end {
			alone = usable
		}
		weights[j] = Where(alone, Div(half, place), weights[j])
	}
	for j := range weights {
		weights[j] = Where(known(j+1), weights[j], zero)
	}
	return weights
}

// moments are the integrals of θ to θ^n over a step of length h in λ to the noise level to.
func (e exponentialScheme) moments(h, to *Node, n int) []*Node {
	x := Mul(h, ConstAs(h, e.rate))
	factor := x
	if e.noise {
		factor = Neg(Mul(to, h))
	} else {
		x = Neg(x)
	}
	phi := phis(x, n+1)
	out := make([]*Node, n)
	factorial := 1.
	for k := 1; k <= n; k++ {
		factorial *= float64(k)
		out[k-1] = Mul(factor, Mul(phi[k], ConstAs(h, factorial)))
	}
	return out
}
