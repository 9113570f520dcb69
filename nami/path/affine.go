package path

import (
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Affine is the path x_t = α(t)·target + σ(t)·source with any α and σ (Lipman et al. 2024,
// arXiv:2412.06264, on affine conditional flows). α falls from 1 to 0 and σ rises from 0 to 1,
// or nearly. Each function gets t, a scalar or of the lead's shape, and returns a value of that
// shape.
type Affine struct {
	// Alpha and Sigma are α and σ.
	Alpha, Sigma func(t *Node) *Node

	// AlphaDot and SigmaDot are their derivatives.
	AlphaDot, SigmaDot func(t *Node) *Node
}

// Point implements [Path].
func (p Affine) Point(target, source, t *Node) *Node {
	return p.combine(target, source, t, p.Alpha, p.Sigma)
}

// Velocity implements [Path].
func (p Affine) Velocity(target, source, t *Node) *Node {
	return p.combine(target, source, t, p.AlphaDot, p.SigmaDot)
}

// combine returns a(t)·target + b(t)·source.
func (p Affine) combine(target, source, t *Node, a, b func(t *Node) *Node) *Node {
	if a == nil || b == nil {
		exceptions.Panicf("path.Affine: a function is nil: Alpha, Sigma, AlphaDot and SigmaDot must all be given")
	}
	checkEnds(target, source)
	return Add(Mul(shape.Lift(a(t), target), target), Mul(shape.Lift(b(t), target), source))
}

// checkEnds panics unless a point can move from target to source.
func checkEnds(target, source *Node) {
	if !target.Shape().Equal(source.Shape()) {
		exceptions.Panicf("path: the target (data) is %s, the source (noise) %s: both must have one shape and dtype",
			target.Shape(), source.Shape())
	}
}
