// Package interpolant holds stochastic interpolants: a path between data and noise to
// which latent noise is added, how much of it there is at each time, and the fields that
// follow from what was learned about it.
//
// The interpolant is x_t = I_t(x0, x1) + γ(t)·z, with a path I_t, data x0 at t=0, source x1
// at t=1 and latent noise z ~ N(0, I) of neither (Albergo, Boffi & Vanden-Eijnden 2023,
// arXiv:2303.08797, with t=0 at the data).
package interpolant

import (
	"errors"
	"fmt"
	"math"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	. "github.com/gomlx/gomlx/core/graph"
)

// Gamma is the standard deviation γ(t) of an interpolant's latent noise: 0 at t=0 and t=1,
// positive between. A user's own type is a Gamma as soon as it has these two methods;
// check it with [Check].
//
// t is a scalar or has the shape of the lead, and so has the result.
type Gamma interface {
	// Gamma is γ(t).
	Gamma(t *Node) *Node

	// GammaGammaDot is γ(t)·dγ/dt, half the derivative of γ². It is finite at the ends,
	// where dγ/dt may not be.
	GammaGammaDot(t *Node) *Node
}

// GammaDot is dγ/dt, shaped like t: [Gamma]'s product over γ, which is taken to be no
// smaller than the machine epsilon of the dtype.
func GammaDot(g Gamma, t *Node) *Node {
	return Div(g.GammaGammaDot(t), gomlx.AwayFromZero(g.Gamma(t)))
}

// must panics with a gamma's error, as graph functions do.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// Validate reports what is wrong with a gamma's parameters. It calls the gamma's own method
// Validate() error if there is one, as those of this package have and yours may; a nil gamma is
// an error.
func Validate(g Gamma) error {
	if g == nil {
		return errors.New("interpolant: the gamma is nil: choose one, for example interpolant.Brownian{}")
	}
	if v, ok := g.(interface{ Validate() error }); ok {
		return v.Validate()
	}
	return nil
}

// ScaledBrownian is γ = √(Scale·t(1-t)), the standard deviation of a Brownian bridge whose
// variance grows by Scale in a unit of time (arXiv:2303.08797 uses 2 as well).
type ScaledBrownian struct {
	// Scale is positive.
	Scale float64

	// Eps is the smallest value that γ² takes, at the ends, so that dγ/dt is finite there;
	// 1e-12 if 0.
	Eps float64
}

// Validate reports parameters that are out of range.
func (g ScaledBrownian) Validate() error {
	if !(g.Scale > 0 && g.Scale <= math.MaxFloat64) {
		return fmt.Errorf("interpolant.ScaledBrownian: Scale is %v: it must be positive and finite (1 is a Brownian bridge)", g.Scale)
	}
	if !(g.Eps >= 0 && g.Eps < g.Scale/4) {
		return fmt.Errorf("interpolant.ScaledBrownian: Eps is %v: it must be between 0 and Scale/4 = %v, the largest γ²", g.Eps, g.Scale/4)
	}
	return nil
}

// Gamma implements [Gamma].
func (g ScaledBrownian) Gamma(t *Node) *Node {
	must(g.Validate())
	return Sqrt(MaxScalar(MulScalar(Mul(t, OneMinus(t)), g.Scale), g.WithDefaults().Eps))
}

// GammaGammaDot implements [Gamma]: Scale·(1-2t)/2, at the ends too.
func (g ScaledBrownian) GammaGammaDot(t *Node) *Node {
	must(g.Validate())
	return MulScalar(OneMinus(MulScalar(t, 2)), g.Scale/2)
}

// WithDefaults returns the gamma with the usual Eps where it is 0.
func (g ScaledBrownian) WithDefaults() ScaledBrownian {
	if g.Eps == 0 {
		g.Eps = 1e-12
	}
	return g
}

// String describes the gamma on one line.
func (g ScaledBrownian) String() string {
	return fmt.Sprintf("ScaledBrownian{%v, %v}", g.Scale, g.WithDefaults().Eps)
}

// Brownian is γ = √(t(1-t)), the standard deviation of a Brownian bridge:
// [ScaledBrownian] of scale 1.
type Brownian struct {
	// Eps is the smallest value that γ² takes; 1e-12 if 0.
	Eps float64
}

// Validate reports parameters that are out of range.
func (g Brownian) Validate() error {
	if !(g.Eps >= 0 && g.Eps < 0.25) {
		return fmt.Errorf("interpolant.Brownian: Eps is %v: it must be between 0 and 1/4, the largest γ²", g.Eps)
	}
	return nil
}

// Gamma implements [Gamma].
func (g Brownian) Gamma(t *Node) *Node {
	must(g.Validate())
	return g.scaled().Gamma(t)
}

// GammaGammaDot implements [Gamma].
func (g Brownian) GammaGammaDot(t *Node) *Node {
	must(g.Validate())
	return g.scaled().GammaGammaDot(t)
}

// WithDefaults returns the gamma with the usual Eps where it is 0.
func (g Brownian) WithDefaults() Brownian { return Brownian{Eps: g.scaled().WithDefaults().Eps} }

func (g Brownian) scaled() ScaledBrownian { return ScaledBrownian{Scale: 1, Eps: g.Eps} }

// String describes the gamma on one line.
func (g Brownian) String() string { return fmt.Sprintf("Brownian{%v}", g.WithDefaults().Eps) }

// Zero is γ = 0: no latent noise, which leaves the path alone.
type Zero struct{}

// Gamma implements [Gamma].
func (Zero) Gamma(t *Node) *Node { return ZerosLike(t) }

// GammaGammaDot implements [Gamma].
func (Zero) GammaGammaDot(t *Node) *Node { return ZerosLike(t) }

// String names the gamma.
func (Zero) String() string { return "Zero" }
