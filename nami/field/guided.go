package field

import (
	"fmt"
	"math"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Guided leads samples further towards their context than the field that was trained does
// (classifier-free guidance, Ho & Salimans 2022, arXiv:2207.12598):
//
//	guided = away + Scale·(field(x, t, c) - away)
//
// where away is the same field without a context, that of a context to avoid (Negative), or a
// weaker model (Weak). Of a score it makes that of p(x)·p(c|x)^Scale. Noise, score, data, v and
// velocity are affine functions of one another, so it means the same for all of them: it guides
// flows and diffusions alike.
//
// Training with loss.ContextDropout teaches a field to do without a context. A guided field binds
// to the weights of the one that it wraps, and costs two evaluations in the place of one, also at
// times that aren't guided. It needs a context: see [Unconditional] for samples without.
type Guided struct {
	// Field is what was trained.
	Field Field

	// Scale is 1 for the field as it is, and larger to lead further; 1.5 to 8 are usual.
	Scale float64

	// From and To are the times between which samples are led, 0 ≤ From < To ≤ 1; at others
	// the field is as it is. To is 1 if 0. In the middle guidance does most good, and at high
	// noise, near t = 1, it costs diversity (Kynkäänniemi et al. 2024, arXiv:2404.07724).
	From, To float64

	// Negative, if not nil, are the values of one context, in the field's units and row by row,
	// that samples are led away from in the place of no context. The field may have been
	// trained without dropout then.
	Negative []float64

	// Weak, if not nil, is a weaker model of the same, with fewer units or less training, that
	// samples are led away from (autoguidance, Karras et al. 2024, arXiv:2406.02507). It is
	// given the same context. Two networks in one store need scopes of their own: see [Scoped].
	Weak Field

	// Rescale is from 0 to 1. The standard deviation of the values of each event, which guidance
	// makes larger, is brought back to that of the field without guidance, in part or
	// with 1 wholly (Lin et al. 2023, arXiv:2305.08891, eq. 15 and 16, who take 0.7). That does
	// depend on what the field predicts. Padding counts as values of 0.
	Rescale float64
}

// Validate reports parts that are missing or out of range.
func (f Guided) Validate() error {
	from, to := f.interval()
	switch {
	case f.Scale == 0:
		return fmt.Errorf("field.Guided: Scale is 0: give the scale, 1 for the field as it is; field.Unconditional is the field without a context")
	case math.IsNaN(f.Scale) || math.IsInf(f.Scale, 0):
		return fmt.Errorf("field.Guided: Scale is %v: it must be finite", f.Scale)
	case !(from >= 0 && from < to && to <= 1):
		return fmt.Errorf("field.Guided: the times go from %v to %v: they must lie in [0, 1], and From below To, which is 1 if 0", from, to)
	case !(f.Rescale >= 0 && f.Rescale <= 1):
		return fmt.Errorf("field.Guided: Rescale is %v: it must be from 0 to 1", f.Rescale)
	case f.Weak != nil && f.Negative != nil:
		return fmt.Errorf("field.Guided: both Weak and Negative are given: samples are led away from one of them")
	}
	if err := Validate(f.Field); err != nil || f.Weak == nil {
		return err
	}
	if err := Validate(f.Weak); err != nil {
		return err
	}
	if a, b := f.Field.EventRank(), f.Weak.EventRank(); a != b {
		return fmt.Errorf("field.Guided: the events of Field have rank %d, those of Weak %d: both must have the same", a, b)
	}
	return nil
}

func (f Guided) interval() (from, to float64) {
	if f.To == 0 {
		return f.From, 1
	}
	return f.From, f.To
}

// EventRank implements [Field].
func (f Guided) EventRank() int {
	must(f.Validate())
	return f.Field.EventRank()
}

// Apply implements [Field]. It panics without a context, if Negative is of another size than
// the context, and if Rescale isn't 0 where an event has one value, whose deviation is 0.
func (f Guided) Apply(scope *model.Scope, x, t, c *Node) *Node {
	value, away, _, _ := f.parts(false, scope, x, t, c)
	guided := Add(away, Mul(f.scale(t, x), Sub(value, away)))
	if f.Rescale == 0 {
		return guided
	}
	rank := f.EventRank()
	if shape.Flatten(x, rank).Shape().Dim(-1) < 2 {
		exceptions.Panicf("field.Guided: Rescale is %v, and x is %s with events of rank %d: the deviation of one value is 0, so it can't be rescaled", f.Rescale, x.Shape(), rank)
	}
	ratio := Div(deviation(value, rank), deviation(guided, rank))
	return Mul(guided, shape.Lift(AddScalar(MulScalar(ratio, f.Rescale), 1-f.Rescale), x))
}

// ApplyWithDivergence implements [Divergent], if Field and Weak do. It panics if Rescale isn't 0.
func (f Guided) ApplyWithDivergence(scope *model.Scope, x, t, c *Node) (value, divergence *Node) {
	if f.Rescale != 0 {
		exceptions.Panicf("field.Guided: Rescale is %v: the divergence isn't known then; use Apply and divergence.Exact{}", f.Rescale)
	}
	value, away, div, divAway := f.parts(true, scope, x, t, c)
	return Add(away, Mul(f.scale(t, x), Sub(value, away))), Add(divAway, Mul(f.scale(t, div), Sub(div, divAway)))
}

// parts are the value, and what samples are led away from, with their divergences where they are
// wanted.
func (f Guided) parts(wanted bool, scope *model.Scope, x, t, c *Node) (value, away, div, divAway *Node) {
	must(f.Validate())
	if c == nil {
		exceptions.Panicf("field.Guided: there is no context to lead samples to: bind one, or use field.Unconditional")
	}
	value, div = callBoth(f.Field, wanted, scope, x, t, c)
	away, divAway = f.away(wanted, scope, x, t, c)
	return value, away, div, divAway
}

// away is what samples are led away from.
func (f Guided) away(wanted bool, scope *model.Scope, x, t, c *Node) (value, divergence *Node) {
	if f.Weak != nil {
		return callBoth(f.Weak, wanted, scope, x, t, c)
	}
	dims := c.Shape().Dimensions
	one := dims[len(dims)-ContextRank(f.Field):]
	if f.Negative == nil {
		return callBoth(f.Field, wanted, scope, x, t, NullContext(f.Field, scope, x, one))
	}
	if len(f.Negative) != shape.Size(one) {
		exceptions.Panicf("field.Guided: Negative has %d values, and the context is %s: give as many as one context of shape %s has",
			len(f.Negative), c.Shape(), shape.Format(one))
	}
	negative := Reshape(ConstAsDType(x.Graph(), c.DType(), f.Negative), one...)
	return callBoth(f.Field, wanted, scope, x, t, repeated(negative, x, f.EventRank()))
}

// scale is Scale at times from From to To, and 1 at others, to multiply events.
func (f Guided) scale(t, x *Node) *Node {
	from, to := f.interval()
	scale := ConstAs(t, f.Scale)
	if from > 0 || to < 1 {
		inside := LogicalAnd(GreaterOrEqual(t, ConstAs(t, from)), LessOrEqual(t, ConstAs(t, to)))
		scale = Where(inside, BroadcastToShape(scale, t.Shape()), OnesLike(t))
	}
	return shape.Lift(scale, x)
}

// deviation is the standard deviation of the values of each event, of the lead's shape, and not 0.
func deviation(x *Node, rank int) *Node {
	flat := shape.Flatten(x, rank)
	variance := ReduceMean(Square(Sub(flat, ReduceAndKeep(flat, ReduceMean, -1))), -1)
	return Sqrt(gomlx.AwayFromZero(variance))
}

// Map implements [Wrapper].
func (f Guided) Map(inner func(Field) Field) Field {
	f.Field = inner(f.Field)
	if f.Weak != nil {
		f.Weak = inner(f.Weak)
	}
	return f
}

// String describes the field on one line.
func (f Guided) String() string {
	from, to := f.interval()
	text := fmt.Sprintf("Guided{%v, scale %g from %g to %g", f.Field, f.Scale, from, to)
	if f.Negative != nil {
		text += fmt.Sprintf(", away from %v", f.Negative)
	}
	if f.Weak != nil {
		text += fmt.Sprintf(", away from %v", f.Weak)
	}
	if f.Rescale > 0 {
		text += fmt.Sprintf(", rescale %g", f.Rescale)
	}
	return text + "}"
}
