// Package schedule holds the noise schedules of diffusion, how the things that a
// diffusion model may predict turn into one another, and how a trained model changes
// its schedule.
//
// A schedule mixes data and noise: x_t = α(t)·x0 + σ(t)·ε with ε ~ N(0, I). Time runs
// from data at t=0, where σ/α is small, to noise at t=1, where it is largest.
package schedule

import (
	"errors"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	. "github.com/gomlx/gomlx/core/graph"
)

// Schedule is a Gaussian noising process dx = f(t)·x dt + g(t) dw whose marginal is
// x_t = α(t)·x0 + σ(t)·ε (Song et al. 2021, arXiv:2011.13456, eq. 5 and 29). The four
// functions say one thing twice: α̇ = f·α and g² = dσ²/dt - 2f·σ². A user's own type is
// a Schedule as soon as it has these four methods; check it with [Check].
//
// t is a scalar or has the shape of the lead. Alpha, Sigma and Diffusion return values
// shaped like t.
type Schedule interface {
	// Alpha is the coefficient α(t) of the data.
	Alpha(t *Node) *Node

	// Sigma is the coefficient σ(t) of the noise.
	Sigma(t *Node) *Node

	// Drift is f(t)·x, shaped like x, which is lead+event.
	Drift(x, t *Node) *Node

	// Diffusion is g(t), not negative.
	Diffusion(t *Node) *Node
}

// Differentiable is a [Schedule] that knows its derivatives in closed form. Where α or
// σ vanishes, drift and diffusion are infinite or 0/0 and can't tell them; a schedule
// that goes there needs these two methods to have a velocity. They are finite: an
// infinite limit is cut as [Convert] says.
type Differentiable interface {
	// AlphaDot is dα/dt.
	AlphaDot(t *Node) *Node

	// SigmaDot is dσ/dt.
	SigmaDot(t *Node) *Node
}

// AlphaDot is dα/dt, shaped like t: the schedule's own (see [Differentiable]), or f·α.
func AlphaDot(s Schedule, t *Node) *Node {
	if d, ok := s.(Differentiable); ok {
		return d.AlphaDot(t)
	}
	return Mul(s.Alpha(t), rate(s, t))
}

// SigmaDot is dσ/dt, shaped like t: the schedule's own (see [Differentiable]), or
// f·σ + g²/2σ.
func SigmaDot(s Schedule, t *Node) *Node {
	if d, ok := s.(Differentiable); ok {
		return d.SigmaDot(t)
	}
	sigma := s.Sigma(t)
	spread := Div(Square(s.Diffusion(t)), MulScalar(gomlx.AwayFromZero(sigma), 2))
	return Add(Mul(rate(s, t), sigma), spread)
}

// rate is f(t), the drift of events that are the number 1.
func rate(s Schedule, t *Node) *Node { return s.Drift(OnesLike(t), t) }

// SNR is the signal-to-noise ratio α²/σ², shaped like t: infinite where σ is 0.
func SNR(s Schedule, t *Node) *Node { return Square(Div(s.Alpha(t), s.Sigma(t))) }

// Validate reports what is wrong with a schedule's parameters. It calls the schedule's own
// method Validate() error if there is one, as those of this package have and yours may; a nil
// schedule is an error.
func Validate(s Schedule) error {
	if s == nil {
		return errors.New("schedule: the schedule is nil: choose one, for example schedule.VP{}")
	}
	if v, ok := s.(interface{ Validate() error }); ok {
		return v.Validate()
	}
	return nil
}

// must panics with a schedule's error, as graph functions do.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
