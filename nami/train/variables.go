package train

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

// What training keeps in a store, beside the model's variables and the optimiser's.
const (
	ownScope      = "/nami"
	averagesScope = ownScope + "/averages"
	bestScope     = ownScope + "/" + Best
	sumsScope     = ownScope + "/gradients"
	stepsPath     = ownScope + "/steps"
	batchesPath   = ownScope + "/batches"
)

// Best names the weights with the least validation loss, for [Load] and [Weights].
const Best = "best"

// The store's hyperparameters that training keeps there.
const (
	madeParam  = "/nami_batches_made"    // the batches that it was trained on, over all fits
	stateParam = "/nami_state_variables" // paths of what isn't the model's
)

// rngPath is the path of the random numbers' state.
const rngPath = "/" + model.RNGStateVariableName

// batchesMade is on how many batches the store was trained.
func batchesMade(store *model.Store) int {
	made, _ := store.GetParam(madeParam)
	n, _ := made.(int)
	return n
}

// stateVariables are the paths that are known to be the optimiser's or a hook's.
func stateVariables(store *model.Store) []string {
	paths, _ := store.GetParam(stateParam)
	list, _ := paths.([]string)
	return list
}

// addState notes that variables aren't the model's.
func addState(store *model.Store, paths []string) {
	all := slices.Concat(stateVariables(store), paths)
	slices.Sort(all)
	store.SetParam(stateParam, slices.Compact(all))
}

// isState tells whether a variable belongs to training and not to the model: the
// optimiser's moments, its learning rate, counts of steps, averages, random numbers.
func isState(store *model.Store, path string) bool {
	return path == rngPath || strings.HasPrefix(path, ownScope+"/") ||
		strings.HasPrefix(path, "/"+optimizer.AdamDefaultScope+"/") ||
		strings.HasPrefix(path, "/"+optimizer.Scope+"/") || path == "/"+optimizer.GlobalStepVariableName ||
		slices.Contains(stateVariables(store), path)
}

// forget clears what an earlier training left in the store: its moments belong to another
// loss, and GoMLX takes its learning rate rather than a new one.
func forget(store *model.Store, o optimizer.Interface) error {
	if err := o.Clear(store.RootScope()); err != nil {
		return fmt.Errorf("train: the optimizer %T can't be cleared: %w", o, err)
	}
	for _, path := range paths(store) {
		if isState(store, path) {
			if err := store.DeleteVariable(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// paths are those of all variables.
func paths(store *model.Store) (all []string) {
	for v := range store.IterVariables() {
		all = append(all, v.Path())
	}
	return all
}
