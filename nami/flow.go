package nami

import (
	"slices"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// flow is what a model tells a process: how its events move between noise and data.
type flow struct {
	field  field.Field // what learned; it has the variables
	base   distribution.Base
	solver solver.Solver

	// noise and data are the times between which a sample moves.
	noise, data float64

	// velocity is dx/dt.
	velocity field.Field

	// graphMask is the mask of a model in a graph, lead+[objects]; nil without one. A
	// process has its own.
	graphMask *Node

	// clock is the solver's time, where it isn't the model's; nil if it is.
	clock *clock

	// reverse is the stochastic process that a stochastic solver runs; nil without one.
	reverse func(scope *model.Scope, in inputs) solver.System

	// finish makes the last step of a stochastic solve, from time t to the data's; nil if
	// the solver makes it as any other.
	finish func(scope *model.Scope, x, t *Node, in inputs) *Node
}

// inputs are what a solve is given besides its state, in the graph of a step: what
// belongs to each row of it.
type inputs struct {
	c, mask, probes *Node // nil if there are none
}

// at applies a field to x at time t, with the inputs' context and mask.
func (in inputs) at(f field.Field, scope *model.Scope, x, t *Node) *Node {
	if in.mask != nil {
		f = field.Masked(f, in.mask)
	}
	return field.Call(f, scope, x, t, in.c)
}

// slope is dx/du at the solver's time u.
func (f *flow) slope(scope *model.Scope, x, u *Node, in inputs) *Node {
	if f.clock == nil {
		return in.at(f.velocity, scope, x, u)
	}
	t, rate := f.clock.at(u)
	return Mul(in.at(f.velocity, scope, x, t), shape.Lift(rate, x))
}

// rank is the rank of an event.
func (f *flow) rank() int { return f.field.EventRank() }

// dynamics is the deterministic flow's right-hand side: of x, or with an estimator of x
// and of the integral of minus the divergence.
func (f *flow) dynamics(scope *model.Scope, in inputs, estimator divergence.Estimator) solver.Dynamics {
	return func(y []*Node, u *Node) []*Node {
		slope := func(x *Node) *Node { return f.slope(scope, x, u, in) }
		switch estimator.(type) {
		case nil:
			return []*Node{slope(y[0])}
		case own:
			v, div := f.velocity.(field.Divergent).ApplyWithDivergence(scope.ResetVisited(), y[0], u, in.c)
			return []*Node{v, Neg(div)}
		}
		v, div := estimator.Estimate(slope, y[0], f.rank(), in.probes)
		return []*Node{v, Neg(div)}
	}
}

// baseLogProb is the base's log-density of x, of the objects alone where there is a mask.
func (f *flow) baseLogProb(scope *model.Scope, x *Node, in inputs) *Node {
	base := distribution.Given(f.base, scope, in.c)
	if in.mask == nil {
		if n := x.Shape().Dim(0); x.Rank() == f.rank()+1 && len(f.groups()) > 0 {
			dims := f.grouped(n)
			return Reshape(base.LogProb(Reshape(x, slices.Concat(dims, f.base.EventShape())...)), n)
		}
		return base.LogProb(x)
	}
	independent, ok := base.(distribution.Independent)
	if !ok {
		exceptions.Panicf("nami: the base %v has no log-density for some of an event's objects only: with a mask, use a base whose values are independent (distribution.Independent)", f.base)
	}
	// x is masked too, or a derivative by what stands in the padding could be NaN.
	values := field.Mask(independent.LogProbValues(field.Mask(x, in.mask, f.rank())), in.mask, f.rank())
	return ReduceSum(shape.Flatten(values, f.rank()), -1)
}

// unroll builds a whole deterministic solve, which gradients flow through.
func (f *flow) unroll(scope *model.Scope, y []*Node, in inputs, estimator divergence.Estimator, from, to float64) []*Node {
	return solver.Unroll(f.solver, f.dynamics(scope, in, estimator), y, from, to)
}

// sample builds samples of shape lead+event, from noise of scope's random state.
func (f *flow) sample(scope *model.Scope, g *Graph, dtype dtypes.DType, c *Node, lead []int) *Node {
	in := f.inputs(c, lead)
	return f.unroll(scope, []*Node{f.draw(scope, g, dtype, in, lead)}, in, nil, f.noise, f.data)[0]
}

func (f *flow) draw(scope *model.Scope, g *Graph, dtype dtypes.DType, in inputs, lead []int) *Node {
	return f.clean(distribution.Given(f.base, scope, in.c).Sample(scope, g, dtype, lead...), in)
}

// clean is x with zeros in the padding, if there is a mask.
func (f *flow) clean(x *Node, in inputs) *Node {
	if in.mask == nil {
		return x
	}
	return field.Mask(x, in.mask, f.rank())
}

// inputs are those of a graph for events of a lead.
func (f *flow) inputs(c *Node, lead []int) inputs {
	return inputs{c: expand(c, lead), mask: f.graphMask}
}

// sampleWithLogProb builds samples and their log-density.
func (f *flow) sampleWithLogProb(scope *model.Scope, g *Graph, dtype dtypes.DType, c *Node, estimator divergence.Estimator, lead []int) (x, logProb *Node) {
	estimator = f.must(estimator)
	in := f.inputs(c, lead)
	noise := f.draw(scope, g, dtype, in, lead)
	in.probes = divergence.Probes(estimator, scope, g, noise.Shape(), f.rank())
	y := f.unroll(scope, []*Node{noise, f.baseLogProb(scope, noise, in)}, in, estimator, f.noise, f.data)
	return y[0], y[1]
}

// logProb builds the log-density of x.
func (f *flow) logProb(scope *model.Scope, x, c *Node, estimator divergence.Estimator) *Node {
	estimator = f.must(estimator)
	lead, shape, err := shape.Split(x.Shape().Dimensions, f.rank())
	if err == nil {
		err = estimator.Check(shape)
	}
	if err != nil {
		panic(err)
	}
	g := x.Graph()
	in := f.inputs(c, lead)
	in.probes = divergence.Probes(estimator, scope, g, x.Shape(), f.rank())
	zero := Zeros(g, shapes.Make(x.DType(), lead...))
	y := f.unroll(scope, []*Node{f.clean(x, in), zero}, in, estimator, f.data, f.noise)
	return Sub(f.baseLogProb(scope, y[0], in), y[1])
}

// must is orOwn for graph building.
func (f *flow) must(estimator divergence.Estimator) divergence.Estimator {
	estimator, err := f.orOwn(estimator, f.graphMask != nil)
	if err != nil {
		panic(err)
	}
	return estimator
}

// expand repeats a context, batch+[context_dim], over the lead.
func expand(c *Node, lead []int) *Node {
	if c == nil {
		return nil
	}
	return shape.Expand(c, lead, 1)
}

// own stands for the divergence that the field itself knows.
type own struct{}

// Check implements [divergence.Estimator].
func (own) Check([]int) error { return nil }

// Estimate implements [divergence.Estimator]; the field is asked instead.
func (own) Estimate(func(*Node) *Node, *Node, int, *Node) (value, div *Node) {
	panic("nami: a field's own divergence was estimated")
}

// orOwn is the estimator, or if it is nil the field's own divergence.
func (f *flow) orOwn(estimator divergence.Estimator, masked bool) (divergence.Estimator, error) {
	if estimator != nil {
		return estimator, nil
	}
	if _, ok := f.velocity.(field.Divergent); !ok || masked || f.clock != nil {
		return nil, errNoEstimator
	}
	return own{}, nil
}
