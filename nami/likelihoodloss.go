package nami

import (
	"fmt"

	"github.com/nami-flow/go-nami/nami/divergence"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// NLLLoss is the negative log-likelihood of a flow, in nats: training by maximum
// likelihood, through the solve (Chen et al. 2018, arXiv:1806.07366; Grathwohl et al. 2019,
// arXiv:1810.01367). Each step costs a solve and the gradient through it, hundreds of
// times what [FMLoss] does, which needs none: take few steps in Solver, and train by
// FMLoss first.
type NLLLoss struct {
	// Flow is the model; its solver must have a fixed number of steps.
	Flow FlowMatching

	// Estimator is that of the divergence, [divergence.Exact] or [divergence.Hutchinson].
	Estimator divergence.Estimator

	// Reduction makes the loss of the events' losses: [Mean] if unset.
	Reduction Reduction
}

// Loss builds the loss of a batch: x is lead+event, c lead+[context_dim] or nil. It
// panics on misuse.
func (l NLLLoss) Loss(scope *model.Scope, x, c *Node) *Node {
	return l.Reduction.of(Neg(l.Flow.LogProb(scope, x, c, l.Estimator)))
}

// String describes the loss on one line, the same in every process.
func (l NLLLoss) String() string {
	return fmt.Sprintf("NLLLoss{%v, %s, %v}", l.Flow, describe(l.Estimator), l.Reduction)
}
