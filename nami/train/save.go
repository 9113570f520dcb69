package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/nami-flow/go-nami/nami/internal/checkpoint"

	"github.com/gomlx/gomlx/ml/model"
)

// Save keeps the model's variables in store in a checkpoint of that name, for [Load]: after a
// loop of your own with a [Trainer], as [Fit] keeps its own (see [Checkpoint]). Moving
// averages, the best weights, what is trainable, and which field the weights belong to are
// kept, too; the optimiser's state and the random one are not. It replaces what Save kept
// there before. If a run of Fit's is there, or a weight is NaN or infinite, it saves nothing
// and returns an error. To hand a model on, see modelfile.Save.
func Save(store *model.Store, name string) error {
	switch {
	case store == nil:
		return errors.New("train: the store is nil: there is nothing to save")
	case name == "":
		return errors.New("train: the checkpoint's name is empty: expected the name of a folder")
	}
	dir := checkpoint.Folder(name)
	before, err := checkpoint.Newest(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return fmt.Errorf("train: %w", err)
	case !isSaves(before):
		return fmt.Errorf("train: the checkpoint in %s belongs to a run of Fit: choose another name", dir)
	}
	bad, err := checkpoint.NonFinite(store)
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	if bad != "" {
		return fmt.Errorf("train: not saved in %s: %s", dir, bad)
	}
	history, err := json.Marshal(History{Saved: time.Now().Round(time.Second)})
	if err != nil {
		return err
	}
	kept := &checkpoint.Checkpoint{About: checkpoint.About{Identity: savesIdentity, History: history}}
	if err := kept.Collect(store, checkpoint.ModelPaths(store)); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	if len(kept.Values) == 0 {
		return errors.New("train: the store has no variables: train or load a model in it first")
	}
	if err := kept.Write(dir, 0); err != nil {
		return fmt.Errorf("train: the weights can't be saved in %s: %w; what was saved before is untouched", dir, err)
	}
	return nil
}

// savesIdentity marks what [Save] kept: it belongs to no run.
var savesIdentity = identity{"kept by": "Save"}

func isSaves(kept *checkpoint.Checkpoint) bool {
	return kept.Identity["kept by"] == savesIdentity["kept by"]
}
