package train

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

// Loss is what training minimises. x is batch+event, c batch+[context_dim] or nil; the
// result is a scalar. Random numbers come from scope's store.
type Loss interface {
	Loss(scope *model.Scope, x, c *Node) *Node
}

// Trainer makes single steps of Adam (Kingma & Ba 2015, arXiv:1412.6980; β₁ = 0.9, β₂ =
// 0.999, ε = 1e-8), for loops of one's own; [Fit] is one. One goroutine at a time may
// use a trainer and its store.
type Trainer struct {
	backend compute.Backend
	store   *model.Store
	exec    *model.Exec // inputs x, c if there is one, and rows if the batch is a choice of them
	losses  []*tensors.Tensor
	failed  bool
}

// NewTrainer prepares training of the variables in store: those that loss needs and the
// store lacks are made by the first step, and Adam starts afresh. seed starts the
// random numbers. A learning rate that isn't positive and finite is an error.
func NewTrainer(backend compute.Backend, store *model.Store, loss Loss, learningRate float64, seed int64) (*Trainer, error) {
	if backend == nil || store == nil || loss == nil {
		return nil, errors.New("train: backend, store and loss must not be nil")
	}
	if err := checkLearningRate(learningRate); err != nil {
		return nil, err
	}
	t := &Trainer{backend: backend, store: store}
	err := gomlx.Try(func() (err error) {
		if err := forgetOptimizer(store); err != nil {
			return err
		}
		if err := store.SetRNGStateFromSeed(seed); err != nil {
			return err
		}
		adam := optimizer.Adam().LearningRate(learningRate).Betas(0.9, 0.999).Epsilon(1e-8).WeightDecay(0).Done()
		t.exec, err = model.NewExec(backend, store, func(scope *model.Scope, in []*Node) []*Node {
			scope.Store().SetTraining(in[0].Graph(), true)
			x, c := batch(in)
			value := loss.Loss(scope, x, c)
			if !value.IsScalar() {
				panic(fmt.Errorf("train: the loss %T has shape %s: it must be a scalar", loss, value.Shape()))
			}
			adam.UpdateGraph(scope, x.Graph(), value)
			return []*Node{value}
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	t.exec.SetMaxCache(-1)
	return t, nil
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

// batch picks x and c from a step's inputs: x, then c if there is one, then the rows
// that make the batch, a vector of int32, if it isn't all of them.
func batch(in []*Node) (x, c *Node) {
	x = in[0]
	rest := in[1:]
	var rows *Node
	if n := len(rest); n > 0 && rest[n-1].DType().IsInt() {
		rows, rest = rest[n-1], rest[:n-1]
	}
	if len(rest) > 0 {
		c = rest[0]
	}
	if rows != nil {
		rows = InsertAxes(rows, -1)
		x = Gather(x, rows)
		if c != nil {
			c = Gather(c, rows)
		}
	}
	return x, c
}

// Step makes one step on the whole of x, of shape batch+event, with the context c, of
// shape batch+[context_dim], or nil. It doesn't wait for the loss: see [Trainer.Losses].
func (t *Trainer) Step(x, c *tensors.Tensor) error {
	return t.step(x, c, nil)
}

func (t *Trainer) step(x, c, rows *tensors.Tensor) error {
	if t.failed {
		return errors.New("train: an earlier step failed: make a new trainer, and load the weights from a checkpoint")
	}
	if x == nil {
		return errors.New("train: x is nil: expected a batch of shape batch+event")
	}
	in := []any{x}
	if c != nil {
		in = append(in, c)
	}
	if rows != nil {
		in = append(in, rows)
	}
	err := gomlx.Try(func() error {
		out, err := t.exec.Call(in...)
		if err != nil {
			return err
		}
		t.losses = append(t.losses, out[0])
		return nil
	})
	// The weights were given away to the step, and an Exec that failed can hang.
	t.failed = err != nil
	return err
}

// Losses returns the losses of the steps made since the last call, and frees them:
// each waits on the device until then. Every hundred steps or so is often enough.
func (t *Trainer) Losses() ([]float64, error) {
	values := make([]float64, 0, len(t.losses))
	for _, loss := range t.losses {
		err := loss.ConstFlatData(func(flat any) {
			switch v := flat.(type) {
			case []float32:
				values = append(values, float64(v[0]))
			case []float64:
				values = append(values, v[0])
			}
		})
		if err = errors.Join(err, loss.FinalizeAll()); err != nil {
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
