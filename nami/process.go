package nami

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/dynamics"
	"github.com/nami-flow/go-nami/nami/internal/fingerprint"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/run"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Process is a model bound to its weights and a context: it samples, and gives
// log-densities. It is safe for concurrent use; calls take turns on the device.
//
// Large calls go to the device in chunks of [ChunkSize] events, so memory is bounded by
// what a chunk needs and what is returned. The random numbers of an event depend on the
// seed, on the call's number and on the event's place in it, not on the chunks.
type Process struct {
	*bound
	context *tensors.Tensor // batch_shape+context_shape, or nil
	inModel *tensors.Tensor // the same in the model's units
	mask    *tensors.Tensor // batch_shape+[objects], or nil
	batch   []int
	seeds   *run.Seeds
}

// bound is what the processes of one binding share.
type bound struct {
	flow     dynamics.Flow
	programs *run.Programs
	backend  compute.Backend
	store    *model.Store
	dtype    dtypes.DType
	chunk    int
	progress func(done, total int)
	draws    int

	inspected sync.Map // of the shape of a context to true: see inspect
}

// checkParts refuses what no model can be bound to.
func checkParts(backend compute.Backend, store *model.Store, s solver.Solver) error {
	switch {
	case backend == nil:
		return errors.New("nami: the backend is nil: open one with nami.OpenBackend")
	case store == nil:
		return errors.New("nami: the store is nil: make one with model.NewStore(), and train or load a model in it")
	}
	return checkSolver(s)
}

// checkSolver refuses a solver that can't go on.
func checkSolver(s solver.Solver) error {
	if s.Method == nil {
		return errors.New("nami: Solver is empty: give the model a solver such as solver.RK4(64)")
	}
	if err := s.Validate(); err != nil {
		return fmt.Errorf("nami: %w", err)
	}
	return nil
}

// checkBase refuses a base that doesn't fit the field.
func checkBase(base distribution.Base, rank int) error {
	switch base.(type) {
	case distribution.Distribution, distribution.Conditional:
	default:
		return fmt.Errorf("nami: Base is a %T: it must be a distribution.Distribution or a distribution.Conditional", base)
	}
	if slices.ContainsFunc(base.EventShape(), func(size int) bool { return size < 1 }) {
		return fmt.Errorf("nami: an event has shape %s: every axis needs at least 1 value", shape.Format(base.EventShape()))
	}
	if rank != len(base.EventShape()) {
		return fmt.Errorf("nami: the field's events have rank %d, the base's shape %s: they must be one event",
			rank, shape.Format(base.EventShape()))
	}
	return nil
}

// bind makes a process of a flow whose parts were checked, of a model with the given parts
// beside its transforms.
func bind(f dynamics.Flow, m fingerprint.Parts, backend compute.Backend, store *model.Store, context *tensors.Tensor, s settings) (*Process, error) {
	p := &Process{
		bound: &bound{
			flow: f, programs: run.NewPrograms(backend, store, f.Solver), backend: backend, store: store,
			dtype: s.dtype, chunk: s.chunk, progress: s.progress, draws: s.draws,
		},
		seeds: run.NewSeeds(s.seed),
	}
	bound, err := p.Rebind(context)
	if err != nil {
		return nil, err
	}
	if s.anyModel {
		return bound, nil
	}
	if err := bound.checkTrained(m); err != nil {
		return nil, err
	}
	return bound, nil
}

// Rebind returns a process with another context, of shape batch_shape+context_shape, or nil
// for none: the context shape is a vector's unless the field says otherwise (see
// [field.ContextRank]). Both share their compiled programs and their stream of random numbers: a
// service binds once and rebinds for each request. The context is in its own units: the model's
// ContextTransform is applied here. The tensor is read, not copied: leave it as it is while the
// process lives.
func (p *Process) Rebind(context *tensors.Tensor) (*Process, error) {
	if err := p.checkOneSeed("Rebind"); err != nil {
		return nil, err
	}
	q := *p
	q.context, q.batch = context, nil
	var one []int // the shape of one context
	if context != nil {
		dims, rank := context.Shape().Dimensions, field.ContextRank(p.flow.Field)
		if len(dims) < rank || context.Size() == 0 || context.DType() != p.dtype {
			axes := "[context_dim]"
			if rank != 1 {
				axes = fmt.Sprintf("the %d axes of a context", rank)
			}
			return nil, fmt.Errorf("nami: the context is %s: expected %s values of shape batch_shape+%s, none of them 0",
				context.Shape(), p.dtype, axes)
		}
		if err := checkFinite("context", context); err != nil {
			return nil, err
		}
		q.batch, one = dims[:len(dims)-rank], dims[len(dims)-rank:]
	}
	inModel, err := p.flow.Units.ContextShape(one)
	if err == nil {
		err = p.inspect(inModel)
	}
	if err == nil {
		q.inModel, err = p.contextToModel(context, one)
	}
	if err != nil {
		return nil, err
	}
	if group := p.flow.Groups(); len(group) > 0 {
		if context != nil && !slices.Equal(q.batch, group) {
			return nil, fmt.Errorf("nami: the context is %s, and the base %v is a batch of shape %s: expected a context for each element of that batch",
				context.Shape(), p.flow.Base, shape.Format(group))
		}
		q.batch = group
	}
	if p.mask != nil {
		return q.Masked(p.mask)
	}
	return &q, nil
}

// EventShape is the shape of one event in the data's units; empty for a scalar.
func (p *Process) EventShape() []int { return p.flow.Units.Shape }

// Masked returns a process for events of varying numbers of objects: the first axis of an
// event counts objects, and mask, of shape batch_shape+[objects], is 1 where there is one
// and 0 where there is padding. Samples are exactly zero in the padding, what stands there
// in an event given to the process changes nothing, and the log-density is that of the
// objects alone. The batch shape must be the context's, if there is one. nil takes a mask
// away. It shares p's compiled programs; the tensor is read, not copied.
func (p *Process) Masked(mask *tensors.Tensor) (*Process, error) {
	if err := p.checkOneSeed("Masked"); err != nil {
		return nil, err
	}
	q := *p
	q.mask = mask
	if q.context == nil {
		q.batch = p.flow.Groups()
	}
	if mask == nil {
		return &q, nil
	}
	event := p.EventShape()
	if len(event) < 2 {
		return nil, fmt.Errorf("nami: events have shape %s: a masked event needs an axis of objects and one of features at least", shape.Format(event))
	}
	dims := mask.Shape().Dimensions
	if len(dims) == 0 || mask.Size() == 0 || dims[len(dims)-1] != event[0] || mask.DType() != p.dtype {
		return nil, fmt.Errorf("nami: the mask is %s: expected %s values of shape batch_shape+[%d], none of them 0, one for each object of an event %s",
			mask.Shape(), p.dtype, event[0], shape.Format(event))
	}
	batch := dims[:len(dims)-1]
	if len(q.flow.Groups()) > 0 {
		return nil, fmt.Errorf("nami: the base %v is a batch of distributions: with a mask use one for all", q.flow.Base)
	}
	if q.context != nil && !slices.Equal(batch, q.batch) {
		return nil, fmt.Errorf("nami: the mask is %s, and the context's batch shape is %s: expected one mask for each context",
			mask.Shape(), shape.Format(q.batch))
	}
	q.batch = batch
	if err := checkMask(mask); err != nil {
		return nil, err
	}
	return &q, nil
}

// Seeded returns a process whose random numbers start at seed, so that what it draws
// first doesn't depend on what was drawn before. It shares p's compiled programs.
func (p *Process) Seeded(seed int64) *Process {
	q := *p
	if q.seeds = run.NewSeeds(seed); q.context == nil && q.mask == nil {
		q.batch = q.flow.Groups() // and no longer one of sources
	}
	return &q
}

// checkMask refuses values other than 0 and 1.
func checkMask(mask *tensors.Tensor) error {
	at := -1
	var value float64
	err := gomlx.EachFloat(mask, func(i int, v float64) {
		if at < 0 && v != 0 && v != 1 {
			at, value = i, v
		}
	})
	if err != nil {
		return err
	}
	if at >= 0 {
		return fmt.Errorf("nami: value %d of the mask, of shape %s, is %v: expected 1 for an object and 0 for padding", at, mask.Shape(), value)
	}
	return nil
}
