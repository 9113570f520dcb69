package train

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/gomlx/ml/model"
)

// Save keeps the model's variables in store in a checkpoint of that name, for [Load]: after a
// loop of your own with a [Trainer], as [Fit] keeps its own (see [Checkpoint]). Moving
// averages, the best weights, what is trainable, and which field the weights are of are
// kept, too; the optimiser's state and the random one are not. It replaces what Save kept
// there before. Where a run of Fit's is, or a weight is NaN or infinite, it saves nothing,
// and returns an error.
func Save(store *model.Store, name string) error {
	switch {
	case store == nil:
		return errors.New("train: the store is nil: there is nothing to save")
	case name == "":
		return errors.New("train: the checkpoint's name is empty: expected the name of a folder")
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
	about.History.Saved = time.Now().Round(time.Second)
	kept := slices.DeleteFunc(paths(store), func(path string) bool {
		return isState(store, path) && !strings.HasPrefix(path, averagesScope+"/") && !strings.HasPrefix(path, bestScope+"/")
	})
	values, err := about.collect(store, kept)
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
