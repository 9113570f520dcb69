package nami

import (
	"fmt"
	"math"

	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/internal/run"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
)

// SeededEach returns a process in which each element of the batch shape has random numbers of
// its own: what element i draws in the first call is what a process with that element's
// context and mask alone, and [Process.Seeded] with the seed of sources[i], would draw in its
// first call, from the event with the number of sources[i] on. So the calls of several callers
// become one, whose batch has a row for each event, and each caller gets the events that it
// would have got alone:
//
//	// Three events with the seed 7 for one caller, two with the seed 8 for another.
//	joined, err := process.Rebind(contexts) // (5, context_dim): a row for each event
//	joined, err = joined.SeededEach([]solver.Source{{7, 0}, {7, 1}, {7, 2}, {8, 0}, {8, 1}})
//	events, err := joined.Sample(ctx) // (5)+event_shape
//
// The random numbers are the same to the bit; for what is computed from them, see "One
// answer in any company" in the package's serve. Without a context and a mask the batch shape
// becomes (len(sources)). It shares p's compiled programs; give the context and the mask
// before.
//
// It is an error if there isn't one source for each element, if a number isn't one from 0 to
// 2³²-1, and if the solver's steps are shared by the batch (solver.Solver's Shared), as what
// one caller gets would depend on the others.
func (p *Process) SeededEach(sources []solver.Source) (*Process, error) {
	q := *p
	if p.context == nil && p.mask == nil && len(p.flow.Groups()) == 0 {
		q.batch = []int{len(sources)}
	}
	switch {
	case len(sources) == 0 || len(sources) != shape.Size(q.batch):
		return nil, fmt.Errorf("nami: SeededEach is given %d sources, and the batch shape is %s: expected one for each element, at least one", len(sources), shape.Format(q.batch))
	case p.flow.Solver.Shared:
		return nil, fmt.Errorf("nami: SeededEach: the steps of %v are shared by all samples of a call, so what one draws depends on the others: bind the model with a solver whose Shared is false", p.flow.Solver)
	}
	for i, s := range sources {
		if s.Number < 0 || int64(s.Number) > math.MaxUint32 {
			return nil, fmt.Errorf("nami: SeededEach: source %d has the number %d: it must be from 0 to 2³²-1", i, s.Number)
		}
	}
	q.seeds = run.SeedsOf(sources)
	return &q, nil
}

// checkOneSeed refuses to change the batch of a process whose elements have sources.
func (p *Process) checkOneSeed(what string) error {
	if n := p.seeds.Each(); n > 0 {
		return fmt.Errorf("nami: %s would change the batch of a process that has %d sources of random numbers, one for each element: call SeededEach after %s", what, n, what)
	}
	return nil
}

// Context is what p is bound to, of shape batch_shape+context_shape; nil for nothing. It is
// to be read only.
func (p *Process) Context() *tensors.Tensor { return p.context }

// Mask is that of p's events, of shape batch_shape+[objects]; nil for none. It is to be read
// only.
func (p *Process) Mask() *tensors.Tensor { return p.mask }

// DType is what p computes in, and what its contexts, masks and events must be.
func (p *Process) DType() dtypes.DType { return p.dtype }

// BatchShape is that of p's contexts, masks, or sources; empty for one of them or none.
func (p *Process) BatchShape() []int { return p.batch }

// CheckData is the error with which p's methods would refuse events of data, or nil: events
// that don't have the shape sample_shape+batch_shape+event_shape, whose values are NaN or infinite, or
// for which the model's Transform isn't defined.
func (p *Process) CheckData(x *tensors.Tensor) error {
	_, err := p.checkData(x)
	return err
}

// CheckLogProb is the error with which [Process.LogProb] would refuse any events with this
// estimator, or nil.
func (p *Process) CheckLogProb(estimator divergence.Estimator) error {
	if err := p.flow.NeedsODE("LogProb"); err != nil {
		return err
	}
	estimator, err := p.flow.Estimator(estimator, p.mask != nil)
	if err == nil {
		err = p.checkDraws(estimator)
	}
	if err != nil {
		return err
	}
	return estimator.Check(p.flow.Base.EventShape())
}
