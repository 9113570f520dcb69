// Package dynamics has the equations that models give to solvers: how events move between
// noise and data, as velocities, noise levels or a reverse process, with their log-density
// beside them.
package dynamics

import (
	"fmt"
	"slices"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/run"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/nami/solver"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Flow is what a model tells a process: how its events move between noise and data.
type Flow struct {
	Field  field.Field // what learned; it has the variables
	Base   distribution.Base
	Solver solver.Solver

	// Units are the maps to the data's units.
	Units Units

	// Noise and Data are the times between which a sample moves.
	Noise, Data float64

	// Mixture is what is known of data and noise; nil if nothing is. A diffusion's steps go
	// from one noise level to the next, or run its reverse process if the solver is a
	// stochastic one; a flow's field is its velocity in time. A stochastic solver that steps
	// by noise levels makes its own noise, for both.
	Mixture   *Mixture
	Diffusion bool

	// GraphMask is the mask of a model in a graph, lead+[objects]; nil without one. A
	// process has its own.
	GraphMask *Node
}

// Rank is the rank of an event.
func (f *Flow) Rank() int { return f.Field.EventRank() }

// Stochastic is true if the solver runs the reverse process, or a field's own equation with noise.
func (f *Flow) Stochastic() bool {
	return (f.Diffusion || f.byLevels() || f.isDiffusive()) && f.Solver.Stochastic()
}

// byLevels is true if the solver steps by noise levels, whose equation is the probability
// flow's.
func (f *Flow) byLevels() bool {
	_, is := f.Solver.Method.(solver.NoiseLevels)
	return is
}

// System is the equation of x, or with an estimator that of x and of the integral of minus
// the divergence.
func (f *Flow) System(scope *model.Scope, in run.Inputs[Node], estimator divergence.Estimator) solver.System {
	if f.Stochastic() && !f.byLevels() {
		if f.Diffusion {
			return f.reverse(scope, in)
		}
		return f.diffusive(scope, in)
	}
	s := solver.System{Quiet: f.quiet(in), Drift: func(y []*Node, t *Node) []*Node {
		if _, ok := estimator.(own); ok {
			if !f.Diffusion {
				v, div := field.CallWithDivergence(f.masked(in).(field.Divergent), scope, y[0], t, in.Context)
				return []*Node{v, Neg(div)}
			}
			v, div := f.Mixture.withDivergence(scope, in, y[0], f.Mixture.asked(t), f.count(t, in))
			return []*Node{v(schedule.Velocity), Neg(div(schedule.Velocity))}
		}
		return f.estimated(func(x *Node) *Node { return f.velocity(scope, in, x, t) }, y[0], in, estimator)
	}}
	if m := f.Mixture; m != nil {
		s.Model = f.model(scope, in)
		s.Model.Data, s.Model.Grid = m.data, m.grid()
		s.Model.NoiseLevels = func(over solver.Interval) *solver.Coordinates {
			return m.levels(over, f.parts(over.From, in), func(c levels) solver.Dynamics { return f.slopes(scope, in, estimator, c) })
		}
		if f.Diffusion {
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

// quiet keeps a step's noise from padding; nil without a mask.
func (f *Flow) quiet(in run.Inputs[Node]) func(part int, z *Node) *Node {
	if in.Mask == nil {
		return nil
	}
	return func(_ int, z *Node) *Node {
		mask := in.Mask
		if lead := z.Rank() - f.Rank(); lead >= mask.Rank() { // several times before the lead
			mask = BroadcastToDims(InsertAxes(mask, 0), append([]int{z.Shape().Dim(0)}, mask.Shape().Dimensions...)...)
		}
		return field.Mask(z, mask, f.Rank())
	}
}

// model is what a system can be asked.
func (f *Flow) model(scope *model.Scope, in run.Inputs[Node]) *solver.Model {
	m := f.Mixture
	return &solver.Model{
		Schedule: m.schedule,
		Predict:  func(p schedule.Prediction, x, t *Node) *Node { return m.at(scope, in, x, m.asked(t))(p) },
	}
}

// velocity is dx/dt.
func (f *Flow) velocity(scope *model.Scope, in run.Inputs[Node], x, t *Node) *Node {
	if f.Diffusion {
		return f.Mixture.at(scope, in, x, f.Mixture.asked(t))(schedule.Velocity)
	}
	return field.Call(f.masked(in), scope, x, t, in.Context)
}

// masked is the field, which neither sees nor moves padding if there is a mask.
func (f *Flow) masked(in run.Inputs[Node]) field.Field {
	if in.Mask == nil {
		return f.Field
	}
	return field.Masked(f.Field, in.Mask)
}

// estimated is the slope of x, and with an estimator minus its divergence.
func (f *Flow) estimated(slope func(x *Node) *Node, x *Node, in run.Inputs[Node], estimator divergence.Estimator) []*Node {
	if estimator == nil {
		return []*Node{slope(x)}
	}
	v, div := estimator.Estimate(slope, x, f.Rank(), in.Probes)
	return []*Node{v, Neg(div)}
}

// slopes are those in the coordinates of noise levels.
func (f *Flow) slopes(scope *model.Scope, in run.Inputs[Node], estimator divergence.Estimator, c levels) solver.Dynamics {
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
func (f *Flow) scaledSlopes(scope *model.Scope, in run.Inputs[Node], estimator divergence.Estimator, c levels) solver.Dynamics {
	return func(z []*Node, t *Node) []*Node {
		if _, ok := estimator.(own); ok {
			x, at, scale := c.place(z[0], t)
			v, div := f.Mixture.withDivergence(scope, in, x, at, f.count(t, in))
			byLead := Reshape(scale, scale.Shape().Dimensions[:max(0, scale.Rank()-f.Rank())]...)
			return []*Node{c.slope(v, at), Neg(Mul(c.slope(div, at), byLead))}
		}
		return f.estimated(func(z *Node) *Node {
			x, at, _ := c.place(z, t)
			return c.slope(f.Mixture.at(scope, in, x, at), at)
		}, z[0], in, estimator)
	}
}

// values is the number of values of an event.
func (f *Flow) values() int { return shape.Size(f.Base.EventShape()) }

// parts say how noise levels scale x, and shift the log-density that may be beside it.
func (f *Flow) parts(like *Node, in run.Inputs[Node]) []solver.Part {
	return []solver.Part{{Power: 1}, {Shift: f.count(like, in)}}
}

// count is the number of values of an event, or of the objects that there are.
func (f *Flow) count(like *Node, in run.Inputs[Node]) *Node {
	if in.Mask == nil {
		return ConstAs(like, float64(f.values()))
	}
	features := float64(f.values() / f.Base.EventShape()[0])
	return MulScalar(ReduceSum(in.Mask, -1), features)
}

// BaseLogProb is the base's log-density of x, of the objects alone where there is a mask.
func (f *Flow) BaseLogProb(scope *model.Scope, x *Node, in run.Inputs[Node]) *Node {
	base := distribution.Given(f.Base, scope, in.Context)
	if in.Mask == nil {
		if n := x.Shape().Dim(0); x.Rank() == f.Rank()+1 && len(f.Groups()) > 0 {
			dims := f.grouped(n)
			return Reshape(base.LogProb(Reshape(x, slices.Concat(dims, f.Base.EventShape())...)), n)
		}
		return base.LogProb(x)
	}
	independent, ok := base.(distribution.Independent)
	if !ok {
		exceptions.Panicf("nami: the base %v has no log-density for some of an event's objects only: with a mask, use a base whose values are independent (distribution.Independent)", f.Base)
	}
	// x is masked too, or a derivative by what stands in the padding could be NaN.
	values := field.Mask(independent.LogProbValues(field.Mask(x, in.Mask, f.Rank())), in.Mask, f.Rank())
	return ReduceSum(shape.Flatten(values, f.Rank()), -1)
}

// NeedsODE is an error if the solver can't follow a deterministic flow.
func (f *Flow) NeedsODE(what string) error {
	if f.Solver.Stochastic() {
		return fmt.Errorf("nami: %s follows the deterministic flow, and %v solves stochastic equations: bind the model with a solver like solver.Heun(50) for it", what, f.Solver)
	}
	return nil
}

// Clean is x with zeros in the padding, if there is a mask.
func (f *Flow) Clean(x *Node, in run.Inputs[Node]) *Node {
	if in.Mask == nil {
		return x
	}
	return field.Mask(x, in.Mask, f.Rank())
}
