package nami

import (
	"fmt"
	"slices"

	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/run"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/nami/transform"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Graphs are what a process computes, in pieces for a runtime other than GoMLX's: package
// nami/onnx writes them to a file. All is computed for rows, an event for each.
type Graphs struct {
	// Graphs turn events, the one part of y, into results. The fixed inputs are what Map
	// makes of Inputs.
	solver.Graphs

	// Event is the shape of one row's event, as it is given.
	Event shapes.Shape

	// Inputs are what each row has beside its event: the context, the mask, and the random numbers
	// of a Transform.
	Inputs []Input

	// Map builds the inputs in the model's units, in a graph of their own.
	Map func(scope *model.Scope, in []*Node) []*Node

	// Store has the weights.
	Store *model.Store
}

// Input is an input by name, "context", "mask" or "uniform", with its shape for one row.
type Input struct {
	Name  string
	Shape shapes.Shape
}

// SampleGraphs are the pieces of [Process.SampleFrom]: from noise to samples, and with an
// estimator to the samples' log-density as the second result, in nats. The context to which
// the process is bound, and its mask, say which shape each row's has; their values don't
// matter. It is an error if the solver is a stochastic one, or if the estimator draws random
// numbers.
func (p *Process) SampleGraphs(estimator divergence.Estimator) (Graphs, error) {
	g, in, err := p.pieces("SampleGraphs", p.flow.Noise, p.flow.Data, estimator)
	if err != nil {
		return g, err
	}
	begin, end := g.Begin, g.End
	g.Begin = func(scope *model.Scope, y, fixed []*Node) []*Node {
		start := []*Node{p.flow.Clean(y[0], in(fixed))}
		if estimator != nil {
			start = append(start, p.flow.BaseLogProb(scope, start[0], in(fixed)))
		}
		return begin(scope, start, fixed)
	}
	g.End = func(scope *model.Scope, state, fixed []*Node) []*Node {
		y := end(scope, state, fixed)
		x, logDet := p.flow.ToData(y[0], in(fixed))
		if estimator == nil {
			return []*Node{x}
		}
		return []*Node{x, Add(y[1], logDet)}
	}
	return g, nil
}

// LogProbGraphs are the pieces of [Process.LogProb]: from data to their log-density in nats.
// Otherwise it is as [Process.SampleGraphs]. A nil estimator asks the field, which must be a
// field.Divergent. Where the model's Transform adds noise there is an input "uniform" besides, of
// random numbers that are uniform from 0 up to but not 1, as many for each event as it draws.
func (p *Process) LogProbGraphs(estimator divergence.Estimator) (Graphs, error) {
	estimator, err := p.flow.Estimator(estimator, p.mask != nil)
	if err != nil {
		return Graphs{}, err
	}
	g, in, err := p.pieces("LogProbGraphs", p.flow.Data, p.flow.Noise, estimator)
	if err != nil {
		return g, err
	}
	g.Event = shapes.Make(p.dtype, p.flow.Units.Shape...)
	begin, end := g.Begin, g.End
	toModel := func(y *Node, fixed []*Node) (start, logDet *Node) { return p.flow.ToModel(nil, y, in(fixed)) }
	if p.flow.Units.Draws {
		n, err := transform.Draws(p.backend, p.flow.Units.Event, p.flow.Units.Shape...)
		if err != nil {
			return Graphs{}, fmt.Errorf("nami: LogProbGraphs: %w", err)
		}
		// The numbers stand behind the other inputs, and the solve doesn't see them.
		g.Inputs = append(g.Inputs, Input{"uniform", shapes.Make(p.dtype, n)})
		last := func(fixed []*Node) int { return len(fixed) - 1 }
		mapped, step := g.Map, g.Step
		g.Map = func(scope *model.Scope, given []*Node) []*Node {
			return append(mapped(scope, given[:last(given)]), given[last(given)])
		}
		g.Step = func(scope *model.Scope, i *Node, state, fixed []*Node) ([]*Node, *Node) {
			return step(scope, i, state, fixed[:last(fixed)])
		}
		begin, end = withoutLast(begin), withoutLast(end)
		toModel = func(y *Node, fixed []*Node) (start, logDet *Node) {
			return p.flow.ToModel(&givenNumbers{from: fixed[last(fixed)]}, y, in(fixed))
		}
	}
	g.Begin = func(scope *model.Scope, y, fixed []*Node) []*Node {
		start, logDet := toModel(y[0], fixed)
		return begin(scope, []*Node{start, Neg(logDet)}, fixed)
	}
	g.End = func(scope *model.Scope, state, fixed []*Node) []*Node {
		y := end(scope, state, fixed)
		return []*Node{Sub(p.flow.BaseLogProb(scope, y[0], in(fixed)), y[1])}
	}
	return g, nil
}

// withoutLast is a piece that isn't given the last of the fixed inputs.
func withoutLast(piece func(scope *model.Scope, y, fixed []*Node) []*Node) func(scope *model.Scope, y, fixed []*Node) []*Node {
	return func(scope *model.Scope, y, fixed []*Node) []*Node { return piece(scope, y, fixed[:len(fixed)-1]) }
}

// givenNumbers are random numbers that come from a node with a row for each event, one after the
// other.
type givenNumbers struct {
	from *Node
	used int
}

// RandomUniform implements [distribution.Random].
func (n *givenNumbers) RandomUniform(_ *Graph, s shapes.Shape) *Node {
	perRow := s.Size() / s.Dimensions[0]
	part := SliceAxis(n.from, -1, AxisRange(n.used, n.used+perRow))
	n.used += perRow
	return Reshape(part, s.Dimensions...)
}

// pieces are those of a solve of the process's equation, in the model's units, and what makes
// inputs of the fixed ones.
func (p *Process) pieces(what string, from, to float64, estimator divergence.Estimator) (g Graphs, in func(fixed []*Node) run.Inputs[Node], err error) {
	fail := func(err error) (Graphs, func([]*Node) run.Inputs[Node], error) {
		return Graphs{}, nil, fmt.Errorf("nami: %w", err)
	}
	if _, random := estimator.(divergence.Stochastic); random {
		return fail(fmt.Errorf("%s: the estimator %v draws random numbers, which only this library can draw: use divergence.Exact{}", what, estimator))
	}
	event := p.flow.Base.EventShape()
	if estimator != nil {
		if err := estimator.Check(event); err != nil {
			return g, nil, err
		}
	}
	has := run.Inputs[tensors.Tensor]{Context: p.context, Mask: p.mask}.Present()
	in = func(fixed []*Node) run.Inputs[Node] { return run.InputsOf(has, fixed) }
	g = Graphs{
		Event: shapes.Make(p.dtype, event...), Store: p.store,
		Map: func(_ *model.Scope, given []*Node) []*Node {
			mapped := in(given)
			mapped.Context = p.flow.ContextToModel(mapped.Context)
			return mapped.List()
		},
	}
	var examples []*tensors.Tensor // of one row
	defer func() { gomlx.Finalize(examples) }()
	example := func(dims ...int) *tensors.Tensor {
		t := tensors.FromShape(shapes.Make(p.dtype, slices.Concat([]int{1}, dims)...))
		examples = append(examples, t)
		return t
	}
	y := []*tensors.Tensor{example(event...)}
	if estimator != nil {
		y = append(y, example())
	}
	var fixed []*tensors.Tensor
	one := func(t *tensors.Tensor) []int { return t.Shape().Dimensions[len(p.batch):] }
	if p.context != nil {
		g.Inputs = append(g.Inputs, Input{"context", shapes.Make(p.dtype, one(p.context)...)})
		fixed = append(fixed, example(one(p.inModel)...))
	}
	if p.mask != nil {
		g.Inputs = append(g.Inputs, Input{"mask", shapes.Make(p.dtype, one(p.mask)...)})
		fixed = append(fixed, example(one(p.mask)...))
	}
	program, err := p.programs.Solve(p.key("solve", estimator), p.system(estimator))
	if err != nil {
		return fail(err)
	}
	if g.Graphs, err = program.Graphs(y, fixed, solver.Run{T0: from, T1: to}); err != nil {
		return fail(err)
	}
	return g, in, nil
}
