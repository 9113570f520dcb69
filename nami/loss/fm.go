package loss

import (
	"fmt"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/path"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// FM is the conditional flow-matching loss (Lipman et al. 2023, arXiv:2210.02747, eq. 9):
// the mean over batch and event of |v(x_t, t, c) - dx_t/dt|², for x_t on a path between
// data and noise.
//
// Where the batch has a mask, the field sees zeros in the padding, as it does when it
// samples, and an event's loss is the mean over the values of its objects alone. So
// nothing depends on what stands in the padding. An event without objects has the loss 0.
type FM struct {
	// Field is the velocity that learns.
	Field field.Field

	// Path joins data and noise; [path.Linear] if nil.
	Path path.Path

	// Base draws the source (noise); the standard normal over the data's events if nil.
	Base distribution.Base

	// Times says at which times the loss is taken. Without a Law it is that of [Power], t = u²,
	// for events of up to 16 values where the loss draws the noise, as there is more to learn near
	// the data; it made nothing better for more values, and images worse. Otherwise it is
	// [Uniform]: where the batch has a source, both ends of its paths may be data.
	Times Times

	// Pool is how many events of a batch share their targets in training, for a gradient with
	// less noise; the usual number if 0.
	Pool Pool

	// Reduction makes the loss of the events' losses: [Mean] if unset.
	Reduction Reduction
}

var (
	_ Sourced = FM{}
	_ OfModel = FM{}
)

// Loss implements [Loss]: it draws the source, unless the batch has one, and a time for
// each event.
func (l FM) Loss(scope *model.Scope, b Batch) *Node {
	given := b.Source != nil
	b = sourced(scope, l.Field, l.Base, b)
	times := l.times(b, given)
	t := times.draw(scope, l.Field, b)
	return l.Reduction.of(times.Weigh(l.perEvent(scope, b, t, given), t), b)
}

// times is Times with the usual law.
func (l FM) times(b Batch, given bool) Times {
	times := l.Times
	if _, event := split(l.Field, b); times.Law == nil && !given && shape.Size(event) <= 16 {
		times.Law = Power{}
	}
	return times
}

// PerEvent builds the loss of each event, its mean over the event's values, at times t, a
// scalar or lead: of a batch with a source, and without regard to weights of times or
// events. The result has the shape of the lead. It panics on misuse.
func (l FM) PerEvent(scope *model.Scope, b Batch, t *Node) *Node {
	return l.perEvent(scope, b, t, true)
}

// perEvent is PerEvent, with the gradient of shared targets unless the source was given.
func (l FM) perEvent(scope *model.Scope, b Batch, t *Node, given bool) *Node {
	b = checked(l.Field, b, t)
	p := orLinear(l.Path)
	v := predict(l.Field, scope, p.Point(b.X, b.Source, t), t, b)
	mixes, _ := path.ScheduleOf(p)
	return perEvent(l.Field, l.Pool.of(scope, l.Field, origin{b, t, l.Base, given, mixes}, func(e ends) *Node {
		return Square(Sub(v, p.Velocity(e.data, e.noise, t)))
	}), b)
}

// SourceOf implements [Sourced].
func (l FM) SourceOf(event []int) distribution.Base { return orNormal(l.Base, event) }

// LearnedModel implements [OfModel].
func (l FM) LearnedModel(event []int) Learned {
	return Learned{Prediction: schedule.Velocity, Base: l.SourceOf(event), Path: orLinear(l.Path)}
}

// LearnedField implements [OfField].
func (l FM) LearnedField() field.Field { return l.Field }

// String describes the loss on one line, the same in every process.
func (l FM) String() string {
	return fmt.Sprintf("FM{%v, path %v, base %v, %v, %v, %v}", l.Field, orLinear(l.Path), l.Base, l.Times, l.Pool, l.Reduction)
}

func orLinear(p path.Path) path.Path {
	if p == nil {
		return path.Linear{}
	}
	return p
}
