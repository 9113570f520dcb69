// Command sbi measures posteriors that are learned from simulations, on tasks of the benchmark of
// simulation-based inference:
//
//	go run ./tests/bench/sbi -task two_moons -simulations 10000
//
// prints how often a classifier tells samples from those of the reference (C2ST, ½ is best), for
// each observation and their mean, with the time it took. One set of settings serves all tasks.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/infer"
	"github.com/nami-flow/go-nami/nami/metric"
	"github.com/nami-flow/go-nami/tests/internal/usage"

	"github.com/gomlx/compute"
)

func main() {
	only := flag.String("task", "", "the `name` of one task; all if empty")
	simulations := flag.Int("simulations", 10_000, "how many simulations to learn from")
	seed := flag.Uint64("seed", 1, "where the random numbers of the simulations start")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *only, *simulations, *seed); err != nil {
		fmt.Fprintln(os.Stderr, "sbi:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only string, simulations int, seed uint64) error {
	backend, err := nami.OpenBackend("")
	if err != nil {
		return err
	}
	var names []string
	for _, t := range tasks() {
		names = append(names, t.name)
		if only != "" && only != t.name {
			continue
		}
		r, err := measure(ctx, backend, t, simulations, seed)
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		fmt.Println(r)
	}
	if only != "" && !strings.Contains(" "+strings.Join(names, " ")+" ", " "+only+" ") {
		return fmt.Errorf("there is no task %q: expected one of %s", only, strings.Join(names, ", "))
	}
	return nil
}

// result is what was measured of a task.
type result struct {
	name        string
	simulations int
	c2st        []float64
	training    time.Duration // wall, simulating included
	processor   float64       // seconds of training
	steps       int
	samples     time.Duration // of all observations
}

// String has all on one line.
func (r result) String() string {
	sum := 0.0
	each := ""
	for _, v := range r.c2st {
		sum += v
		each += fmt.Sprintf(" %.3f", v)
	}
	return fmt.Sprintf("%-17s %6d simulations  C2ST %.3f (%s )  %d steps, trained in %.0f s (%.0f processor seconds), %d x %d samples in %.1f s",
		r.name, r.simulations, sum/float64(len(r.c2st)), each, r.steps, r.training.Seconds(), r.processor, len(r.c2st), drawn, r.samples.Seconds())
}

func measure(ctx context.Context, backend compute.Backend, t task, n int, seed uint64) (r result, err error) {
	r = result{name: t.name, simulations: n}
	references, err := t.references()
	if err != nil {
		return r, err
	}
	start := time.Now()
	before, err := usage.ProcessorSeconds()
	if err != nil {
		return r, err
	}
	simulated, err := infer.Simulate(ctx, t.prior, infer.Each(t.simulate), n, infer.Seed(seed))
	if err != nil {
		return r, err
	}
	posterior, err := infer.NPE{}.Fit(ctx, backend, t.prior, simulated)
	if err != nil {
		return r, err
	}
	r.training, r.steps = time.Since(start), posterior.History.Steps()
	after, err := usage.ProcessorSeconds()
	if err != nil {
		return r, err
	}
	r.processor = after - before
	for i, ref := range references {
		start := time.Now()
		draws, err := posterior.Sample(ctx, ref.observed, drawn)
		if err != nil {
			return r, err
		}
		r.samples += time.Since(start)
		right := &infer.Draws{Parameters: draws.Parameters, Theta: ref.theta}
		test, err := metric.C2ST(ctx, backend, right.Tensor(), draws.Tensor(), int64(i))
		if err != nil {
			return r, err
		}
		r.c2st = append(r.c2st, test.Value)
	}
	return r, nil
}
