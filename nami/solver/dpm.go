package solver

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// dpm2 is DPM-Solver-2 with the slope in the middle of log u (see [DPM2]).
type dpm2 struct{}

var _ NoiseLevels = dpm2{}

// Order implements [Method].
func (dpm2) Order() float64 { return 2 }

// Draws implements [Method].
func (dpm2) Draws() int { return 0 }

// NeedsNoiseLevels implements [NoiseLevels].
func (dpm2) NeedsNoiseLevels() {}

// String is the method's name.
func (dpm2) String() string { return "DPM2" }

// Init implements [Method].
func (dpm2) Init(System, []*Node, *Node) []*Node { return nil }

// Step implements [Method]. Where one end has no noise, it is a step of [Euler]: its
// logarithm has no middle.
func (dpm2) Step(s System, y, _ []*Node, over Interval, _ [][]*Node) Step {
	c := s.NoiseLevels(over)
	z, h := c.Enter(y, over.From), c.Width(over)
	from, to := c.Position(over.From), c.Position(over.To)
	single := LessOrEqual(Min(from, to), ConstAs(from, 0))
	if c.FirstOrder != nil {
		single = LogicalOr(single, c.FirstOrder)
	}
	middle := Where(single, from, Sqrt(Mul(from, to)))
	first := c.Slope(z, over.From)
	at := advance(z, [][]*Node{first}, []float64{1}, Sub(middle, from))
	second := c.Slope(at, Where(single, over.From, c.Time(middle)))
	slopes := [][]*Node{second}
	return Step{
		Y:       c.Leave(advance(z, slopes, []float64{1}, h), over.To),
		Between: func() Interpolant { return Interpolant{c, polynomial(z, slopes, [][]float64{{1}}, h)} },
	}
}

// dpmSolverPP2M is DPM-Solver++(2M) (see [DPMSolverPP2M]). With the data D = z - u·dz/du
// and λ = -log u it is
//
//	z' = (u'/u)·z + (1 - u'/u)·D̄,   D̄ = D + (D - D₋)·Δλ/2Δλ₋
//
// where D₋ and Δλ₋ are those of the step before. Without one, and where u' is 0, D̄ is D.
type dpmSolverPP2M struct{}

var _ NoiseLevels = dpmSolverPP2M{}

// Order implements [Method].
func (dpmSolverPP2M) Order() float64 { return 2 }

// Draws implements [Method].
func (dpmSolverPP2M) Draws() int { return 0 }

// NeedsNoiseLevels implements [NoiseLevels].
func (dpmSolverPP2M) NeedsNoiseLevels() {}

// String is the method's name.
func (dpmSolverPP2M) String() string { return "DPMSolverPP2M" }

// Init implements [Method].
func (dpmSolverPP2M) Init(s System, y []*Node, t *Node) []*Node { return multistep{2}.Init(s, y, t) }

// Step implements [Method].
func (dpmSolverPP2M) Step(s System, y, carry []*Node, over Interval, _ [][]*Node) Step {
	past := memoryOf(carry, 1, len(y))
	c := s.NoiseLevels(over)
	z, h := c.Enter(y, over.From), c.Width(over)
	from, to, before := c.Position(over.From), c.Position(over.To), past.positions[0]
	slope := c.Slope(z, over.From)
	data := advance(z, [][]*Node{slope}, []float64{-1}, from)

	// What has no logarithm counts as 1 in it, and gets no weight.
	positive := func(u *Node) *Node { return GreaterThan(u, ConstAs(u, 0)) }
	log := func(u *Node) *Node { return Log(Where(positive(u), u, OnesLike(u))) }
	usable := LogicalAnd(LogicalAnd(positive(from), positive(to)), GreaterThan(past.count, ConstAs(past.count, 0)))
	if c.FirstOrder != nil {
		usable = LogicalAnd(usable, LogicalNot(c.FirstOrder))
	}
	last := Where(usable, Sub(log(before), log(from)), OnesLike(from))
	weight := Where(usable, Div(Sub(log(from), log(to)), Add(last, last)), ZerosLike(from))

	// z' in terms of the slope, which has a limit where u is 0.
	perUnit := Where(positive(from), Div(weight, Where(positive(from), from, OnesLike(from))), ZerosLike(from))
	mean := make([]*Node, len(z))
	for part := range z {
		mean[part] = scaled(slope[part], Neg(perUnit), Sub(data[part], past.slopes[0][part]))
	}
	slopes := [][]*Node{mean}
	now := memory{slopes: [][]*Node{data}, positions: []*Node{from}, count: Where(positive(from), OnesLike(from), ZerosLike(from))}
	if c.Restart != nil {
		now.count = Where(c.Restart, ZerosLike(now.count), now.count)
	}
	return Step{
		Y:       c.Leave(advance(z, slopes, []float64{1}, h), over.To),
		Carry:   now.list(),
		Between: func() Interpolant { return Interpolant{c, polynomial(z, slopes, [][]float64{{1}}, h)} },
	}
}
