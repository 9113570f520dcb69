package nami

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
)

// Trajectory draws samples as [Process.Sample] does and returns where they are at each of
// the times, of shape (len(times)) + sample_shape + batch_shape + event_shape. The times go
// strictly from the noise's to the data's, 1 to 0 unless [Times] says otherwise; both may
// be among them. A solver with equal steps takes its number of steps over the whole way,
// shared out among the times, at least one between two of them.
func (p *Process) Trajectory(ctx context.Context, times []float64, sampleShape ...int) (*tensors.Tensor, error) {
	lead, err := p.lead(sampleShape)
	if err != nil {
		return nil, err
	}
	if err := p.checkTimes(times); err != nil {
		return nil, err
	}
	seed := p.random.next()
	var all, x *tensors.Tensor
	at := p.noise
	for i, t := range times {
		j := job{lead: lead, from: at, to: t, steps: p.share(at, t), seed: seed}
		if x == nil {
			j.start = func(c chunk) ([]*tensors.Tensor, error) {
				noise, err := p.drawNoise(seed, c)
				return []*tensors.Tensor{noise}, err
			}
		} else {
			j.start = p.startFrom(x, lead)
		}
		j.seed += int64(i) // the noise of a stochastic solve goes on, the base's is drawn once
		solution, err := p.do(ctx, j)
		next, err := only(solution, err, "sampling")
		if err != nil {
			return nil, err
		}
		if all == nil {
			all = tensors.FromShape(shapes.Make(p.dtype, slices.Concat([]int{len(times)}, next.Shape().Dimensions)...))
		}
		if err := putRows(all, i, next, chunk{n: 1, keep: 1}); err != nil {
			return nil, err
		}
		x, at = next, t
	}
	return all, nil
}

func (p *Process) checkTimes(times []float64) error {
	if len(times) == 0 {
		return fmt.Errorf("nami: there are no times: give some from %v (noise) to %v (data)", p.noise, p.data)
	}
	for i, t := range times {
		if !(t >= p.data && t <= p.noise) {
			return fmt.Errorf("nami: times[%d] is %v: it must lie between %v (noise) and %v (data)", i, t, p.noise, p.data)
		}
		if i > 0 && t >= times[i-1] {
			return fmt.Errorf("nami: times[%d] is %v and times[%d] is %v: a sample goes from noise to data, so times must fall", i-1, times[i-1], i, t)
		}
	}
	return nil
}

// share is how many of the solver's steps go to a part of the way; an adaptive solver
// may take all that it is allowed.
func (p *Process) share(from, to float64) int {
	if p.solver.Traits().Adaptive {
		return 0
	}
	if p.clock != nil {
		from, to = p.clock.solver(from), p.clock.solver(to)
	}
	return max(1, int(math.Round(float64(p.solver.Steps())*(from-to)/(p.noise-p.data))))
}

// Solve carries events, of shape sample_shape+batch_shape+event_shape, from one time to
// another, and returns how each fared: its code, where it ended, its steps, and how often
// the field was evaluated. Events that fail are no error here: see [solver.Solution.Err].
// Y holds their states in the shape of x, the other lists the events in its order.
func (p *Process) Solve(ctx context.Context, x *tensors.Tensor, from, to float64) (*solver.Solution, error) {
	lead, err := p.check("state", x)
	if err != nil {
		return nil, err
	}
	for _, t := range []float64{from, to} {
		if !(t >= p.data && t <= p.noise) {
			return nil, fmt.Errorf("nami: can't solve from %v to %v: both times must lie between %v (noise) and %v (data)", from, to, p.noise, p.data)
		}
	}
	if p.solver.Traits().Stochastic && from < to {
		return nil, fmt.Errorf("nami: can't solve from %v to %v with %v: the stochastic process runs from noise to data only", from, to, p.solver)
	}
	return p.do(ctx, job{lead: lead, from: from, to: to, seed: p.random.next(), start: p.startFrom(x, lead)})
}
