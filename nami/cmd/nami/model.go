package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/modelfile"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// options are those that commands have in common.
type options struct {
	backend   string
	weights   string
	estimator string
	set       []string
	draws     int
}

// flags adds those that compute.
func (o *options) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.backend, "backend", "", "what computes: go, xla, or xla: and the path of a plugin (default: $GOMLX_BACKEND, or XLA if it is installed)")
	o.weightsFlag(cmd)
}

func (o *options) weightsFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.weights, "weights", "", "which weights of the file, as nami info lists them (default: the last ones of the training)")
}

// estimatorFlag adds the one of log-densities.
func (o *options) estimatorFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.estimator, "estimator", "auto", "how the divergence is computed: exact, hutchinson (an estimate, for events of many values), or auto: what the model itself knows, or exact for events of up to 64 values")
}

// drawsFlag adds the one of noisy log-densities.
func (o *options) drawsFlag(cmd *cobra.Command) {
	cmd.Flags().IntVar(&o.draws, "draws", 1, "over how many draws of the noise a log-density is averaged, if the model adds noise to events, as to counts and angles; it takes as many times as long")
}

// averaged is the option of a process for drawsFlag.
func (o *options) averaged() nami.Option { return nami.Draws(o.draws) }

// setFlag adds the one of a context.
func (o *options) setFlag(cmd *cobra.Command, usage string) {
	cmd.Flags().StringArrayVar(&o.set, "set", nil, usage)
}

// checkLogProb refuses what log-densities can't be computed with, before anything is.
func (o *options) checkLogProb() error {
	if o.draws < 1 {
		return usagef("--draws is %d: expected at least 1", o.draws)
	}
	return o.checkEstimator()
}

// load reads the model in a file, and its columns: see [columnsOf].
func (o *options) load(path string) (f *modelfile.File, columns data.Columns, err error) {
	var which []string
	if o.weights != "" {
		which = append(which, o.weights)
	}
	if f, err = modelfile.Load(path, which...); err != nil {
		return nil, columns, err
	}
	columns, err = columnsOf(f)
	return f, columns, err
}

// open opens what computes. It says if that is pure Go and nobody asked for it.
func (o *options) open(problems io.Writer) (compute.Backend, error) {
	backend, err := nami.OpenBackend(o.backend)
	if err != nil {
		return nil, err
	}
	if backend.String() == "go" && o.backend == "" && os.Getenv("GOMLX_BACKEND") == "" {
		fmt.Fprintln(problems, "nami: computing in pure Go, several times slower than XLA: "+whyGo)
	}
	return backend, nil
}

// exactMost is up to how many values of an event auto takes the exact divergence, which costs
// a derivative for each.
const exactMost = 64

// chosen is the estimator for a process.
func (o *options) chosen(process *nami.Process) (divergence.Estimator, error) {
	switch o.estimator {
	case "exact":
		return divergence.Exact{}, nil
	case "hutchinson":
		return divergence.Hutchinson{}, nil
	case "auto":
		if process.CheckLogProb(nil) == nil {
			return nil, nil
		}
		if shape.Size(process.EventShape()) <= exactMost {
			return divergence.Exact{}, nil
		}
		return divergence.Hutchinson{}, nil
	}
	return nil, usagef("--estimator is %q: expected exact, hutchinson or auto", o.estimator)
}

// checkEstimator refuses a name before anything is computed.
func (o *options) checkEstimator() error {
	if !slices.Contains([]string{"exact", "hutchinson", "auto"}, o.estimator) {
		return usagef("--estimator is %q: expected exact, hutchinson or auto", o.estimator)
	}
	return nil
}

// bar shows how a computation goes on, if what it is shown on is a terminal: the option for
// the process, and what ends it.
func bar(problems io.Writer, what string) (option nami.Option, done func()) {
	file, ok := problems.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return nami.WithProgress(inLines(problems, what, time.Now)), func() {}
	}
	var b *progressbar.ProgressBar
	option = nami.WithProgress(func(done, total int) {
		if b == nil || b.GetMax() != total {
			b = progressbar.NewOptions(total, progressbar.OptionSetWriter(file), progressbar.OptionSetDescription(what),
				progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
		}
		_ = b.Set(done) // what a terminal can't show is no reason to stop
	})
	return option, sync.OnceFunc(func() {
		if b != nil {
			_ = b.Finish()
		}
	})
}

// inLines shows how a computation goes on where there is no terminal: a line after ten seconds,
// and then one for each minute. Nothing is done before the first call, but compiling.
func inLines(problems io.Writer, what string, now func() time.Time) func(done, total int) {
	var start, next time.Time
	first := 0
	return func(done, total int) {
		at := now()
		if start.IsZero() {
			start, first = at, done
			next = start.Add(10 * time.Second)
		}
		if at.Before(next) || done <= first || done >= total {
			return
		}
		next = at.Add(time.Minute)
		took := at.Sub(start)
		left := time.Duration(float64(took) * float64(total-done) / float64(done-first))
		fmt.Fprintf(problems, "nami: %s: %d%% after %v, about %v to go\n", what, 100*done/total, took.Round(time.Second), left.Round(time.Second))
	}
}
