package nami

import (
	"context"

	"github.com/nami-flow/go-nami/nami/divergence"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// LogProb returns the log-density of x in nats, of shape sample_shape+batch_shape for x of
// sample_shape+batch_shape+event_shape: that of the noise that the flow makes x of, plus
// the integral of the velocity's divergence over the way there (Chen et al. 2018,
// arXiv:1806.07366, theorem 1). With [divergence.Hutchinson] it is an unbiased estimate
// whose probes come from the process's seed. A nil estimator asks the field, which must be
// a field.Divergent.
func (p *Process) LogProb(ctx context.Context, x *tensors.Tensor, estimator divergence.Estimator) (*tensors.Tensor, error) {
	j, err := p.likelihood("LogProb", x, estimator)
	if err != nil {
		return nil, err
	}
	j.end = func(c chunk, y []*tensors.Tensor) ([]*tensors.Tensor, error) {
		defer finalize(y)
		return p.single("log-density of data", func(scope *model.Scope, in [][]*Node) []*Node {
			return []*Node{Sub(p.baseLogProb(scope, in[0][0], p.unpack(in[1])), in[0][1])}
		}).Call(y, p.ofRows(c))
	}
	solution, err := p.do(ctx, j)
	return only(solution, err, "the log-density")
}

// likelihood is the job that carries x to the noise, with the integral of minus the
// divergence on the way; what says who asks.
func (p *Process) likelihood(what string, x *tensors.Tensor, estimator divergence.Estimator) (job, error) {
	if err := p.needsODE(what); err != nil {
		return job{}, err
	}
	estimator, err := p.orOwn(estimator, p.mask != nil)
	if err != nil {
		return job{}, err
	}
	lead, err := p.check("data", x)
	if err != nil {
		return job{}, err
	}
	start := p.startFrom(x, lead)
	return job{
		lead: lead, from: p.data, to: p.noise, estimator: estimator, seed: p.random.next(),
		start: func(c chunk) ([]*tensors.Tensor, error) {
			y, err := start(c)
			return append(y, p.zeros(c.n)), err
		},
	}, nil
}

// SampleWithLogProb draws samples as [Process.Sample] does and gives their log-density,
// as [Process.LogProb] does, from one solve.
func (p *Process) SampleWithLogProb(ctx context.Context, estimator divergence.Estimator, sampleShape ...int) (samples, logProb *tensors.Tensor, err error) {
	if err := p.needsODE("SampleWithLogProb"); err != nil {
		return nil, nil, err
	}
	if estimator, err = p.orOwn(estimator, p.mask != nil); err != nil {
		return nil, nil, err
	}
	lead, err := p.lead(sampleShape)
	if err != nil {
		return nil, nil, err
	}
	seed := p.random.next()
	solution, err := p.do(ctx, job{
		lead: lead, from: p.noise, to: p.data, estimator: estimator, seed: seed,
		start: func(c chunk) ([]*tensors.Tensor, error) {
			noise, err := p.drawNoise(seed, c)
			if err != nil {
				return nil, err
			}
			y := []*tensors.Tensor{noise}
			out, err := p.single("log-density of noise", func(scope *model.Scope, in [][]*Node) []*Node {
				return []*Node{p.baseLogProb(scope, in[0][0], p.unpack(in[1]))}
			}).Call(y, p.ofRows(c))
			if err != nil {
				finalize(y)
				return nil, err
			}
			return append(y, out...), nil
		},
	})
	if samples, err = only(solution, err, "sampling"); err != nil {
		return nil, nil, err
	}
	return samples, solution.Y[1], nil
}

// zeros is a part of a state with a value for each row.
func (p *Process) zeros(n int) *tensors.Tensor {
	if p.dtype == dtypes.Float64 {
		return tensors.FromFlatDataAndDimensions(make([]float64, n), n)
	}
	return tensors.FromFlatDataAndDimensions(make([]float32, n), n)
}

func (p *Process) scalar(v float64) *tensors.Tensor {
	if p.dtype == dtypes.Float64 {
		return tensors.FromScalar(v)
	}
	return tensors.FromScalar(float32(v))
}
