package checkpoint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nami-flow/go-nami/nami/internal/safetensors"

	"github.com/gomlx/gomlx/ml/model"
)

// Choice is a variable of the model, and the path of the value that it is to have.
type Choice struct{ To, From string }

// Choose picks the model's variables among a store's, with their own values, or with those of a
// moving average or of the best weights if which names them. Of those, variables that have no
// average have their own. An average that isn't there is an error that lists those that are.
func Choose(store *model.Store, which string) ([]Choice, error) {
	return choose(Paths(store), StateVariables(store), which)
}

func choose(paths, state []string, which string) (chosen []Choice, err error) {
	prefix := ""
	switch {
	case which == "":
	case which == Best:
		prefix = BestScope
	default:
		prefix = AveragesScope + "/" + which
	}
	if prefix != "" && !slices.ContainsFunc(paths, func(path string) bool { return strings.HasPrefix(path, prefix+"/") }) {
		there := []string{"the weights themselves"}
		for _, name := range names(paths) {
			there = append(there, fmt.Sprintf("%q", name))
		}
		return nil, fmt.Errorf("there are no weights of the name %q: there are %s", which, strings.Join(there, ", "))
	}
	for _, path := range paths {
		if isState(path, state) {
			continue
		}
		from := path
		if prefix != "" && slices.Contains(paths, prefix+path) {
			from = prefix + path
		}
		chosen = append(chosen, Choice{path, from})
	}
	return chosen, nil
}

// names are those of the averages, and of the best weights, among paths.
func names(paths []string) (all []string) {
	for _, path := range paths {
		name := ""
		if rest, ok := strings.CutPrefix(path, AveragesScope+"/"); ok {
			name, _, _ = strings.Cut(rest, "/")
		} else if strings.HasPrefix(path, BestScope+"/") {
			name = Best
		}
		if name != "" && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

// Names are the names of the weights that a checkpoint holds beside the last ones.
func (c *Checkpoint) Names() []string { return names(c.paths()) }

func (c *Checkpoint) paths() (paths []string) {
	for _, v := range c.Values {
		paths = append(paths, v.Name)
	}
	slices.Sort(paths)
	return paths
}

// Weights is the checkpoint with the model's variables alone, with the values that which names
// (see [Choose]).
func (c *Checkpoint) Weights(which string) (*Checkpoint, error) {
	chosen, err := choose(c.paths(), c.State, which)
	if err != nil {
		return nil, err
	}
	byName := map[string]safetensors.Tensor{}
	for _, v := range c.Values {
		byName[v.Name] = v
	}
	out := *c
	out.Values = make([]safetensors.Tensor, len(chosen))
	for i, choice := range chosen {
		out.Values[i] = safetensors.Tensor{Name: choice.To, Value: byName[choice.From].Value}
	}
	return &out, nil
}
