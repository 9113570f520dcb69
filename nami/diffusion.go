package nami

import (
	"errors"
	"fmt"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Diffusion is a score-based model: a field that predicts noise, data or a mix of both,
// and the schedule of the noise. With an [solver.ODE] or [solver.Adaptive] it follows the
// probability-flow equation dx/dt = f·x - ½g²·∇log p_t(x), with an [solver.SDE] the
// reverse process dx = (f·x - g²·∇log p_t(x)) dt + g dw (Song et al. 2021,
// arXiv:2011.13456, eq. 13 and 6). It is configuration only; [Diffusion.Bind] makes it
// sample.
//
// Its methods that build graphs follow the probability flow, as those of [FlowMatching].
//
// The ends of time. Where the schedule has no noise at t=0, as VP's, the velocity is
// infinite there, though its integral is not. The probability flow is then solved in
// u = √t, in which it is smooth, down to the time at which σ/α is 10⁻³; a stochastic
// solve makes its last step without noise, to the data that the field predicts. Where the
// schedule has no signal at t=1, as Cosine's, a solve starts where α/σ is 10⁻³.
type Diffusion struct {
	// Field learned what Prediction says.
	Field field.Field

	// Prediction says what the field predicts; [schedule.Eps] if unset.
	Prediction schedule.Prediction

	// Schedule is the one that the field was trained with.
	Schedule schedule.Schedule

	// Solver integrates, solver.Heun(50) or solver.EulerMaruyama(200) say.
	Solver solver.Solver

	// EventShape is the shape of one event; needed if Base is nil.
	EventShape []int

	// Base is the distribution at t=1; if nil, N(0, σ(1)²) over events of EventShape.
	Base distribution.Base

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
	return bind(f, backend, store, context, s)
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
func (m Diffusion) flow(backend compute.Backend, noise, data float64) (flow, error) {
	if err := m.check(); err != nil {
		return flow{}, err
	}
	ends, err := findEnds(backend, m.Schedule, noise, data)
	if err != nil {
		return flow{}, err
	}
	learned, prediction := m.Field, m.Prediction
	if m.Guidance != nil {
		learned, prediction = guided{m}, schedule.Eps
	}
	as := func(to schedule.Prediction) field.Field {
		if prediction == to {
			return learned
		}
		return schedule.Converted{Field: learned, Schedule: m.Schedule, From: prediction, To: to}
	}
	f := flow{
		field: m.Field, velocity: as(schedule.Velocity), base: m.Base, solver: m.Solver,
		noise: noise, data: data, clock: ends.clock(noise, data), graphMask: m.mask,
	}
	if f.base == nil {
		if f.base, err = distribution.Isotropic(0, ends.sigma, m.EventShape...); err != nil {
			return flow{}, err
		}
	}
	if m.Solver.Traits().Stochastic {
		f.reverse, f.clock = m.reverse(as(schedule.Score), ends), nil
		if ends.data > data {
			f.finish = m.finish(as(schedule.X0), as(schedule.Eps), ends, data)
		}
	}
	return f, nil
}

// reverse is the noising process backwards in time.
func (m Diffusion) reverse(score field.Field, ends ends) func(scope *model.Scope, in inputs) solver.System {
	return func(scope *model.Scope, in inputs) solver.System {
		within := func(t *Node) *Node { return Min(t, ConstAs(t, ends.noise)) }
		return solver.System{
			Drift: func(y []*Node, t *Node) []*Node {
				t = within(t)
				x, g := y[0], m.Schedule.Diffusion(t)
				drift := m.Schedule.Drift(x, t)
				if in.mask != nil {
					drift = field.Mask(drift, in.mask, score.EventRank())
				}
				return []*Node{Sub(drift, Mul(shape.Lift(Square(g), x), in.at(score, scope, x, t)))}
			},
			Diffusion: func(t *Node) *Node { return m.Schedule.Diffusion(within(t)) },
		}
	}
}

// finish is the step from t to the data's time along the straight line that the predicted
// data and noise make: exact if both were, and without new noise (Song, Meng & Ermon 2021,
// arXiv:2010.02502, eq. 12 with σ = 0).
func (m Diffusion) finish(x0, eps field.Field, ends ends, data float64) func(scope *model.Scope, x, t *Node, in inputs) *Node {
	return func(scope *model.Scope, x, t *Node, in inputs) *Node {
		at, end := Min(t, ConstAs(t, ends.noise)), ConstAs(t, data)
		return Add(Mul(m.Schedule.Alpha(end), in.at(x0, scope, x, at)),
			Mul(m.Schedule.Sigma(end), in.at(eps, scope, x, at)))
	}
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

// must is flow for graph building.
func (m Diffusion) must(g *Graph) flow {
	if m.Solver == nil {
		panic(errors.New("nami: Solver is nil: give the model a solver, say solver.Heun(50)"))
	}
	f, err := m.flow(g.Backend(), 1, 0)
	if err != nil {
		panic(err)
	}
	return f
}

// Sample builds samples of shape lead+event, as [FlowMatching.Sample] does.
func (m Diffusion) Sample(scope *model.Scope, g *Graph, dtype dtypes.DType, c *Node, lead ...int) *Node {
	f := m.must(g)
	return f.sample(scope, g, dtype, c, lead)
}

// SampleWithLogProb builds samples and their log-density, as
// [FlowMatching.SampleWithLogProb] does.
func (m Diffusion) SampleWithLogProb(scope *model.Scope, g *Graph, dtype dtypes.DType, c *Node, estimator divergence.Estimator, lead ...int) (x, logProb *Node) {
	f := m.must(g)
	return f.sampleWithLogProb(scope, g, dtype, c, estimator, lead)
}

// LogProb builds the log-density of x, as [FlowMatching.LogProb] does.
func (m Diffusion) LogProb(scope *model.Scope, x, c *Node, estimator divergence.Estimator) *Node {
	f := m.must(x.Graph())
	return f.logProb(scope, x, c, estimator)
}

// String describes the model on one line, the same in every process.
func (m Diffusion) String() string {
	return fmt.Sprintf("Diffusion{%v, %v, %v, %v}", m.Field, m.Prediction, m.Schedule, m.Solver)
}
