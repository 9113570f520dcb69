package modelfile

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/internal/checkpoint"
	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Model is what a file describes: [nami.FlowMatching], [nami.Diffusion], or a type of your own
// with this method that is registered (see [Register]).
type Model interface {
	// Bind makes a process of the model, as [nami.FlowMatching.Bind] does.
	Bind(backend compute.Backend, store *model.Store, context *tensors.Tensor, options ...nami.Option) (*nami.Process, error)
}

// File is a trained model, with what is to be known of it.
type File struct {
	// Model is the model without its weights: after [Load] a nami.FlowMatching or a
	// nami.Diffusion (values, not pointers), or a registered type.
	Model Model

	// Store holds the weights. [Save] keeps the model's variables with all moving averages and
	// the best weights, and nothing of the optimiser; after [Load] it holds those that were
	// asked for.
	Store *model.Store

	// Which names the weights in Store that [Save] writes and Bind takes: a moving average, or
	// train.Best for those with the least validation loss. Where it is empty they are those of the
	// last step, and Save writes the others beside them. [Load] leaves it empty.
	Which string

	// Event is the shape of one event in the data's units, as the model samples it. [Save] takes it from the
	// model where it is nil; after [Load] it is there.
	Event []int

	// Context is the shape of one context in its own units, as Bind takes it behind the batch
	// axes; nil for a model without one. Where it is nil, [Save] takes it from Columns, from the training that
	// the store remembers, or from the ContextDim of a field.MLP.
	Context []int

	// Columns say which columns of a table are an event's and a context's values, in this
	// order, with the names of classes. The zero value says nothing.
	Columns data.Columns

	// Units are the units of columns, by the columns' names, such as "GeV". A column that isn't
	// there has none.
	Units map[string]string

	// Training says how the weights came about. [TrainingOf] takes it from a history. Versions
	// that are empty are filled in by [Save].
	Training Training

	// Notes are for people: where the data came from, what the model is good for.
	Notes string

	// Weights are the names of the weights that the file holds beside its own ones: moving
	// averages, and train.Best. [Load] fills it in, and takes such a name; [Save] ignores it.
	Weights []string

	// Warnings are what Load has to say: that a damaged checkpoint was passed over for the one
	// before it.
	Warnings []string
}

// Bind gives the model a context, of shape batch_shape+Context, or nil, and makes a process of
// it that computes in the dtype of the weights. It is Model.Bind with Store.
func (f File) Bind(backend compute.Backend, context *tensors.Tensor, options ...nami.Option) (*nami.Process, error) {
	switch {
	case f.Model == nil:
		return nil, errors.New("modelfile: the Model is nil: load a file, or give a nami.FlowMatching or nami.Diffusion")
	case f.Store == nil:
		return nil, fmt.Errorf("modelfile: %w, or load a file", errNoStore)
	}
	f, err := f.chosen()
	if err != nil {
		return nil, fmt.Errorf("modelfile: %w", err)
	}
	return f.Model.Bind(backend, f.Store, context, append([]nami.Option{nami.DType(f.DType())}, options...)...)
}

// chosen is the file with the weights that Which names as its own, and what Training says of them.
func (f File) chosen() (File, error) {
	if f.Which != "" {
		if f.Store == nil {
			return f, errNoStore
		}
		store, err := train.Weights(f.Store, f.Which)
		if err != nil {
			return f, fmt.Errorf("the Which is %q: %w", f.Which, err)
		}
		f.Store, f.Which = store, ""
	}
	if f.Store != nil {
		f.Training.Weights = cmp.Or(checkpoint.Which(f.Store), f.Training.Weights)
	}
	return f, nil
}

var errNoStore = errors.New("the Store is nil: give the store that the model was trained in")

// DType is what the weights are: Float32, or Float64.
func (f File) DType() dtypes.DType { return dtypeOf(f.Store) }

// dtypeOf is the dtype of the weights in a store.
func dtypeOf(store *model.Store) dtypes.DType {
	if store == nil {
		return dtypes.Float32
	}
	for v := range store.IterVariables() {
		if v.DType() == dtypes.Float64 && v.Trainable {
			return dtypes.Float64
		}
	}
	return dtypes.Float32
}
