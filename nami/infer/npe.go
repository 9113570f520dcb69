package infer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/nami/train"
	"github.com/nami-flow/go-nami/nami/transform"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// NPE is neural posterior estimation by flow matching (Wildberger et al. 2023, arXiv:2305.17161): a
// flow of the parameters, conditioned on the observation. The zero value is the usual choice.
type NPE struct {
	// Field is the velocity that learns: of events of shape [d] for d parameters, with a context
	// of the observation's values. If nil it is [field.Default]. A time series, an image or a set of
	// observations wants a [field.Embedded].
	Field field.Field

	// Observation is the shape of an observation that isn't a vector, such as [100, 2] for a
	// series of 100 times and 2 values; its values are in row-major order. Field must take contexts
	// of that shape.
	Observation []int
}

// shareHeld is the part of the simulations that isn't trained on.
const shareHeld = 0.1

// Fit learns the posteriors from simulations whose parameters were drawn from the prior. Parameters
// with bounds are mapped to all numbers, so that no sample lies outside, and all are standardised, as
// are observations. A tenth of the simulations, at most 10,000, chosen at random, isn't trained on
// but says which weights are best: those are kept.
//
// Options are those of [train.Fit], such as [train.Checkpoint] and [train.Progress]. Without
// [train.Steps] there are as many steps as paid for such a number of simulations.
func (e NPE) Fit(ctx context.Context, backend compute.Backend, prior Prior, simulations *Simulations, options ...train.Option) (*Posterior, error) {
	if err := checkPrior(prior); err != nil {
		return nil, err
	}
	if err := simulations.check(prior); err != nil {
		return nil, err
	}
	observation := e.Observation
	if observation == nil {
		observation = []int{len(simulations.X[0])}
	}
	if size := shape.Size(observation); size != len(simulations.X[0]) {
		return nil, fmt.Errorf("infer.NPE: Observation is %v, which are %d values, and the simulations have %d", observation, size, len(simulations.X[0]))
	}
	p := &Posterior{prior: prior, support: supportOf(prior), shape: observation, simulations: simulations}
	events := func(rows []int) data.Events {
		some := simulations.rows(rows)
		return data.Events{X: tensorOf(some.Theta, len(prior.Names())), Context: tensorOf(some.X, observation...)}
	}
	training, held := simulations.split()
	learned := events(training)
	flow, err := e.flow(backend, p.support, learned)
	if err != nil {
		return nil, err
	}
	steps := stepsFor(len(training))
	options = append([]train.Option{
		train.Steps(steps), train.BatchSize(min(batchSize, len(training))),
		train.Validate(train.Validation{Events: events(held), Every: max(1, steps/50)}),
	}, options...)
	store := model.NewStore()
	l := loss.Transformed{Of: loss.FM{Field: flow.Field}, Transform: flow.Transform, ContextTransform: flow.ContextTransform}
	if p.History, err = train.Fit(ctx, backend, store, l, learned, options...); err != nil {
		return nil, err
	}
	if _, ok := p.History.Best(); ok {
		if store, err = train.Weights(store, train.Best); err != nil {
			return nil, err
		}
	}
	if p.process, err = flow.Bind(backend, store, tensors.FromFlatDataAndDimensions(make([]float32, shape.Size(observation)), observation...)); err != nil {
		return nil, err
	}
	return p, nil
}

// flow is the model, with transforms fitted to what is trained on.
func (e NPE) flow(backend compute.Backend, s support, training data.Events) (nami.FlowMatching, error) {
	d := len(s.low)
	flow := nami.FlowMatching{Field: e.Field, Base: distribution.NewStandardNormal(d), Solver: solver.Dopri5(1e-4, 1e-4)}
	if flow.Field == nil {
		flow.Field = field.Default([]int{d}, training.Context.Shape().Dimensions[1])
	}
	var err error
	if flow.Transform, err = transform.Fit(backend, transform.Chain{s.unbounded(), transform.Standardize{}}, transform.Data{X: training.X}); err != nil {
		return flow, fmt.Errorf("infer.NPE: the parameters: %w", err)
	}
	if flow.ContextTransform, err = transform.Fit(backend, transform.Standardize{Constant: 1}, transform.Data{X: training.Context}); err != nil {
		return flow, fmt.Errorf("infer.NPE: the observations: %w", err)
	}
	return flow, nil
}

// unbounded maps parameters between bounds to all numbers.
func (s support) unbounded() transform.Columns {
	var columns transform.Columns
	for i, low := range s.low {
		switch below, above := math.IsInf(low, -1), math.IsInf(s.high[i], 1); {
		case !below && !above:
			columns = append(columns, transform.Group{Of: []int{i}, By: transform.Probit{Low: low, High: s.high[i]}})
		case !below:
			columns = append(columns, transform.Group{Of: []int{i}, By: transform.Logarithm{Shift: -low}})
		}
	}
	return columns
}

const batchSize = 256

// stepsFor is how many steps pay for that many simulations to train on.
func stepsFor(n int) int { return min(20_000, 2_000+n/2) }

// check refuses simulations that nothing can be learned from.
func (s *Simulations) check(prior Prior) error {
	switch {
	case s == nil || s.Len() == 0:
		return errors.New("infer: there are no simulations: make some with Simulate, or take them from a table")
	case len(s.X) != len(s.Theta):
		return fmt.Errorf("infer: there are %d parameters and %d observations: expected one for each", len(s.Theta), len(s.X))
	case !slices.Equal(s.Parameters, prior.Names()):
		return fmt.Errorf("infer: the simulations have the parameters %q, the prior has %q: expected the same in the same order", s.Parameters, prior.Names())
	case s.Len() < leastSimulations:
		return fmt.Errorf("infer: there are %d simulations: expected at least %d, and some thousands for a good posterior", s.Len(), leastSimulations)
	}
	of := supportOf(prior)
	for i, theta := range s.Theta {
		switch {
		case len(theta) != len(s.Parameters) || !finite(theta):
			return fmt.Errorf("infer: simulation %d has the parameters %v: expected %d finite values", i, theta, len(s.Parameters))
		case len(s.X[i]) != len(s.X[0]):
			return fmt.Errorf("infer: the observation of simulation %d has %d values, that of simulation 0 has %d: all must have as many", i, len(s.X[i]), len(s.X[0]))
		case !finite(s.X[i]):
			return fmt.Errorf("infer: the observation of simulation %d (%s) isn't finite: leave it out, and count it in Failed", i, describe(s.Parameters, theta))
		case !of.holds(theta):
			return fmt.Errorf("infer: the parameters of simulation %d (%s) lie outside the prior's support: give the prior that they were drawn from", i, describe(s.Parameters, theta))
		}
	}
	return nil
}

// leastSimulations is how many it takes to train and to hold some out.
const leastSimulations = 20

// split says which simulations are trained on and which aren't, always the same ones.
func (s *Simulations) split() (training, held []int) {
	order := rand.New(rand.NewPCG(0, 0)).Perm(s.Len())
	n := min(10_000, max(1, int(shareHeld*float64(s.Len()))))
	return order[n:], order[:n]
}

// tensorOf puts rows into a tensor.
func tensorOf(rows [][]float64, event ...int) *tensors.Tensor {
	flat := make([]float32, 0, len(rows)*shape.Size(event))
	for _, row := range rows {
		for _, v := range row {
			flat = append(flat, float32(v))
		}
	}
	return tensors.FromFlatDataAndDimensions(flat, append([]int{len(rows)}, event...)...)
}
