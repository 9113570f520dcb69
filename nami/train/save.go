package train

import (
	"errors"
	"fmt"
	"os"

	"github.com/gomlx/gomlx/ml/model"
)

// Save keeps the variables of store in a checkpoint of that name, for [Load]: after a loop
// of one's own with a [Trainer], as [Fit] keeps its own (see [Checkpoint]). Which of them
// are trainable is kept, too; the optimiser's state and the random one are not. It
// replaces what Save kept there before. Where a run of Fit's is, or a weight is NaN or
// infinite, it saves nothing, and returns an error.
func Save(store *model.Store, name string) error {
	if store == nil {
		return errors.New("train: the store is nil: there is nothing to save")
	}
	dir := folder(name)
	about, _, err := newest(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return err
	case !about.Identity.isSaves():
		return fmt.Errorf("train: the checkpoint in %s belongs to a run of Fit: choose another name", dir)
	}
	bad, err := nonFinite(store)
	if err != nil {
		return err
	}
	if bad != "" {
		return fmt.Errorf("train: not saved in %s: %s", dir, bad)
	}
	about = saved{Identity: savesIdentity}
	values, err := about.collect(store, func(v *model.Variable) bool { return isModels(v.Path()) })
	if err != nil {
		return err
	}
	if len(values) == 0 {
		return errors.New("train: the store has no variables: train or load a model in it first")
	}
	if err := write(dir, about, values); err != nil {
		return fmt.Errorf("train: the weights can't be saved in %s: %w; what was saved before is untouched", dir, err)
	}
	return nil
}

// savesIdentity marks what [Save] kept: it belongs to no run.
var savesIdentity = identity{"kept by": "Save"}

func (id identity) isSaves() bool { return id["kept by"] == savesIdentity["kept by"] }
