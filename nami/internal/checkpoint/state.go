package checkpoint

import (
	"slices"
	"strings"

	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

// What training keeps in a store, beside the model's variables and the optimiser's.
const (
	OwnScope      = "/nami"
	AveragesScope = OwnScope + "/averages"
	BestScope     = OwnScope + "/" + Best
)

// Best names the weights with the least validation loss.
const Best = "best"

// The store's hyperparameters that training keeps there.
const (
	madeParam  = "/nami_batches_made"    // the batches that it was trained on, over all fits
	stateParam = "/nami_state_variables" // paths of what isn't the model's
	whichParam = "/nami_which_weights"   // whose copy the weights are
)

// RNGPath is the path of the random numbers' state.
const RNGPath = "/" + model.RNGStateVariableName

// BatchesMade is on how many batches the store was trained.
func BatchesMade(store *model.Store) int {
	made, _ := store.GetParam(madeParam)
	n, _ := made.(int)
	return n
}

// Which is the name of the weights that a store's are a copy of: an average, or [Best]; empty for
// those of the last step.
func Which(store *model.Store) string {
	name, _ := store.GetParam(whichParam)
	text, _ := name.(string)
	return text
}

// SetWhich notes it.
func SetWhich(store *model.Store, name string) { store.SetParam(whichParam, name) }

// SetBatchesMade notes on how many batches the store was trained.
func SetBatchesMade(store *model.Store, n int) { store.SetParam(madeParam, n) }

// StateVariables are the paths that are known to be the optimiser's or a hook's.
func StateVariables(store *model.Store) []string {
	paths, _ := store.GetParam(stateParam)
	list, _ := paths.([]string)
	return list
}

// AddState notes that variables aren't the model's.
func AddState(store *model.Store, paths []string) {
	all := slices.Concat(StateVariables(store), paths)
	slices.Sort(all)
	store.SetParam(stateParam, slices.Compact(all))
}

// IsState tells whether a variable belongs to training and not to the model: the
// optimiser's moments, its learning rate, counts of steps, averages, random numbers.
func IsState(store *model.Store, path string) bool { return isState(path, StateVariables(store)) }

// isState is IsState where the paths of the optimiser's and of hooks are listed.
func isState(path string, listed []string) bool {
	return path == RNGPath || strings.HasPrefix(path, OwnScope+"/") ||
		strings.HasPrefix(path, "/"+optimizer.AdamDefaultScope+"/") ||
		strings.HasPrefix(path, "/"+optimizer.Scope+"/") || path == "/"+optimizer.GlobalStepVariableName ||
		slices.Contains(listed, path)
}

// Paths are those of all variables.
func Paths(store *model.Store) (all []string) {
	for v := range store.IterVariables() {
		all = append(all, v.Path())
	}
	return all
}

// ModelPaths are those of the variables that a model needs to sample: its own, with their
// averages and the best ones.
func ModelPaths(store *model.Store) []string {
	return slices.DeleteFunc(Paths(store), func(path string) bool {
		return IsState(store, path) && !strings.HasPrefix(path, AveragesScope+"/") && !strings.HasPrefix(path, BestScope+"/")
	})
}
