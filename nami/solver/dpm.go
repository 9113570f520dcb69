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

// dpmSolverPP2S is DPM-Solver++(2S) with the second prediction in the middle of λ = -log u (see
// [DPMSolverPP2S]).
type dpmSolverPP2S struct{}

var _ NoiseLevels = dpmSolverPP2S{}

// Order implements [Method].
func (dpmSolverPP2S) Order() float64 { return 2 }

// Draws implements [Method].
func (dpmSolverPP2S) Draws() int { return 0 }

// NeedsNoiseLevels implements [NoiseLevels].
func (dpmSolverPP2S) NeedsNoiseLevels() {}

// String is the method's name.
func (dpmSolverPP2S) String() string { return "DPMSolverPP2S" }

// Init implements [Method].
func (dpmSolverPP2S) Init(System, []*Node, *Node) []*Node { return nil }

// Step implements [Method]: with the data D₁ = z₁ - u₁·dz/du that is predicted in the middle,
// z' = z·u'/u + (1 - u'/u)·D₁. Where one end has no noise, it is a step of [Euler].
func (dpmSolverPP2S) Step(s System, y, _ []*Node, over Interval, _ [][]*Node) Step {
	l := newLevelStep(s, y, over)
	middle := Where(l.inner, Sqrt(Mul(l.from, l.to)), l.from)
	at := advance(l.z, [][]*Node{l.slope}, []float64{1}, Sub(middle, l.from))
	second := l.Slope(at, Where(l.inner, l.Time(middle), over.From))
	data := advance(at, [][]*Node{second}, []float64{-1}, middle)
	first := advance(l.z, [][]*Node{l.slope}, []float64{1}, l.width(1))
	next := make([]*Node, len(y))
	for part := range next {
		step := scaled(l.z[part], OneMinus(l.ratio()), Sub(data[part], l.z[part]))
		next[part] = Where(l.inner, step, first[part])
	}
	return Step{Y: l.Leave(next, over.To), Between: func() Interpolant { return l.line(next) }}
}
