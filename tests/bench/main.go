// Command bench runs the tasks that nami is timed by, beside other libraries' programs
// for the same tasks, and prints one line of JSON for each run: see README.md beside it.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/tests/internal/usage"

	"github.com/gomlx/compute"
)

// task is one piece of work: what it needs is made once, then calls are timed.
type task struct {
	name  string
	reps  int
	block int                                          // iterations in a repetition
	start func(backend compute.Backend) (*work, error) // compiles, warms up and checks
}

// work is a task ready to be timed.
type work struct {
	compile time.Duration
	check   []float64
	run     func(ctx context.Context, iterations int) error
}

var tasks = map[string]task{
	"A": {"A train_small", 5, 200, trainSmall.start},
	"B": {"B train_large", 5, 10, trainLarge.start},
	"C": {"C sample_rk4", 3, 1, sampleRK4},
	"D": {"D sample_dopri5", 5, 1, sampleDopri5},
	"E": {"E logprob_exact", 3, 1, logProbExact},
	"F": {"F logprob_hutch", 3, 1, logProbHutchinson},
	"G": {"G diffusion_heun", 5, 1, diffusionHeun},
	"H": {"H sample_cond", 1, 1, sampleConditional},
	"I": {"I cold_start", 1, 1, nil},
	"J": {"J train_unet", 5, 10, trainUNet.start},
}

// result is the line that is printed.
type result struct {
	Task           string    `json:"task"`
	Impl           string    `json:"impl"`
	SecondsPerIter float64   `json:"seconds_per_iter"`
	CompileSeconds float64   `json:"compile_seconds"`
	PeakRSSMB      float64   `json:"peak_rss_mb"`
	Threads        int       `json:"threads"`
	Check          []float64 `json:"check,omitempty"`
	Reps           []float64 `json:"reps,omitempty"`
	CPUSeconds     float64   `json:"cpu_seconds_per_iter,omitempty"`
}

func main() {
	name := flag.String("task", "", "letter or name of the task")
	asJSON := flag.Bool("json", false, "one line of JSON; else the same, indented")
	config := flag.String("backend", "", "go, xla, or what GOMLX_BACKEND says")
	flag.Parse()
	if err := run(*name, *config, *asJSON); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(name, config string, asJSON bool) error {
	t, ok := tasks[strings.ToUpper(name)]
	for _, other := range tasks {
		if _, long, _ := strings.Cut(other.name, " "); long == name {
			t, ok = other, true
		}
	}
	if !ok {
		return fmt.Errorf("-task is %q: it must be a letter from A to J", name)
	}
	backend, err := nami.OpenBackend(config)
	if err != nil {
		return err
	}
	r := result{Task: t.name, Impl: "nami-go-" + backend.Name(), Threads: runtime.NumCPU()}
	if t.start == nil {
		err = coldStart(backend, &r)
	} else {
		err = timed(t, backend, &r)
	}
	if err != nil {
		return err
	}
	if r.PeakRSSMB, err = usage.PeakMiB(); err != nil {
		return err
	}
	encoder := json.NewEncoder(os.Stdout)
	if !asJSON {
		encoder.SetIndent("", " ")
	}
	return encoder.Encode(r)
}

func timed(t task, backend compute.Backend, r *result) error {
	w, err := t.start(backend)
	if err != nil {
		return err
	}
	r.CompileSeconds, r.Check = w.compile.Seconds(), w.check
	before, err := usage.ProcessorSeconds()
	if err != nil {
		return err
	}
	for range t.reps {
		start := time.Now()
		if err := w.run(context.Background(), t.block); err != nil {
			return err
		}
		r.Reps = append(r.Reps, time.Since(start).Seconds()/float64(t.block))
	}
	after, err := usage.ProcessorSeconds()
	if err != nil {
		return err
	}
	r.CPUSeconds = (after - before) / float64(t.reps*t.block)
	sorted := slices.Sorted(slices.Values(r.Reps))
	r.SecondsPerIter = sorted[len(sorted)/2]
	return nil
}
