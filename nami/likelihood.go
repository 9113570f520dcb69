package nami

import (
	"context"
	"errors"
	"math"

	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/run"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// LogProb returns the log-density of x in nats, of shape sample_shape+batch_shape for x of
// sample_shape+batch_shape+event_shape: that of the noise from which the flow makes x,
// plus the integral of the velocity's divergence on the way there (Chen et al. 2018,
// arXiv:1806.07366, theorem 1), and the log-determinant of the model's Transform, so that it
// is a density in the units of the data. With [divergence.Hutchinson] it is an unbiased estimate
// whose probes come from the process's seed. [divergence.Exact] asks the field for its divergence
// if it knows it (field.KnowsDivergence), as MLPs and residual networks do; with a nil estimator
// it must have a closed form (a field.Divergent of your own).
//
// With a Transform that adds noise, as transform.Dequantize and transform.Circle do, it is noisy
// too, whatever the estimator: that of the event with one draw of the noise, whose mean over draws
// is a lower bound. [Draws] averages several; [Process.Noisy] tells.
func (p *Process) LogProb(ctx context.Context, x *tensors.Tensor, estimator divergence.Estimator) (*tensors.Tensor, error) {
	draws := 1
	if p.flow.Units.Draws {
		draws = p.draws
	}
	if draws == 1 {
		return p.logProb(ctx, x, estimator, 0, 1)
	}
	if err := p.checkDraws(estimator); err != nil {
		return nil, err
	}
	var mean logMean
	for i := range draws {
		part, err := p.logProb(ctx, x, estimator, i, draws)
		if err == nil {
			err = mean.add(part)
		}
		if err != nil {
			return nil, err
		}
	}
	return mean.result(), nil
}

// Noisy says whether [Process.LogProb] with this estimator depends on random numbers: those of the
// estimator, or those of the model's Transform.
func (p *Process) Noisy(estimator divergence.Estimator) bool {
	_, random := estimator.(divergence.Stochastic)
	return random || p.flow.Units.Draws
}

// logMean is the logarithm of the mean of numbers whose logarithms are added, element by element.
type logMean struct {
	like         shapes.Shape
	largest, sum []float64 // the sum in units of exp(largest)
	n            int
}

// add adds numbers, which it frees.
func (m *logMean) add(logs *tensors.Tensor) error {
	defer logs.MustFinalizeAll()
	if m.n == 0 {
		m.like, m.largest, m.sum = logs.Shape().Clone(), make([]float64, logs.Size()), make([]float64, logs.Size())
		for i := range m.largest {
			m.largest[i] = math.Inf(-1)
		}
	}
	m.n++
	return gomlx.EachFloat(logs, func(i int, v float64) {
		switch {
		case math.IsInf(v, -1):
		case v > m.largest[i]:
			m.sum[i] = m.sum[i]*math.Exp(m.largest[i]-v) + 1
			m.largest[i] = v
		default:
			m.sum[i] += math.Exp(v - m.largest[i])
		}
	})
}

func (m *logMean) result() *tensors.Tensor {
	for i, s := range m.sum {
		m.largest[i] += math.Log(s / float64(m.n))
	}
	return gomlx.FromFloats(m.like.DType, m.largest, m.like.Dimensions...)
}

// logProb is LogProb with one draw of all noise, as a part of a call.
func (p *Process) logProb(ctx context.Context, x *tensors.Tensor, estimator divergence.Estimator, part, parts int) (*tensors.Tensor, error) {
	r, err := p.likelihood("LogProb", x, estimator)
	if err != nil {
		return nil, err
	}
	r.part, r.parts = part, parts
	r.End = func(c run.Chunk, y []*tensors.Tensor) ([]*tensors.Tensor, error) {
		defer gomlx.Finalize(y)
		return p.programs.OnRows("log-density of data", c, y, func(scope *model.Scope, in []*Node, given run.Inputs[Node]) []*Node {
			return []*Node{Sub(p.flow.BaseLogProb(scope, in[0], given), in[1])}
		})
	}
	solution, err := p.execute(ctx, r)
	return only(solution, err, "the log-density")
}

// likelihood is the request that carries x to the noise, with the integral of minus the
// divergence on the way; what says who asks.
func (p *Process) likelihood(what string, x *tensors.Tensor, estimator divergence.Estimator) (request, error) {
	if err := p.flow.NeedsODE(what); err != nil {
		return request{}, err
	}
	estimator, err := p.flow.Estimator(estimator, p.mask != nil)
	if err != nil {
		return request{}, err
	}
	return p.encoding(x, estimator)
}

// checkDraws refuses to average densities that are estimates of their logarithms.
func (p *Process) checkDraws(estimator divergence.Estimator) error {
	if _, random := estimator.(divergence.Stochastic); random && p.flow.Units.Draws && p.draws > 1 {
		return errors.New("nami: Draws averages densities, and the estimator gives estimates of their logarithms: use divergence.Exact, or bind without Draws")
	}
	return nil
}

// SampleWithLogProb draws samples as [Process.Sample] does and gives their log-density,
// as [Process.LogProb] does, from one solve.
func (p *Process) SampleWithLogProb(ctx context.Context, estimator divergence.Estimator, sampleShape ...int) (samples, logProb *tensors.Tensor, err error) {
	if err := p.flow.NeedsODE("SampleWithLogProb"); err != nil {
		return nil, nil, err
	}
	if estimator, err = p.flow.Estimator(estimator, p.mask != nil); err != nil {
		return nil, nil, err
	}
	lead, err := p.lead(sampleShape)
	if err != nil {
		return nil, nil, err
	}
	r := p.sampling(lead, 0, p.seeds.Next())
	start := r.Start
	r.estimator = estimator
	r.Start = func(c run.Chunk) ([]*tensors.Tensor, error) {
		y, err := start(c)
		if err != nil {
			return nil, err
		}
		out, err := p.programs.OnRows("log-density of noise", c, y, func(scope *model.Scope, in []*Node, given run.Inputs[Node]) []*Node {
			return []*Node{p.flow.BaseLogProb(scope, in[0], given)}
		})
		if err != nil {
			gomlx.Finalize(y)
			return nil, err
		}
		return append(y, out...), nil
	}
	solution, err := p.execute(ctx, r)
	if samples, err = only(solution, err, "sampling"); err != nil {
		return nil, nil, err
	}
	return samples, solution.Y[1], nil
}

// zeros is a part of a state with a value for each row.
func (p *Process) zeros(n int) *tensors.Tensor {
	return tensors.FromShape(shapes.Make(p.dtype, n))
}
