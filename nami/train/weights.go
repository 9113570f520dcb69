package train

import (
	"errors"
	"fmt"

	"github.com/nami-flow/go-nami/nami/internal/checkpoint"

	"github.com/gomlx/gomlx/ml/model"
)

// Best names the weights with the least validation loss, for [Load] and [Weights].
const Best = checkpoint.Best

// Weights returns a store with a copy of a model's weights as a fit left them in memory: the
// moving [Average] of that name, or [Best] for those with the least validation loss. The
// store that they come from is only read, and can be trained further. A name that isn't
// there is an error that lists those that are.
func Weights(store *model.Store, which string) (*model.Store, error) {
	switch {
	case store == nil:
		return nil, errors.New("train: the store is nil: there are no weights")
	case which == "":
		return nil, errors.New("train: the name of the weights is empty: the store holds the weights themselves; give the name of an Average, or train.Best")
	}
	chosen, err := checkpoint.Choose(store, which)
	if err != nil {
		return nil, fmt.Errorf("train: the store: %w", err)
	}
	copied := model.NewStore()
	for _, c := range chosen {
		value, err := store.GetVariable(c.From).Value()
		if err == nil {
			value, err = value.LocalClone()
		}
		if err != nil {
			return nil, fmt.Errorf("train: the variable %s: %w", c.From, err)
		}
		copied.VariableWithValue(c.To, value).SetTrainable(store.GetVariable(c.To).Trainable)
	}
	for path, value := range store.IterParams() {
		copied.SetParam(path, value)
	}
	checkpoint.SetWhich(copied, which)
	return copied, nil
}
