package main

import (
	"context"
	"time"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// netA is the small network of the tasks: 33,794 parameters.
var netA = field.MLP{EventShape: []int{2}, Hidden: []int{128, 128, 128}}

func netAStore() (*model.Store, error) {
	store := model.NewStore()
	sizes := []int{3, 128, 128, 128, 2}
	for l := range len(sizes) - 1 {
		if err := setLayer(store, l, sizes[l], sizes[l+1]); err != nil {
			return nil, err
		}
	}
	return store, nil
}

// fixedLoss is the flow-matching loss with given noise and times.
type fixedLoss struct {
	loss      loss.FM
	source, t *tensors.Tensor
}

func (l fixedLoss) Loss(scope *model.Scope, b loss.Batch) *Node {
	g := b.X.Graph()
	b.Source = Const(g, l.source)
	return ReduceAllMean(l.loss.PerEvent(scope, b, Const(g, l.t)))
}

// trainSmall is task A: steps of Adam on one batch of 512 points, with new noise and
// times in each.
func trainSmall(backend compute.Backend) (*work, error) {
	batch := data.Events{X: normalTensor(1001, 512, 2)}
	check, err := checkTraining(backend, batch)
	if err != nil {
		return nil, err
	}
	store, err := netAStore()
	if err != nil {
		return nil, err
	}
	trainer, err := train.NewTrainer(backend, store, loss.FM{Field: netA})
	if err != nil {
		return nil, err
	}
	run := func(_ context.Context, iterations int) error {
		if err := trainer.Steps(batch, iterations); err != nil {
			return err
		}
		_, err := trainer.Losses()
		return err
	}
	start := time.Now()
	if err := run(context.Background(), 1); err != nil {
		return nil, err
	}
	compile := time.Since(start)
	return &work{compile: compile, check: check, run: run}, run(context.Background(), 20)
}

// checkTraining is the loss with fixed noise before any step, and after 10.
func checkTraining(backend compute.Backend, batch data.Events) ([]float64, error) {
	store, err := netAStore()
	if err != nil {
		return nil, err
	}
	fixed := fixedLoss{loss.FM{Field: netA}, normalTensor(1003, 512, 2), uniformTensor(1004, 512)}
	trainer, err := train.NewTrainer(backend, store, fixed)
	if err != nil {
		return nil, err
	}
	if err := trainer.Steps(batch, 11); err != nil {
		return nil, err
	}
	losses, err := trainer.Losses()
	if err != nil {
		return nil, err
	}
	return []float64{losses[0], losses[10]}, nil
}

func flowA() nami.FlowMatching {
	return nami.FlowMatching{Field: netA, Base: distribution.NewStandardNormal(2), Solver: solver.RK4(100)}
}

// processA is the flow with net A's weights.
func processA(backend compute.Backend) (*nami.Process, error) {
	store, err := netAStore()
	if err != nil {
		return nil, err
	}
	return flowA().Bind(backend, store, nil)
}

// sampleRK4 is task C: 10,000 samples with 100 steps of RK4.
func sampleRK4(backend compute.Backend) (*work, error) {
	process, err := processA(backend)
	if err != nil {
		return nil, err
	}
	return sampling(process, normalTensor(2001, 10_000, 2), 10_000)
}

// coldStart is task I: 100 samples from the start of the process.
func coldStart(backend compute.Backend, r *result) error {
	process, err := processA(backend)
	if err != nil {
		return err
	}
	if _, err := process.Sample(context.Background(), 100); err != nil {
		return err
	}
	r.SecondsPerIter, err = sinceProcessStart()
	return err
}
