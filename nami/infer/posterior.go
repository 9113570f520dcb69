package infer

import (
	"context"
	"fmt"
	"math"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/gomlx/core/tensors"
)

// Posterior is the distribution of the parameters given an observation, any observation: see
// [NPE.Fit]. It is safe for concurrent use.
type Posterior struct {
	// History says how the training went.
	History *train.History

	prior       Prior
	support     support
	shape       []int // of an observation
	simulations *Simulations
	process     *nami.Process
}

// Sample draws n times from the posterior given an observation, whose values are in row-major order.
// Draws outside the prior's support are made again: Draws.Leakage says what part of them there was,
// and it is an error if it is nearly all.
func (p *Posterior) Sample(ctx context.Context, observed []float64, n int) (*Draws, error) {
	if n < 1 {
		return nil, fmt.Errorf("infer: asked for %d samples: expected at least 1", n)
	}
	process, err := p.given(observed)
	if err != nil {
		return nil, err
	}
	d := &Draws{Parameters: p.prior.Names()}
	made, outside := 0, 0
	for len(d.Theta) < n {
		want := n - len(d.Theta)
		if made > 0 { // the part that is left, and some more
			want = min(max(n, 1000), 1+int(1.1*float64(want)*float64(made)/float64(max(1, len(d.Theta)))))
		}
		x, err := process.Sample(ctx, want)
		if err != nil {
			return nil, err
		}
		made += want
		for _, theta := range rowsOf(x) {
			switch {
			case !p.support.holds(theta):
				outside++
			case len(d.Theta) < n:
				d.Theta = append(d.Theta, theta)
			}
		}
		d.Leakage = float64(outside) / float64(made)
		if made >= 1000 && d.Leakage > 0.99 {
			return nil, fmt.Errorf("infer: of %d samples %d lie outside the prior's support: the observation may be unlike all that was simulated, or the training too short", made, outside)
		}
	}
	return d, nil
}

// LogProb is the log-density of the posterior given an observation, in nats and in the parameters'
// units, for each row of parameters; -Inf outside the prior's support. Where samples leak from that,
// the density is that of the samples inside: divided by their part, which is measured with 10,000
// samples.
func (p *Posterior) LogProb(ctx context.Context, observed []float64, theta [][]float64) ([]float64, error) {
	process, err := p.given(observed)
	if err != nil {
		return nil, err
	}
	d := len(p.prior.Names())
	var inside [][]float64
	var index []int
	logp := make([]float64, len(theta))
	for i, t := range theta {
		if len(t) != d || !finite(t) {
			return nil, fmt.Errorf("infer: row %d of the parameters is %v: expected %d finite values", i, t, d)
		}
		if logp[i] = math.Inf(-1); p.support.holds(t) {
			inside, index = append(inside, t), append(index, i)
		}
	}
	if len(inside) == 0 {
		return logp, nil
	}
	part := 1.0
	if p.support.leaks() {
		draws, err := p.Sample(ctx, observed, 10_000)
		if err != nil {
			return nil, err
		}
		part -= draws.Leakage
	}
	values, err := process.LogProb(ctx, tensorOf(inside, d), divergence.Exact{})
	if err != nil {
		return nil, err
	}
	for k, v := range tensors.MustCopyFlatData[float32](values) {
		logp[index[k]] = float64(v) - math.Log(part)
	}
	return logp, nil
}

// given is the process for an observation.
func (p *Posterior) given(observed []float64) (*nami.Process, error) {
	if err := p.admit(observed); err != nil {
		return nil, fmt.Errorf("infer: %w", err)
	}
	x := make([]float32, len(observed))
	for i, v := range observed {
		x[i] = float32(v)
	}
	return p.process.Rebind(tensors.FromFlatDataAndDimensions(x, p.shape...))
}

// admit refuses an observation that isn't like the simulations' in form.
func (p *Posterior) admit(observed []float64) error {
	if len(observed) != shape.Size(p.shape) {
		return fmt.Errorf("the observation has %d values, those of the simulations have %d", len(observed), shape.Size(p.shape))
	}
	for i, v := range observed {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("value %d of the observation is %v: expected a finite number, as the simulations have", i, v)
		}
	}
	return nil
}

// rowsOf are the rows of a tensor [n, d].
func rowsOf(t *tensors.Tensor) [][]float64 {
	flat, d := tensors.MustCopyFlatData[float32](t), t.Shape().Dimensions[1]
	rows := make([][]float64, len(flat)/d)
	for i := range rows {
		rows[i] = make([]float64, d)
		for j := range d {
			rows[i][j] = float64(flat[i*d+j])
		}
	}
	return rows
}
