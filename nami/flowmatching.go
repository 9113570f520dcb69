package nami

import (
	"errors"
	"fmt"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/dynamics"
	"github.com/nami-flow/go-nami/nami/internal/fingerprint"
	"github.com/nami-flow/go-nami/nami/path"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/nami/transform"

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
// misuse, and with a solver that chooses its steps.
type FlowMatching struct {
	// Field is the velocity dx/dt.
	Field field.Field

	// Base is the distribution at t=1. Its events have the field's event rank.
	Base distribution.Base

	// Transform maps events from the data's units to those in which the field, the base and
	// the solver work: standardised, logarithmic. Samples come in the data's units then, and
	// log-densities are those of the data. nil if both units are the same. A loss learns
	// through the same transform by loss.Transformed.
	Transform transform.Transform

	// ContextTransform maps contexts to what the field sees, in the same way, without noise.
	ContextTransform transform.Transform

	// Solver integrates the velocity in time, such as [solver.RK4](64): one for ordinary
	// equations, or with a Path a stochastic one that steps by noise levels, such as
	// [solver.DDIM](1, 50). Where Field is a [field.Diffusive], such as an interpolant.Bridge,
	// it may be any stochastic one, such as [solver.EulerMaruyama](100): samples then move by the
	// field's own equation with noise, and Solve runs it in both directions. A step that ends at
	// time 0 or 1 has no noise.
	Solver solver.Solver

	// Path is the one along which Field was learned, with normal noise; nil if it doesn't
	// matter. A path that mixes data and noise as a schedule does (see [path.ScheduleOf])
	// lets a solver step from one noise level to the next, as [solver.DPMSolverPP2M], place
	// its steps by them, as [solver.Karras], and ask for the predicted data or noise.
	Path path.Path

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
	s, err := settle(options)
	if err != nil {
		return nil, err
	}
	f, err := m.flow(backend, s.noise, s.data)
	if err != nil {
		return nil, err
	}
	return bind(f, fingerprint.Parts{Prediction: schedule.Velocity, Base: m.Base, Path: m.Path}, backend, store, context, s)
}

func (m FlowMatching) check() error {
	if err := checkField(m.Field); err != nil {
		return err
	}
	if m.Base == nil {
		return errors.New("nami: Base is nil: give the flow a base distribution such as distribution.NewStandardNormal(2)")
	}
	if err := checkSolver(m.Solver); err != nil {
		return err
	}
	_, levels := m.Solver.Method.(solver.NoiseLevels)
	_, diffusive := m.Field.(field.Diffusive)
	if m.Solver.Stochastic() && !levels && !diffusive {
		return fmt.Errorf("nami: %v solves stochastic equations, and a flow is an ordinary one unless its field is a field.Diffusive, such as an interpolant.Bridge: use a solver like solver.RK4(64), or with a Path one that steps by noise levels, such as solver.DDIM(1, 50)", m.Solver)
	}
	if m.Solver.Stochastic() && !levels && m.Solver.InTime {
		return fmt.Errorf("nami: %v is InTime: a flow's equation with noise is in time already; leave InTime out", m.Solver)
	}
	if _, ok := path.ScheduleOf(m.Path); m.Path != nil && !ok {
		return fmt.Errorf("nami: Path is %v, which mixes data and noise in no way that is known: give one of path.Linear, Cosine, Scheduled and Affine, or nil", m.Path)
	}
	if levels && m.Path == nil {
		return fmt.Errorf("nami: %v steps from one noise level to the next, which a flow without a Path doesn't know: give the flow the Path that its field was trained along, such as path.Linear{}, or use a solver like solver.RK4(64)", m.Solver)
	}
	return checkBase(m.Base, m.Field.EventRank())
}

// flow is the model as a process sees it, between two times.
func (m FlowMatching) flow(backend compute.Backend, noise, data float64) (f dynamics.Flow, err error) {
	if err := m.check(); err != nil {
		return f, err
	}
	f = dynamics.Flow{Field: m.Field, Base: m.Base, Solver: m.Solver, Noise: noise, Data: data, GraphMask: m.mask}
	if s, ok := path.ScheduleOf(m.Path); ok {
		if f.Mixture, err = dynamics.NewMixture(backend, s, m.Field, schedule.Velocity, noise); err != nil {
			return f, err
		}
	}
	f.Units, err = dynamics.NewUnits(backend, m.Transform, m.ContextTransform, m.Base.EventShape())
	return f, err
}

// inGraph is the flow for graph building, from time 1 to 0.
func (m FlowMatching) inGraph(g *Graph) dynamics.Flow {
	f, err := m.flow(g.Backend(), 1, 0)
	if err != nil {
		panic(err)
	}
	return f
}

// Sample builds samples of shape lead+event, reparameterised: a function of noise that
// comes from the random state of scope's store.
func (m FlowMatching) Sample(scope *model.Scope, g *Graph, dtype dtypes.DType, c *Node, lead ...int) *Node {
	f := m.inGraph(g)
	return f.Sample(scope, g, dtype, c, lead)
}

// SampleWithLogProb is [FlowMatching.Sample] with the samples' log-density, of shape
// lead, from the same solve.
func (m FlowMatching) SampleWithLogProb(scope *model.Scope, g *Graph, dtype dtypes.DType, c *Node, estimator divergence.Estimator, lead ...int) (x, logProb *Node) {
	f := m.inGraph(g)
	return f.SampleWithLogProb(scope, g, dtype, c, estimator, lead)
}

// LogProb builds the log-density of x in nats: x is lead+event, the result lead. The
// probes of a stochastic estimator come from the random state of scope's store.
func (m FlowMatching) LogProb(scope *model.Scope, x, c *Node, estimator divergence.Estimator) *Node {
	f := m.inGraph(x.Graph())
	return f.LogProb(scope, x, c, estimator)
}

// Integrate builds the flow that carries x, of shape lead+event, from time t0 to t1:
// from 1 to 0 it turns noise into data, from 0 to 1 data into noise, both in the model's
// units where it has a Transform.
func (m FlowMatching) Integrate(scope *model.Scope, x, c *Node, t0, t1 float64) *Node {
	f := m.inGraph(x.Graph())
	in := f.Inputs(c, shape.Lead(x, f.Rank()))
	return f.Unroll(scope, []*Node{f.Clean(x, in)}, in, nil, t0, t1)[0]
}

// String describes the model on one line, the same in every process.
func (m FlowMatching) String() string {
	parts := []any{m.Field, m.Base, m.Solver}
	if m.Path != nil {
		parts = append(parts, m.Path)
	}
	return "FlowMatching{" + list(parts) + units(m.Transform, m.ContextTransform) + "}"
}
