package dynamics

import (
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/run"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Unroll builds a whole deterministic solve, which gradients flow through.
func (f *Flow) Unroll(scope *model.Scope, y []*Node, in run.Inputs[Node], estimator divergence.Estimator, from, to float64) []*Node {
	return solver.Unroll(f.Solver, f.System(scope, in, estimator), y, from, to, nil)
}

// Sample builds samples of shape lead+event, from noise of scope's random state.
func (f *Flow) Sample(scope *model.Scope, g *Graph, dtype dtypes.DType, c *Node, lead []int) *Node {
	in := f.Inputs(c, lead)
	y := f.Unroll(scope, []*Node{f.draw(scope, g, dtype, in, lead)}, in, nil, f.Noise, f.Data)
	x, _ := f.ToData(y[0], in)
	return x
}

func (f *Flow) draw(scope *model.Scope, g *Graph, dtype dtypes.DType, in run.Inputs[Node], lead []int) *Node {
	return f.Clean(distribution.Given(f.Base, scope, in.Context).Sample(scope, g, dtype, lead...), in)
}

// Inputs are those of a graph for events of a lead.
func (f *Flow) Inputs(c *Node, lead []int) run.Inputs[Node] {
	return run.Inputs[Node]{Context: f.expand(f.ContextToModel(c), lead), Mask: f.GraphMask}
}

// SampleWithLogProb builds samples and their log-density.
func (f *Flow) SampleWithLogProb(scope *model.Scope, g *Graph, dtype dtypes.DType, c *Node, estimator divergence.Estimator, lead []int) (x, logProb *Node) {
	estimator = f.mustEstimate(estimator)
	in := f.Inputs(c, lead)
	noise := f.draw(scope, g, dtype, in, lead)
	in.Probes = divergence.Probes(estimator, scope, g, noise.Shape(), f.Rank())
	y := f.Unroll(scope, []*Node{noise, f.BaseLogProb(scope, noise, in)}, in, estimator, f.Noise, f.Data)
	x, logDet := f.ToData(y[0], in)
	return x, Add(y[1], logDet)
}

// LogProb builds the log-density of x. Noise that a transform adds comes from scope's random
// state.
func (f *Flow) LogProb(scope *model.Scope, x, c *Node, estimator divergence.Estimator) *Node {
	estimator = f.mustEstimate(estimator)
	lead, _, err := shape.Split(x.Shape().Dimensions, f.Rank())
	if err == nil {
		err = estimator.Check(f.Base.EventShape())
	}
	if err != nil {
		panic(err)
	}
	in := f.Inputs(c, lead)
	start, logDet := f.ToModel(scope, x, in)
	in.Probes = divergence.Probes(estimator, scope, x.Graph(), start.Shape(), f.Rank())
	y := f.Unroll(scope, []*Node{start, Neg(logDet)}, in, estimator, f.Data, f.Noise)
	return Sub(f.BaseLogProb(scope, y[0], in), y[1])
}

// expand repeats a context, batch+context_shape, over the lead.
func (f *Flow) expand(c *Node, lead []int) *Node {
	if c == nil {
		return nil
	}
	return shape.Expand(c, lead, field.ContextRank(f.Field))
}
