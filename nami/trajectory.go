package nami

import (
	"context"
	"fmt"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/gomlx/core/tensors"
)

// Trajectory draws samples as [Process.Sample] does and returns where they are at each of
// the times, of shape (len(times)) + sample_shape + batch_shape + event_shape. The times go
// strictly from the noise's to the data's, 1 to 0 unless [Times] says otherwise; both may
// be among them. It is one solve, whose steps are those of Sample, so that the samples at
// its end are those that Sample would have drawn: what lies between steps is interpolated,
// as [solver.Run] says. All are in the data's units.
func (p *Process) Trajectory(ctx context.Context, times []float64, sampleShape ...int) (*tensors.Tensor, error) {
	lead, err := p.lead(sampleShape)
	if err != nil {
		return nil, err
	}
	if err := p.checkTimes(times); err != nil {
		return nil, err
	}
	r := p.sampling(lead, 0, p.seeds.Next())
	r.Save = times
	solution, err := p.execute(ctx, r)
	if _, err := only(solution, err, "sampling"); err != nil {
		return nil, err
	}
	gomlx.Finalize(solution.Y)
	return solution.Saved[0], nil
}

func (p *Process) checkTimes(times []float64) error {
	if len(times) == 0 {
		return fmt.Errorf("nami: there are no times: give some from %v (noise) to %v (data)", p.flow.Noise, p.flow.Data)
	}
	for i, t := range times {
		if !(t >= p.flow.Data && t <= p.flow.Noise) {
			return fmt.Errorf("nami: times[%d] is %v: it must lie between %v (noise) and %v (data)", i, t, p.flow.Noise, p.flow.Data)
		}
		if i > 0 && t >= times[i-1] {
			return fmt.Errorf("nami: times[%d] is %v and times[%d] is %v: a sample goes from noise to data, so times must fall", i-1, times[i-1], i, t)
		}
	}
	return nil
}

// Solve carries events of the model's, of shape sample_shape+batch_shape+event_shape, from one
// time to another, and returns how each fared: its code, where it ended, its steps, and how often
// the field was evaluated. Events that fail are not an error here: see [solver.Solution.Err].
// Y holds their states in the shape of x, the other lists the events in its order. Both are in
// the model's units, where it has a Transform: transform.Apply and Invert are the way from and
// to those of the data.
func (p *Process) Solve(ctx context.Context, x *tensors.Tensor, from, to float64) (*solver.Solution, error) {
	lead, err := p.check("state", x, p.flow.Base.EventShape())
	if err != nil {
		return nil, err
	}
	for _, t := range []float64{from, to} {
		if !(t >= p.flow.Data && t <= p.flow.Noise) {
			return nil, fmt.Errorf("nami: can't solve from %v to %v: both times must lie between %v (noise) and %v (data)", from, to, p.flow.Noise, p.flow.Data)
		}
	}
	if p.flow.Solver.Stochastic() && from < to && !p.flow.BothWays() {
		return nil, fmt.Errorf("nami: can't solve from %v to %v with %v: the stochastic process runs from noise to data only, unless a flow's field is a field.Diffusive", from, to, p.flow.Solver)
	}
	return p.execute(ctx, p.carrying(x, lead, from, to))
}
