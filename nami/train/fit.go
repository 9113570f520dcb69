package train

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/janpfeifer/gonb/gonbui"
	"github.com/nami-flow/go-nami/nami/loss"
)

// saveEvery is about how long a killed run can lose.
const saveEvery = 30 * time.Second

// lookEvery is about how long training goes on between two looks at the context, the
// losses and the clock.
const lookEvery = 200 * time.Millisecond

// Fit minimises loss over the rows of x, of shape [n, event...], by stochastic gradient
// descent with [Trainer]'s Adam, and returns how it went. What it learns is in store;
// variables that the store holds already are where it starts from, unless a checkpoint
// of this run exists.
//
// It stops soon after ctx is done, saves, and returns what is there with an error that
// wraps ctx's cause. In a notebook, interrupting the kernel does the same; elsewhere ask
// [signal.NotifyContext] for a ctx that ends at Ctrl-C. A loss or a weight that is NaN or infinite ends it with an error,
// and is never saved.
func Fit(ctx context.Context, backend compute.Backend, store *model.Store, l loss.Loss, x *tensors.Tensor, options ...Option) (*History, error) {
	c, err := configure(options)
	if err != nil {
		return nil, err
	}
	if err := checkData(x, c); err != nil {
		return nil, err
	}
	rate := constant(c.learningRate)
	if c.decay {
		rate = cosine(c.learningRate, c.steps)
	}
	trainer, err := newTrainer(backend, store, l, rate, c.seed)
	if err != nil {
		return nil, err
	}
	f := &fit{config: c, trainer: trainer, store: store, history: &History{}}
	if c.checkpoint != "" {
		f.folder = folder(c.checkpoint)
		if f.identity, err = identify(c, l, x); err != nil {
			return nil, err
		}
		if err := f.resume(); err != nil {
			return nil, err
		}
	}
	if f.history.Steps() >= c.steps {
		return f.history, nil
	}
	if gonbui.IsNotebook {
		interruptible, stop := signal.NotifyContext(ctx, os.Interrupt)
		defer stop()
		ctx = interruptible
	}
	f.report = newReport(c.progress, f.history.Steps(), c.steps)
	defer f.report.close(f.history)
	return f.run(ctx, x)
}

// fit is one call of Fit.
type fit struct {
	config   config
	trainer  *Trainer
	store    *model.Store
	history  *History
	folder   string // of checkpoints; empty without
	kept     int    // steps of the newest checkpoint
	identity identity
	report   *report
}

func (f *fit) run(ctx context.Context, x *tensors.Tensor) (*History, error) {
	feeder := newFeeder(f.config, x)
	before, start := f.history.Duration, time.Now()
	lastSave, lastLook := start, start
	burst := 1 // steps between two looks
	step := f.history.Steps()
	next := feeder.start(step, min(step+burst, f.config.steps))
	for step < f.config.steps {
		if stopped := context.Cause(ctx); stopped != nil {
			err := f.save()
			return f.history, errors.Join(fmt.Errorf("train: stopped after %d of %d steps: %w%s", step, f.config.steps, stopped, f.where()), err)
		}
		ready := <-next
		if ready.err != nil {
			return f.history, fmt.Errorf("train: after step %d: %w", step, ready.err)
		}
		if ready.end < f.config.steps {
			next = feeder.start(ready.end, min(ready.end+burst, f.config.steps))
		}
		if err := f.trainer.steps(ready.feed, ready.end-step); err != nil {
			return f.history, fmt.Errorf("train: after step %d: %w", step, err)
		}
		step = ready.end
		losses, err := f.trainer.Losses()
		if err != nil {
			return f.history, err
		}
		if bad := firstNonFinite(losses); bad >= 0 {
			return f.history, fmt.Errorf("train: the loss of step %d is %v: try a smaller learning rate than %g, and look at the data's scale%s",
				step-len(losses)+bad+1, losses[bad], f.config.learningRate, f.where())
		}
		now := time.Now()
		burst = max(1, min(4*burst, int(float64(burst)*float64(lookEvery)/float64(max(now.Sub(lastLook), 1)))))
		lastLook = now
		f.history.Loss = append(f.history.Loss, losses...)
		f.history.Duration = before + now.Sub(start)
		f.report.update(f.history)
		if f.config.watch != nil {
			f.config.watch(f.history)
		}
		if step == f.config.steps || now.Sub(lastSave) > saveEvery {
			if err := f.save(); err != nil {
				return f.history, err
			}
			lastSave = time.Now()
		}
	}
	return f.history, nil
}

// where ends an error with what can be gone on from.
func (f *fit) where() string {
	if f.kept == 0 {
		return ""
	}
	return fmt.Sprintf("; the checkpoint in %s holds the first %d steps", f.folder, f.kept)
}
