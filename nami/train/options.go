package train

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/nami-flow/go-nami/nami/coupling"

	"github.com/gomlx/gomlx/core/tensors"
)

// Option changes a fit from its defaults.
type Option func(*config)

type config struct {
	steps, batchSize int
	context          *tensors.Tensor
	mask             *tensors.Tensor
	weight           *tensors.Tensor
	source           *tensors.Tensor
	coupling         coupling.Coupling
	checkpoint       string
	kept             bool // whether Checkpoint was given
	seed             int64
	learningRate     float64
	decay            bool // whether the learning rate falls to 0
	progress         io.Writer
	watch            func(*History)
}

func configure(options []Option) (config, error) {
	c := config{steps: 1000, batchSize: 256, learningRate: 1e-3, progress: os.Stderr}
	for _, option := range options {
		option(&c)
	}
	switch {
	case c.steps < 1:
		return c, fmt.Errorf("train: Steps is %d: it must be at least 1", c.steps)
	case c.batchSize < 1:
		return c, fmt.Errorf("train: BatchSize is %d: it must be at least 1", c.batchSize)
	case c.kept && c.checkpoint == "":
		return c, errors.New("train: Checkpoint's name is empty: expected the name of a folder")
	}
	return c, checkLearningRate(c.learningRate)
}

func checkLearningRate(rate float64) error {
	if !(rate > 0) || math.IsInf(rate, 0) {
		return fmt.Errorf("train: LearningRate is %v: it must be positive and finite", rate)
	}
	return nil
}

// Steps sets the number of optimiser steps; 1,000 if not given.
func Steps(n int) Option { return func(c *config) { c.steps = n } }

// BatchSize sets how many events a step sees; 256 if not given. At most as many as
// there are in the data.
func BatchSize(n int) Option { return func(c *config) { c.batchSize = n } }

// Context gives each event its context, of shape [n, context_dim] for n events.
func Context(context *tensors.Tensor) Option { return func(c *config) { c.context = context } }

// Weights says how much each event counts, of shape [n] for n events. They may be negative,
// as those of simulated events are; their sum must not be 0. A batch's loss is Σwℓ/Σw.
func Weights(weights *tensors.Tensor) Option { return func(c *config) { c.weight = weights } }

// Mask says which objects of each event there are, of shape [n, objects] for n events of
// shape (objects, features...): 1 for an object, 0 for padding.
func Mask(mask *tensors.Tensor) Option { return func(c *config) { c.mask = mask } }

// Source gives events to start from, of shape [m, event...], where the loss would draw
// noise: each batch takes as many of them, going through all in epochs of a random order.
func Source(events *tensors.Tensor) Option { return func(c *config) { c.source = events } }

// Couple pairs the data of each batch with its source, [Source]'s or standard normal
// noise, on the host while the device makes the steps before. A coupling other than [coupling.Independent] doesn't go with a context.
func Couple(pairing coupling.Coupling) Option { return func(c *config) { c.coupling = pairing } }

// Checkpoint keeps the run in a folder: weights, the optimiser's and the random state.
// A relative name is below $NAMI_STATE if that is set, else below the working folder.
// [Fit] saves there about every 30 seconds, when it is cancelled and at its end.
func Checkpoint(name string) Option { return func(c *config) { c.checkpoint, c.kept = name, true } }

// Seed sets where the random numbers start: initial weights, order of the batches and
// noise; 0 if not given. The same seed, backend and shapes give the same weights.
func Seed(seed int64) Option { return func(c *config) { c.seed = seed } }

// LearningRate sets Adam's step size; 0.001 if not given.
func LearningRate(rate float64) Option { return func(c *config) { c.learningRate = rate } }

// Decay lets the learning rate fall along half a cosine, from [LearningRate] at the first
// step to 0 after the last of [Steps] (Loshchilov & Hutter 2017, arXiv:1608.03983, eq. 5,
// without restarts): the last steps settle what the large ones scatter. As the rate of each
// step depends on how many there are, a checkpoint of such a run can't be continued with
// more of them.
func Decay() Option { return func(c *config) { c.decay = true } }

// Progress sets where progress is reported; standard error if not given, nil for
// nowhere. A terminal gets a bar, anything else a line now and then. In a notebook the
// bar is below the cell, whatever w is, unless it is nil.
func Progress(w io.Writer) Option { return func(c *config) { c.progress = w } }

// Watch calls f about five times a second with how the fit has gone so far, resumed runs
// among it, and once when it is done: to draw the loss live, say. Training waits for f,
// which only reads the history, and only until it returns. A run that was done before
// makes no call.
func Watch(f func(h *History)) Option { return func(c *config) { c.watch = f } }
