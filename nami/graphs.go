package nami

import (
	"fmt"
	"slices"

	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/run"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Graphs are what a process computes, in pieces for a runtime other than GoMLX's: package
// nami/onnx writes them to a file. All is computed for rows, an event for each.
type Graphs struct {
	// Graphs turn events, the one part of y, into results. The fixed inputs are Inputs.
	solver.Graphs

	// Event is the shape of one row's event.
	Event shapes.Shape

	// Inputs are the shapes of what each row has beside its event: the context, and the mask.
	Inputs []Input

	// Store has the weights.
	Store *model.Store
}

// Input is an input by name, "context" or "mask", with its shape for one row.
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
	g, has, err := p.pieces("SampleGraphs", p.flow.Noise, p.flow.Data, estimator)
	if err != nil || estimator == nil {
		return g, err
	}
	begin := g.Begin
	g.Begin = func(scope *model.Scope, y, fixed []*Node) []*Node {
		in := run.InputsOf(has, fixed)
		x := p.flow.Clean(y[0], in)
		return begin(scope, []*Node{x, p.flow.BaseLogProb(scope, x, in)}, fixed)
	}
	return g, nil
}

// LogProbGraphs are the pieces of [Process.LogProb]: from data to their log-density in nats.
// Otherwise it is as [Process.SampleGraphs]. A nil estimator asks the field, which must be a
// field.Divergent.
func (p *Process) LogProbGraphs(estimator divergence.Estimator) (Graphs, error) {
	estimator, err := p.flow.Estimator(estimator, p.mask != nil)
	if err != nil {
		return Graphs{}, err
	}
	g, has, err := p.pieces("LogProbGraphs", p.flow.Data, p.flow.Noise, estimator)
	if err != nil {
		return g, err
	}
	begin, end := g.Begin, g.End
	g.Begin = func(scope *model.Scope, y, fixed []*Node) []*Node {
		x := p.flow.Clean(y[0], run.InputsOf(has, fixed))
		dims := x.Shape().Dimensions[:1]
		return begin(scope, []*Node{x, Zeros(x.Graph(), shapes.Make(x.DType(), dims...))}, fixed)
	}
	g.End = func(scope *model.Scope, state, fixed []*Node) []*Node {
		y := end(scope, state, fixed)
		return []*Node{Sub(p.flow.BaseLogProb(scope, y[0], run.InputsOf(has, fixed)), y[1])}
	}
	return g, nil
}

// pieces are those of a solve of the process's equation, and which inputs it has.
func (p *Process) pieces(what string, from, to float64, estimator divergence.Estimator) (g Graphs, has run.Present, err error) {
	fail := func(err error) (Graphs, run.Present, error) { return Graphs{}, has, fmt.Errorf("nami: %w", err) }
	if _, random := estimator.(divergence.Stochastic); random {
		return fail(fmt.Errorf("%s: the estimator %v draws random numbers, which only this library can draw: use divergence.Exact{}", what, estimator))
	}
	event := p.flow.Base.EventShape()
	if estimator != nil {
		if err := estimator.Check(event); err != nil {
			return g, has, err
		}
	}
	g = Graphs{Event: shapes.Make(p.dtype, event...), Store: p.store}
	in := run.Inputs[tensors.Tensor]{Context: p.context, Mask: p.mask}
	has = in.Present()
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
	for _, input := range []struct {
		name string
		t    *tensors.Tensor
	}{{"context", p.context}, {"mask", p.mask}} {
		if input.t != nil {
			dims := input.t.Shape().Dimensions[len(p.batch):]
			g.Inputs = append(g.Inputs, Input{input.name, shapes.Make(p.dtype, dims...)})
			fixed = append(fixed, example(dims...))
		}
	}
	program, err := p.programs.Solve(p.key("solve", estimator), p.system(estimator))
	if err != nil {
		return fail(err)
	}
	if g.Graphs, err = program.Graphs(y, fixed, solver.Run{T0: from, T1: to}); err != nil {
		return fail(err)
	}
	begin := g.Begin
	g.Begin = func(scope *model.Scope, y, fixed []*Node) []*Node {
		return begin(scope, append([]*Node{p.flow.Clean(y[0], run.InputsOf(has, fixed))}, y[1:]...), fixed)
	}
	return g, has, nil
}
