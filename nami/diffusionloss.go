package nami

import (
	"fmt"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// DiffusionLoss is the denoising loss: the mean over batch and event of the squared error
// of what the field predicts about x_t = α(t)·x0 + σ(t)·ε (Ho et al. 2020,
// arXiv:2006.11239, eq. 14, for [schedule.Eps]; Salimans & Ho 2022, arXiv:2202.00512, for
// [schedule.X0] and [schedule.V]). The error of a [schedule.Score] is multiplied by σ²
// (Song et al. 2021, arXiv:2011.13456, section 3.3), which makes it that of ε, and finite.
type DiffusionLoss struct {
	// Field learns.
	Field field.Field

	// Prediction says what; [schedule.Eps] if unset.
	Prediction schedule.Prediction

	// Schedule mixes data and noise.
	Schedule schedule.Schedule

	// Reduction makes the loss of the events' losses: [Mean] if unset.
	Reduction Reduction
}

// Loss builds the loss of a batch, as [FMLoss.Loss] does.
func (l DiffusionLoss) Loss(scope *model.Scope, x, c *Node) *Node {
	eps, t := draw(scope, l.Field, nil, x, c)
	return l.Reduction.of(l.PerEvent(scope, x, eps, t, c))
}

// PerEvent builds the loss of each event, its mean over the event's values: x and eps are
// lead+event, t a scalar or lead, c lead+[context_dim] or nil; the result has the shape of
// the lead. It panics on misuse.
func (l DiffusionLoss) PerEvent(scope *model.Scope, x, eps, t, c *Node) *Node {
	checkBatch(l.Field, x, eps, "noise", t)
	for _, err := range []error{schedule.Validate(l.Schedule), l.Prediction.Validate()} {
		if err != nil {
			panic(err)
		}
	}
	alpha, sigma := shape.Lift(l.Schedule.Alpha(t), x), shape.Lift(l.Schedule.Sigma(t), x)
	value := field.Call(l.Field, scope, Add(Mul(alpha, x), Mul(sigma, eps)), t, c)
	var wrong *Node
	switch l.Prediction {
	case schedule.Score:
		wrong = Add(Mul(sigma, value), eps)
	case schedule.X0:
		wrong = Sub(value, x)
	case schedule.V:
		wrong = Sub(value, Sub(Mul(alpha, eps), Mul(sigma, x)))
	case schedule.Velocity:
		alphaDot, sigmaDot := shape.Lift(schedule.AlphaDot(l.Schedule, t), x), shape.Lift(schedule.SigmaDot(l.Schedule, t), x)
		wrong = Sub(value, Add(Mul(alphaDot, x), Mul(sigmaDot, eps)))
	default:
		wrong = Sub(value, eps)
	}
	return perEvent(Square(wrong), l.Field.EventRank())
}

// String describes the loss on one line, the same in every process.
func (l DiffusionLoss) String() string {
	return fmt.Sprintf("DiffusionLoss{%v, %v, %v, %v}", l.Field, l.Prediction, l.Schedule, l.Reduction)
}
