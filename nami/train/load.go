package train

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/ml/model"
)

// Load puts weights of a checkpoint into store, to sample with them or to train on: not the
// optimiser's state, nor the random one. name is what [Checkpoint] or [Save] was given, or
// one of the files in that folder; the weights may come from another backend. It returns how
// the run went that made them.
//
// which, of which there is at most one, names the weights: a moving [Average], or [Best] for
// those with the least validation loss; without it they are the last ones. A name that isn't
// there is an error that lists those that are.
//
// A damaged checkpoint is passed over for the one before it, which the history's Notes say.
// The store knows from then on which field the weights were trained as: to bind another one
// is an error.
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
	at := folder(name)
	about, values, err := found(at)
	if err != nil {
		return nil, err
	}
	known := model.NewStore() // to tell what isn't the model's
	addState(known, about.State)
	byName := map[string]namedTensor{}
	var all []string
	for _, v := range values {
		byName[v.name] = v
		all = append(all, v.name)
	}
	slices.Sort(all)
	chosen, err := choose(known, all, strings.Join(which, ""))
	if err != nil {
		return nil, fmt.Errorf("train: the checkpoint in %s: %w", at, err)
	}
	weights := make([]namedTensor, len(chosen))
	for i, c := range chosen {
		weights[i] = namedTensor{c.to, byName[c.from].value}
	}
	if err := put(store, about, weights); err != nil {
		return nil, err
	}
	return &about.History, nil
}

// found reads the checkpoint at a path: a file, or the newest one in a folder. It is an error
// that says what is there if there is none.
func found(at string) (saved, []namedTensor, error) {
	info, err := os.Stat(at)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return saved{}, nil, fmt.Errorf("train: there is no folder and no file %s: expected the name that train.Checkpoint or train.Save was given, or a file in that folder", at)
	case err != nil:
		return saved{}, nil, fmt.Errorf("train: %w", err)
	case !info.IsDir():
		about, values, err := read(at)
		if err != nil {
			err = fmt.Errorf("train: %w", err)
		}
		return about, values, err
	}
	about, values, err := newest(at)
	if errors.Is(err, os.ErrNotExist) {
		return about, nil, fmt.Errorf("train: the folder %s holds no checkpoint, a file %s…%s: it holds %s", at, filePrefix, fileSuffix, contents(at))
	}
	return about, values, err
}

// contents lists up to five of the files in a folder.
func contents(folder string) string {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err.Error()
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	if len(names) == 0 {
		return "nothing"
	}
	if n := len(names); n > 5 {
		names = append(names[:5], fmt.Sprintf("%d more", n-5))
	}
	return strings.Join(names, ", ")
}
