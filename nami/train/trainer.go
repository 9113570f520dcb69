package train

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/loss"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

// Trainer makes steps of Adam (Kingma & Ba 2015, arXiv:1412.6980; β₁ = 0.9, β₂ =
// 0.999, ε = 1e-8), for loops of one's own; [Fit] is one. One goroutine at a time may
// use a trainer and its store.
type Trainer struct {
	program *program
	losses  []losses
	failed  bool
}

// NewTrainer prepares training of the variables in store: those that loss needs and the
// store lacks are made by the first step, and Adam starts afresh. seed starts the
// random numbers. A learning rate that isn't positive and finite is an error.
func NewTrainer(backend compute.Backend, store *model.Store, l loss.Loss, learningRate float64, seed int64) (*Trainer, error) {
	if err := checkLearningRate(learningRate); err != nil {
		return nil, err
	}
	return newTrainer(backend, store, l, constant(learningRate), seed)
}

func newTrainer(backend compute.Backend, store *model.Store, l loss.Loss, rate rate, seed int64) (*Trainer, error) {
	if backend == nil || store == nil || l == nil {
		return nil, errors.New("train: backend, store and loss must not be nil")
	}
	err := gomlx.Try(func() error {
		if err := forgetOptimizer(store); err != nil {
			return err
		}
		return store.SetRNGStateFromSeed(seed)
	})
	if err != nil {
		return nil, err
	}
	adam := optimizer.Adam().LearningRate(rate.first).Betas(0.9, 0.999).Epsilon(1e-8).WeightDecay(0).Done()
	program, err := newProgram(backend, store, func(scope *model.Scope, b loss.Batch) *Node {
		scope.Store().SetTraining(b.X.Graph(), true)
		value := l.Loss(scope, b)
		if !value.IsScalar() {
			panic(fmt.Errorf("train: the loss %T has shape %s: it must be a scalar", l, value.Shape()))
		}
		rate.set(scope.ResetVisited(), b.X.Graph(), value.DType())
		adam.UpdateGraph(scope.ResetVisited(), b.X.Graph(), value)
		return value
	})
	if err != nil {
		return nil, err
	}
	return &Trainer{program: program}, nil
}

// forgetOptimizer clears what an earlier trainer left in the store: its moments belong
// to another loss, and GoMLX takes its learning rate rather than a new one.
func forgetOptimizer(store *model.Store) error {
	var old []string
	for v := range store.IterVariables() {
		if isOptimizers(v.Path()) {
			old = append(old, v.Path())
		}
	}
	for _, path := range old {
		if err := store.DeleteVariable(path); err != nil {
			return err
		}
	}
	return nil
}

// isOptimizers tells whether a variable belongs to the optimiser: a moment of Adam's,
// its learning rate, or a count of steps.
func isOptimizers(path string) bool {
	return strings.HasPrefix(path, "/"+optimizer.AdamDefaultScope+"/") ||
		strings.HasPrefix(path, "/"+optimizer.Scope+"/") || path == "/"+optimizer.GlobalStepVariableName
}

// isModels tells whether a variable belongs to the model: neither to the optimiser nor to
// the random numbers.
func isModels(path string) bool {
	return !isOptimizers(path) && path != "/"+model.RNGStateVariableName
}

// Step makes one step on the whole of x, of shape batch+event, with the context c, of
// shape batch+[context_dim], or nil. It doesn't wait for the loss: see [Trainer.Losses].
func (t *Trainer) Step(x, c *tensors.Tensor) error { return t.Steps(x, c, 1) }

// Steps makes n steps as [Trainer.Step] does, all on the same x and c, each with random
// numbers of its own. Where the backend can, many steps are one call of it: that is
// faster than n calls of Step, with the same bits.
func (t *Trainer) Steps(x, c *tensors.Tensor, n int) error { return t.steps(feed{x: x, c: c}, n) }

// steps makes n steps.
func (t *Trainer) steps(f feed, n int) error {
	if t.failed {
		return errors.New("train: an earlier step failed: make a new trainer, and load the weights from a checkpoint")
	}
	if f.x == nil {
		return errors.New("train: x is nil: expected a batch of shape batch+event")
	}
	if n < 1 {
		return fmt.Errorf("train: asked for %d steps: expected at least 1", n)
	}
	for done := 0; done < n; {
		made, err := t.program.run(f, n-done)
		if err != nil {
			// The weights were given away to the step, and an Exec that failed can hang.
			t.failed = true
			return err
		}
		t.losses = append(t.losses, made)
		done += made.n
		f = f.from(made.n)
	}
	return nil
}

// Losses returns the losses of the steps made since the last call, and frees them:
// they wait on the device until then. Every hundred steps or so is often enough.
func (t *Trainer) Losses() ([]float64, error) {
	var values []float64
	for _, call := range t.losses {
		err := call.steps.ConstFlatData(func(flat any) {
			values = append(values, flat.([]float64)[:call.n]...)
		})
		if err = errors.Join(err, call.steps.FinalizeAll()); err != nil {
			return nil, err
		}
	}
	t.losses = t.losses[:0]
	return values, nil
}

// firstNonFinite is the index of the first NaN or infinite value, -1 if there is none.
func firstNonFinite(values []float64) int {
	return slices.IndexFunc(values, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
}
