package train

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/internal/checkpoint"
	"github.com/nami-flow/go-nami/nami/internal/fingerprint"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/loss"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/ml/model"
)

// saveEvery is about how long a killed run can lose.
const saveEvery = 30 * time.Second

// lookEvery is about how long training goes on between two looks at the context, the
// losses and the clock.
const lookEvery = 200 * time.Millisecond

// Fit minimises a loss over the events of a source, [data.Events] in most cases, by
// stochastic gradient descent, and returns how it went. What it learns is in store;
// variables that the store holds already are where it starts from, unless a checkpoint
// of this run exists.
//
// It stops soon after ctx is done, saves, and returns what is there with an error that
// wraps ctx's cause: ask [signal.NotifyContext] for a ctx that ends at Ctrl-C. It ends with
// an error, and saves the steps before, if the source fails or a hook does. A loss or a
// weight that is NaN or infinite is an error, too, and is never saved. A panic in the code
// that it is given is an error, and all that it starts has ended when it returns.
func Fit(ctx context.Context, backend compute.Backend, store *model.Store, l loss.Loss, source data.Source, options ...Option) (*History, error) {
	switch {
	case ctx == nil:
		return nil, errors.New("train: the context ctx is nil: give context.Background()")
	case source == nil:
		return nil, errors.New("train: the data is nil: give data.Events{X: …}, or another source")
	}
	c, err := configure("Fit", options)
	if err != nil {
		return nil, err
	}
	f, err := newFit(backend, store, l, source, c)
	if err != nil {
		return nil, err
	}
	if f.folder != "" {
		if err := f.resume(); err != nil {
			return nil, err
		}
	}
	return f.run(ctx)
}

// fit is one call of Fit.
type fit struct {
	config    config
	backend   compute.Backend
	store     *model.Store
	loss      loss.Loss
	trainer   *Trainer
	feeder    *feeder
	like      data.Events // a batch as the loss gets it: for its parts and shapes
	evaluator *Evaluator
	chunks    *chunks // of the validation
	history   *History

	folder   string // of checkpoints; empty without
	kept     int    // steps of the newest checkpoint
	unsaved  bool   // whether the history holds more than it does
	identity identity
	code     fingerprint.Code

	start  time.Time
	before time.Duration // spent by runs before
	burst  int           // steps between two looks

	// The steps after the first few, which compile, and the time they took.
	begun   bool
	counted int
	working time.Duration
}

// newFit checks everything before the store is touched and a step is made.
func newFit(backend compute.Backend, store *model.Store, l loss.Loss, source data.Source, c config) (*fit, error) {
	if err := checkParts(backend, store, l); err != nil {
		return nil, err
	}
	if c.describer != nil {
		if err := gomlx.Guard("the description's Validate", func() error { return c.describer.Validate(c.weights()) }); err != nil {
			return nil, fmt.Errorf("train: Describe: %w", err)
		}
	}
	s := newStepper(c, l, c.steps)
	f := &fit{config: s.config, backend: backend, store: store, loss: l, history: &History{Seed: c.seed}, start: time.Now(), burst: 1}
	if err := gomlx.Guard("the data", func() error { return f.open(source) }); err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	var err error
	if f.trainer, err = newTrainer(backend, store, s); err != nil {
		return nil, err
	}
	if f.code, err = f.trainer.check(f.like); err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	return f, nil
}

// open opens the source of the data, looks at a batch, and says where source events come
// from.
func (f *fit) open(source data.Source) error {
	batches, err := source.Open(data.Order{Seed: f.config.seed, BatchSize: f.config.batchSize})
	if err != nil {
		return err
	}
	first := firstBatch(f.store, f.config)
	if f.like, err = batches.Batch(first); err != nil {
		return err
	}
	if err := f.like.Validate(); err != nil {
		return fmt.Errorf("the first batch: %w", err)
	}
	f.feeder = &feeder{batches: batches, units: unitsOf(f.loss), perStep: f.config.accumulate, first: first, like: f.like}
	f.config.batchSize = f.like.Len()
	if err := f.config.validation.fits(f.like); err != nil {
		return err
	}
	if err := f.checkUnits(); err != nil {
		return err
	}
	if f.feeder.sources, err = newSources(f.backend, f.config, f.loss, f.like); err != nil {
		return err
	}
	if f.feeder.sources != nil {
		f.like.Source = f.feeder.sources.like
	}
	if f.config.checkpoint == "" {
		return nil
	}
	f.folder = checkpoint.Folder(f.config.checkpoint)
	f.identity, err = identify(f.config, f.loss, batches)
	return err
}

// checkUnits refuses data that the loss's transforms aren't defined at.
func (f *fit) checkUnits() error {
	units := unitsOf(f.loss)
	if err := units.validate(f.backend, f.like); err != nil {
		return err
	}
	if indexed, ok := f.feeder.batches.(data.Indexed); ok {
		if err := units.admit(indexed.All()); err != nil {
			return err
		}
	}
	if v := f.config.validation; v != nil {
		if err := units.admit(v.Events); err != nil {
			return fmt.Errorf("the Validation: %w", err)
		}
	}
	return nil
}

// done says whether no more steps are to be made.
func (f *fit) done() bool {
	return f.history.Steps() >= f.config.steps || f.history.Stopped != ""
}

// alreadyDone notes that there was nothing to do.
func (f *fit) alreadyDone() error {
	f.history.DoneBefore = true
	text := fmt.Sprintf("done before: %d steps, saved %s in %s", f.history.Steps(), f.history.Saved.Format(time.DateTime), f.folder)
	if f.history.Stopped != "" {
		text += "; " + f.history.Stopped
	}
	return f.note(text)
}

func (f *fit) run(ctx context.Context) (history *History, err error) {
	defer f.feeder.stop()
	defer func() {
		end := f.status()
		end.Ended = true
		err = errors.Join(err, f.report(end))
	}()
	if err := f.begin(ctx); err != nil {
		return f.history, err
	}
	if f.done() {
		return f.history, f.alreadyDone()
	}
	if err := f.report(f.status()); err != nil {
		return f.history, err
	}
	lastSave := f.start
	f.feed(f.history.Steps())
	for !f.done() {
		if stopped := context.Cause(ctx); stopped != nil {
			return f.history, f.stop(fmt.Errorf("stopped after %d of %d steps: %w", f.history.Steps(), f.config.steps, stopped))
		}
		failed, err := f.advance()
		if err != nil {
			return f.history, err
		}
		if err := f.validate(ctx); err != nil {
			return f.history, f.stop(err)
		}
		f.history.Stopped = f.outOfPatience()
		f.history.Duration = f.before + time.Since(f.start)
		if failed != nil {
			return f.history, f.stop(fmt.Errorf("after step %d: %w", f.history.Steps(), failed))
		}
		if err := f.look(); errors.Is(err, ErrStop) {
			return f.history, f.save()
		} else if err != nil {
			return f.history, f.stop(fmt.Errorf("after step %d: %w", f.history.Steps(), err))
		}
		if f.done() || time.Since(lastSave) > saveEvery {
			if err := f.save(); err != nil {
				return f.history, err
			}
			lastSave = time.Now()
		}
	}
	return f.history, nil
}

// begin makes what a run needs, and makes up for a validation during which it was stopped,
// which may say that it is done.
func (f *fit) begin(ctx context.Context) error {
	f.before = f.history.Duration
	if v := f.config.validation; v != nil {
		f.evaluator = newEvaluator(f.backend, f.store, f.loss, f.config, v.Weights)
	}
	if err := f.validate(ctx); err != nil {
		return f.stop(err)
	}
	if !f.unsaved {
		return nil
	}
	f.history.Stopped = f.outOfPatience()
	f.history.Duration = f.before + time.Since(f.start)
	return f.save()
}

// feed starts to make what the steps from first on learn from: to the next look, or to the
// next validation.
func (f *fit) feed(first int) {
	end := min(first+f.burst, f.config.steps)
	if v := f.config.validation; v != nil {
		end = min(end, first-first%v.every()+v.every())
	}
	if end > first {
		f.feeder.start(first, end)
	}
}

// advance makes the steps that are ready, while the feeder goes on to the next. failed is
// what went wrong in making the data after them.
func (f *fit) advance() (failed, err error) {
	step := f.history.Steps()
	ready := f.feeder.next()
	if ready.err == nil {
		f.feed(ready.end)
	}
	if ready.end == step {
		return ready.err, nil
	}
	start := time.Now()
	if err := f.trainer.steps(ready.feed, f.like, ready.end-step); err != nil {
		return nil, fmt.Errorf("train: after step %d: %w", step, strip(err))
	}
	losses, err := f.trainer.Losses()
	if err != nil {
		return nil, err
	}
	if bad := firstNonFinite(losses); bad >= 0 {
		return nil, fmt.Errorf("train: the loss of step %d is %v: try a smaller learning rate than %s, and look at the data's scale%s",
			step+bad+1, losses[bad], f.rate(), f.where())
	}
	took := time.Since(start)
	if !f.begun { // the store knows now what its weights are of
		if _, err := f.describe(); err != nil {
			return nil, fmt.Errorf("train: Describe: %w", err)
		}
	}
	if f.begun {
		f.counted, f.working = f.counted+len(losses), f.working+took
	}
	f.begun = true
	f.burst = max(1, min(4*f.burst, int(float64(ready.end-step)*float64(lookEvery)/float64(max(took, 1)))))
	f.history.Loss, f.unsaved = append(f.history.Loss, losses...), true
	return ready.err, nil
}

// strip takes the room's name from the beginning of an error that is put into another.
func strip(err error) error {
	if text, ok := strings.CutPrefix(err.Error(), "train: "); ok {
		return stripped{err, text}
	}
	return err
}

type stripped struct {
	error
	text string
}

func (s stripped) Error() string { return s.text }

func (s stripped) Unwrap() error { return s.error }

// look tells the reporter and the hooks how it goes.
func (f *fit) look() error {
	if err := f.report(f.status()); err != nil {
		return err
	}
	for _, hook := range f.config.afterBurst {
		if err := gomlx.Guard("AfterBurst", func() error { return hook(f.history) }); err != nil {
			return err
		}
	}
	return nil
}

// stop saves, and returns why the run ends, with what is kept.
func (f *fit) stop(why error) error {
	err := f.save()
	return errors.Join(fmt.Errorf("train: %w%s", strip(why), f.where()), err)
}

// rate is the learning rate, for people.
func (f *fit) rate() string {
	if f.config.learningRate == 0 {
		return "the optimizer's"
	}
	return fmt.Sprint(f.config.learningRate)
}

// where ends an error with what can be gone on from.
func (f *fit) where() string {
	if f.kept == 0 {
		return ""
	}
	return fmt.Sprintf("; the checkpoint in %s holds the first %d steps", f.folder, f.kept)
}
