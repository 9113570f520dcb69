package nami

import (
	"errors"
	"fmt"
	"slices"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/event"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/loop"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// FlowMatching is a continuous flow: the field's velocity carries the base
// distribution at t=1 to the data's at t=0 (Lipman et al. 2023, arXiv:2210.02747,
// with time reversed). It is configuration only; [FlowMatching.Bind] makes it sample.
type FlowMatching struct {
	// Field is the velocity dx/dt.
	Field field.Field

	// Base is the distribution at t=1. Its events have the field's event rank.
	Base distribution.Distribution

	// Solver integrates, [solver.RK4](64) say.
	Solver solver.Solver
}

// Option changes a process from its defaults.
type Option func(*Process)

// Seed sets where a process's random numbers start; 0 if not given. The same seed,
// backend and shapes give the same samples.
func Seed(seed int64) Option {
	return func(p *Process) { p.random.seed = seed }
}

// DType sets what a process computes in: dtypes.Float32, the default, or
// dtypes.Float64, which the field's variables must have too.
func DType(dtype dtypes.DType) Option {
	return func(p *Process) { p.dtype = dtype }
}

// WithProgress calls f as a solve goes on, with how many of its steps are done, about
// ten times a second.
func WithProgress(f func(done, total int)) Option {
	return func(p *Process) { p.progress = f }
}

// Bind gives the flow a context and makes a process of it, with the weights in store.
// context is batch_shape+[context_dim], or nil for an unconditional flow. It is an
// error if the parts don't fit together or the store lacks the field's variables.
//
// The process reads the store as long as it lives: don't train that store meanwhile.
func (m FlowMatching) Bind(backend compute.Backend, store *model.Store, context *tensors.Tensor, options ...Option) (*Process, error) {
	switch {
	case backend == nil:
		return nil, errors.New("nami: the backend is nil: open one with nami.OpenBackend")
	case store == nil:
		return nil, errors.New("nami: the store is nil: make one with model.NewStore(), and train or load a model in it")
	case m.Field == nil:
		return nil, errNoField
	case m.Base == nil:
		return nil, errors.New("nami: Base is nil: give the flow a base distribution, say distribution.NewStandardNormal(2)")
	case m.Solver == nil:
		return nil, errors.New("nami: Solver is nil: give the flow a solver, say solver.RK4(64)")
	case m.Solver.Steps() < 1:
		return nil, fmt.Errorf("nami: the solver has %d steps: it needs at least 1", m.Solver.Steps())
	case m.Field.EventRank() != len(m.Base.EventShape()):
		return nil, fmt.Errorf("nami: the field's events have rank %d, the base's shape %s: they must be one event",
			m.Field.EventRank(), event.Format(m.Base.EventShape()))
	}
	p := &Process{model: m, backend: backend, store: store, dtype: dtypes.Float32, random: &stream{}, draws: &draws{exec: map[string]*Exec{}}}
	for _, option := range options {
		option(p)
	}
	if p.dtype != dtypes.Float32 && p.dtype != dtypes.Float64 {
		return nil, fmt.Errorf("nami: the dtype is %s: a process computes in Float32 or Float64", p.dtype)
	}
	p.solve = loop.New(backend, store, m.body(p.dtype))
	return p.Rebind(context)
}

// Sample builds the graph of a whole solve, from noise at t=1 to events of shape
// lead+event at t=0: gradients with respect to the field's variables flow through it.
// The noise comes from the random state of scope's store. c is batch_shape+[context_dim],
// with batch_shape the end of lead, or nil. It is unrolled (see [solver.Unroll]), and
// panics on misuse.
func (m FlowMatching) Sample(scope *model.Scope, g *Graph, dtype dtypes.DType, c *Node, lead ...int) *Node {
	return m.Integrate(scope, m.Base.Sample(scope, g, dtype, lead...), c, 1, 0)
}

// Integrate builds the graph of the flow that carries x, of shape lead+event, from
// time t0 to t1: from 1 to 0 it turns noise into data, from 0 to 1 data into noise. It
// is otherwise as [FlowMatching.Sample].
func (m FlowMatching) Integrate(scope *model.Scope, x, c *Node, t0, t1 float64) *Node {
	return solver.Unroll(m.Solver, m.dynamics(scope, x, c), []*Node{x}, t0, t1)[0]
}

// dynamics is the flow's right-hand side; x only gives the shape.
func (m FlowMatching) dynamics(scope *model.Scope, x, c *Node) solver.Dynamics {
	if c != nil {
		c = event.Expand(c, slices.Clone(event.Lead(x, m.Field.EventRank())), 1)
	}
	return func(y []*Node, t *Node) []*Node {
		return []*Node{field.Call(m.Field, scope, y[0], t, c)}
	}
}

// body is one step of a solve. fixed holds t0, t1 and the number of steps, then the
// context if there is one.
func (m FlowMatching) body(dtype dtypes.DType) loop.Body {
	return func(scope *model.Scope, i *Node, state, fixed []*Node) ([]*Node, *Node) {
		var c *Node
		if len(fixed) > 3 {
			c = fixed[3]
		}
		over := solver.NewInterval(fixed[0], fixed[1], ConvertDType(i, dtype), fixed[2])
		return m.Solver.(solver.ODE).Step(m.dynamics(scope, state[0], c), state, over), nil
	}
}

// String describes the model on one line, the same in every process.
func (m FlowMatching) String() string {
	return fmt.Sprintf("FlowMatching{%v, %v, %v}", m.Field, m.Base, m.Solver)
}
