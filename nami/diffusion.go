package nami

import (
	"errors"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/dynamics"
	"github.com/nami-flow/go-nami/nami/internal/fingerprint"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/nami/transform"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Diffusion is a score-based model: a field that predicts noise, data or a mix of both,
// and the schedule of the noise. With a solver for ordinary equations it follows the
// probability flow dx/dt = f·x - ½g²·∇log p_t(x), with a stochastic one the reverse process
// dx = (f·x - g²·∇log p_t(x)) dt + g dw (Song et al. 2021, arXiv:2011.13456, eq. 13 and 6).
// It is configuration only; [Diffusion.Bind] makes it sample.
//
// Its methods that build graphs follow the probability flow, as those of [FlowMatching].
//
// The probability flow is solved from one noise level to the next,
//
//	dx̄/dσ̄ = ε   with x̄ = x/α, σ̄ = σ/α,
//
// where the schedule has noise at t=0, as VE and EDM have: Euler's method is DDIM then, and
// with EDM's schedule Heun's is algorithm 1 of Karras et al. 2022. Where the noise vanishes
// there, as VP's, the steps are of the angle φ = atan(σ/α),
//
//	dx̃/dφ = (α·ε - σ·x0)/√(α²+σ²)   with x̃ = x/√(α²+σ²),
//
// whose slope is finite at both ends of time (Salimans & Ho 2022, arXiv:2202.00512, appendix
// D). Log-densities, trajectories and gradients go the same way.
// [solver.Solver].InTime asks for steps of dx/dt instead. A method sees the model's time and
// state (see [solver.Method]).
//
// The ends of time. A solve to the data at time 0 ends without noise, even where the schedule
// has some at 0, as EDM's has. Its last step is of first order and goes to the data that the
// field predicts, for both equations; a step of the angle reaches them up to terms of order
// φ². Without a [solver.Grid], steps are even in √t where the schedule's noise vanishes at 0,
// as VP's does, down to where σ/α is 10⁻⁴, and even in t where it doesn't: n steps of EDM's
// schedule go from σ(1) through σ(1-i/n) to the data. The n levels of Karras et al., the
// last of which is σ(0), are the grid [solver.Karras] with Rho 7. Where a schedule has no signal at 1, as Cosine's,
// the field is asked where α/σ is 10⁻³: a prediction of noise can't tell the data without.
type Diffusion struct {
	// Field learned what Prediction says.
	Field field.Field

	// Prediction says what the field predicts; [schedule.Eps] if unset.
	Prediction schedule.Prediction

	// Schedule is the one that the field was trained with.
	Schedule schedule.Schedule

	// Solver integrates, such as solver.Heun(50) or solver.EulerMaruyama(200).
	Solver solver.Solver

	// EventShape is the shape of one event; needed if Base is nil.
	EventShape []int

	// Base is the distribution at t=1; if nil, N(0, σ(1)²) over events of EventShape.
	Base distribution.Base

	// Transform and ContextTransform map events and contexts from the data's units to the
	// model's, as in [FlowMatching]. EventShape and Base are in the model's units.
	Transform, ContextTransform transform.Transform

	// Guidance, if not nil, replaces the predicted noise, whatever the field predicts: it
	// gets eps, shaped like x, and returns what is to be used instead.
	Guidance Guidance

	mask *Node // see Masked
}

// Guidance changes a predicted noise eps: x and eps are lead+event, t is a scalar or
// lead, c lead+[context_dim] or nil. The result is shaped like eps. To push samples
// towards a likely y, subtract σ(t)·∇log p(y|x) (Dhariwal & Nichol 2021,
// arXiv:2105.05233, algorithm 2).
type Guidance func(scope *model.Scope, x, t, c, eps *Node) *Node

// Bind gives the model a context and makes a process of it, as [FlowMatching.Bind] does.
func (m Diffusion) Bind(backend compute.Backend, store *model.Store, context *tensors.Tensor, options ...Option) (*Process, error) {
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
	return bind(f, fingerprint.Parts{Prediction: m.Prediction, Schedule: m.Schedule}, backend, store, context, s)
}

func (m Diffusion) check() error {
	if err := errors.Join(checkField(m.Field), schedule.Validate(m.Schedule), m.Prediction.Validate()); err != nil {
		return err
	}
	if m.Base != nil {
		return checkBase(m.Base, m.Field.EventRank())
	}
	if m.EventShape == nil && m.Field.EventRank() > 0 {
		return errors.New("nami: both Base and EventShape are nil: give the model the shape of one event")
	}
	return checkBase(distribution.NewStandardNormal(m.EventShape...), m.Field.EventRank())
}

// flow is the model as a process sees it, between two times.
func (m Diffusion) flow(backend compute.Backend, noise, data float64) (f dynamics.Flow, err error) {
	if err := errors.Join(m.check(), checkSolver(m.Solver)); err != nil {
		return f, err
	}
	learned, prediction := m.Field, m.Prediction
	if m.Guidance != nil {
		learned, prediction = guided{m}, schedule.Eps
	}
	f = dynamics.Flow{
		Field: m.Field, Base: m.Base, Solver: m.Solver, Noise: noise, Data: data, Diffusion: true, GraphMask: m.mask,
	}
	if f.Mixture, err = dynamics.NewMixture(backend, m.Schedule, learned, prediction, noise); err != nil {
		return f, err
	}
	if f.Base == nil {
		if f.Base, err = distribution.Isotropic(0, f.Mixture.Sigma, m.EventShape...); err != nil {
			return f, err
		}
	}
	f.Units, err = dynamics.NewUnits(backend, m.Transform, m.ContextTransform, f.Base.EventShape())
	return f, err
}

// guided is the model's field as a prediction of noise that Guidance has changed.
type guided struct{ model Diffusion }

// EventRank implements [field.Field].
func (g guided) EventRank() int { return g.model.Field.EventRank() }

// Apply implements [field.Field].
func (g guided) Apply(scope *model.Scope, x, t, c *Node) *Node {
	value := field.Call(g.model.Field, scope, x, t, c)
	eps := schedule.Convert(g.model.Schedule, g.model.Prediction, schedule.Eps, value, x, t)
	return g.model.Guidance(scope, x, t, c, eps)
}

// Map implements [field.Wrapper].
func (g guided) Map(inner func(field.Field) field.Field) field.Field {
	g.model.Field = inner(g.model.Field)
	return g
}

// inGraph is the flow for graph building, from time 1 to 0.
func (m Diffusion) inGraph(g *Graph) dynamics.Flow {
	f, err := m.flow(g.Backend(), 1, 0)
	if err != nil {
		panic(err)
	}
	return f
}

// Sample builds samples of shape lead+event, as [FlowMatching.Sample] does.
func (m Diffusion) Sample(scope *model.Scope, g *Graph, dtype dtypes.DType, c *Node, lead ...int) *Node {
	f := m.inGraph(g)
	return f.Sample(scope, g, dtype, c, lead)
}

// SampleWithLogProb builds samples and their log-density, as
// [FlowMatching.SampleWithLogProb] does.
func (m Diffusion) SampleWithLogProb(scope *model.Scope, g *Graph, dtype dtypes.DType, c *Node, estimator divergence.Estimator, lead ...int) (x, logProb *Node) {
	f := m.inGraph(g)
	return f.SampleWithLogProb(scope, g, dtype, c, estimator, lead)
}

// LogProb builds the log-density of x, as [FlowMatching.LogProb] does.
func (m Diffusion) LogProb(scope *model.Scope, x, c *Node, estimator divergence.Estimator) *Node {
	f := m.inGraph(x.Graph())
	return f.LogProb(scope, x, c, estimator)
}

// String describes the model on one line, the same in every process.
func (m Diffusion) String() string {
	return "Diffusion{" + list([]any{m.Field, m.Prediction, m.Schedule, m.Solver}) + units(m.Transform, m.ContextTransform) + "}"
}
