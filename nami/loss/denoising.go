package loss

import (
	"errors"
	"fmt"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Denoising is the loss of a diffusion model: the mean over batch and event of the squared
// error of what the field predicts about x_t = α(t)·x0 + σ(t)·ε (Ho et al. 2020,
// arXiv:2006.11239, eq. 14, for [schedule.Eps]; Salimans & Ho 2022, arXiv:2202.00512, for
// [schedule.X0] and [schedule.V]). The error of a [schedule.Score] is multiplied by σ²
// (Song et al. 2021, arXiv:2011.13456, section 3.3), which makes it that of ε, and finite.
// ε is the batch's source, if it has one. Masks work as in [FM].
type Denoising struct {
	// Field is the one that learns.
	Field field.Field

	// Prediction says what Field predicts; [schedule.Eps] if unset.
	Prediction schedule.Prediction

	// Schedule mixes data and noise.
	Schedule schedule.Schedule

	// Times says at which times the loss is taken; uniform on [0, 1) if unset.
	Times Times

	// Reduction makes the loss of the events' losses: [Mean] if unset.
	Reduction Reduction
}

var (
	_ Sourced = Denoising{}
	_ OfModel = Denoising{}
)

// Loss implements [Loss]: it draws ε, unless the batch has a source, and a time for each
// event.
func (l Denoising) Loss(scope *model.Scope, b Batch) *Node {
	b = sourced(scope, l.Field, nil, b)
	t := l.Times.draw(scope, l.Field, b)
	return l.Reduction.of(l.Times.Weigh(l.PerEvent(scope, b, t), t), b)
}

// PerEvent builds the loss of each event, its mean over the event's values, at times t, a
// scalar or lead: of a batch whose source is ε, and without regard to weights of times or
// events. The result has the shape of the lead. It panics on misuse.
func (l Denoising) PerEvent(scope *model.Scope, b Batch, t *Node) *Node {
	b = checked(l.Field, b, t)
	if err := errors.Join(schedule.Validate(l.Schedule), l.Prediction.Validate()); err != nil {
		panic(err)
	}
	x, eps := b.X, b.Source
	lifted := func(c *Node) *Node { return shape.Lift(c, x) }
	alpha, sigma := lifted(l.Schedule.Alpha(t)), lifted(l.Schedule.Sigma(t))
	value := predict(l.Field, scope, Add(Mul(alpha, x), Mul(sigma, eps)), t, b)
	var difference *Node
	switch l.Prediction {
	case schedule.Score:
		difference = Add(Mul(sigma, value), eps)
	case schedule.X0:
		difference = Sub(value, x)
	case schedule.V:
		difference = Sub(value, Sub(Mul(alpha, eps), Mul(sigma, x)))
	case schedule.Velocity:
		velocity := Add(Mul(lifted(schedule.AlphaDot(l.Schedule, t)), x), Mul(lifted(schedule.SigmaDot(l.Schedule, t)), eps))
		difference = Sub(value, velocity)
	default:
		difference = Sub(value, eps)
	}
	return perEvent(l.Field, Square(difference), b)
}

// SourceOf implements [Sourced]: ε is standard normal.
func (l Denoising) SourceOf(event []int) distribution.Base { return orNormal(nil, event) }

// LearnedModel implements [OfModel].
func (l Denoising) LearnedModel(_ []int) Learned {
	return Learned{Prediction: l.Prediction, Schedule: l.Schedule}
}

// LearnedField implements [OfField].
func (l Denoising) LearnedField() field.Field { return l.Field }

// String describes the loss on one line, the same in every process.
func (l Denoising) String() string {
	return fmt.Sprintf("Denoising{%v, %v, %v, %v, %v}", l.Field, l.Prediction, l.Schedule, l.Times, l.Reduction)
}
