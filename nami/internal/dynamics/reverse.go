package dynamics

import (
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/run"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/nami/solver"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// reverse is the noising process backwards in time. Its last step to the data goes along the
// straight line to the data that the field predicts, without new noise (Song, Meng & Ermon
// 2021, arXiv:2010.02502, eq. 12 with σ = 0).
func (f *Flow) reverse(scope *model.Scope, in run.Inputs[Node]) solver.System {
	m := f.Mixture
	within := func(t *Node) *Node { return Min(t, ConstAs(t, m.noise)) }
	drift := func(p predictions, x, t *Node) *Node {
		drift := m.schedule.Drift(x, t)
		if in.Mask != nil {
			drift = field.Mask(drift, in.Mask, f.Rank())
		}
		return Sub(drift, Mul(shape.Lift(Square(m.schedule.Diffusion(t)), x), p(schedule.Score)))
	}
	s := solver.System{
		Model: f.model(scope, in),
		Quiet: f.quiet(in),
		Drift: func(y []*Node, t *Node) []*Node {
			t = within(t)
			return []*Node{drift(m.at(scope, in, y[0], t), y[0], t)}
		},
		Diffusion: func(_ []*Node, t *Node) []*Node { return []*Node{m.schedule.Diffusion(within(t))} },
	}
	s.Model.Data = m.data
	s.Coordinates = func(over solver.Interval) *solver.Coordinates {
		c := &solver.Coordinates{Slope: s.Drift, Diffusion: s.Diffusion, FirstOrder: over.Last}
		if over.Last == nil {
			return c
		}
		c.Slope = func(y []*Node, t *Node) []*Node {
			x, at := y[0], within(Where(over.Last, over.From, t))
			p := m.at(scope, in, x, at)
			data := Mul(p(schedule.X0), m.schedule.Alpha(ConstAs(t, 0)))
			toData := Div(Sub(data, x), over.Width())
			return []*Node{Where(over.Last, toData, drift(p, x, at))}
		}
		c.Diffusion = func(y []*Node, t *Node) []*Node {
			g := s.Diffusion(y, t)
			g[0] = Where(over.Last, ZerosLike(g[0]), g[0])
			return g
		}
		return c
	}
	return s
}
