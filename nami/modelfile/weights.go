package modelfile

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/fingerprint"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/loop"
	"github.com/nami-flow/go-nami/nami/schedule"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// parts are those of a model that weights belong to; none of a model of the user's.
type parts struct {
	field   field.Field
	base    distribution.Base
	event   []int // the shape of one event
	trained func() fingerprint.Model
}

func partsOf(m Model) parts {
	var p parts
	switch m := m.(type) {
	case nami.FlowMatching:
		p = parts{field: m.Field, base: m.Base, trained: func() fingerprint.Model {
			return fingerprint.OfModel(fingerprint.Parts{Prediction: schedule.Velocity, Base: m.Base, Path: m.Path, Transform: m.Transform, ContextTransform: m.ContextTransform})
		}}
	case nami.Diffusion:
		p = parts{field: m.Field, base: m.Base, event: append([]int{}, m.EventShape...), trained: func() fingerprint.Model {
			return fingerprint.OfModel(fingerprint.Parts{Prediction: m.Prediction, Schedule: m.Schedule, Transform: m.Transform, ContextTransform: m.ContextTransform})
		}}
	}
	if p.base != nil {
		p.event = append([]int{}, p.base.EventShape()...)
	}
	return p
}

// check refuses a model of nami's that lacks a part.
func (p parts) check() error {
	switch {
	case p.trained == nil:
		return nil
	case p.field == nil:
		return errors.New("the Model's Field is nil: give the field whose weights these are")
	case p.event == nil:
		return errors.New("the Model's Base is nil: give the distribution at t=1")
	}
	return field.Validate(p.field)
}

// contextShape is the shape of a context as far as it can be told; nil for none.
func (f File) contextShape(p parts) []int {
	if f.hasColumns() {
		if n := f.Columns.ContextSize(); n > 0 {
			return []int{n}
		}
		return nil
	}
	if p.field == nil {
		return nil
	}
	if f.Store != nil {
		fields, err := fingerprint.Fields(f.Store)
		text := fingerprint.Describe(p.field)
		for _, kept := range fields {
			if err == nil && kept.Text == text && kept.Context != nil {
				return kept.Context
			}
		}
	}
	if n := contextDim(p.field); n > 0 {
		return []int{n}
	}
	return nil
}

// contextDim is the ContextDim of the first field.MLP in a field; 0 without one.
func contextDim(f field.Field) (dim int) {
	switch f := f.(type) {
	case field.MLP:
		return f.ContextDim
	case field.Wrapper:
		f.Map(func(inner field.Field) field.Field {
			if n := contextDim(inner); dim == 0 && inner != nil {
				dim = n
			}
			return inner
		})
	}
	return dim
}

// missed counts the variables that a store doesn't have, and ends the building of a graph that
// would need far more of them than there are.
type missed struct{ left int }

// LoadVariable implements [model.Loader].
func (m *missed) LoadVariable(_ *model.Store, path string) (*tensors.Tensor, bool) {
	if m.left--; m.left < 0 && path != "/"+model.RNGStateVariableName {
		panic(fmt.Errorf("the variable %s is missing, and many others", path))
	}
	return nil, false
}

// DeleteVariable implements [model.Loader].
func (m *missed) DeleteVariable(*model.Store, string) error { return nil }

// mostMissed is how many variables may be asked for in vain.
const mostMissed = 1000

// checkWeights builds the model's field and base in a graph that is thrown away, and says which
// of the variables aren't there, or have other shapes: so all that costs memory or time in the
// model is borne out by weights.
func (f File) checkWeights() error {
	p := partsOf(f.Model)
	if p.trained == nil {
		return nil // a model of the user's
	}
	if rank := p.field.EventRank(); rank != len(p.event) {
		return fmt.Errorf("the field's events have rank %d, and the model's the shape %v", rank, p.event)
	}
	var made []string
	err := loop.Exclusively(f.Store, func() (err error) {
		made, err = f.buildOnce(p)
		return err
	})
	switch {
	case errors.Is(err, compute.ErrNotImplemented):
		return nil // for another backend than this one
	case err != nil:
		return fmt.Errorf("the weights aren't those of the model: %w", err)
	case len(made) > 0:
		shown := strings.Join(made[:min(3, len(made))], ", ")
		if len(made) > 3 {
			shown += fmt.Sprintf(" and %d more", len(made)-3)
		}
		return fmt.Errorf("the weights aren't those of the model: %s are missing", shown)
	}
	return nil
}

// buildOnce builds the field and the base, and returns the paths of the variables that the store
// lacks.
func (f File) buildOnce(p parts) (made []string, err error) {
	backend, err := gomlx.PureGo()
	if err != nil {
		return nil, err
	}
	before := map[string]bool{}
	for v := range f.Store.IterVariables() {
		before[v.Path()] = true
	}
	loader := f.Store.Loader()
	f.Store.SetLoader(&missed{mostMissed})
	err = gomlx.Try(func() error {
		g := graph.NewGraph(backend, "weights")
		defer g.Finalize()
		model.SetStore(g, f.Store)
		input := func(name string, dims ...int) *graph.Node {
			return graph.Parameter(g, name, shapes.Make(f.DType(), dims...))
		}
		var c *graph.Node
		if f.Context != nil {
			c = input("c", append([]int{1}, f.Context...)...)
		}
		scope := f.Store.RootScope()
		field.Call(p.field, scope, input("x", append([]int{1}, p.event...)...), input("t"), c)
		if p.base != nil {
			distribution.Given(p.base, scope, c)
		}
		return nil
	})
	f.Store.SetLoader(loader)
	for v := range f.Store.IterVariables() {
		if !before[v.Path()] {
			made = append(made, v.Path())
		}
	}
	for _, path := range made {
		err = errors.Join(err, f.Store.DeleteVariable(path))
	}
	made = slices.DeleteFunc(made, func(path string) bool { return path == "/"+model.RNGStateVariableName })
	slices.Sort(made)
	return made, err
}

// checkTrained refuses a model other than the one that the store's weights were trained as, as
// far as the store knows.
func (f File) checkTrained() error {
	p := partsOf(f.Model)
	if p.trained == nil {
		return nil
	}
	return loop.Exclusively(f.Store, func() error {
		return fingerprint.Check(nil, f.Store, p.field, p.trained(), p.event, f.Context, f.DType())
	})
}

// remember notes in the store what its weights were trained as, so that they aren't bound to
// another model.
func (f File) remember() error {
	p := partsOf(f.Model)
	if p.trained == nil {
		return nil
	}
	return loop.Exclusively(f.Store, func() error {
		kept, known, err := fingerprint.OfField(nil, f.Store, p.field, p.event, f.Context, f.DType())
		if err != nil || !known { // a field that can't be built without its own backend
			return nil
		}
		kept.Model = p.trained()
		return fingerprint.AddField(f.Store, kept.Variables, &kept)
	})
}
