package modelfile

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/dynamics"
	"github.com/nami-flow/go-nami/nami/internal/fingerprint"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/loop"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// parts are those of a model of nami's that weights belong to.
type parts struct {
	field   field.Field
	base    distribution.Base
	inModel []int // the shape of an event in the model's units
	trained fingerprint.Parts
	units   dynamics.Units
}

// partsOf takes a model of nami's apart, and checks that it has what it needs; nil for a model of
// the user's.
func partsOf(m Model) (*parts, error) {
	var p parts
	var validate func() error
	switch m := m.(type) {
	case nami.FlowMatching:
		p = parts{field: m.Field, base: m.Base, trained: fingerprint.Parts{
			Prediction: schedule.Velocity, Base: m.Base, Path: m.Path, Transform: m.Transform, ContextTransform: m.ContextTransform,
		}}
		validate = m.Solver.Validate
		if m.Base == nil {
			return nil, errors.New("the Model's Base is nil: give the distribution at t=1")
		}
	case nami.Diffusion:
		p = parts{field: m.Field, base: m.Base, inModel: append([]int{}, m.EventShape...), trained: fingerprint.Parts{
			Prediction: m.Prediction, Schedule: m.Schedule, Transform: m.Transform, ContextTransform: m.ContextTransform,
		}}
		validate = func() error {
			return cmp.Or(schedule.Validate(m.Schedule), m.Prediction.Validate(), m.Solver.Validate())
		}
	default:
		return nil, nil
	}
	if p.field == nil {
		return nil, errors.New("the Model's Field is nil: give the field whose weights these are")
	}
	if err := cmp.Or(field.Validate(p.field), validate()); err != nil {
		return nil, err
	}
	if p.base != nil {
		p.inModel = append([]int{}, p.base.EventShape()...)
	}
	if rank := p.field.EventRank(); rank != len(p.inModel) {
		return nil, fmt.Errorf("the field's events have rank %d, and the model's the shape %s", rank, shape.Format(p.inModel))
	}
	backend, err := gomlx.PureGo()
	if err != nil {
		return nil, err
	}
	p.units, err = dynamics.NewUnits(backend, p.trained.Transform, p.trained.ContextTransform, p.inModel)
	p.trained.Event = p.inModel
	return &p, err
}

// contextShape is the shape of a context as far as it can be told; nil for none.
func (f File) contextShape(p *parts) ([]int, error) {
	if f.hasColumns() {
		if n := f.Columns.ContextSize(); n > 0 {
			return []int{n}, nil
		}
		return nil, nil
	}
	if p == nil {
		return nil, nil
	}
	inModel, err := f.fieldsContext(p.field)
	if err != nil || inModel == nil || p.units.Context == nil {
		return inModel, err
	}
	backend, err := gomlx.PureGo()
	if err != nil {
		return nil, err
	}
	units, err := dynamics.NewUnits(backend, p.units.Context, nil, inModel)
	return units.Shape, err
}

// fieldsContext is the shape of a context as the field sees it: as it was in training, or as a
// network of nami's tells it.
func (f File) fieldsContext(of field.Field) ([]int, error) {
	if f.Store != nil {
		fields, err := fingerprint.Fields(f.Store)
		if err != nil {
			return nil, err
		}
		text := fingerprint.Describe(of)
		for _, kept := range fields {
			if kept.Text == text && kept.Context != nil {
				return kept.Context, nil
			}
		}
	}
	return field.ContextShape(of), nil
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
	p, err := partsOf(f.Model)
	if p == nil || err != nil {
		return err
	}
	inModel, err := p.units.ContextShape(f.Context)
	if err != nil {
		return err
	}
	var made []string
	err = loop.Exclusively(f.Store, func() (err error) {
		made, err = f.buildOnce(p, inModel)
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

// buildOnce builds the field and the base, for a context of that shape in the model's units, and
// returns the paths of the variables that the store lacks.
func (f File) buildOnce(p *parts, context []int) (made []string, err error) {
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
		if context != nil {
			c = input("c", append([]int{1}, context...)...)
		}
		scope := f.Store.RootScope()
		field.Call(p.field, scope, input("x", append([]int{1}, p.inModel...)...), input("t"), c)
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
	p, err := partsOf(f.Model)
	if p == nil || err != nil {
		return err
	}
	if p.trained.Context, err = p.units.ContextShape(f.Context); err != nil {
		return err
	}
	err = loop.Exclusively(f.Store, func() error {
		return fingerprint.Check(nil, f.Store, p.field, fingerprint.OfModel(p.trained), p.inModel, p.trained.Context, f.DType())
	})
	if err != nil {
		difference, _, _ := strings.Cut(err.Error(), "; bind the ") // what is to be done there
		return fmt.Errorf("%s; give the model that was trained", difference)
	}
	return nil
}

// remember notes in the store what its weights were trained as, so that they aren't bound to
// another model.
func (f File) remember() error {
	p, err := partsOf(f.Model)
	if p == nil || err != nil {
		return err
	}
	if p.trained.Context, err = p.units.ContextShape(f.Context); err != nil {
		return err
	}
	return loop.Exclusively(f.Store, func() error {
		kept, known, err := fingerprint.OfField(nil, f.Store, p.field, p.inModel, p.trained.Context, f.DType())
		if err != nil || !known { // a field that can't be built without its own backend
			return nil
		}
		kept.Model = fingerprint.OfModel(p.trained)
		return fingerprint.AddField(f.Store, kept.Variables, &kept)
	})
}
