package loss

import (
	"errors"
	"fmt"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/path"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Trajectory is the flow-matching loss of curves through several points: the mean over batch and
// event of |v(x_t, t) - dx_t/dt|², for x_t on a [path.Curve] through an event's places at given times.
// The flow that is learned passes through the samples of all these times, each in its turn: data
// at 0, the source at 1, and what is known between (Tong et al. 2020, arXiv:2002.04461, ask for
// such flows; Rohbeck et al. 2025 match them). train.Snapshots makes its batches of samples of which
// nobody knows which event became which.
//
// A batch's X is lead+[number of times]+event. There is no source, context or mask.
type Trajectory struct {
	// Field is the velocity that learns, of the events.
	Field field.Field

	// Curve goes through the places.
	Curve path.Curve

	// Times says at which times the loss is taken, as shares of the time between the curve's
	// first and last; uniform if unset.
	Times Times

	// Reduction makes the loss of the events' losses: [Mean] if unset.
	Reduction Reduction
}

var _ OfModel = Trajectory{}

// Loss implements [Loss]: it draws a time for each event.
func (l Trajectory) Loss(scope *model.Scope, b Batch) *Node {
	lead := l.lead(b)
	share := l.Times.Draw(scope, b.X.Graph(), b.X.DType(), lead...)
	first, last := l.Curve.Times[0], l.Curve.Times[len(l.Curve.Times)-1]
	t := AddScalar(MulScalar(share, last-first), first)
	return l.Reduction.of(l.Times.Weigh(l.PerEvent(scope, b, t), share), b)
}

// PerEvent builds the loss of each event, its mean over the event's values, at times t of the
// lead's shape, as is the result. It panics on misuse.
func (l Trajectory) PerEvent(scope *model.Scope, b Batch, t *Node) *Node {
	l.lead(b)
	v := field.Call(l.Field, scope, l.Curve.Point(b.X, t), t, nil)
	return perEvent(l.Field, Square(Sub(v, l.Curve.Velocity(b.X, t))), Batch{})
}

// lead is that of a batch. It panics on one that the loss can't use.
func (l Trajectory) lead(b Batch) []int {
	checkField(l.Field)
	if err := l.Curve.Validate(); err != nil {
		panic(err)
	}
	if b.X == nil {
		panic(errors.New("loss.Trajectory: the batch has no events: X is nil"))
	}
	for name, part := range map[string]*Node{"source": b.Source, "context": b.Context, "mask": b.Mask} {
		if part != nil {
			exceptions.Panicf("loss.Trajectory: the batch has a %s, %s, which this loss doesn't take: leave it out", name, part.Shape())
		}
	}
	rank := l.Field.EventRank() + 1
	lead, places, err := shape.Split(b.X.Shape().Dimensions, rank)
	if err != nil {
		panic(fmt.Errorf("loss.Trajectory: x: %w", err))
	}
	if places[0] != len(l.Curve.Times) {
		exceptions.Panicf("loss.Trajectory: x is %s, whose events are at %d times, and the curve goes through %d, %v", b.X.Shape(), places[0], len(l.Curve.Times), l.Curve.Times)
	}
	return lead
}

// LearnedModel implements [OfModel].
func (l Trajectory) LearnedModel([]int) Learned { return Learned{Prediction: schedule.Velocity} }

// LearnedField implements [OfField].
func (l Trajectory) LearnedField() field.Field { return l.Field }

// String describes the loss on one line, the same in every process.
func (l Trajectory) String() string {
	return fmt.Sprintf("Trajectory{%v, %v, %v, %v}", l.Field, l.Curve, l.Times, l.Reduction)
}
