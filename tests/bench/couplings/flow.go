package main

import (
	"context"
	"math"
	"math/rand/v2"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/coupling"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
)

// flow is one to be trained, from a source to a target.
type flow struct {
	source, target sampler
	of             condition
	rival          rival
	seed           int64
	steps, hidden  int
	together       int // batches that are paired at once; 1 if 0
	training       int // points; 100,000 if 0
}

// across is transport that takes contexts and doesn't look at them: what goes wrong.
type across struct{ coupling.OptimalTransport }

// Pair leaves the contexts out.
func (a across) Pair(random *rand.Rand, source, target, _ *tensors.Tensor) ([]int, error) {
	return a.OptimalTransport.Pair(random, source, target, nil)
}

// PairsWithinContexts says what isn't so, or training would refuse it.
func (across) PairsWithinContexts() bool { return true }

func (f flow) network() field.Field {
	m := field.MLP{EventShape: []int{2}, Hidden: []int{f.hidden, f.hidden, f.hidden}, Activation: activation.TypeSelu}
	if f.of != none {
		m.ContextDim = 1
	}
	return m
}

// train trains the flow, and returns the mean loss of its last fifth.
func (f flow) train(ctx context.Context, backend compute.Backend, store *model.Store) (last float64, history *train.History, err error) {
	n := f.training
	if n == 0 {
		n = 100_000
	}
	random := rand.New(rand.NewPCG(uint64(f.seed), 1))
	x, labels := f.target(random, n)
	source, _ := f.source(random, n)
	options := []train.Option{
		train.Steps(f.steps), train.BatchSize(256), train.Seed(f.seed), train.StartFrom(tensor(source)),
		train.LearningRate(1e-3), train.ClipNorm(math.Inf(1)),
	}
	if f.rival.coupling != nil {
		options = append(options, train.Couple(f.rival.coupling), train.CoupleTogether(max(1, f.together)))
	}
	// What the papers minimise, with noise from the loss, too.
	l := loss.FM{Field: f.network(), Times: loss.Times{Law: loss.Uniform{}}, Pool: loss.Own}
	history, err = train.Fit(ctx, backend, store, l, data.Events{X: tensor(x), Context: f.of.contexts(x, labels)}, options...)
	if err != nil {
		return 0, nil, err
	}
	tail := history.Loss[len(history.Loss)*4/5:]
	for _, l := range tail {
		last += l / float64(len(tail))
	}
	return last, history, nil
}

// measure trains the flow and measures it on test points.
func (f flow) measure(ctx context.Context, backend compute.Backend, points int) (m measured, err error) {
	store := model.NewStore()
	var history *train.History
	if m.loss, history, err = f.train(ctx, backend, store); err != nil {
		return m, err
	}
	m.took = history.Duration
	random := rand.New(rand.NewPCG(uint64(f.seed), 2))
	start, _ := f.source(random, points)
	want, labels := f.target(random, points)
	again, _ := f.target(random, points)
	solve := func(s solver.Solver, x *tensors.Tensor, from, to float64) (*tensors.Tensor, error) {
		process, err := nami.FlowMatching{Field: f.network(), Base: distribution.NewStandardNormal(2), Solver: s}.Bind(backend, store, f.of.contexts(want, labels))
		if err != nil {
			return nil, err
		}
		solution, err := process.Solve(ctx, x, from, to)
		if err != nil {
			return nil, err
		}
		return solution.Y[0], solution.Err()
	}
	distance := func(x *tensors.Tensor, err error) (float64, error) {
		if err != nil {
			return 0, err
		}
		return squaredDistance(x, tensor(want))
	}
	if m.one, err = distance(solve(solver.Euler(1), tensor(start), 1, 0)); err != nil {
		return m, err
	}
	if m.adaptive, err = distance(solve(solver.Dopri5(1e-4, 1e-4), tensor(start), 1, 0)); err != nil {
		return m, err
	}
	x := tensor(start)
	const steps = 20
	for i := range steps {
		next, err := solve(solver.Euler(1), x, 1-float64(i)/steps, 1-float64(i+1)/steps)
		if err != nil {
			return m, err
		}
		before, after := tensors.MustCopyFlatData[float32](x), tensors.MustCopyFlatData[float32](next)
		for k := range before {
			m.energy += math.Pow(float64(after[k]-before[k]), 2) * steps / float64(points)
		}
		x = next
	}
	if m.twenty, err = distance(x, nil); err != nil {
		return m, err
	}
	if m.least, err = squaredDistance(tensor(start), tensor(want)); err != nil {
		return m, err
	}
	m.floor, err = distance(tensor(again), nil)
	return m, err
}

// squaredDistance is the squared Wasserstein distance of two samples, exactly: the mean squared
// distance of the best pairs.
func squaredDistance(x, y *tensors.Tensor) (float64, error) {
	rows, err := coupling.OptimalTransport{}.Pair(nil, x, y, nil)
	if err != nil {
		return 0, err
	}
	from, to := tensors.MustCopyFlatData[float32](x), tensors.MustCopyFlatData[float32](y)
	sum := 0.0
	for i, j := range rows {
		sum += math.Pow(float64(to[2*i]-from[2*j]), 2) + math.Pow(float64(to[2*i+1]-from[2*j+1]), 2)
	}
	return sum / float64(len(rows)), nil
}
