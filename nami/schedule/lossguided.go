package schedule

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// LossGuided leads samples to where a function of the data is small, without training: to images
// that agree with the pixels that are known, or with a blurred measurement (diffusion posterior
// sampling, Chung et al. 2023, arXiv:2209.14687; loss-guided diffusion, Song et al. 2023). The
// score of a model of p(x0) becomes
//
//	score(x, t) - Scale·∇ₓ Loss(x0(x, t), t)
//
// with the data x0(x, t) that the field predicts, through which the derivative is taken. It is that
// of p(x0|y) as far as Loss is -log p(y|x, t): a measurement y = A·x0 with noise of variance s²
// has about the variance s² + v(t) there, in each direction of A·Aᵀ, where v is what x0 may still
// differ from its prediction by (Song et al. 2023, "pseudoinverse-guided diffusion models", take
// v = σ²/(α² + σ²) for data of variance 1). With s² alone, as Chung et al. have it, samples are led
// too hard at high noise.
//
// Where x0 given x_t is far from normal, as between modes, no such variance is right: each sample
// agrees with the measurement, but the shares of the modes are not those of p(x0|y). Weights
// p(x)·p(y|x)/q(x), with the density q of the guided samples (SampleWithLogProb) and that of the
// model without guidance, mend it; a larger v leads samples less hard, and spreads the weights over
// more of them.
//
// It serves diffusion models and flows along affine paths: path.ScheduleOf gives a path's
// schedule, and a flow's prediction is [Velocity]. It costs a derivative of the field at each
// evaluation, and binds to the weights of the field that it wraps.
type LossGuided struct {
	// Field is what was trained.
	Field field.Field

	// Schedule mixes data and noise, and Prediction is what the field predicts.
	Schedule   Schedule
	Prediction Prediction

	// Loss builds the graph of the loss of each event: x0 is lead+event, t a scalar or lead, c
	// the contexts or nil, and the result has the shape of lead.
	Loss func(x0, t, c *Node) *Node

	// LossContext says that contexts are for Loss alone, and Field gets none: measurements, which a
	// model is bound to, many at once or one after another, without being compiled again.
	LossContext bool

	// Scale multiplies the loss; 1 if 0.
	Scale float64

	// Level is the noise level σ/α up to which samples are led in full; 20 if 0. Above it they
	// are led in proportion to Level·α/σ: there the derivative of the data that a perfect field
	// predicts vanishes as α/σ² does, and that of a network does not.
	Level float64
}

var _ field.Wrapper = LossGuided{}

// Validate reports parts that are missing or out of range.
func (f LossGuided) Validate() error {
	switch {
	case f.Loss == nil:
		return errors.New("schedule.LossGuided: Loss is nil: give the function of the data that is to be small")
	case !(f.Scale >= 0) || math.IsInf(f.Scale, 0):
		return fmt.Errorf("schedule.LossGuided: Scale is %v: it must be positive and finite, or 0 for 1", f.Scale)
	case !(f.Level >= 0) || math.IsInf(f.Level, 0):
		return fmt.Errorf("schedule.LossGuided: Level is %v: it must be positive and finite, or 0 for 20", f.Level)
	}
	return cmp.Or(field.Validate(f.Field), Validate(f.Schedule), f.Prediction.Validate())
}

// EventRank implements [field.Field].
func (f LossGuided) EventRank() int {
	must(f.Validate())
	return f.Field.EventRank()
}

// Apply implements [field.Field]. It panics if the loss hasn't one value for each event.
func (f LossGuided) Apply(scope *model.Scope, x, t, c *Node) *Node {
	must(f.Validate())
	known := c
	if f.LossContext {
		known = nil
	}
	value := field.Call(f.Field, scope, x, t, known)
	losses := f.Loss(Convert(f.Schedule, f.Prediction, X0, value, x, t), t, c)
	if lead := shape.Lead(x, f.Field.EventRank()); losses.DType() != x.DType() || !slices.Equal(losses.Shape().Dimensions, lead) {
		exceptions.Panicf("schedule.LossGuided: Loss returned %s for x0 of %s: it must have one value for each event, of the same dtype: shape %s", losses.Shape(), x.Shape(), shape.Format(lead))
	}
	m := mixtureAt(f.Schedule, x, t)
	noise := Mul(m.sigma, MulScalar(Gradient(ReduceAllSum(losses), x)[0], cmp.Or(f.Scale, 1)))
	noise = Mul(noise, MinScalar(MulScalar(Div(m.alpha, m.sigma), cmp.Or(f.Level, 20)), 1))
	// All predictions are affine in the noise, at a given x.
	more := m.predict(f.Prediction,
		func() *Node { return Neg(Div(Mul(m.sigma, noise), m.alpha)) },
		func() *Node { return noise })
	return Add(value, more)
}

// Map implements [field.Wrapper].
func (f LossGuided) Map(inner func(field.Field) field.Field) field.Field {
	f.Field = inner(f.Field)
	return f
}
