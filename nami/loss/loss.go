// Package loss holds what training minimises: functions of a batch of events and of a
// field that learns, as graphs.
//
//	loss         learns                                       sampled by
//	FM           the velocity of a path from noise to data    nami.FlowMatching
//	Interpolant  the drift of a stochastic interpolant        nami.FlowMatching
//	Bridge       both fields of a Schrödinger bridge          nami.FlowMatching
//	Trajectory   the velocity of curves through snapshots     nami.FlowMatching
//	Denoising    noise, score, data or velocity of diffusion  nami.Diffusion
//	NLL          a flow, by maximum likelihood                nami.FlowMatching
//	Transformed     any of them, in other units than the data's
//	ContextDropout  any of them, and the same without contexts, for guidance
//
// All take a [Batch] with masks, weights and a given source, and say by [Times] at which
// times they are taken. A loss of your own is a [Loss] as soon as it has that one method.
package loss

import (
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/path"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/transform"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Batch is what a loss is taken of: events, and what belongs to each of them. Only X is
// always there; what is nil is absent.
type Batch struct {
	// X are the events (data), of shape lead+event.
	X *Node

	// Context is the condition of each event, of shape lead+context_shape.
	Context *Node

	// Mask is 1 for an object of an event and 0 for padding, of shape lead+[objects],
	// where the first axis of an event counts objects.
	Mask *Node

	// Source is the noise, or the event of another distribution, that each event is joined
	// with, shaped like X in the units of the loss (see [InUnits]); a loss draws it itself
	// where there is none.
	Source *Node

	// Weight says how much each event counts, of shape lead. It may be negative, as the
	// weights of simulated events are; the sum must not be 0.
	Weight *Node
}

// Loss is what training minimises. A type of your own is a Loss as soon as it has this
// method.
type Loss interface {
	// Loss builds the loss of a batch, a scalar: of the losses ℓ of its events and their
	// weights w, which are 1 where it has none, the mean Σwℓ/Σw, or the sum Σwℓ. Its random
	// numbers come from the random state of scope's store, and its variables live in scope.
	// It panics on misuse, and on a part of the batch that it can't use.
	Loss(scope *model.Scope, b Batch) *Node
}

// Sourced is a [Loss] that tells what it draws its source from, for those who draw it
// instead: training with a coupling does.
type Sourced interface {
	Loss

	// SourceOf is the distribution of the source of events of the given shape.
	SourceOf(event []int) distribution.Base
}

// OfField is a [Loss] that tells which field learns from it. Training keeps a description of
// that field with its weights, so that they aren't bound to another one.
type OfField interface {
	Loss

	// LearnedField is the field, whose variables are in the loss's own scope.
	LearnedField() field.Field
}

// InUnits is a [Loss] whose field learns in other units than those of the data. The source of
// its batches, and what it tells of its field and its model, are in the field's.
type InUnits interface {
	Loss

	// Units are the transforms of events and of contexts to the field's units; nil where they
	// are the same.
	Units() (event, context transform.Transform)
}

// OfModel is a [Loss] that also tells what the field is part of, so that it isn't bound to a
// model with another base, path or schedule.
type OfModel interface {
	OfField

	// LearnedModel is what it is part of, for events of the given shape.
	LearnedModel(event []int) Learned
}

// Learned is the model that a field is part of which learns. What doesn't matter is nil.
type Learned struct {
	// Prediction says what the field predicts; [schedule.Velocity] for a flow.
	Prediction schedule.Prediction

	// Base is the distribution of the source, unless the batch has a source of its own.
	Base distribution.Base

	// Path is that of a flow, and Schedule that of a diffusion.
	Path     path.Path
	Schedule schedule.Schedule
}
