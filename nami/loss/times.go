package loss

import (
	"fmt"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Times says at which times a loss is taken and how much each counts. The zero value draws
// an independent time for each event from the loss's usual law, and all count alike.
type Times struct {
	// Law is what times are drawn from; if nil [Uniform], or what the loss says.
	Law Law

	// For, if not nil, is the law whose expected loss is meant, where Law is only drawn
	// from (importance sampling): an event at time t counts For.Density(t)/Law.Density(t)
	// times. So Law changes how noisy the loss and its gradient are, and not what they are
	// on average. Law must have a density wherever For has.
	For Law

	// Stratified spreads the times of one batch evenly over the law: event i of n gets the
	// quantile of (u + i/n) mod 1, with one uniform u for the batch. Each time still has the
	// law by itself, and the mean over the batch varies less (Kingma et al. 2021,
	// arXiv:2107.00630, appendix I.1).
	Stratified bool

	// Weight, if not nil, is the factor by which the loss at time t is multiplied, shaped
	// like t.
	Weight func(t *Node) *Node
}

// Law is a distribution of times on [0, 1]. A type of your own is a Law as soon as it has
// these two methods; [CheckLaw] tests it. Parameters are checked by a method Validate()
// error, if it has one.
type Law interface {
	// Quantile is the time below which the law has the probability u, shaped like u, whose
	// values are in [0, 1).
	Quantile(u *Node) *Node

	// Density is the law's probability density at t, shaped like t. It integrates to 1
	// over [0, 1].
	Density(t *Node) *Node
}

// Validate reports a law whose parameters are out of range.
func (l Times) Validate() error {
	for _, law := range []Law{l.Law, l.For} {
		if v, ok := law.(interface{ Validate() error }); ok {
			if err := v.Validate(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Draw draws a time for each event of a lead, of that shape. Random numbers come from
// random, a *model.Scope for instance. It panics if a law's parameters are out of range.
func (l Times) Draw(random distribution.Random, g *Graph, dtype dtypes.DType, lead ...int) *Node {
	if err := l.Validate(); err != nil {
		panic(err)
	}
	s := shapes.Make(dtype, lead...)
	var u *Node
	if l.Stratified {
		n := s.Size()
		place := Reshape(Iota(g, shapes.Make(dtype, n), 0), lead...)
		u = Add(MulScalar(place, 1/float64(n)), random.RandomUniform(g, shapes.Make(dtype)))
		u = Where(LessThan(u, ConstAs(u, 1)), u, AddScalar(u, -1))
	} else {
		u = random.RandomUniform(g, s)
	}
	if l.Law == nil {
		return u
	}
	t := l.Law.Quantile(u)
	if !t.Shape().Equal(s) {
		exceptions.Panicf("loss: the law %T returned times of shape %s for probabilities of shape %s: both must be the same", l.Law, t.Shape(), s)
	}
	return t
}

// draw draws a time for each event of b, from the random state of scope's store.
func (l Times) draw(scope *model.Scope, f field.Field, b Batch) *Node {
	return l.Draw(scope, b.X.Graph(), b.X.DType(), shape.Lead(b.X, f.EventRank())...)
}

// Weigh multiplies the losses of events, of any shape that t has, by what their times t
// count: by Weight and by the ratio of the densities of For and Law.
func (l Times) Weigh(perEvent, t *Node) *Node {
	if l.Weight != nil {
		w := l.Weight(t)
		if !w.Shape().Equal(t.Shape()) {
			exceptions.Panicf("loss: the weight of the times %s has the shape %s: both must be the same", t.Shape(), w.Shape())
		}
		perEvent = Mul(perEvent, w)
	}
	if l.For != nil {
		perEvent = Mul(perEvent, Div(l.For.Density(t), orUniform(l.Law).Density(t)))
	}
	return perEvent
}

func orUniform(l Law) Law {
	if l == nil {
		return Uniform{}
	}
	return l
}

// String describes the times on one line.
func (l Times) String() string {
	text := "usual times"
	if l.Law != nil {
		text = fmt.Sprintf("times %v", l.Law)
	}
	if l.Stratified {
		text += " stratified"
	}
	if l.For != nil {
		text += fmt.Sprintf(" for %v", l.For)
	}
	if l.Weight != nil {
		text += " weighted"
	}
	return text
}
