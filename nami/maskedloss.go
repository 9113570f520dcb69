package nami

import (
	"fmt"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/path"
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// MaskedFMLoss is [FMLoss] for events of varying numbers of objects: the first axis of an
// event counts objects, and a mask, lead+[objects], is 1 where there is one and 0 where
// there is padding. The field sees zeros in the padding, as it does when it samples, and
// an event's loss is the mean over the values of its objects alone. So nothing depends on
// what stands in the padding. An event without objects has the loss 0.
type MaskedFMLoss struct {
	// Field is the velocity that learns, of event rank 2 at least.
	Field field.Field

	// Path joins data and noise; [path.Linear] if nil.
	Path path.Path

	// Base draws the noise; the standard normal over the data's events if nil.
	Base distribution.Base

	// Reduction makes the loss of the events' losses: [Mean] if unset.
	Reduction Reduction
}

// Loss builds the loss of a batch in which nothing is padding.
func (l MaskedFMLoss) Loss(scope *model.Scope, x, c *Node) *Node {
	return FMLoss(l).Loss(scope, x, c)
}

// MaskedLoss builds the loss of a batch with its mask, as [FMLoss.Loss] does: training
// calls it where it is given a mask.
func (l MaskedFMLoss) MaskedLoss(scope *model.Scope, x, c, mask *Node) *Node {
	source, t := draw(scope, l.Field, l.Base, x, c)
	return l.Reduction.of(l.PerEvent(scope, x, source, t, c, mask))
}

// PerEvent builds the loss of each event: target and source are lead+event, t a scalar or
// lead, c lead+[context_dim] or nil, mask lead+[objects]; the result has the shape of the
// lead. It panics on misuse.
func (l MaskedFMLoss) PerEvent(scope *model.Scope, target, source, t, c, mask *Node) *Node {
	checkBatch(l.Field, target, source, "source (noise)", t)
	rank := l.Field.EventRank()
	target, source = field.Mask(target, mask, rank), field.Mask(source, mask, rank)
	p := orLinear(l.Path)
	point, velocity := p.Point(target, source, t), p.Velocity(target, source, t)
	v := field.Call(field.Masked(l.Field, mask), scope, point, t, c)
	wrong := field.Mask(Square(Sub(v, velocity)), mask, rank)
	counted := field.Mask(OnesLike(wrong), mask, rank)
	sum := func(x *Node) *Node { return ReduceSum(shape.Flatten(x, rank), -1) }
	return Div(sum(wrong), MaxScalar(sum(counted), 1))
}

// String describes the loss on one line, the same in every process.
func (l MaskedFMLoss) String() string {
	return fmt.Sprintf("Masked%v", FMLoss(l))
}
