package solver

import (
	"fmt"
	"math"
	"slices"

	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Graphs are a whole solve in pieces, for a runtime other than GoMLX's: package nami/onnx
// writes them to a file. The samples are the first axis of each part of the state, and their
// number is free. Each piece belongs into a graph of its own, as GoMLX keeps one constant of
// each value for a graph, and a loop can't share them with what stands around it.
type Graphs struct {
	// Begin builds the state before the first step: the parts of y, and what a method
	// remembers.
	Begin func(scope *model.Scope, y, fixed []*Node) (state []*Node)

	// Step builds step i, an int32 scalar, and says in a bool whether more are needed; nil if
	// all are.
	Step func(scope *model.Scope, i *Node, state, fixed []*Node) (next []*Node, more *Node)

	// Steps is how many steps there are, at most.
	Steps int

	// End takes the parts of y from the last state. A sample that an adaptive solve couldn't
	// finish is NaN in all of them.
	End func(scope *model.Scope, state, fixed []*Node) (y []*Node)
}

// Graphs returns a solve from run.T0 to run.T1 in pieces, with the numbers that [Program.Solve]
// has. y and fixed are examples, of any number of samples. It is an error if the solver is a
// stochastic one, whose steps draw random numbers, or if run asks for output within the
// solve.
func (p *Program) Graphs(y, fixed []*tensors.Tensor, run Run) (Graphs, error) {
	n, dtype, err := p.samples(y)
	if err != nil {
		return Graphs{}, err
	}
	switch err := run.validate(n); {
	case err != nil:
		return Graphs{}, err
	case p.solver.Stochastic():
		return Graphs{}, fmt.Errorf("solver: %v draws random numbers in its steps, which only this library can draw: use a solver for ordinary equations, such as solver.Heun(50)", p.solver)
	case len(run.Save) > 0:
		return Graphs{}, fmt.Errorf("solver: Run.Save has %d times: a solve in pieces has its last state alone", len(run.Save))
	case run.T0 == run.T1:
		return Graphs{}, fmt.Errorf("solver: the solve goes from t = %v to t = %v: it has no steps", run.T0, run.T1)
	}
	about, err := p.outline(y, fixed)
	if err != nil {
		return Graphs{}, err
	}
	if run.Steps == 0 {
		run.Steps = p.solver.limit()
	}
	if p.solver.Adaptive() {
		return p.adaptiveGraphs(layout{parts: len(y), carry: about.carry}, dtype, run), nil
	}
	return p.fixedGraphs(about, len(y), dtype, run)
}

func (p *Program) fixedGraphs(about outline, parts int, dtype dtypes.DType, run Run) (Graphs, error) {
	nodes, err := p.nodes(about, run)
	if err != nil {
		return Graphs{}, err
	}
	last := -1
	if nodes != nil {
		run.Steps = len(nodes) - 1
		if err := distinct(nodes, dtype); err != nil {
			return Graphs{}, err
		}
	}
	if about.modelled && run.T1 == 0 {
		last = run.Steps - 1
	}
	l := layout{parts: parts, carry: about.carry, even: nodes == nil}
	calls := 0
	return Graphs{
		Steps: run.Steps,
		Begin: func(scope *model.Scope, y, fixed []*Node) []*Node {
			g := y[0].Graph()
			s := fixedState{y: y, good: Zeros(g, shapes.Make(dtypes.Int32, p.lead(y)...))}
			if l.carry > 0 {
				s.carry = p.solver.Method.Init(p.system(scope, fixed, &calls), y, ConstAsDType(g, dtype, run.T0))
			}
			return s.list()
		},
		Step: func(scope *model.Scope, i *Node, state, fixed []*Node) ([]*Node, *Node) {
			g := i.Graph()
			times := timing[*Node]{last: Const(g, int32(last)), n: ConstAsDType(g, dtype, run.Steps)}
			if l.even {
				times.t0, times.t1 = ConstAsDType(g, dtype, run.T0), ConstAsDType(g, dtype, run.T1)
			} else {
				times.nodes = ConstAsDType(g, dtype, nodes)
			}
			return p.fixedStep(l, &calls, scope, i, state, slices.Concat(times.list(l.even), fixed)), nil
		},
		End: func(_ *model.Scope, state, _ []*Node) []*Node { return l.fixedStateOf(state).y },
	}, nil
}

func (p *Program) adaptiveGraphs(l layout, dtype dtypes.DType, run Run) Graphs {
	calls := 0
	number := func(g *Graph, v float64) *Node { return ConstAsDType(g, dtype, v) }
	smallest := smallestStep(dtype, run)
	return Graphs{
		Steps: run.Steps,
		Begin: func(scope *model.Scope, y, fixed []*Node) []*Node {
			g := y[0].Graph()
			times := []*Node{number(g, run.T1), number(g, smallest), number(g, run.T0)}
			return slices.Concat(y, p.adaptiveBegin(&calls, scope, y, times, fixed))
		},
		Step: func(scope *model.Scope, i *Node, state, fixed []*Node) ([]*Node, *Node) {
			times := []*Node{number(i.Graph(), run.T1), number(i.Graph(), smallest)}
			return p.adaptiveStep(l, &calls, scope, state, slices.Concat(times, fixed))
		},
		End: func(_ *model.Scope, state, _ []*Node) (y []*Node) {
			s := l.adaptiveStateOf(state)
			arrived := LogicalAnd(Equal(s.code, ConstAs(s.code, int32(Success))), Equal(s.t, ConstAs(s.t, run.T1)))
			for _, x := range s.y {
				whole := arrived
				if !whole.IsScalar() {
					whole = BroadcastToDims(shape.Lift(arrived, x), x.Shape().Dimensions...)
				}
				y = append(y, Where(whole, x, ConstAs(x, math.NaN())))
			}
			return y
		},
	}
}
