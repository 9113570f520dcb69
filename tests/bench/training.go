package main

import (
	"context"
	"math"
	"time"

	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// training is steps of Adam on one batch, with new noise and times in each.
type training struct {
	field  field.Field
	store  func() (*model.Store, error) // with the weights to begin with
	batch  func() data.Events
	warmUp int // steps
}

// trainSmall is task A: net A on 512 points.
var trainSmall = training{netA, netAStore, func() data.Events {
	return data.Events{X: normalTensor(1001, 512, 2)}
}, 20}

// trainLarge is task B: net B on 1,024 events of 16 values, each with a context of 8.
var trainLarge = training{netB{}, func() (*model.Store, error) { return netBStore(8) }, func() data.Events {
	return data.Events{X: normalTensor(1001, 1024, netBEvent), Context: normalTensor(1002, 1024, 8)}
}, 3}

// trainUNet is task J: a UNet on 128 images.
var trainUNet = training{unet, unetStore, func() data.Events {
	return data.Events{X: normalTensor(1001, 128, 8, 8, 1)}
}, 3}

// start implements what a task needs.
func (t training) start(backend compute.Backend) (*work, error) {
	batch := t.batch()
	check, err := t.check(backend, batch)
	if err != nil {
		return nil, err
	}
	store, err := t.store()
	if err != nil {
		return nil, err
	}
	trainer, err := train.NewTrainer(backend, store, t.loss(), train.LearningRate(1e-3), train.ClipNorm(math.Inf(1)))
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
	return &work{compile: compile, check: check, run: run}, run(context.Background(), t.warmUp)
}

// loss is what the papers and the peers' programs minimise: times are uniform, and each event has
// a target of its own.
func (t training) loss() loss.FM {
	return loss.FM{Field: t.field, Times: loss.Times{Law: loss.Uniform{}}, Pool: loss.Own}
}

// check is the loss with fixed noise before any step, and after 10.
func (t training) check(backend compute.Backend, batch data.Events) ([]float64, error) {
	store, err := t.store()
	if err != nil {
		return nil, err
	}
	dims := batch.X.Shape().Dimensions
	fixed := fixedLoss{t.loss(), normalTensor(1003, dims...), uniformTensor(1004, dims[0])}
	trainer, err := train.NewTrainer(backend, store, fixed, train.LearningRate(1e-3), train.ClipNorm(math.Inf(1)))
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
