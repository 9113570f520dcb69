package path

import (
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
)

// Linear is the straight line x_t = (1-t)·target + t·source, whose velocity does
// not depend on t: the optimal-transport path of Lipman et al. 2023
// (arXiv:2210.02747, eq. 22) with time reversed and σ_min = 0.
type Linear struct{}

// Point implements [Path].
func (Linear) Point(target, source, t *Node) *Node {
	checkEnds(target, source)
	t = shape.Lift(t, target)
	return Add(Mul(OneMinus(t), target), Mul(t, source))
}

// Velocity implements [Path].
func (Linear) Velocity(target, source, t *Node) *Node {
	checkEnds(target, source)
	shape.Lift(t, target) // panics if t doesn't fit
	return Sub(source, target)
}

// String names the path.
func (Linear) String() string { return "Linear" }
