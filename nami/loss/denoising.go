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

	// Pool is how many events of a batch share their targets in training, for a gradient with
	// less noise; the usual number if 0.
	Pool Pool

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
	given := b.Source != nil
	b = sourced(scope, l.Field, nil, b)
	t := l.Times.draw(scope, l.Field, b)
	return l.Reduction.of(l.Times.Weigh(l.perEvent(scope, b, t, given), t), b)
}

// PerEvent builds the loss of each event, its mean over the event's values, at times t, a
// scalar or lead: of a batch whose source is ε, and without regard to weights of times or
// events. The result has the shape of the lead. It panics on misuse.
func (l Denoising) PerEvent(scope *model.Scope, b Batch, t *Node) *Node {
	return l.perEvent(scope, b, t, true)
}

// perEvent is PerEvent, with the gradient of shared targets unless the source was given.
func (l Denoising) perEvent(scope *model.Scope, b Batch, t *Node, given bool) *Node {
	b = checked(l.Field, b, t)
	if err := errors.Join(schedule.Validate(l.Schedule), l.Prediction.Validate()); err != nil {
		panic(err)
	}
	lifted := func(c *Node) *Node { return shape.Lift(c, b.X) }
	alpha, sigma := lifted(l.Schedule.Alpha(t)), lifted(l.Schedule.Sigma(t))
	value := predict(l.Field, scope, Add(Mul(alpha, b.X), Mul(sigma, b.Source)), t, b)
	miss := func(e ends) *Node {
		x, eps := e.data, e.noise
		switch l.Prediction {
		case schedule.Score:
			return Square(Add(Mul(sigma, value), eps))
		case schedule.X0:
			return Square(Sub(value, x))
		case schedule.V:
			return Square(Sub(value, Sub(Mul(alpha, eps), Mul(sigma, x))))
		case schedule.Velocity:
			return Square(Sub(value, Add(Mul(lifted(schedule.AlphaDot(l.Schedule, t)), x), Mul(lifted(schedule.SigmaDot(l.Schedule, t)), eps))))
		}
		return Square(Sub(value, eps))
	}
	return perEvent(l.Field, l.Pool.of(scope, l.Field, origin{b, t, nil, given, l.Schedule}, miss), b)
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
	return fmt.Sprintf("Denoising{%v, %v, %v, %v, %v, %v}", l.Field, l.Prediction, l.Schedule, l.Times, l.Pool, l.Reduction)
}
