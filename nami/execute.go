package nami

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/memory"
	"github.com/nami-flow/go-nami/nami/internal/run"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// request is one call of a process. With an estimator the state has a second part, the
// integral of minus the divergence.
type request struct {
	run.Request
	estimator divergence.Estimator

	part, parts int // of a call that is several requests: the number of this one, and of all; 0 for one
}

// execute runs a request. Y in what it returns has the shapes lead+event and, with an
// estimator, lead; Saved has an axis of times before them.
func (p *Process) execute(ctx context.Context, r request) (*solver.Solution, error) {
	if ctx == nil {
		return nil, errors.New("nami: the context.Context is nil: give context.Background()")
	}
	if err := memory.Check(fmt.Sprintf("%s events of shape %s", shape.Format(r.Lead), shape.Format(p.EventShape())), p.rowBytes(1+len(r.Save)), r.Lead...); err != nil {
		return nil, err
	}
	if r.estimator != nil {
		if err := r.estimator.Check(p.flow.Base.EventShape()); err != nil {
			return nil, err
		}
	}
	program, err := p.programs.Solve(p.key("solve", r.estimator), p.system(r.estimator))
	if err != nil {
		return nil, err
	}
	r.Size, r.Group, r.Progress = p.chunk, shape.Size(p.flow.Groups()), p.reporter(r.part, r.parts)
	r.Inputs = func(c run.Chunk) (run.Inputs[tensors.Tensor], error) { return p.rowInputs(c, r) }
	return r.Solve(ctx, program)
}

// reporter is the process's progress of a part of a call.
func (p *Process) reporter(part, parts int) func(done, total int) {
	if parts < 2 || p.progress == nil {
		return p.progress
	}
	return func(done, total int) { p.progress(part*total+done, parts*total) }
}

// rowBytes is how much a solve's result takes for a row with that many states, with what
// says how the row fared.
func (p *Process) rowBytes(states int) int {
	const about = 32
	return states*max(shape.Size(p.flow.Base.EventShape()), shape.Size(p.EventShape()))*p.dtype.Size() + about
}

// key is that of a program that solves with an estimator.
func (p *Process) key(name string, estimator divergence.Estimator) run.Key {
	in := run.Inputs[tensors.Tensor]{Context: p.context, Mask: p.mask}
	if _, ok := estimator.(divergence.Stochastic); ok {
		in.Probes = new(tensors.Tensor)
	}
	return run.Key{Name: name, Has: in.Present(), Estimator: estimator}
}

// system makes the flow's equation from the inputs that there are.
func (p *Process) system(estimator divergence.Estimator) func(scope *model.Scope, in run.Inputs[Node]) solver.System {
	return func(scope *model.Scope, in run.Inputs[Node]) solver.System {
		return p.flow.System(scope, in, estimator)
	}
}

// rowInputs makes the tensors that belong to a chunk's rows.
func (p *Process) rowInputs(c run.Chunk, r request) (in run.Inputs[tensors.Tensor], err error) {
	count := shape.Size(p.batch)
	rows := func(t *tensors.Tensor) *tensors.Tensor {
		if t == nil || err != nil {
			return nil
		}
		var out *tensors.Tensor
		out, err = run.TakeRows(t, count, c.First, c.N, t.Shape().Dimensions[len(p.batch):])
		return out
	}
	in.Context, in.Mask = rows(p.inModel), rows(p.mask)
	if stochastic, ok := r.estimator.(divergence.Stochastic); ok && err == nil {
		var probes []*tensors.Tensor
		probes, err = p.programs.Draw(run.Key{Name: "probes", Estimator: stochastic}, r.Seed, run.ForProbes, c, nil, run.Inputs[tensors.Tensor]{}, func(d run.Draws) []*Node {
			x := shapes.Make(p.dtype, slices.Concat([]int{d.Rows}, p.flow.Base.EventShape())...)
			return []*Node{stochastic.Probes(d.Random, d.Graph, x, p.flow.Rank())}
		})
		if err != nil {
			err = fmt.Errorf("nami: drawing probes: %w", err)
		} else {
			in.Probes = probes[0]
		}
	}
	if err != nil {
		gomlx.Finalize(in.List())
	}
	return in, err
}

// checkFinite is an error that says how many values of t are NaN or infinite.
func checkFinite(what string, t *tensors.Tensor) error {
	bad, first, err := gomlx.NonFinite(t)
	if err == nil && bad > 0 {
		err = fmt.Errorf("nami: %d of %d values of the %s, of shape %s, are NaN or infinite, the first at flat index %d",
			bad, t.Size(), what, t.Shape(), first)
	}
	return err
}
