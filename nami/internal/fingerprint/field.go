package fingerprint

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Field is what is kept of a field that was trained: how it prints, for people, and its
// graph, for what is then bound to the weights.
type Field struct {
	Text    string `json:"text"`
	Event   []int  `json:"event"`
	Context []int  `json:"context"` // null without one
	DType   string `json:"dtype"`
	Graph   Graph  `json:"graph"`

	// Variables are the paths of those that the field has.
	Variables []string `json:"variables"`

	// Model is what the field is part of, as far as it is known.
	Model Model `json:"model,omitzero"`
}

// OfField is what is to be kept of a field whose variables are in store: of its values at
// events and contexts of these shapes, nil for no context. There is nothing to keep of a
// field that has no variables, or some that the store lacks: then ok is false.
func OfField(own compute.Backend, store *model.Store, f field.Field, event, context []int, dtype dtypes.DType) (kept Field, ok bool, err error) {
	kept = Field{Text: Describe(f), Event: event, Context: context, DType: dtype.String()}
	words, made, err := kept.build(own, store, f)
	if err != nil {
		return Field{}, false, fmt.Errorf("the field %s: %w", kept.Text, err)
	}
	kept.Graph = words
	for v := range store.IterVariables() {
		if words.has(v.Path()) && v.Trainable {
			kept.Variables = append(kept.Variables, v.Path())
		}
	}
	return kept, len(made) == 0 && len(kept.Variables) > 0, nil
}

// Describe is how a value prints, with its type, and without addresses, which differ from
// process to process.
func Describe(v any) string {
	text := fmt.Sprintf("%T %v", v, v)
	return addresses.ReplaceAllString(text, "…")
}

var addresses = regexp.MustCompile(`0x[0-9a-f]+`)

// The names of the inputs of a field's graph, which stand for whatever a field that wraps
// it puts in.
const inputName = "input of the field: "

func isInput(n Node) bool { return strings.Contains(n.Text, inputName) }

// build puts a field's graph at events and contexts of the kept shapes into words.
func (k Field) build(own compute.Backend, store *model.Store, f field.Field) (Graph, []string, error) {
	dtype, err := dtypes.DTypeString(k.DType)
	if err != nil {
		return Graph{}, nil, err
	}
	return build(own, store, func(g *graph.Graph) []*graph.Node {
		input := func(name string, dims []int) *graph.Node {
			return graph.Parameter(g, inputName+name, shapes.Make(dtype, append([]int{rows}, dims...)...))
		}
		var c *graph.Node
		if k.Context != nil {
			c = input("c", k.Context)
		}
		return []*graph.Node{field.Call(f, store.RootScope(), input("x", k.Event), input("t", nil), c)}
	})
}

// has says whether the graph reads a variable.
func (g Graph) has(path string) bool {
	return slices.ContainsFunc(g.Nodes, func(n Node) bool {
		return n.Operation() == "Parameter" && strings.Contains(n.Text, fmt.Sprintf("name=%q", path))
	})
}

// storeParam is where a store keeps its fields.
const storeParam = "/nami_trained_fields"

// Fields are the fields whose weights a store holds, as far as it is known.
func Fields(store *model.Store) ([]Field, error) {
	text, _ := store.GetParam(storeParam)
	if text == nil {
		return nil, nil
	}
	var fields []Field
	if err := json.Unmarshal([]byte(fmt.Sprint(text)), &fields); err != nil {
		return nil, fmt.Errorf("the store's account of what it was trained with can't be read: %w", err)
	}
	return fields, nil
}

// SetFields notes whose weights a store holds, in the place of what was noted before.
func SetFields(store *model.Store, fields []Field) error {
	text, err := json.Marshal(fields)
	if err == nil {
		store.SetParam(storeParam, string(text))
	}
	return err
}

// AddField notes that a store's variables of those paths are trained: they belong to the
// field now, or if it is nil to none that is known, and no longer to any other.
func AddField(store *model.Store, trained []string, f *Field) error {
	fields, err := Fields(store)
	if err != nil {
		return err
	}
	fields = slices.DeleteFunc(fields, func(old Field) bool {
		return slices.ContainsFunc(old.Variables, func(path string) bool { return slices.Contains(trained, path) })
	})
	if f != nil {
		fields = append(fields, *f)
	}
	return SetFields(store, fields)
}

// Check is an error if f would compute something else with the weights in store than what
// was trained with them: that names the difference. event and context are the shapes that f
// is about to be called with, nil for no context, and dtype that of the events. A field that
// wraps the trained one passes, and so does one whose weights the store knows nothing of:
// that were initialised, set by hand, or trained by a loss that doesn't tell its field.
// Weights that were converted to another dtype aren't compared. The trained field itself must
// be part of the model that it was trained for.
//
// It builds f a few times in graphs that are thrown away, and leaves the store as it was.
// As with all that builds graphs over a store, one goroutine at a time may do it.
func Check(own compute.Backend, store *model.Store, f field.Field, m Model, event, context []int, dtype dtypes.DType) error {
	fields, err := Fields(store)
	if err != nil || len(fields) == 0 {
		return err
	}
	asked := Field{Text: Describe(f), Event: event, Context: context, DType: dtype.String()}
	words, _, err := asked.build(own, store, f)
	if err != nil {
		return nil // what is wrong with the field itself, its caller says
	}
	for _, kept := range fields {
		if kept.DType != asked.DType || !slices.ContainsFunc(kept.Variables, words.has) {
			continue
		}
		if contains(words, kept.Graph) {
			if kept.Text == asked.Text { // else it wraps the trained one, and may mean another model
				if err := kept.Model.difference(m); err != nil {
					return err
				}
			}
			continue
		}
		// It may be made for events or contexts of any shape.
		same, _, err := kept.build(own, store, f)
		if err == nil && contains(same, kept.Graph) {
			continue
		}
		if err != nil {
			same = words
		}
		return kept.difference(asked, same)
	}
	return nil
}

// difference says how a field that was asked for differs from the kept one.
func (k Field) difference(asked Field, words Graph) error {
	var parts []string
	if asked.Text != k.Text {
		parts = append(parts, fmt.Sprintf("they were trained as %s, and the model has %s", k.Text, asked.Text))
	} else {
		parts = append(parts, fmt.Sprintf("they were trained as %s, and the model's field prints the same, but is another", k.Text))
	}
	if !slices.Equal(k.Context, asked.Context) || (k.Context == nil) != (asked.Context == nil) {
		parts = append(parts, fmt.Sprintf("with contexts of shape %s, and here of %s", contextShape(k.Context), contextShape(asked.Context)))
	}
	if text := operations(words.counts(), k.Graph.counts()); text != "" {
		parts = append(parts, text)
	} else {
		parts = append(parts, "the same operations are in another order, or have other shapes, attributes or constants")
	}
	return errors.New("the store's weights belong to another field: " + strings.Join(parts, "; ") + "; bind the field that was trained, or one that wraps it")
}

func contextShape(context []int) string {
	if context == nil {
		return "none"
	}
	return shape.Format(context)
}

func (g Graph) counts() map[string]int {
	counts := map[string]int{}
	for _, n := range g.Nodes {
		counts[n.Operation()]++
	}
	return counts
}
