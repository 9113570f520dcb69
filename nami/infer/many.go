package infer

import (
	"context"
	"errors"
	"fmt"

	"github.com/gomlx/gomlx/core/tensors"
)

// atOnce is about how many draws SampleEach holds.
const atOnce = 1 << 17

// SampleEach draws n times from the posterior given each of many observations, and calls f with the
// draws for observation i, in order. It holds some hundred thousand draws at a time, or those of one
// observation, whatever their number. An error of f ends it.
func (p *Posterior) SampleEach(ctx context.Context, observations [][]float64, n int, f func(i int, draws *Draws) error) error {
	switch {
	case n < 1:
		return fmt.Errorf("infer: asked for %d samples: expected at least 1", n)
	case f == nil:
		return errors.New("infer.SampleEach: f is nil: give a function that takes the draws")
	}
	for i, x := range observations {
		if err := p.admit(x); err != nil {
			return fmt.Errorf("infer.SampleEach: observation %d: %w", i, err)
		}
	}
	group := max(1, atOnce/n)
	for first := 0; first < len(observations); first += group {
		some := observations[first:min(first+group, len(observations))]
		draws, err := p.together(ctx, some, n)
		if err != nil {
			return err
		}
		for i, d := range draws {
			if err := f(first+i, d); err != nil {
				return err
			}
		}
	}
	return nil
}

// together draws n times for each of some observations in one call of the device. Draws outside the
// prior's support are made again for each observation by itself.
func (p *Posterior) together(ctx context.Context, observations [][]float64, n int) ([]*Draws, error) {
	process, err := p.process.Rebind(tensorOf(observations, p.shape...))
	if err != nil {
		return nil, err
	}
	x, err := process.Sample(ctx, n) // [n, observations, d]
	if err != nil {
		return nil, err
	}
	flat, d := tensors.MustCopyFlatData[float32](x), len(p.prior.Names())
	all := make([]*Draws, len(observations))
	for i := range all {
		some := &Draws{Parameters: p.prior.Names()}
		for k := range n {
			theta := make([]float64, d)
			for j := range theta {
				theta[j] = float64(flat[(k*len(observations)+i)*d+j])
			}
			if p.support.holds(theta) {
				some.Theta = append(some.Theta, theta)
			}
		}
		some.Leakage = 1 - float64(len(some.Theta))/float64(n)
		if missing := n - len(some.Theta); missing > 0 {
			more, err := p.Sample(ctx, observations[i], missing)
			if err != nil {
				return nil, fmt.Errorf("infer.SampleEach: observation %d: %w", i, err)
			}
			some.Theta = append(some.Theta, more.Theta...)
		}
		all[i] = some
	}
	return all, nil
}
