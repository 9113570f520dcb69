package nami

import (
	"errors"
	"fmt"
	"slices"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// flow is what a model tells a process: how its events move between noise and data.
type flow struct {
	field  field.Field // what learned; it has the variables
	base   distribution.Base
	solver solver.Solver

	// noise and data are the times between which a sample moves.
	noise, data float64

	// mixture is what is known of data and noise; nil if nothing is. A diffusion's steps go
	// from one noise level to the next, or run its reverse process if the solver is a
	// stochastic one; a flow's field is its velocity in time.
	mixture   *mixture
	diffusion bool

	// graphMask is the mask of a model in a graph, lead+[objects]; nil without one. A
	// process has its own.
	graphMask *Node
}

// rank is the rank of an event.
func (f *flow) rank() int { return f.field.EventRank() }

// stochastic is true if the solver runs the reverse process.
func (f *flow) stochastic() bool { return f.diffusion && f.solver.Stochastic() }

// system is the equation of x, or with an estimator that of x and of the integral of minus
// the divergence.
func (f *flow) system(scope *model.Scope, in inputs[Node], estimator divergence.Estimator) solver.System {
	if f.stochastic() {
		return f.reverse(scope, in)
	}
	s := solver.System{Drift: func(y []*Node, t *Node) []*Node {
		if _, ok := estimator.(own); ok {
			if !f.diffusion {
				v, div := field.CallWithDivergence(f.field.(field.Divergent), scope, y[0], t, in.context)
				return []*Node{v, Neg(div)}
			}
			v, div := f.mixture.withDivergence(scope, in, y[0], f.mixture.asked(t), f.values())
			return []*Node{v(schedule.Velocity), Neg(div(schedule.Velocity))}
		}
		return f.estimated(func(x *Node) *Node { return f.velocity(scope, in, x, t) }, y[0], in, estimator)
	}}
	if m := f.mixture; m != nil {
		s.Model = f.model(scope, in)
		s.Model.Data, s.Model.Grid = m.data, m.grid()
		s.Model.NoiseLevels = func(over solver.Interval) *solver.Coordinates {
			return m.levels(over, f.parts(over.From, in), func(c levels) solver.Dynamics { return f.slopes(scope, in, estimator, c) })
		}
		if f.diffusion {
			s.Coordinates = s.Model.NoiseLevels
			if m.noNoise {
				s.Coordinates = func(over solver.Interval) *solver.Coordinates {
					return m.angles(over, f.parts(over.From, in), func(c levels) solver.Dynamics { return f.slopes(scope, in, estimator, c) })
				}
			}
		}
	}
	return s
}

// model is what a system can be asked.
func (f *flow) model(scope *model.Scope, in inputs[Node]) *solver.Model {
	m := f.mixture
	return &solver.Model{
		Schedule: m.schedule,
		Predict:  func(p schedule.Prediction, x, t *Node) *Node { return m.at(scope, in, x, m.asked(t))(p) },
	}
}

// velocity is dx/dt.
func (f *flow) velocity(scope *model.Scope, in inputs[Node], x, t *Node) *Node {
	if f.diffusion {
		return f.mixture.at(scope, in, x, f.mixture.asked(t))(schedule.Velocity)
	}
	v := f.field
	if in.mask != nil {
		v = field.Masked(v, in.mask)
	}
	return field.Call(v, scope, x, t, in.context)
}

// estimated is the slope of x, and with an estimator minus its divergence.
func (f *flow) estimated(slope func(x *Node) *Node, x *Node, in inputs[Node], estimator divergence.Estimator) []*Node {
	if estimator == nil {
		return []*Node{slope(x)}
	}
	v, div := estimator.Estimate(slope, x, f.rank(), in.probes)
	return []*Node{v, Neg(div)}
}

// slopes are those in the coordinates of noise levels.
func (f *flow) slopes(scope *model.Scope, in inputs[Node], estimator divergence.Estimator, c levels) solver.Dynamics {
	slope := f.scaledSlopes(scope, in, estimator, c)
	if estimator == nil {
		return slope
	}
	return func(z []*Node, t *Node) []*Node { // the second part is shifted
		out := slope(z, t)
		out[1] = Add(out[1], Mul(f.count(t, in), c.shiftRate(t)))
		return out
	}
}

// scaledSlopes are those of x and of a log-density in the units of the step's scale.
func (f *flow) scaledSlopes(scope *model.Scope, in inputs[Node], estimator divergence.Estimator, c levels) solver.Dynamics {
	return func(z []*Node, t *Node) []*Node {
		if _, ok := estimator.(own); ok {
			x, at, scale := c.place(z[0], t)
			v, div := f.mixture.withDivergence(scope, in, x, at, f.values())
			byLead := Reshape(scale, scale.Shape().Dimensions[:max(0, scale.Rank()-f.rank())]...)
			return []*Node{c.slope(v, at), Neg(Mul(c.slope(div, at), byLead))}
		}
		return f.estimated(func(z *Node) *Node {
			x, at, _ := c.place(z, t)
			return c.slope(f.mixture.at(scope, in, x, at), at)
		}, z[0], in, estimator)
	}
}

// values is the number of values of an event.
func (f *flow) values() int { return shape.Size(f.base.EventShape()) }

// parts say how noise levels scale x, and shift the log-density that may be beside it.
func (f *flow) parts(like *Node, in inputs[Node]) []solver.Part {
	return []solver.Part{{Power: 1}, {Shift: f.count(like, in)}}
}

// count is the number of values of an event, or of the objects that there are.
func (f *flow) count(like *Node, in inputs[Node]) *Node {
	if in.mask == nil {
		return ConstAs(like, float64(f.values()))
	}
	features := float64(f.values() / f.base.EventShape()[0])
	return MulScalar(ReduceSum(in.mask, -1), features)
}

// reverse is the noising process backwards in time. Its last step to the data goes along the
// straight line to the data that the field predicts, without new noise (Song, Meng & Ermon
// 2021, arXiv:2010.02502, eq. 12 with σ = 0).
func (f *flow) reverse(scope *model.Scope, in inputs[Node]) solver.System {
	m := f.mixture
	within := func(t *Node) *Node { return Min(t, ConstAs(t, m.noise)) }
	drift := func(p predictions, x, t *Node) *Node {
		drift := m.schedule.Drift(x, t)
		if in.mask != nil {
			drift = field.Mask(drift, in.mask, f.rank())
		}
		return Sub(drift, Mul(shape.Lift(Square(m.schedule.Diffusion(t)), x), p(schedule.Score)))
	}
	s := solver.System{
		Model: f.model(scope, in),
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

// baseLogProb is the base's log-density of x, of the objects alone where there is a mask.
func (f *flow) baseLogProb(scope *model.Scope, x *Node, in inputs[Node]) *Node {
	base := distribution.Given(f.base, scope, in.context)
	if in.mask == nil {
		if n := x.Shape().Dim(0); x.Rank() == f.rank()+1 && len(f.groups()) > 0 {
			dims := f.grouped(n)
			return Reshape(base.LogProb(Reshape(x, slices.Concat(dims, f.base.EventShape())...)), n)
		}
		return base.LogProb(x)
	}
	independent, ok := base.(distribution.Independent)
	if !ok {
		exceptions.Panicf("nami: the base %v has no log-density for some of an event's objects only: with a mask, use a base whose values are independent (distribution.Independent)", f.base)
	}
	// x is masked too, or a derivative by what stands in the padding could be NaN.
	values := field.Mask(independent.LogProbValues(field.Mask(x, in.mask, f.rank())), in.mask, f.rank())
	return ReduceSum(shape.Flatten(values, f.rank()), -1)
}

// unroll builds a whole deterministic solve, which gradients flow through.
func (f *flow) unroll(scope *model.Scope, y []*Node, in inputs[Node], estimator divergence.Estimator, from, to float64) []*Node {
	return solver.Unroll(f.solver, f.system(scope, in, estimator), y, from, to, nil)
}

// sample builds samples of shape lead+event, from noise of scope's random state.
func (f *flow) sample(scope *model.Scope, g *Graph, dtype dtypes.DType, c *Node, lead []int) *Node {
	in := f.inputs(c, lead)
	return f.unroll(scope, []*Node{f.draw(scope, g, dtype, in, lead)}, in, nil, f.noise, f.data)[0]
}

func (f *flow) draw(scope *model.Scope, g *Graph, dtype dtypes.DType, in inputs[Node], lead []int) *Node {
	return f.clean(distribution.Given(f.base, scope, in.context).Sample(scope, g, dtype, lead...), in)
}

// clean is x with zeros in the padding, if there is a mask.
func (f *flow) clean(x *Node, in inputs[Node]) *Node {
	if in.mask == nil {
		return x
	}
	return field.Mask(x, in.mask, f.rank())
}

// inputs are those of a graph for events of a lead.
func (f *flow) inputs(c *Node, lead []int) inputs[Node] {
	return inputs[Node]{context: f.expand(c, lead), mask: f.graphMask}
}

// sampleWithLogProb builds samples and their log-density.
func (f *flow) sampleWithLogProb(scope *model.Scope, g *Graph, dtype dtypes.DType, c *Node, estimator divergence.Estimator, lead []int) (x, logProb *Node) {
	estimator = f.mustEstimate(estimator)
	in := f.inputs(c, lead)
	noise := f.draw(scope, g, dtype, in, lead)
	in.probes = divergence.Probes(estimator, scope, g, noise.Shape(), f.rank())
	y := f.unroll(scope, []*Node{noise, f.baseLogProb(scope, noise, in)}, in, estimator, f.noise, f.data)
	return y[0], y[1]
}

// logProb builds the log-density of x.
func (f *flow) logProb(scope *model.Scope, x, c *Node, estimator divergence.Estimator) *Node {
	estimator = f.mustEstimate(estimator)
	lead, shape, err := shape.Split(x.Shape().Dimensions, f.rank())
	if err == nil {
		err = estimator.Check(shape)
	}
	if err != nil {
		panic(err)
	}
	g := x.Graph()
	in := f.inputs(c, lead)
	in.probes = divergence.Probes(estimator, scope, g, x.Shape(), f.rank())
	zero := Zeros(g, shapes.Make(x.DType(), lead...))
	y := f.unroll(scope, []*Node{f.clean(x, in), zero}, in, estimator, f.data, f.noise)
	return Sub(f.baseLogProb(scope, y[0], in), y[1])
}

// mustEstimate is the estimator to use in a graph. It panics if there is none, or if the
// solver has no deterministic flow.
func (f *flow) mustEstimate(estimator divergence.Estimator) divergence.Estimator {
	estimator, err := f.estimator(estimator, f.graphMask != nil)
	if err == nil {
		err = f.needsODE("a log-density")
	}
	if err != nil {
		panic(err)
	}
	return estimator
}

// needsODE is an error if the solver can't follow a deterministic flow.
func (f *flow) needsODE(what string) error {
	if f.solver.Stochastic() {
		return fmt.Errorf("nami: %s follows the deterministic flow, and %v solves stochastic equations: bind the model with a solver like solver.Heun(50) for it", what, f.solver)
	}
	return nil
}

// expand repeats a context, batch+context_shape, over the lead.
func (f *flow) expand(c *Node, lead []int) *Node {
	if c == nil {
		return nil
	}
	return shape.Expand(c, lead, field.ContextRank(f.field))
}

// own stands for the divergence that the field itself knows.
type own struct{}

// Check implements [divergence.Estimator].
func (own) Check([]int) error { return nil }

// Estimate implements [divergence.Estimator]; the field is asked instead.
func (own) Estimate(func(*Node) *Node, *Node, int, *Node) (value, div *Node) {
	panic("nami: a field's own divergence was estimated")
}

// estimator is the one that is given, or if it is nil the field's own divergence.
func (f *flow) estimator(given divergence.Estimator, masked bool) (divergence.Estimator, error) {
	if given != nil {
		return given, nil
	}
	what := "the field doesn't know its divergence"
	known := f.field
	if f.mixture != nil {
		known = f.mixture.field
	}
	if _, ok := known.(field.Divergent); ok {
		if !masked {
			return own{}, nil
		}
		what = "the divergence that the field knows is that of a whole event, padding included, so a mask can't use it"
	} else if _, ok := f.field.(field.Divergent); ok {
		what = "the divergence that the field knows isn't that of the guided prediction"
	}
	return nil, errors.New("nami: the estimator of the divergence is nil, and " + what + ": use divergence.Exact{} for events of few values, divergence.Hutchinson{} for large ones")
}
