package nami

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/fingerprint"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/loop"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Initialize gives a field's variables in store their starting values, drawn with
// seed: training does this by itself. eventShape is the shape of one event, contextShape that
// of one context, nil for none, both in the model's units. Variables that the store holds already keep their values.
func Initialize(backend compute.Backend, store *model.Store, f field.Field, eventShape, contextShape []int, seed int64) error {
	if err := checkField(f); err != nil {
		return err
	}
	switch {
	case backend == nil || store == nil:
		return errors.New("nami.Initialize: it needs a backend and a store: one of them is nil")
	case f.EventRank() != len(eventShape):
		return fmt.Errorf("nami.Initialize: the field's events have rank %d, and eventShape is %s: it must have as many axes", f.EventRank(), shape.Format(eventShape))
	case slices.ContainsFunc(eventShape, func(size int) bool { return size < 1 }):
		return fmt.Errorf("nami.Initialize: an event has shape %s: every axis needs at least 1 value", shape.Format(eventShape))
	case contextShape != nil && len(contextShape) != field.ContextRank(f):
		return fmt.Errorf("nami.Initialize: contextShape is %s, and the field takes contexts of rank %d", shape.Format(contextShape), field.ContextRank(f))
	case slices.ContainsFunc(contextShape, func(size int) bool { return size < 1 }):
		return fmt.Errorf("nami.Initialize: a context has shape %s: every axis needs at least 1 value", shape.Format(contextShape))
	}
	return loop.Exclusively(store, func() error { return initialize(backend, store, f, eventShape, contextShape, seed) })
}

func initialize(backend compute.Backend, store *model.Store, f field.Field, eventShape, contextShape []int, seed int64) error {
	return gomlx.Try(func() error {
		if err := store.SetRNGStateFromSeed(seed); err != nil {
			return err
		}
		inspect(backend, store, f, dtypes.Float32, []int{1}, eventShape, contextShape, nil)
		return store.InitializeVariables(backend, nil)
	})
}

// inspect builds the flow's field and its base's density once for one event, with a
// context of that shape if it isn't nil, in a graph that is thrown away. It returns what is
// wrong: shapes, or variables that the store doesn't hold.
func (p *Process) inspect(contextShape []int) error {
	key := fmt.Sprint(contextShape == nil, contextShape) // an empty one is a scalar context
	if _, known := p.inspected.Load(key); known {
		return nil
	}
	err := loop.Exclusively(p.store, func() error { return p.inspectStore(contextShape) })
	if err == nil {
		p.inspected.Store(key, true)
	}
	return err
}

func (p *Process) inspectStore(contextShape []int) error {
	known := variables(p.store)
	err := gomlx.Try(func() error {
		shape := p.flow.Base.EventShape()
		inspect(p.backend, p.store, p.flow.Field, p.dtype, []int{1}, shape, contextShape, func(scope *model.Scope, x, c *Node) {
			distribution.Given(p.flow.Base, scope, c)
		})
		return nil
	})
	if err != nil {
		for v := range p.store.IterVariables() {
			if dtype := v.Shape().DType; dtype.IsFloat() && dtype != p.dtype {
				err = fmt.Errorf("nami: the variable %s is %s, and the process computes in %s: nami.Convert makes a store of that dtype: %w", v.Path(), v.Shape(), p.dtype, err)
				break
			}
		}
	}
	return errors.Join(err, missing(p.store, known))
}

// checkTrained refuses a field that isn't the one whose weights the store holds, nor wraps it,
// and a model that the field wasn't trained for.
func (p *Process) checkTrained(parts fingerprint.Parts) error {
	var context []int // the shape of one context
	if p.inModel != nil {
		dims := p.inModel.Shape().Dimensions
		context = dims[len(dims)-field.ContextRank(p.flow.Field):]
	}
	parts.Transform, parts.ContextTransform = p.flow.Units.Event, p.flow.Units.Context
	parts.Event, parts.Context = p.flow.Base.EventShape(), context
	m := fingerprint.OfModel(parts)
	err := loop.Exclusively(p.store, func() error {
		return fingerprint.Check(p.backend, p.store, p.flow.Field, m, p.flow.Base.EventShape(), context, p.dtype)
	})
	if err != nil {
		return fmt.Errorf("nami: %w", err)
	}
	return nil
}

// inspect builds f in a graph that is thrown away; its variables stay in the store.
func inspect(backend compute.Backend, store *model.Store, f field.Field, dtype dtypes.DType, lead, eventShape, contextShape []int, more func(scope *model.Scope, x, c *Node)) {
	g := NewGraph(backend, "inspect")
	defer g.Finalize()
	model.SetStore(g, store)
	x := Parameter(g, "x", shapes.Make(dtype, slices.Concat(lead, eventShape)...))
	var c *Node
	if contextShape != nil {
		c = Parameter(g, "c", shapes.Make(dtype, slices.Concat(lead, contextShape)...))
	}
	field.Call(f, store.RootScope(), x, Parameter(g, "t", shapes.Make(dtype)), c)
	if more != nil {
		more(store.RootScope(), x, c)
	}
}

// variables is the set of the paths of the variables in store.
func variables(store *model.Store) map[string]bool {
	known := map[string]bool{}
	for v := range store.IterVariables() {
		known[v.Path()] = true
	}
	return known
}

// missing is an error that names the variables of store that are not known, and takes
// them out again: a model that was never trained must not sample noise in silence.
func missing(store *model.Store, known map[string]bool) error {
	var paths []string
	for v := range store.IterVariables() {
		if !known[v.Path()] {
			paths = append(paths, v.Path())
		}
	}
	if len(paths) == 0 {
		return nil
	}
	for _, path := range paths {
		if err := store.DeleteVariable(path); err != nil {
			return err
		}
	}
	shown := strings.Join(paths[:min(3, len(paths))], ", ")
	if len(paths) > 3 {
		shown += ", …"
	}
	return fmt.Errorf("nami: the store lacks %d of the field's variables (%s): train the model or load its checkpoint first (train.Fit, train.Load); nami.Initialize gives starting values",
		len(paths), shown)
}

// checkField refuses a field that is missing, or incomplete.
func checkField(f field.Field) error {
	if f == nil {
		return errors.New("nami: Field is nil: give the model a field, for example field.MLP{EventShape: []int{2}}")
	}
	return field.Validate(f)
}
