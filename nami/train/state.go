package train

import (
	"fmt"

	"github.com/nami-flow/go-nami/nami/internal/checkpoint"

	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

// What training alone keeps in a store.
const (
	sumsScope   = checkpoint.OwnScope + "/gradients"
	stepsPath   = checkpoint.OwnScope + "/steps"
	batchesPath = checkpoint.OwnScope + "/batches"
)

// forget clears what an earlier training left in the store: its moments belong to another
// loss, and GoMLX takes its learning rate rather than a new one.
func forget(store *model.Store, o optimizer.Interface) error {
	if err := o.Clear(store.RootScope()); err != nil {
		return fmt.Errorf("train: the optimizer %T can't be cleared: %w", o, err)
	}
	for _, path := range checkpoint.Paths(store) {
		if checkpoint.IsState(store, path) {
			if err := store.DeleteVariable(path); err != nil {
				return err
			}
		}
	}
	return nil
}
