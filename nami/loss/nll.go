package loss

import (
	"fmt"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/transform"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// NLL is the negative log-likelihood of a flow, in nats: training by maximum likelihood,
// through the solve (Chen et al. 2018, arXiv:1806.07366; Grathwohl et al. 2019,
// arXiv:1810.01367). Each step costs a solve and the gradient through it, hundreds of
// times what [FM] does, which needs none: take few steps in the flow's solver, and train
// by FM first.
type NLL struct {
	// Flow is the model; its solver must have a fixed number of steps.
	Flow nami.FlowMatching

	// Estimator is that of the divergence, [divergence.Exact] or [divergence.Hutchinson].
	Estimator divergence.Estimator

	// Reduction makes the loss of the events' losses: [Mean] if unset.
	Reduction Reduction
}

var (
	_ OfModel = NLL{}
	_ InUnits = NLL{}
)

// Loss implements [Loss]. It panics if the batch has a source: a likelihood asks the flow's
// own base.
func (l NLL) Loss(scope *model.Scope, b Batch) *Node {
	return l.Reduction.of(l.PerEvent(scope, b), b)
}

// PerEvent builds the loss of each event, of the shape of the lead. It panics on misuse.
func (l NLL) PerEvent(scope *model.Scope, b Batch) *Node {
	inModel := b
	if l.Flow.ContextTransform != nil && b.Context != nil {
		inModel.Context, _ = l.Flow.ContextTransform.Forward(nil, b.Context)
	}
	split(l.Flow.Field, inModel) // the flow would repeat one context over the lead
	if b.Source != nil {
		exceptions.Panicf("loss.NLL: the batch has a source, %s, and maximum likelihood has none: it asks the flow's base; train by loss.FM for a source or a coupling", b.Source.Shape())
	}
	flow := l.Flow
	if b.Mask != nil {
		flow = flow.Masked(b.Mask)
	}
	return Neg(flow.LogProb(scope, b.X, b.Context, l.Estimator))
}

// LearnedModel implements [OfModel].
func (l NLL) LearnedModel(_ []int) Learned {
	return Learned{Prediction: schedule.Velocity, Base: l.Flow.Base}
}

// Units implements [InUnits]: they are the flow's.
func (l NLL) Units() (event, context transform.Transform) {
	return l.Flow.Transform, l.Flow.ContextTransform
}

// LearnedField implements [OfField].
func (l NLL) LearnedField() field.Field { return l.Flow.Field }

// String describes the loss on one line, the same in every process.
func (l NLL) String() string {
	return fmt.Sprintf("NLL{%v, %T %v, %v}", l.Flow, l.Estimator, l.Estimator, l.Reduction)
}
