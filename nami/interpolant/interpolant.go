package interpolant

import (
	"fmt"

	"github.com/nami-flow/go-nami/nami/path"
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Interpolant is x_t = I_t(target, source) + γ(t)·z (arXiv:2303.08797, definition 2.1). The
// mean of dx_t/dt given x_t is the drift whose flow carries the source's distribution to
// the target's.
type Interpolant struct {
	// Path is I_t; [path.Linear] if nil.
	Path path.Path

	// Gamma is γ; [Brownian] if nil.
	Gamma Gamma
}

// Point builds x_t. target, source and z are lead+event of one shape, t is a scalar or
// lead; the result is shaped like target. It panics on misuse.
func (in Interpolant) Point(target, source, z, t *Node) *Node {
	checkNoise(target, z)
	in = in.orDefault()
	return Add(in.Path.Point(target, source, t), Mul(shape.Lift(in.Gamma.Gamma(t), z), z))
}

// Velocity builds dx_t/dt at the same arguments, the latent noise's part γ̇·z with it.
// Near the ends of [Brownian] that part is large, and the variance of a loss on it
// infinite: learn the path's velocity and the noise by themselves there, or both z and -z
// of each draw.
func (in Interpolant) Velocity(target, source, z, t *Node) *Node {
	checkNoise(target, z)
	in = in.orDefault()
	return Add(in.Path.Velocity(target, source, t), Mul(shape.Lift(GammaDot(in.Gamma, t), z), z))
}

func (in Interpolant) orDefault() Interpolant {
	if in.Path == nil {
		in.Path = path.Linear{}
	}
	if in.Gamma == nil {
		in.Gamma = Brownian{}
	}
	return in
}

func checkNoise(target, z *Node) {
	if !z.Shape().Equal(target.Shape()) {
		exceptions.Panicf("interpolant: the latent noise z is %s, the target (data) %s: both must have one shape and dtype",
			z.Shape(), target.Shape())
	}
}

// String describes the interpolant on one line.
func (in Interpolant) String() string {
	in = in.orDefault()
	return fmt.Sprintf("Interpolant{%v, %v}", in.Path, in.Gamma)
}
