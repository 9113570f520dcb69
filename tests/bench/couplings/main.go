// Command couplings trains flows in the plane with and without optimal transport, as published
// experiments did, and prints tables of means and standard deviations over seeds: see the README.md
// of the folder above, which has them beside the published numbers.
package main

import (
	"context"
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/coupling"

	"github.com/gomlx/compute"
)

// size is how much is done.
type size struct {
	steps, seeds, points, together int
}

func main() {
	only := flag.String("only", "transport, conditional, plane", "which tables to make")
	config := flag.String("backend", "", "go, xla, or what GOMLX_BACKEND says")
	var s size
	flag.IntVar(&s.steps, "steps", 20_000, "steps of training")
	flag.IntVar(&s.seeds, "seeds", 3, "seeds of each flow")
	flag.IntVar(&s.points, "points", 2_000, "test points, between which the distance is exact")
	flag.IntVar(&s.together, "together", 4, "batches that are paired at once in the table of conditions")
	flag.Parse()
	backend, err := nami.OpenBackend(*config)
	if err == nil {
		err = run(context.Background(), backend, s, *only)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "couplings:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, backend compute.Backend, s size, only string) error {
	tables := map[string]func(context.Context, compute.Backend, size) error{
		"transport": transport, "conditional": conditional, "plane": plane,
	}
	for name := range strings.SplitSeq(only, ",") {
		table, ok := tables[strings.TrimSpace(name)]
		if !ok {
			return fmt.Errorf("-only is %q: expected some of transport, conditional and plane", only)
		}
		if err := table(ctx, backend, s); err != nil {
			return err
		}
	}
	return nil
}

// rivals are the couplings without conditions.
var rivals = []rival{{"independent", nil}, {"optimal transport", coupling.OptimalTransport{}}}

type rival struct {
	name     string
	coupling coupling.Coupling
}

// transport is the task of torchcfm's tutorial: the floor of the loss shows the coupling.
func transport(ctx context.Context, backend compute.Backend, s size) error {
	fmt.Printf("\n8 Gaussians to moons, batches of 256, %d steps, %d seeds, %d test points\n", s.steps, s.seeds, s.points)
	fmt.Println("| pairs | loss | path energy | normalised | W2, 1 Euler step | W2, 20 | W2 of two true samples | s |\n|---|---|---|---|---|---|---|---|")
	for _, r := range rivals {
		var loss, energy, excess, one, twenty, floor, took tally
		for seed := range int64(s.seeds) {
			f := flow{source: gaussians, target: moons, rival: r, seed: seed, steps: s.steps, hidden: 64}
			m, err := f.measure(ctx, backend, s.points)
			if err != nil {
				return err
			}
			loss.add(m.loss)
			energy.add(m.energy)
			excess.add(math.Abs(m.energy-m.least) / m.least)
			one.add(math.Sqrt(m.one))
			twenty.add(math.Sqrt(m.twenty))
			floor.add(math.Sqrt(m.floor))
			took.add(m.took.Seconds())
		}
		fmt.Println("|", strings.Join([]string{r.name, loss.String(), energy.String(), excess.String(), one.String(), twenty.String(), floor.String(), took.String()}, " | "), "|")
	}
	return nil
}

// conditional is figure 1 of Cheng & Schwing 2025: transport across conditions goes wrong.
func conditional(ctx context.Context, backend compute.Backend, s size) error {
	fmt.Printf("\n8 Gaussians to moons with conditions, batches of 256 of which %d are paired at once, %d steps, %d seeds, squared W2 of %d test points\n", s.together, s.steps, s.seeds, s.points)
	fmt.Println("| condition | pairs | Euler, 1 step | dopri5 | two true samples | s |\n|---|---|---|---|---|---|")
	for _, c := range []struct {
		name   string
		of     condition
		rivals []rival
	}{
		{"none", none, rivals},
		{"class", class, []rival{rivals[0], {"optimal transport", across{}}, {"within classes", coupling.OptimalTransport{Context: math.Inf(1)}}}},
		{"x-coordinate", abscissa, []rival{rivals[0], {"optimal transport", across{}}, {"with the condition's cost", coupling.OptimalTransport{Context: 30}}}},
	} {
		for _, r := range c.rivals {
			var one, adaptive, floor, took tally
			for seed := range int64(s.seeds) {
				f := flow{source: gaussians, target: moons, of: c.of, rival: r, seed: seed, steps: s.steps, together: s.together, hidden: 128}
				m, err := f.measure(ctx, backend, s.points)
				if err != nil {
					return err
				}
				one.add(m.one)
				adaptive.add(m.adaptive)
				floor.add(m.floor)
				took.add(m.took.Seconds())
			}
			fmt.Println("|", strings.Join([]string{c.name, r.name, one.String(), adaptive.String(), floor.String(), took.String()}, " | "), "|")
		}
	}
	return nil
}

// plane has the tasks of table 2 of Shi et al. 2023, in which 20 Euler steps are compared.
func plane(ctx context.Context, backend compute.Backend, s size) error {
	fmt.Printf("\nW2 after 20 Euler steps, 10,000 training points, batches of 256, %d steps, %d seeds, %d test points\n", s.steps, s.seeds, s.points)
	fmt.Println("| task | pairs | W2 | path energy | two true samples | s |\n|---|---|---|---|---|---|")
	for _, task := range []struct {
		name           string
		source, target sampler
	}{{"moons", normal, moons}, {"s-curve", normal, curve}, {"8 Gaussians", normal, gaussians}, {"moons to 8 Gaussians", moons, gaussians}} {
		for _, r := range rivals {
			var distance, energy, floor, took tally
			for seed := range int64(s.seeds) {
				f := flow{source: task.source, target: task.target, rival: r, seed: seed, steps: s.steps, hidden: 64, training: 10_000}
				m, err := f.measure(ctx, backend, s.points)
				if err != nil {
					return err
				}
				distance.add(math.Sqrt(m.twenty))
				energy.add(m.energy)
				floor.add(math.Sqrt(m.floor))
				took.add(m.took.Seconds())
			}
			fmt.Println("|", strings.Join([]string{task.name, r.name, distance.String(), energy.String(), floor.String(), took.String()}, " | "), "|")
		}
	}
	return nil
}

// tally collects a number of each seed.
type tally []float64

func (t *tally) add(v float64) { *t = append(*t, v) }

// String is the mean and the standard deviation, as the publications have it.
func (t *tally) String() string {
	mean, square := 0.0, 0.0
	for _, v := range *t {
		mean += v / float64(len(*t))
	}
	for _, v := range *t {
		square += (v - mean) * (v - mean) / float64(len(*t))
	}
	return fmt.Sprintf("%.3f ± %.3f", mean, math.Sqrt(square))
}

// measured is what is known of a trained flow. Distances are squared.
type measured struct {
	loss, energy, least          float64
	one, twenty, adaptive, floor float64
	took                         time.Duration
}
