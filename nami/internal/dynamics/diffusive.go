package dynamics

import (
	"fmt"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/run"
	"github.com/nami-flow/go-nami/nami/solver"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// diffusive is the equation with noise of a flow whose field knows one, in the direction in which a
// step goes. A step that ends at a time of 0 or 1 has no noise: it goes by its slope at the
// beginning to the mean of the data, or of the source, that the field predicts.
func (f *Flow) diffusive(scope *model.Scope, in run.Inputs[Node]) solver.System {
	known := f.Field.(field.Diffusive)
	if w, ok := f.Field.(field.Wrapper); ok && in.Mask != nil {
		masked := w.Map(func(inner field.Field) field.Field { return field.Masked(inner, in.Mask) })
		if known, ok = masked.(field.Diffusive); !ok {
			panic(fmt.Errorf("nami: the Map of the field %T returns a %T, which is no field.Diffusive: expected the same type", f.Field, masked))
		}
	}
	along := func(y []*Node, t *Node, toNoise *Node) []*Node {
		x := f.Clean(y[0], in)
		v, push := known.ApplyWithPush(scope.ResetVisited(), x, t, in.Context)
		drift := Sub(v, push)
		if toNoise != nil {
			drift = Where(toNoise, Add(v, push), drift)
		}
		return []*Node{f.Clean(drift, in)}
	}
	s := solver.System{
		Quiet:     f.quiet(in),
		Drift:     func(y []*Node, t *Node) []*Node { return along(y, t, nil) },
		Diffusion: func(_ []*Node, t *Node) []*Node { return []*Node{known.Diffusion(t)} },
	}
	s.Coordinates = func(over solver.Interval) *solver.Coordinates {
		toNoise := GreaterThan(over.To, over.From)
		end := Or(Equal(over.To, ZerosLike(over.To)), Equal(over.To, OnesLike(over.To)))
		return &solver.Coordinates{
			FirstOrder: end,
			Slope:      func(y []*Node, t *Node) []*Node { return along(y, Where(end, over.From, t), toNoise) },
			Diffusion: func(y []*Node, t *Node) []*Node {
				g := s.Diffusion(y, t)[0]
				return []*Node{Where(end, ZerosLike(g), g)}
			},
		}
	}
	return s
}

// BothWays is true if an equation with noise goes from data to noise as well.
func (f *Flow) BothWays() bool { return !f.Diffusion && !f.byLevels() && f.isDiffusive() }

// isDiffusive is true if the field knows an equation with noise.
func (f *Flow) isDiffusive() bool {
	_, ok := f.Field.(field.Diffusive)
	return ok
}
