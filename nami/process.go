package nami

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/nami-flow/go-nami/nami/event"
	"github.com/nami-flow/go-nami/nami/internal/loop"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Process is a flow bound to its weights and a context. It is safe for concurrent use;
// calls take turns on the device.
type Process struct {
	model    FlowMatching
	backend  compute.Backend
	store    *model.Store
	context  *tensors.Tensor // batch_shape+[context_dim], or nil
	batch    []int
	dtype    dtypes.DType
	random   *stream
	progress func(done, total int)
	solve    *loop.Program
	draws    *draws
}

// Rebind returns a process with another context, of shape batch_shape+[context_dim],
// or nil for none. Both share their compiled programs and their stream of random
// numbers: a service binds once and rebinds for each request. The tensor is read, not
// copied: leave it as it is while the process lives.
func (p *Process) Rebind(context *tensors.Tensor) (*Process, error) {
	q := *p
	q.context, q.batch = context, nil
	contextDim := 0
	if context != nil {
		dims := context.Shape().Dimensions
		if len(dims) == 0 || context.Size() == 0 || context.DType() != p.dtype {
			return nil, fmt.Errorf("nami: the context is %s: expected %s values of shape batch_shape+[context_dim], none of them 0",
				context.Shape(), p.dtype)
		}
		if err := checkFinite("context", context); err != nil {
			return nil, err
		}
		q.batch, contextDim = dims[:len(dims)-1], dims[len(dims)-1]
	}
	err := checkField(q.backend, q.store, q.model.Field, q.dtype, []int{1}, q.model.Base.EventShape(), contextDim)
	if err != nil {
		return nil, err
	}
	return &q, nil
}

// Seeded returns a process whose random numbers start at seed, so that what it draws
// first doesn't depend on what was drawn before. It shares p's compiled programs.
func (p *Process) Seeded(seed int64) *Process {
	q := *p
	q.random = &stream{seed: seed}
	return &q
}

// Sample draws samples of shape sample_shape + batch_shape + event_shape, where
// batch_shape comes from the context: 10,000 events of shape (2) without context are
// (10000, 2), one for each of 16 contexts with events of 8 is (1, 16, 8). Each call
// draws new ones. It stops soon after ctx is done, with an error that wraps its cause.
// Samples that are not finite are an error.
func (p *Process) Sample(ctx context.Context, sampleShape ...int) (*tensors.Tensor, error) {
	for axis, size := range sampleShape {
		if size < 1 {
			return nil, fmt.Errorf("nami: axis %d of the sample shape %s is %d: every axis needs at least 1",
				axis, event.Format(sampleShape), size)
		}
	}
	noise, err := p.noise(slices.Concat(sampleShape, p.batch))
	if err != nil {
		return nil, err
	}
	return p.integrate(ctx, noise)
}

// SampleFrom carries given noise, of shape sample_shape+batch_shape+event_shape, from
// t=1 to t=0: for reproducing samples, or for moving from one to another.
func (p *Process) SampleFrom(ctx context.Context, noise *tensors.Tensor) (*tensors.Tensor, error) {
	if noise == nil {
		return nil, errors.New("nami: the noise is nil")
	}
	if noise.DType() != p.dtype || noise.Size() == 0 {
		return nil, fmt.Errorf("nami: the noise is %s: expected %s values, at least one event", noise.Shape(), p.dtype)
	}
	if err := p.validate(noise.Shape().Dimensions); err != nil {
		return nil, fmt.Errorf("nami: the noise: %w", err)
	}
	if err := checkFinite("noise", noise); err != nil {
		return nil, err
	}
	own, err := noise.LocalClone() // the solve consumes its state
	if err != nil {
		return nil, err
	}
	return p.integrate(ctx, own)
}

// validate checks that dims is sample_shape+batch_shape+event_shape.
func (p *Process) validate(dims []int) error {
	shape := p.model.Base.EventShape()
	if err := event.Validate(dims, shape, nil); err != nil {
		return err
	}
	lead := dims[:len(dims)-len(shape)]
	if len(lead) < len(p.batch) || !slices.Equal(lead[len(lead)-len(p.batch):], p.batch) {
		return fmt.Errorf("shape %s has the lead %s, which must end in the context's batch shape %s",
			event.Format(dims), event.Format(lead), event.Format(p.batch))
	}
	return nil
}

// integrate carries noise, which it consumes, to t=0.
func (p *Process) integrate(ctx context.Context, noise *tensors.Tensor) (*tensors.Tensor, error) {
	steps := p.model.Solver.Steps()
	fixed := []*tensors.Tensor{p.scalar(1), p.scalar(0), p.scalar(float64(steps))}
	defer func() {
		for _, t := range fixed[:3] {
			t.MustFinalizeAll()
		}
	}()
	if p.context != nil {
		fixed = append(fixed, p.context)
	}
	var after func(int, []*tensors.Tensor)
	if p.progress != nil {
		after = func(done int, _ []*tensors.Tensor) { p.progress(done, steps) }
	}
	out, _, err := p.solve.Run(ctx, steps, []*tensors.Tensor{noise}, fixed, after)
	if err != nil {
		return nil, fmt.Errorf("nami: sampling: %w", err)
	}
	if err := out[0].ToLocal(); err != nil {
		return nil, fmt.Errorf("nami: sampling: %w", err)
	}
	if err := checkFinite("samples", out[0]); err != nil {
		return nil, fmt.Errorf("%w: the field diverges; train longer, or take more steps than %d", err, steps)
	}
	return out[0], nil
}

func (p *Process) scalar(v float64) *tensors.Tensor {
	if p.dtype == dtypes.Float64 {
		return tensors.FromScalar(v)
	}
	return tensors.FromScalar(float32(v))
}

// checkFinite is an error that says how many values of t are NaN or infinite.
func checkFinite(what string, t *tensors.Tensor) error {
	bad, first := 0, -1
	note := func(i int, v float64) {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			if bad == 0 {
				first = i
			}
			bad++
		}
	}
	err := t.ConstFlatData(func(flat any) {
		switch values := flat.(type) {
		case []float32:
			for i, v := range values {
				if v-v != 0 {
					note(i, float64(v))
				}
			}
		case []float64:
			for i, v := range values {
				if v-v != 0 {
					note(i, v)
				}
			}
		}
	})
	if err != nil {
		return err
	}
	if bad > 0 {
		return fmt.Errorf("nami: %d of %d values of the %s, of shape %s, are NaN or infinite, the first at flat index %d",
			bad, t.Size(), what, t.Shape(), first)
	}
	return nil
}
