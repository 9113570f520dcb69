package nami

import (
	"errors"
	"fmt"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/shape"
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
//
// Its other methods build graphs, unrolled step by step (see [solver.Unroll]): gradients
// with respect to the field's variables, to x and to c flow through them. c is
// batch_shape+[context_dim], with batch_shape the end of the lead, or nil. They panic on
// misuse, and with a solver whose number of steps isn't fixed.
type FlowMatching struct {
	// Field is the velocity dx/dt.
	Field field.Field

	// Base is the distribution at t=1. Its events have the field's event rank.
	Base distribution.Base

	// Solver integrates, [solver.RK4](64) say: an [solver.ODE] or an [solver.Adaptive].
	Solver solver.Solver

	mask *Node // see Masked
}

// Bind gives the flow a context and makes a process of it, with the weights in store.
// context is batch_shape+[context_dim], or nil for an unconditional flow. It is an
// error if the parts don't fit together or the store lacks the field's variables.
//
// The process reads the store's weights at each call, as long as it lives: those of a
// training that goes on between calls, too. Don't train that store during a call.
func (m FlowMatching) Bind(backend compute.Backend, store *model.Store, context *tensors.Tensor, options ...Option) (*Process, error) {
	if err := errors.Join(checkParts(backend, store, m.Solver), notInGraph(m.mask)); err != nil {
		return nil, err
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	s, err := settle(options)
	if err != nil {
		return nil, err
	}
	f := m.flow()
	f.noise, f.data = s.noise, s.data
	return bind(f, backend, store, context, s)
}

func (m FlowMatching) check() error {
	if err := checkField(m.Field); err != nil {
		return err
	}
	switch {
	case m.Base == nil:
		return errors.New("nami: Base is nil: give the flow a base distribution, say distribution.NewStandardNormal(2)")
	case m.Solver == nil:
		return errors.New("nami: Solver is nil: give the flow a solver, say solver.RK4(64)")
	case m.Solver.Traits().Stochastic:
		return fmt.Errorf("nami: %v solves stochastic equations, and a flow is an ordinary one: use solver.RK4(64), say", m.Solver)
	}
	return checkBase(m.Base, m.Field.EventRank())
}

// flow is the model as a process sees it.
func (m FlowMatching) flow() flow {
	return flow{field: m.Field, velocity: m.Field, base: m.Base, solver: m.Solver, noise: 1, data: 0, graphMask: m.mask}
}

// must is flow for graph building.
func (m FlowMatching) must() flow {
	if err := m.check(); err != nil {
		panic(err)
	}
	return m.flow()
}

// Sample builds samples of shape lead+event, reparameterised: a function of noise that
// comes from the random state of scope's store.
func (m FlowMatching) Sample(scope *model.Scope, g *Graph, dtype dtypes.DType, c *Node, lead ...int) *Node {
	f := m.must()
	return f.sample(scope, g, dtype, c, lead)
}

// SampleWithLogProb is [FlowMatching.Sample] with the samples' log-density, of shape
// lead, from the same solve.
func (m FlowMatching) SampleWithLogProb(scope *model.Scope, g *Graph, dtype dtypes.DType, c *Node, estimator divergence.Estimator, lead ...int) (x, logProb *Node) {
	f := m.must()
	return f.sampleWithLogProb(scope, g, dtype, c, estimator, lead)
}

// LogProb builds the log-density of x in nats: x is lead+event, the result lead. The
// probes of a stochastic estimator come from the random state of scope's store.
func (m FlowMatching) LogProb(scope *model.Scope, x, c *Node, estimator divergence.Estimator) *Node {
	f := m.must()
	return f.logProb(scope, x, c, estimator)
}

// Integrate builds the flow that carries x, of shape lead+event, from time t0 to t1:
// from 1 to 0 it turns noise into data, from 0 to 1 data into noise.
func (m FlowMatching) Integrate(scope *model.Scope, x, c *Node, t0, t1 float64) *Node {
	f := m.must()
	in := f.inputs(c, shape.Lead(x, f.rank()))
	return f.unroll(scope, []*Node{f.clean(x, in)}, in, nil, t0, t1)[0]
}

// String describes the model on one line, the same in every process.
func (m FlowMatching) String() string {
	return fmt.Sprintf("FlowMatching{%v, %v, %v}", m.Field, m.Base, m.Solver)
}
