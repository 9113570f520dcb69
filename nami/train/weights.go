package train

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/ml/model"
)

// choice is a variable of the model, and the path of the value that it is to have.
type choice struct{ to, from string }

// choose picks the model's variables among those of paths, with their own values, or with
// those of a moving average or of the best weights if which names them. Of those, variables
// that have no average have their own. An average that isn't there is an error that lists
// those that are. store tells what isn't the model's.
func choose(store *model.Store, paths []string, which string) (chosen []choice, err error) {
	prefix := ""
	switch {
	case which == "":
	case which == Best:
		prefix = bestScope
	default:
		prefix = averagesScope + "/" + which
	}
	if prefix != "" && !slices.ContainsFunc(paths, func(path string) bool { return strings.HasPrefix(path, prefix+"/") }) {
		return nil, fmt.Errorf("there are no weights of the name %q: there are %s", which, strings.Join(kinds(paths), ", "))
	}
	for _, path := range paths {
		if isState(store, path) {
			continue
		}
		from := path
		if prefix != "" && slices.Contains(paths, prefix+path) {
			from = prefix + path
		}
		chosen = append(chosen, choice{path, from})
	}
	return chosen, nil
}

// kinds are the names of the weights among paths, for people.
func kinds(paths []string) []string {
	all := []string{"the weights themselves"}
	for _, path := range paths {
		name := ""
		if rest, ok := strings.CutPrefix(path, averagesScope+"/"); ok {
			name, _, _ = strings.Cut(rest, "/")
		} else if strings.HasPrefix(path, bestScope+"/") {
			name = Best
		}
		if name = fmt.Sprintf("%q", name); name != `""` && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	slices.Sort(all[1:])
	return all
}

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
	chosen, err := choose(store, paths(store), which)
	if err != nil {
		return nil, fmt.Errorf("train: the store: %w", err)
	}
	copied := model.NewStore()
	for _, c := range chosen {
		value, err := store.GetVariable(c.from).Value()
		if err == nil {
			value, err = value.LocalClone()
		}
		if err != nil {
			return nil, fmt.Errorf("train: the variable %s: %w", c.from, err)
		}
		copied.VariableWithValue(c.to, value).SetTrainable(store.GetVariable(c.to).Trainable)
	}
	for path, value := range store.IterParams() {
		copied.SetParam(path, value)
	}
	return copied, nil
}
