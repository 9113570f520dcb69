package solver

import (
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph"
)

// Tableau is an explicit Runge–Kutta method in Butcher's form, and a [Method]: in the
// coordinates z and u of a step of width h,
//
//	kᵢ = f(z + h·Σⱼ A[i][j]·kⱼ, u + C[i]·h),   z' = z + h·Σᵢ B[i]·kᵢ.
//
// A method of your own is a table:
//
//	ralston := solver.Tableau{
//		Name: "Ralston", Order: 2,
//		A: [][]float64{{}, {2. / 3}}, B: []float64{1. / 4, 3. / 4}, C: []float64{0, 2. / 3},
//	}
//	flow.Solver = solver.Solver{Method: ralston, Steps: 20}
type Tableau struct {
	// Name is what the method is called.
	Name string

	// Convergence is its order, such as 4 for [RK4].
	Convergence int

	// A[i] weighs the slopes 0 to i-1 in stage i. C[i] is where in the step the stage is,
	// 0 at the beginning and 1 at the end, and the sum of A[i].
	A [][]float64
	C []float64

	// B weighs the slopes in the step. If the last row of A is B and the last C is 1, the
	// last slope is used again as the first of the next step.
	B []float64

	// E weighs the slopes in an estimate of the error: B minus the weights of an embedded
	// method. Without it, nil, the method can't choose its steps. EstimateOrder is k where the
	// estimate falls as h^k.
	E             []float64
	EstimateOrder int

	// Dense gives the state within the step: Dense[i][j] weighs slope i times θ^(j+1) at the
	// fraction θ of the step, so that each row sums to B[i]. It may be nil; then it is a
	// cubic polynomial through both ends and the slopes there, which costs two evaluations
	// more in each step unless the last slope is the next step's first, but only where
	// output is asked for.
	Dense [][]float64
}

var _ Embedded = Tableau{}

// Order implements [Method].
func (m Tableau) Order() float64 { return float64(m.Convergence) }

// Draws implements [Method].
func (m Tableau) Draws() int { return 0 }

// ErrorOrder implements [Embedded]: 0 without an estimate.
func (m Tableau) ErrorOrder() int {
	if m.E == nil {
		return 0
	}
	return m.EstimateOrder
}

// String is the method's name.
func (m Tableau) String() string {
	if m.Name == "" {
		return "Tableau{}"
	}
	return m.Name
}

// tolerance is how far the sums of coefficients may be off: those of published tables are
// rounded.
const tolerance = 1e-12

// Validate reports what is wrong with the table: sizes that differ, a method that isn't
// explicit, weights whose sum isn't what consistency demands.
func (m Tableau) Validate() error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("solver: the tableau %s: %s", m, fmt.Sprintf(format, args...))
	}
	stages := len(m.B)
	if stages == 0 {
		return fmt.Errorf("solver: the tableau %s has no weights B: give A, B and C, or use one of the package's such as solver.RK4Tableau", m)
	}
	if len(m.A) != stages || len(m.C) != stages {
		return fail("A has %d rows, B %d weights and C %d times: there must be one of each for every stage", len(m.A), stages, len(m.C))
	}
	if m.Convergence < 1 {
		return fail("Convergence is %d: give the order of the method, at least 1", m.Convergence)
	}
	for i, row := range m.A {
		for j, a := range row {
			if j >= i && a != 0 {
				return fail("row %d of A has the weight %g for slope %d, which isn't known at that stage: the method must be explicit, with weights for slopes 0 to %d only", i, a, j, i-1)
			}
		}
		if off := sum(row) - m.C[i]; !(math.Abs(off) <= tolerance) {
			return fail("row %d of A sums to %.15g, and C[%d] is %.15g: both must be equal", i, sum(row), i, m.C[i])
		}
	}
	if off := sum(m.B) - 1; !(math.Abs(off) <= tolerance) {
		return fail("the weights B sum to %.15g: their sum must be 1", sum(m.B))
	}
	switch {
	case m.E == nil && m.EstimateOrder != 0:
		return fail("EstimateOrder is %d, and there are no weights E of an estimate", m.EstimateOrder)
	case m.E != nil && m.EstimateOrder < 1:
		return fail("EstimateOrder is %d: say how the estimate falls, as h to which power", m.EstimateOrder)
	case m.E != nil && len(m.E) != stages:
		return fail("E has %d weights for %d stages: there must be one for each", len(m.E), stages)
	case m.E != nil && !(math.Abs(sum(m.E)) <= tolerance):
		return fail("the weights E of the error estimate sum to %.15g: their sum must be 0, that of two methods' differences", sum(m.E))
	case m.Dense != nil && len(m.Dense) != stages:
		return fail("Dense has %d rows for %d stages: there must be one for each", len(m.Dense), stages)
	}
	for i, row := range m.Dense {
		if off := sum(row) - m.B[i]; !(math.Abs(off) <= tolerance) {
			return fail("row %d of Dense sums to %.15g, and B[%d] is %.15g: at the end of the step both must agree", i, sum(row), i, m.B[i])
		}
	}
	return nil
}

func sum(v []float64) (total float64) {
	for _, x := range v {
		total += x
	}
	return total
}

// firstSameAsLast is true if the last slope is that at the end of the step.
func (m Tableau) firstSameAsLast() bool {
	last := len(m.A) - 1
	if last < 1 || m.C[last] != 1 || m.B[last] != 0 {
		return false
	}
	for i, b := range m.B[:last] {
		if a := m.A[last]; i >= len(a) && b != 0 || i < len(a) && a[i] != b {
			return false
		}
	}
	return true
}

// Init implements [Method]: the velocity at the beginning, where the last slope of a step
// is the next one's first.
func (m Tableau) Init(s System, y []*Node, t *Node) []*Node {
	if !m.firstSameAsLast() {
		return nil
	}
	c := s.Over(Interval{From: t, To: t})
	return c.velocity(c.Slope(c.Enter(y, t), t), y, t)
}

// Step implements [Method].
func (m Tableau) Step(s System, y, carry []*Node, over Interval, _ [][]*Node) Step {
	c := s.Over(over)
	z, h := c.Enter(y, over.From), c.Width(over)
	stages := c.stages(over)
	within := c.Width(stages)
	var slopes [][]*Node
	var at []*Node
	for stage, weights := range m.A {
		at = advance(z, slopes, weights, within)
		if stage == 0 && len(carry) > 0 {
			slopes = append(slopes, c.slopeOf(carry, y, over.From))
			continue
		}
		slopes = append(slopes, c.Slope(at, c.At(stages, m.C[stage])))
	}
	again := m.firstSameAsLast()
	if !again || c.FirstOrder != nil { // else the last stage is where the step ends
		at = advance(z, slopes, m.B, h)
	}
	step := Step{Y: c.Leave(at, over.To)}
	if again {
		step.Carry = c.velocity(slopes[len(slopes)-1], step.Y, over.To)
	}
	if m.E != nil {
		estimate := make([]*Node, len(y))
		for part := range y {
			total := combine(m.E, slopes, part)
			estimate[part] = scaled(ZerosLike(total), h, total)
		}
		step.Error = c.difference(estimate, over.To)
	}
	if dense := m.dense(); dense != nil {
		step.Between = func() Interpolant { return Interpolant{c, polynomial(z, slopes, dense, h)} }
	}
	return step
}

// stages is the part of a step in which its stages lie: its beginning alone where it is of
// first order.
func (c *Coordinates) stages(over Interval) Interval {
	if c.FirstOrder != nil {
		over.To = Where(c.FirstOrder, over.From, over.To)
	}
	return over
}

// dense are the weights within the step: the method's own, or those of the cubic
// polynomial through both ends and their slopes, z(θ) = z + θ·h·k₀ + θ²·(3Δ - h·(2k₀ + k₁)) +
// θ³·(h·(k₀ + k₁) - 2Δ) with Δ = h·Σ B[i]·kᵢ; nil if the slope at the end isn't known.
func (m Tableau) dense() [][]float64 {
	if m.Dense != nil || !m.firstSameAsLast() {
		return m.Dense
	}
	out := make([][]float64, len(m.B))
	for i, b := range m.B {
		out[i] = []float64{0, 3 * b, -2 * b}
	}
	last := out[len(out)-1]
	out[0][0]++
	out[0][1] -= 2
	out[0][2]++
	last[1]--
	last[2]++
	return out
}
