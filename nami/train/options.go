package train

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"

	"github.com/nami-flow/go-nami/nami/coupling"
	"github.com/nami-flow/go-nami/nami/loss"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

// Option changes a fit, a trainer or an evaluator from its defaults.
type Option func(*config)

// config is what options set.
type config struct {
	// Of Fit alone.
	steps      int
	start      *tensors.Tensor // events of the source that belong to no event of the data
	coupling   coupling.Coupling
	together   int // batches that are paired at once
	checkpoint string
	validation *Validation
	afterBurst []func(*History) error
	reporter   Reporter
	describer  Describer

	// Of all.
	batchSize    int // 0 if not given
	seed         int64
	firstBatch   int // continued if it isn't given
	optimizer    optimizer.Interface
	learningRate float64      // 0 for the optimiser's own
	schedule     RateSchedule // nil for a constant rate
	weightDecay  float64
	clip         float64 // 0 for gradients as they are
	accumulate   int
	averages     []average
	afterStep    []func(scope *model.Scope, b loss.Batch, value *Node)

	given []string // the names of the options
	fits  bool     // whether they are of Fit, which knows the number of steps
}

// continued stands for a first batch that comes after those of the store's training before.
const continued = -1

// average is a moving average of the weights.
type average struct {
	name  string
	decay float64
}

// configure makes a configuration of the options, of which only those named in known have
// a meaning for the caller; all have if there are none.
func configure(who string, options []Option, known ...string) (config, error) {
	c := config{steps: 1000, accumulate: 1, together: 1, firstBatch: continued, fits: len(known) == 0}
	for i, option := range options {
		if option == nil {
			return c, fmt.Errorf("train: option %d of %d is nil: leave it out", i, len(options))
		}
		option(&c)
	}
	for _, name := range c.given {
		if len(known) > 0 && !slices.Contains(known, name) {
			return c, fmt.Errorf("train: the option %s has no meaning for %s: leave it out; it belongs to Fit", name, who)
		}
	}
	if err := c.check(); err != nil {
		return c, err
	}
	c.fill()
	return c, nil
}

// What moves the weights if no Optimizer is given: docs/training.md has the measurements.
const (
	usualRate = 1e-2
	usualClip = 1
)

// fill sets what isn't given. An optimiser that is given is used as it is: its own rate, constant,
// and gradients as they are.
func (c *config) fill() {
	if !c.has("Optimizer") {
		if !c.has("LearningRate") {
			c.learningRate = usualRate
		}
		if !c.has("ClipNorm") {
			c.clip = usualClip
		}
		if !c.has("Schedule") && c.fits {
			c.schedule = Cosine{}
		}
	}
	if math.IsInf(c.clip, 1) {
		c.clip = 0
	}
	if c.schedule == (Constant{}) {
		c.schedule = nil
	}
}

// has says whether an option was given.
func (c *config) has(name string) bool { return slices.Contains(c.given, name) }

// check refuses what is out of range.
func (c *config) check() error {
	positive := func(name string, value float64) error {
		if c.has(name) && (!(value > 0) || math.IsInf(value, 0)) {
			return fmt.Errorf("train: %s is %v: it must be positive and finite", name, value)
		}
		return nil
	}
	switch {
	case c.steps < 1:
		return fmt.Errorf("train: Steps is %d: it must be at least 1", c.steps)
	case c.has("BatchSize") && c.batchSize < 1:
		return fmt.Errorf("train: BatchSize is %d: it must be at least 1", c.batchSize)
	case c.accumulate < 1:
		return fmt.Errorf("train: Accumulate is %d: a step takes at least 1 batch", c.accumulate)
	case c.has("FirstBatch") && c.firstBatch < 0:
		return fmt.Errorf("train: FirstBatch is %d: the first batch of all is 0", c.firstBatch)
	case c.has("Checkpoint") && c.checkpoint == "":
		return errors.New("train: Checkpoint's name is empty: expected the name of a folder")
	case c.has("Optimizer") && c.optimizer == nil:
		return errors.New("train: the Optimizer is nil: give one of GoMLX's, as optimizer.Adam().Done(), or leave the option out for Adam")
	case c.has("Optimizer") && c.schedule != nil && !c.has("LearningRate"):
		return errors.New("train: there are an Optimizer and a Schedule, and no LearningRate: give the rate that the schedule multiplies")
	case c.has("StartFrom") && c.start == nil:
		return errors.New("train: the events to StartFrom are nil: give a tensor of them, [m, event...], or leave the option out for what the loss draws")
	case c.has("Couple") && c.coupling == nil:
		return errors.New("train: the coupling to Couple with is nil: give one, as coupling.OptimalTransport{}, or leave the option out")
	case c.together < 1:
		return fmt.Errorf("train: CoupleTogether is %d: at least 1 batch is paired at a time", c.together)
	case c.has("CoupleTogether") && c.coupling == nil:
		return errors.New("train: there is a CoupleTogether, and nothing to couple with: give a coupling by Couple, or leave the option out")
	case c.has("Describe") && c.describer == nil:
		return errors.New("train: Describe's description is nil: give one, as modelfile.File{Model: …}, or leave the option out")
	case c.has("Describe") && c.checkpoint == "":
		return errors.New("train: there is a Describe, and no Checkpoint that could hold the description: give a Checkpoint, or leave the option out")
	case c.has("Progress") && c.reporter == nil:
		return errors.New("train: Progress's reporter is nil: give one, as progress.Auto(), or leave the option out to see nothing")
	case c.has("Schedule") && c.schedule == nil:
		return errors.New("train: the Schedule is nil: give one, as train.Constant{}, or leave the option out for train.Cosine{}")
	}
	if v, ok := c.coupling.(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			return fmt.Errorf("train: Couple: %w", err)
		}
	}
	if c.has("ClipNorm") && !(c.clip > 0) {
		return fmt.Errorf("train: ClipNorm is %v: it must be positive; math.Inf(1) leaves gradients as they are", c.clip)
	}
	return errors.Join(positive("LearningRate", c.learningRate), positive("WeightDecay", c.weightDecay),
		checkSchedule(c.schedule), c.checkAverages(), c.checkHooks(), c.validation.check(c.averages))
}

// names are those that an average may have: it is part of a variable's path.
var names = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

func (c *config) checkAverages() error {
	var before []string
	for _, a := range c.averages {
		switch {
		case !names.MatchString(a.name):
			return fmt.Errorf("train: an Average has the name %q: expected letters, digits, dots, - and _", a.name)
		case a.name == Best || slices.Contains(before, a.name):
			return fmt.Errorf("train: the Average's name %q is taken: each needs its own, and %q is for the best weights of a validation", a.name, Best)
		case !(a.decay > 0 && a.decay < 1):
			return fmt.Errorf("train: the decay of the Average %s is %v: expected a number between 0 and 1, as 0.999", a.name, a.decay)
		}
		before = append(before, a.name)
	}
	return nil
}

func (c *config) checkHooks() error {
	for _, f := range c.afterStep {
		if f == nil {
			return errors.New("train: AfterStep's function is nil: leave it out")
		}
	}
	for _, f := range c.afterBurst {
		if f == nil {
			return errors.New("train: AfterBurst's function is nil: leave it out")
		}
	}
	return nil
}

// named is an option of that name.
func named(name string, set func(c *config)) Option {
	return func(c *config) {
		c.given = append(c.given, name)
		set(c)
	}
}

// Steps sets the number of optimiser steps; 1,000 if not given.
func Steps(n int) Option { return named("Steps", func(c *config) { c.steps = n }) }

// BatchSize sets how many events a batch has; 256 if not given. It can't be more than there
// are in the data. A [data.Func] decides it by itself.
func BatchSize(n int) Option { return named("BatchSize", func(c *config) { c.batchSize = n }) }

// StartFrom gives events of another distribution to start from, of shape [m, event...],
// where the loss would draw noise: each batch takes as many of them as it has events, going
// through all in epochs of a random order of their own. Where each event has one that
// belongs to it, give both in [data.Events]. They are in the units of the loss: for a
// loss.Transformed that trains on both kinds of events in the same units, transform.Apply maps
// them there.
func StartFrom(events *tensors.Tensor) Option {
	return named("StartFrom", func(c *config) { c.start = events })
}

// Couple pairs the data of each batch with its source, on the host while the device makes
// the steps before: with [StartFrom]'s events, or with those of the distribution that the
// loss draws from. Where events have contexts, only a coupling that keeps to them is taken:
// see [coupling.Conditional]. Where events have a mask, those of equal masks are paired, with zeros
// in the padding of both sides: so each number of objects keeps its noise.
func Couple(pairing coupling.Coupling) Option {
	return named("Couple", func(c *config) { c.coupling = pairing })
}

// CoupleTogether pairs the events of so many batches at once, 1 if not given, which are then trained
// on one after the other: a pairing comes the closer to that of the distributions, the more events
// it is of, and a batch needn't be that large (Cheng & Schwing 2025, arXiv:2503.10636, take 1,024
// for batches of 256). Within contexts or masks it matters most, as a batch may have few events of
// each. Batches 0 to n-1 belong together, n to 2n-1, and so on, so that a resumed run has the same
// pairs. A [data.Func] is asked for all of them at once, also those after the last step.
func CoupleTogether(batches int) Option {
	return named("CoupleTogether", func(c *config) { c.together = batches })
}

// Checkpoint keeps the run in a folder: weights, averages, the optimiser's and the random
// state. A relative name is below $NAMI_STATE if that is set, else below the working
// folder. [Fit] saves there about every 30 seconds, when it is cancelled and at its end.
func Checkpoint(name string) Option {
	return named("Checkpoint", func(c *config) { c.checkpoint = name })
}

// Seed sets where the random numbers start: initial weights, order of the batches and
// noise; 0 if not given. The same seed, backend and shapes give the same weights.
func Seed(seed int64) Option { return named("Seed", func(c *config) { c.seed = seed }) }

// FirstBatch sets the number of the first batch, which its events and its noise depend on. If
// not given it is the number of batches that the store was trained on before, so that one fit
// after another goes on to new batches and noise; 0 repeats those of the first. A run that is
// resumed from its [Checkpoint] goes on from the first batch that it has: another one is an
// error, as it would be another run.
func FirstBatch(n int) Option { return named("FirstBatch", func(c *config) { c.firstBatch = n }) }

// Optimizer sets what moves the weights: any of GoMLX's optimisers, with its own learning rate
// unless [LearningRate] is given, at a constant rate unless there is a [Schedule], and with
// gradients as they are unless there is a [ClipNorm]. If not given, it is Adam (Kingma & Ba 2015,
// arXiv:1412.6980; β₁ = 0.9, β₂ = 0.999, ε = 1e-8) with what those three options have by default.
func Optimizer(o optimizer.Interface) Option {
	return named("Optimizer", func(c *config) { c.optimizer = o })
}

// LearningRate sets the optimiser's step size; 0.01 if neither it nor [Optimizer] is given.
func LearningRate(rate float64) Option {
	return named("LearningRate", func(c *config) { c.learningRate = rate })
}

// Schedule multiplies the learning rate by a factor that changes with the step: [Cosine],
// [WarmUp], [Constant], or a [RateFunc] of your own. If not given it is Cosine{} over the steps
// of a [Fit], and constant in a [Trainer], which doesn't know how many there will be.
func Schedule(s RateSchedule) Option { return named("Schedule", func(c *config) { c.schedule = s }) }

// WeightDecay takes the given fraction of every trainable weight in each step, times the
// learning rate, apart from the gradient (Loshchilov & Hutter 2019, arXiv:1711.05101); none
// if not given. With Adam that is AdamW.
func WeightDecay(fraction float64) Option {
	return named("WeightDecay", func(c *config) { c.weightDecay = fraction })
}

// ClipNorm shortens the gradient of all weights together to this length where it is longer
// (Pascanu et al. 2013, arXiv:1211.5063, algorithm 1); 1 if neither it nor [Optimizer] is given.
// math.Inf(1) leaves gradients as they are.
func ClipNorm(length float64) Option { return named("ClipNorm", func(c *config) { c.clip = length }) }

// Accumulate makes each step of the optimiser from the mean gradient of so many batches,
// one after the other, for batches that would not fit in memory as one; 1 if not given. A
// step's loss is the mean of its batches'.
func Accumulate(batches int) Option {
	return named("Accumulate", func(c *config) { c.accumulate = batches })
}

// Average keeps a moving average of the weights under a name, to sample with: see [Load]
// and [Weights]. After step s it is the mean of the weights after steps 1 to s, where those
// after step i count in proportion to decay^(s-i); the weights that training started from
// don't count. There may be several averages, of different names.
func Average(name string, decay float64) Option {
	return named("Average", func(c *config) { c.averages = append(c.averages, average{name, decay}) })
}

// Validate measures the loss of events that are not trained on as training goes on, and can
// end it: see [Validation].
func Validate(v Validation) Option { return named("Validate", func(c *config) { c.validation = &v }) }

// AfterStep has f build more of the graph of a step, after the optimiser has moved the
// weights, inside the compiled loop: to keep a statistic in a variable of its own, or to
// project weights. It gets the batch and its loss. Several are called in turn; with
// [Accumulate], after each batch.
func AfterStep(f func(scope *model.Scope, b loss.Batch, value *Node)) Option {
	return named("AfterStep", func(c *config) { c.afterStep = append(c.afterStep, f) })
}

// AfterBurst calls f about five times a second with how the fit has gone so far, resumed
// runs included, and once when it is done: to draw the loss live, for instance. Training
// waits for f, which may only read the history, and only until it returns. An error ends
// the fit, which saves and returns it; [ErrStop] ends it without an error. A run that was
// done before makes no call. Several are called in turn.
func AfterBurst(f func(h *History) error) Option {
	return named("AfterBurst", func(c *config) { c.afterBurst = append(c.afterBurst, f) })
}

// ErrStop is what a function of [AfterBurst] returns to end a fit as if its steps were
// done. If the fit is called again, it goes on.
var ErrStop = errors.New("train: stopped by AfterBurst")

// Progress has r told how the fit goes on: package progress has reporters for terminals,
// notebooks and logs. Nothing is reported if it isn't given.
func Progress(r Reporter) Option { return named("Progress", func(c *config) { c.reporter = r }) }
