package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/nami-flow/go-nami/nami/internal/checkpoint"

	"github.com/gomlx/gomlx/ml/model"
)

// Load puts weights of a checkpoint into store, to sample with them or to train on: not the
// optimiser's state, nor the random one. name is what [Checkpoint] or [Save] was given, or
// one of the files in that folder; the weights may come from another backend. It returns the
// history of the run that made them.
//
// which, of which there is at most one, names the weights: a moving [Average], or [Best] for
// those with the least validation loss; without it they are the last ones. A name that isn't
// there is an error that lists those that are.
//
// A damaged checkpoint is skipped for the one before it, and the history's Notes say so. From
// then on the store knows as which field the weights were trained: binding another one is an
// error.
func Load(store *model.Store, name string, which ...string) (*History, error) {
	switch {
	case store == nil:
		return nil, errors.New("train: the store is nil: make one with model.NewStore()")
	case name == "":
		return nil, errors.New("train: the checkpoint's name is empty: expected that of a folder, or of a file in it")
	case len(which) > 1:
		return nil, fmt.Errorf("train: %d names of weights, %v, are asked for: a store holds one kind", len(which), which)
	case len(which) == 1 && which[0] == "":
		return nil, errors.New("train: the name of the weights is empty: leave it out for the last ones")
	}
	at := checkpoint.Folder(name)
	kept, err := checkpoint.Find(at)
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	if kept, err = kept.Weights(strings.Join(which, "")); err != nil {
		return nil, fmt.Errorf("train: the checkpoint in %s: %w", at, err)
	}
	if err := put(store, kept); err != nil {
		return nil, err
	}
	checkpoint.SetWhich(store, strings.Join(which, ""))
	return historyOf(kept)
}

// put sets variables of a store, and notes whose weights they are.
func put(store *model.Store, kept *checkpoint.Checkpoint) error {
	err := kept.Put(store)
	if err == nil {
		err = kept.AddFields(store)
	}
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	return nil
}

// historyOf is how the run went that made a checkpoint; empty if no run did.
func historyOf(kept *checkpoint.Checkpoint) (*History, error) {
	h := &History{}
	if len(kept.History) > 0 {
		if err := json.Unmarshal(kept.History, h); err != nil {
			return nil, fmt.Errorf("train: the checkpoint's history can't be read: %w", err)
		}
	}
	h.Notes = kept.Notes
	return h, nil
}
