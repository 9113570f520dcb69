// Command quality measures how near a flow comes to data of known density, for a given time of
// training: in nats, of Kullback and Leibler's divergence from the data, or without a known
// density of the mean negative log-density of points held out.
//
//	go run ./tests/bench/quality -seconds 30
//
// prints a line for each set of data. One set of settings, the library's usual ones, learns all.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/signal"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/nami/toy"
	"github.com/nami-flow/go-nami/nami/train"
	"github.com/nami-flow/go-nami/nami/transform"
	"github.com/nami-flow/go-nami/tests/internal/usage"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// sets are the data, standardised with the points that are trained on.
var sets = []struct {
	name string
	set  toy.Set
}{
	{"checkerboard", toy.Checkerboard{}},
	{"ring", toy.Ring{}},
	{"shell", toy.Shell{Share: 0.6}},
	{"moons", toy.TwoMoons{Noise: 0.05}},
}

const (
	trained = 50_000 // points to train on
	held    = 10_000 // points to measure with
)

func main() {
	seconds := flag.Float64("seconds", 30, "processor `seconds` of training, compiling included")
	seed := flag.Int64("seed", 1, "where the random numbers start")
	own := flag.Bool("own", false, "give each event a target of its own, as the papers have it")
	mlp := flag.Bool("mlp", false, "train a multilayer perceptron in place of the residual network")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	backend, err := nami.OpenBackend("")
	if err != nil {
		fail(err)
	}
	var f field.Field = field.Default([]int{2}, 0)
	if *mlp {
		f = field.MLP{EventShape: []int{2}}
	}
	l := loss.FM{Field: f}
	if *own {
		l.Pool = loss.Own
	}
	for _, s := range sets {
		r, err := measure(ctx, backend, s.set, l, *seconds, *seed)
		if err != nil {
			fail(fmt.Errorf("%s: %w", s.name, err))
		}
		fmt.Printf("%-12s %.4f ± %.4f nats  %6d steps in %5.1f processor seconds\n", s.name, r.mean, r.standardError, r.steps, r.seconds)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "quality:", err)
	os.Exit(1)
}

type result struct {
	mean, standardError float64
	steps               int
	seconds             float64
}

// measure trains for the given time, and returns the mean of log p − log q over points held out,
// or of −log q where p isn't known.
func measure(ctx context.Context, backend compute.Backend, set toy.Set, l loss.FM, seconds float64, seed int64) (result, error) {
	x, err := set.Sample(1, trained)
	if err != nil {
		return result{}, err
	}
	test, err := set.Sample(2, held)
	if err != nil {
		return result{}, err
	}
	units, err := transform.Fit(backend, transform.Standardize{}, transform.Data{X: x})
	if err != nil {
		return result{}, err
	}
	fit := func(steps int) (*model.Store, float64, error) {
		store := model.NewStore()
		before, err := usage.ProcessorSeconds()
		if err != nil {
			return nil, 0, err
		}
		_, err = train.Fit(ctx, backend, store, loss.Transformed{Of: l, Transform: units}, data.Events{X: x},
			train.Steps(steps), train.BatchSize(512), train.Seed(seed))
		if err != nil {
			return nil, 0, err
		}
		after, err := usage.ProcessorSeconds()
		return store, after - before, err
	}
	// Two short runs tell how long compiling and a step take.
	_, short, err := fit(100)
	if err != nil {
		return result{}, err
	}
	_, longer, err := fit(600)
	if err != nil {
		return result{}, err
	}
	step := (longer - short) / 500
	r := result{steps: int((seconds - short) / step)}
	if step <= 0 || r.steps < 1 {
		return result{}, errors.New("the time is too short to train: give more -seconds")
	}
	var store *model.Store
	for range 3 { // a machine's speed changes
		if store, r.seconds, err = fit(r.steps); err != nil {
			return result{}, err
		}
		if math.Abs(r.seconds/seconds-1) < 0.1 {
			break
		}
		r.steps = max(1, int(float64(r.steps)*(seconds-short)/(r.seconds-short)))
	}
	flow := nami.FlowMatching{Field: l.Field, Base: distribution.NewStandardNormal(2), Transform: units, Solver: solver.Dopri5(1e-4, 1e-4)}
	process, err := flow.Bind(backend, store, nil)
	if err != nil {
		return result{}, err
	}
	logq, err := process.LogProb(ctx, test, divergence.Exact{})
	if err != nil {
		return result{}, err
	}
	q := tensors.MustCopyFlatData[float32](logq)
	p := make([]float32, len(q))
	if known, ok := set.(toy.Density); ok {
		logp, err := known.LogProb(test)
		if err != nil {
			return result{}, err
		}
		p = tensors.MustCopyFlatData[float32](logp)
	}
	var sum, squares float64
	for i := range q {
		d := float64(p[i]) - float64(q[i])
		sum, squares = sum+d, squares+d*d
	}
	r.mean = sum / held
	r.standardError = math.Sqrt((squares/held - r.mean*r.mean) / held)
	return r, nil
}
