package infer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// Simulations are parameters, each with the observation that a simulator made of it.
type Simulations struct {
	// Parameters are the names of the parameters.
	Parameters []string

	// Theta and X hold a row for each simulation: the values of the parameters, in the order of
	// their names, and the observation.
	Theta, X [][]float64

	// Failed counts the simulations that gave values which aren't finite, and were left out. What
	// is inferred is then a posterior given that the simulator doesn't fail: for the prior times
	// the chance that it doesn't.
	Failed int
}

// Len is how many simulations there are.
func (s *Simulations) Len() int { return len(s.Theta) }

// Simulate draws n parameters from a prior and simulates an observation for each, on all processors.
// The result depends on the seed and on the size of a batch, and on nothing else.
//
// If ctx is done before, or a call of the simulator returns an error, panics or takes longer than
// its [Timeout], it returns what was simulated until then beside the error. With [Keep] another
// call goes on from there. Observations of different lengths are an error that says in which
// simulation, and so is a simulator that never succeeds.
func Simulate(ctx context.Context, prior Prior, simulator Simulator, n int, options ...SimulateOption) (*Simulations, error) {
	o := simulating{batch: 16, workers: runtime.GOMAXPROCS(0)}
	for i, option := range options {
		if option == nil {
			return nil, fmt.Errorf("infer.Simulate: option %d of %d is nil: leave it out", i, len(options))
		}
		option(&o)
	}
	switch {
	case simulator == nil:
		return nil, errors.New("infer.Simulate: the simulator is nil: give one, as infer.Each(f)")
	case n < 1:
		return nil, fmt.Errorf("infer.Simulate: asked for %d simulations: expected at least 1", n)
	case o.batch < 1:
		return nil, fmt.Errorf("infer.Simulate: the batch size is %d: expected at least 1", o.batch)
	case o.workers < 1:
		return nil, fmt.Errorf("infer.Simulate: Workers is %d: expected at least 1", o.workers)
	case o.timeout < 0:
		return nil, fmt.Errorf("infer.Simulate: the Timeout is %v: it must be positive", o.timeout)
	}
	if err := checkPrior(prior); err != nil {
		return nil, err
	}
	r := &run{simulating: o, prior: prior, simulator: simulator, n: n, theta: make([][]float64, n), x: make([][]float64, n)}
	if err := r.resume(); err != nil {
		return nil, err
	}
	err := r.simulate(ctx)
	made, failure := r.collect()
	if err == nil {
		err = failure
	}
	return made, err
}

// SimulateOption changes how [Simulate] simulates.
type SimulateOption func(*simulating)

type simulating struct {
	seed     uint64
	batch    int
	workers  int
	timeout  time.Duration
	path     string
	progress func(done, total int)
}

// Seed sets where the random numbers start; 0 if not given.
func Seed(seed uint64) SimulateOption { return func(o *simulating) { o.seed = seed } }

// Batch sets how many simulations one call of the simulator makes; 16 if not given. A simulator that
// computes with arrays wants more, one that takes minutes wants 1.
func Batch(n int) SimulateOption { return func(o *simulating) { o.batch = n } }

// Workers sets how many calls of the simulator run at once; one for each processor if not given.
func Workers(n int) SimulateOption { return func(o *simulating) { o.workers = n } }

// Timeout ends a call of the simulator, and with it all simulating, after so long. Its context is
// done then; a simulator that doesn't look at that is left behind, as Go can't stop it.
func Timeout(d time.Duration) SimulateOption { return func(o *simulating) { o.timeout = d } }

// Progress has f called after each batch, from one goroutine at a time.
func Progress(f func(done, total int)) SimulateOption { return func(o *simulating) { o.progress = f } }

// run is one call of Simulate.
type run struct {
	simulating
	prior     Prior
	simulator Simulator
	n         int
	theta, x  [][]float64 // theta[i] is nil while i isn't done
	done      int         // rows that are done without a gap
}

// simulate fills the rows that aren't done, batch by batch.
func (r *run) simulate(outer context.Context) error {
	group, ctx := errgroup.WithContext(outer)
	group.SetLimit(r.workers)
	finished := make(chan int) // first rows of batches
	kept := make(chan error)
	go func() { kept <- r.follow(finished) }()
	for first := r.done; first < r.n && ctx.Err() == nil; first += r.batch {
		group.Go(func() error {
			if ctx.Err() != nil { // it waited for a worker
				return context.Cause(ctx)
			}
			if err := r.call(ctx, first, min(first+r.batch, r.n)); err != nil {
				return err
			}
			finished <- first
			return nil
		})
	}
	err := group.Wait()
	close(finished)
	if failure := <-kept; failure != nil {
		return errors.Join(err, failure)
	}
	if err == nil && r.done < r.n {
		err = context.Cause(outer)
	}
	if err != nil {
		return fmt.Errorf("infer.Simulate: %w", err)
	}
	return nil
}

// saveEvery is about how long a run with [Keep] can lose if it is killed.
const saveEvery = 30 * time.Second

// follow reports the batches as they are finished, and keeps the rows without a gap.
func (r *run) follow(finished <-chan int) error {
	made := r.done
	batches := map[int]bool{}
	saved, unsaved := time.Now(), false
	var failure error
	for first := range finished {
		batches[first] = true
		made += min(r.batch, r.n-first)
		for batches[r.done] {
			delete(batches, r.done)
			r.done, unsaved = min(r.done+r.batch, r.n), true
		}
		if r.progress != nil {
			r.progress(made, r.n)
		}
		if time.Since(saved) > saveEvery && failure == nil {
			failure = r.save()
			saved, unsaved = time.Now(), false
		}
	}
	if unsaved && failure == nil {
		failure = r.save()
	}
	return failure
}

// call makes the simulations from first to before last. They depend on the number of the first.
func (r *run) call(ctx context.Context, first, last int) error {
	random := rand.New(rand.NewPCG(r.seed, uint64(first)))
	theta := make([][]float64, last-first)
	for i := range theta {
		theta[i] = make([]float64, len(r.prior.Names()))
		r.prior.Draw(random, theta[i])
		if j := slices.IndexFunc(theta[i], func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }); j >= 0 {
			return fmt.Errorf("the prior drew %v for the parameter %s: look at its distribution", theta[i][j], r.prior.Names()[j])
		}
	}
	x, err := r.guarded(ctx, theta, random)
	if err != nil {
		return fmt.Errorf("simulations %d to %d, the first with %s: %w", first, last-1, describe(r.prior.Names(), theta[0]), err)
	}
	if len(x) != len(theta) {
		return fmt.Errorf("the simulator was given %d parameters and returned %d observations: it must return one for each", len(theta), len(x))
	}
	copy(r.theta[first:last], theta)
	copy(r.x[first:last], x)
	return nil
}

// guarded calls the simulator with copies of the parameters, and makes an error of a panic and of a
// call that takes too long.
func (r *run) guarded(ctx context.Context, theta [][]float64, random *rand.Rand) ([][]float64, error) {
	if r.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, r.timeout, fmt.Errorf("the simulator took longer than its Timeout of %v", r.timeout))
		defer cancel()
	}
	copies := make([][]float64, len(theta))
	for i, t := range theta {
		copies[i] = slices.Clone(t)
	}
	type result struct {
		x   [][]float64
		err error
	}
	out := make(chan result, 1)
	go func() {
		var made result
		defer func() {
			if p := recover(); p != nil {
				made = result{err: fmt.Errorf("the simulator panicked: %v\n%s", p, debug.Stack())}
			}
			out <- made
		}()
		made.x, made.err = r.simulator(ctx, copies, random)
	}()
	select {
	case made := <-out:
		if made.err != nil && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return made.x, made.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// collect is what was simulated, without what failed. It has an error if lengths differ or if
// nothing is left.
func (r *run) collect() (*Simulations, error) {
	s := &Simulations{Parameters: r.prior.Names()}
	length, from := -1, 0
	for i, theta := range r.theta {
		switch {
		case theta == nil:
			continue
		case !finite(r.x[i]):
			s.Failed++
			continue
		case length < 0:
			length, from = len(r.x[i]), i
		case len(r.x[i]) != length:
			return s, fmt.Errorf("infer.Simulate: the observation of simulation %d (%s) has %d values, that of simulation %d has %d: all must have as many",
				i, describe(s.Parameters, theta), len(r.x[i]), from, length)
		}
		s.Theta, s.X = append(s.Theta, theta), append(s.X, r.x[i])
	}
	if s.Len() == 0 && s.Failed > 0 {
		return s, fmt.Errorf("infer.Simulate: all of the %d simulations gave values that aren't finite, or none: look at what the simulator makes of %s", s.Failed, describe(s.Parameters, firstOf(r.theta)))
	}
	return s, nil
}

func firstOf(theta [][]float64) []float64 {
	return theta[slices.IndexFunc(theta, func(t []float64) bool { return t != nil })]
}

// finite says whether x has values, all of them finite.
func finite(x []float64) bool {
	return len(x) > 0 && !slices.ContainsFunc(x, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
}

// describe shows parameters by their names.
func describe(names []string, theta []float64) string {
	text := ""
	for i, name := range names {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%s = %.6g", name, theta[i])
	}
	return text
}
