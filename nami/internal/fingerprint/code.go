package fingerprint

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Code is what is kept of the code that built a graph: a hash, which tells whether it is the
// same, and what is in it, to say what differs.
type Code struct {
	Hash       string         `json:"hash"`
	Operations map[string]int `json:"operations"` // how often each occurs
	Variables  []string       `json:"variables"`  // path, shape and whether it learns
}

// OfGraph is the code of a graph over store, which outputs builds and which isn't run. What
// it panics with is an error. Variables that it makes are taken out of the store again.
func OfGraph(own compute.Backend, store *model.Store, outputs func(g *graph.Graph) []*graph.Node) (Code, error) {
	code := Code{Operations: map[string]int{}}
	words, _, err := build(own, store, func(g *graph.Graph) []*graph.Node {
		out := outputs(g)
		code.Variables = nil // of this try
		for v := range store.IterVariables() {
			if v.InUseByGraph(g) {
				code.Variables = append(code.Variables, fmt.Sprintf("%s %s, trainable %v", v.Path(), v.Shape(), v.Trainable))
			}
		}
		slices.Sort(code.Variables)
		return out
	})
	if err != nil {
		return Code{}, err
	}
	hash := sha256.New()
	for _, n := range words.Nodes {
		fmt.Fprintln(hash, n.Text, n.Shape, n.Inputs)
		code.Operations[n.Operation()]++
	}
	fmt.Fprintln(hash, words.Outputs, code.Variables)
	code.Hash = hex.EncodeToString(hash.Sum(nil))
	return code, nil
}

// Differs says how the code differs from another's, which was before; it is empty if they
// are the same.
func (c Code) Differs(before Code) string {
	if c.Hash == before.Hash {
		return ""
	}
	var parts []string
	if more, fewer := without(c.Variables, before.Variables), without(before.Variables, c.Variables); len(more)+len(fewer) > 0 {
		parts = append(parts, fmt.Sprintf("the variables %s are here, and %s were", list(more), list(fewer)))
	}
	if text := operations(c.Operations, before.Operations); text != "" {
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		return "the same operations are in another order, or have other shapes, attributes or constants"
	}
	return strings.Join(parts, "; ")
}

// without is a without what is in b.
func without(a, b []string) (rest []string) {
	for _, s := range a {
		if !slices.Contains(b, s) {
			rest = append(rest, s)
		}
	}
	return rest
}

// list names up to three things.
func list(names []string) string {
	switch {
	case len(names) == 0:
		return "none"
	case len(names) > 3:
		return strings.Join(names[:3], ", ") + fmt.Sprintf(" and %d more", len(names)-3)
	}
	return strings.Join(names, ", ")
}

// operations says how two counts of operations differ; it is empty if they don't.
func operations(here, before map[string]int) string {
	names := slices.Sorted(maps.Keys(here))
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if here[name] == 0 {
			names = append(names, name)
		}
	}
	var kinds, counts []string // what one of the two has none of says most
	for _, name := range names {
		text := fmt.Sprintf("%d %s and not %d", here[name], name, before[name])
		switch {
		case here[name] == before[name]:
		case here[name] == 0 || before[name] == 0:
			kinds = append(kinds, text)
		default:
			counts = append(counts, text)
		}
	}
	if len(kinds)+len(counts) == 0 {
		return ""
	}
	return "its graph has " + list(slices.Concat(kinds, counts))
}
