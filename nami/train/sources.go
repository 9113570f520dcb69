package train

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nami-flow/go-nami/nami/coupling"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/internal/checkpoint"
	"github.com/nami-flow/go-nami/nami/internal/fingerprint"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/loop"
	"github.com/nami-flow/go-nami/nami/loss"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// sources makes the source events of batches on the host, where a fit has a coupling or
// events to start from.
type sources struct {
	seed     int64
	coupling coupling.Coupling // nil for none
	together int               // batches that are paired at once
	start    *tensors.Tensor   // events to start from; nil for those of a distribution
	order    data.Shuffle      // of start's rows
	draw     *loop.Single      // events of the distribution
	base     distribution.Base
	toModel  *loop.Single    // batches in the loss's units, which are paired; nil if they are those of the data
	like     *tensors.Tensor // the source of a batch, for its shape
}

// newSources says how a fit's batches, like this one, get their source events; nil if the
// loss draws them, or each event has its own.
func newSources(backend compute.Backend, c config, l loss.Loss, like data.Events) (*sources, error) {
	if c.start == nil && c.coupling == nil {
		return nil, nil
	}
	units := unitsOf(l)
	dims := like.X.Shape().Dimensions
	event, _, err := units.shapes(dims[1:], nil)
	if err != nil {
		return nil, err
	}
	inModel := shapes.Make(like.X.DType(), slices.Concat(dims[:1], event)...)
	if err := checkSources(c, like, inModel); err != nil {
		return nil, err
	}
	// Another seed, or both would go through their rows in the same order.
	s := &sources{seed: ^c.seed, coupling: c.coupling, together: c.together, start: c.start, like: tensors.FromShape(inModel)}
	if c.coupling != nil && (units.event != nil || units.context != nil) {
		s.toModel = loop.NewSingle(backend, model.NewStore(), func(_ *model.Scope, in [][]*Node) []*Node {
			x, c := units.toModel(in[0][0], first(in[1]), first(in[2]))
			if c == nil {
				return []*Node{x}
			}
			return []*Node{x, c}
		})
	}
	if c.start != nil {
		s.order = data.Shuffle{Seed: s.seed, N: c.start.Shape().Dimensions[0], Size: like.Len()}
		return s, nil
	}
	sourced, ok := l.(loss.Sourced)
	if !ok {
		return nil, fmt.Errorf("the loss %T doesn't tell what it draws its source from, which a coupling asks for (loss.Sourced): give it a method SourceOf, or events by StartFrom", l)
	}
	s.base = sourced.SourceOf(slices.Clone(event))
	store := model.NewStore()
	s.draw = loop.NewSingle(backend, store, func(scope *model.Scope, in [][]*Node) []*Node {
		g := in[0][0].Graph()
		_, c := units.toModel(nil, nil, first(in[1]))
		random := gomlx.NewCounter(in[0][0], Const(g, uint32(0)))
		x := distribution.Given(s.base, scope, c).Sample(random, g, like.X.DType(), like.Len())
		if store.NumVariables() > 0 {
			panic(fmt.Errorf("the loss's base %s has variables that learn (%s), and a coupling needs events that are drawn before the step: leave the coupling out, or give events by StartFrom",
				fingerprint.Describe(s.base), strings.Join(checkpoint.Paths(store), ", ")))
		}
		return []*Node{x}
	})
	_, err = s.drawn(0, like.Context)
	return s, err
}

// first is the first of the nodes; nil if there are none.
func first(nodes []*Node) *Node {
	if len(nodes) == 0 {
		return nil
	}
	return nodes[0]
}

// checkSources refuses events to start from, and couplings, that don't fit the batches, whose
// events have the shape x in the loss's units.
func checkSources(c config, like data.Events, x shapes.Shape) error {
	switch {
	case like.Source != nil:
		return fmt.Errorf("the events have a source each, %s, so there is nothing to pair: leave out Couple and StartFrom, or the Source of the data", like.Source.Shape())
	case like.Mask != nil && c.start != nil:
		return fmt.Errorf("there are events to start from, and a mask, %s: how many objects the events have that are started from isn't known; leave out one of them", like.Mask.Shape())
	case c.coupling != nil && like.Context != nil && !coupling.TakesContexts(c.coupling):
		return fmt.Errorf("the coupling %T would pair noise with data across conditions, which makes the model of a condition wrong (Cheng & Schwing 2025, arXiv:2503.10636): leave it out where there is a context, or use one that keeps to contexts, such as coupling.OptimalTransport with a weight for Context", c.coupling)
	case c.start == nil:
		return nil
	}
	dims := c.start.Shape().Dimensions
	if c.start.DType() != x.DType || len(dims) != x.Rank() || dims[0] < x.Dimensions[0] || !slices.Equal(dims[1:], x.Dimensions[1:]) {
		return fmt.Errorf("the events to start from are %s, a batch in the units of the loss %s: expected events of that shape and dtype, at least one batch of them", c.start.Shape(), x)
	}
	if err := (data.Events{X: c.start}).Validate(); err != nil {
		return fmt.Errorf("the events to start from: %w", err)
	}
	return nil
}

// of are the source events of a batch with the given contexts, nil for none, before they are
// paired.
func (s *sources) of(number int, context *tensors.Tensor) (*tensors.Tensor, error) {
	if s.start != nil {
		return gomlx.Rows(s.start, s.order.Batch(number))
	}
	return s.drawn(number, context)
}

// drawn are events of the loss's base, which depend on the seed and the number only.
func (s *sources) drawn(number int, context *tensors.Tensor) (*tensors.Tensor, error) {
	key := gomlx.Key(s.seed, uint64(number))
	defer key.MustFinalizeAll()
	out, err := s.draw.Call([]*tensors.Tensor{key}, given(context))
	if err != nil {
		return nil, err
	}
	if !out[0].Shape().Equal(s.like.Shape()) {
		err := fmt.Errorf("the loss's base %s draws events %s for a batch %s: both must be the same", fingerprint.Describe(s.base), out[0].Shape(), s.like.Shape())
		return nil, errors.Join(err, out[0].FinalizeAll())
	}
	return out[0], nil
}

// given is a list of t, empty if it is nil.
func given(t *tensors.Tensor) []*tensors.Tensor {
	if t == nil {
		return nil
	}
	return []*tensors.Tensor{t}
}
