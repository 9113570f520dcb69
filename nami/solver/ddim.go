package solver

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
)

// ddim is the method of [DDIM].
type ddim struct {
	// Eta is the share of the reverse process's noise, from 0 to 1.
	Eta float64
}

var _ NoiseLevels = ddim{}

// Validate reports an eta out of range.
func (m ddim) Validate() error {
	if !(m.Eta >= 0 && m.Eta <= 1) {
		return fmt.Errorf("solver: DDIM has eta = %v: it must be from 0, the probability flow, to 1, the ancestral step", m.Eta)
	}
	return nil
}

// Order implements [Method].
func (ddim) Order() float64 { return 1 }

// Draws implements [Method].
func (m ddim) Draws() int {
	if m.Eta == 0 {
		return 0
	}
	return 1
}

// NeedsNoiseLevels implements [NoiseLevels].
func (ddim) NeedsNoiseLevels() {}

// String names the method with its eta.
func (m ddim) String() string { return fmt.Sprintf("DDIM{%v}", m.Eta) }

// Init implements [Method].
func (ddim) Init(System, []*Node, *Node) []*Node { return nil }

// Step implements [Method].
func (m ddim) Step(s System, y, _ []*Node, over Interval, noise [][]*Node) Step {
	l := newLevelStep(s, y, over)
	if m.Eta == 0 {
		next := advance(l.z, [][]*Node{l.slope}, []float64{1}, l.width(1))
		return Step{Y: l.Leave(next, over.To), Between: func() Interpolant { return l.line(next) }}
	}
	// The predicted noise that is left, beside the new one, makes the level complete.
	deviation := l.ancestral(m.Eta)
	left := otherSide(l.to, deviation)
	width := Where(l.inner, Sub(left, l.from), l.width(1))
	return l.shaken(advance(l.z, [][]*Node{l.slope}, []float64{1}, width), deviation, noise, Step{})
}
