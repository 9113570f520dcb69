package nami

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/run"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/nami/transform"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// mapToData maps states of the model's to the data's units, and a log-density beside them; nil
// if both units are the same.
func (p *Process) mapToData() func(c run.Chunk, state []*tensors.Tensor) ([]*tensors.Tensor, error) {
	if p.flow.Units.Event == nil {
		return nil
	}
	return func(c run.Chunk, state []*tensors.Tensor) ([]*tensors.Tensor, error) {
		defer gomlx.Finalize(state)
		return p.programs.OnRows("to the data's units", c, state, func(_ *model.Scope, in []*Node, given run.Inputs[Node]) []*Node {
			if given.Mask != nil { // there may be states of several times
				given.Mask = shape.Expand(given.Mask, shape.Lead(in[0], p.flow.Rank()), 1)
			}
			x, logDet := p.flow.ToData(in[0], given)
			if len(in) == 1 {
				return []*Node{x}
			}
			return []*Node{x, Add(in[1], logDet)}
		})
	}
}

// encoding is the request that takes data to the noise. With an estimator its state has a
// second part, from which the log-density begins: minus the log-determinant of the transform.
func (p *Process) encoding(x *tensors.Tensor, estimator divergence.Estimator) (request, error) {
	lead, err := p.checkData(x)
	if err != nil {
		return request{}, err
	}
	t := p.flow.Units.Event
	_, random := estimator.(divergence.Stochastic)
	r := request{estimator: estimator, Request: run.Request{
		Lead: lead, From: p.flow.Data, To: p.flow.Noise, Seed: p.seedIf(random || p.flow.Units.Draws),
	}}
	start := p.startFrom(x, lead)
	if t != nil {
		start = func(c run.Chunk) ([]*tensors.Tensor, error) { return p.toModel(x, lead, r.Seed, c) }
	}
	r.Start = func(c run.Chunk) ([]*tensors.Tensor, error) {
		y, err := start(c)
		switch {
		case err != nil:
			return nil, err
		case estimator == nil:
			gomlx.Finalize(y[1:])
			return y[:1], nil
		case len(y) == 1:
			return append(y, p.zeros(c.N)), nil
		}
		return y, nil
	}
	return r, nil
}

// checkData refuses events that the process can't take, and returns their lead.
func (p *Process) checkData(x *tensors.Tensor) (lead []int, err error) {
	lead, err = p.check("data", x, p.EventShape())
	if t := p.flow.Units.Event; err == nil && t != nil {
		if err := transform.Admit(t, x, p.mask, p.EventShape()); err != nil {
			return nil, fmt.Errorf("nami: the data: %w", err)
		}
	}
	return lead, err
}

// toModel maps the events of a chunk to the model's units: y, and minus the log-determinant.
func (p *Process) toModel(x *tensors.Tensor, lead []int, seed run.Seed, c run.Chunk) ([]*tensors.Tensor, error) {
	rows, err := run.TakeRows(x, shape.Size(lead), c.First, c.N, p.EventShape())
	if err != nil {
		return nil, err
	}
	defer rows.MustFinalizeAll()
	out, err := p.unitsProgram(seed, c, rows, "to the model's units", func(d run.Draws) []*Node {
		y, logDet := p.flow.ToModel(d.Random, d.X[0], d.In)
		finite := LogicalAnd(ReduceLogicalAnd(IsFinite(y)), ReduceLogicalAnd(IsFinite(logDet)))
		return []*Node{y, Neg(logDet), finite}
	})
	if err != nil {
		return nil, err
	}
	defer out[2].MustFinalizeAll()
	if !tensors.ToScalar[bool](out[2]) {
		err := p.outside(rows, c)
		gomlx.Finalize(out[:2])
		return nil, err
	}
	return out[:2], nil
}

// unitsProgram runs a program on the events of a chunk, with the random numbers by which they
// are mapped to the model's units.
func (p *Process) unitsProgram(seed run.Seed, c run.Chunk, x *tensors.Tensor, name string, f func(d run.Draws) []*Node, more ...*tensors.Tensor) ([]*tensors.Tensor, error) {
	in := c.Inputs.Given()
	in.Context = nil
	out, err := p.programs.Draw(run.Key{Name: name}, seed, run.ForUnits, c, append([]*tensors.Tensor{x}, more...), in, f)
	if err != nil {
		return nil, fmt.Errorf("nami: the model's Transform: %w", err)
	}
	return out, nil
}

// outside says why rows of a chunk have no finite values in the model's units.
func (p *Process) outside(rows *tensors.Tensor, c run.Chunk) error {
	err := transform.Validate(p.backend, p.flow.Units.Event, transform.Data{X: rows, Mask: c.Inputs.Mask})
	var value *transform.OutsideError
	switch {
	case errors.As(err, &value):
		return fmt.Errorf("nami: the data: %w", value.From(c.First, c.Keep))
	case err == nil:
		err = fmt.Errorf("its values, or their log-determinant, in the model's units are more than %s can hold", p.dtype)
	}
	return fmt.Errorf("nami: the data, from row %d on: %w", c.First, err)
}

// contextToModel maps contexts, each of the shape one, to the model's units.
func (p *Process) contextToModel(context *tensors.Tensor, one []int) (*tensors.Tensor, error) {
	t := p.flow.Units.Context
	if t == nil || context == nil {
		return context, nil
	}
	if err := transform.Admit(t, context, nil, one); err != nil {
		return nil, fmt.Errorf("nami: the context: %w", err)
	}
	// In numbers of rows that are powers of two, as each is a program, whatever the batch shape.
	count := context.Size() / shape.Size(one)
	c := run.Chunk{N: 1 << bits.Len(uint(count-1)), Keep: count}
	rows, err := run.TakeRows(context, count, 0, c.N, one)
	if err != nil {
		return nil, err
	}
	defer rows.MustFinalizeAll()
	mapped, err := p.programs.OnRows("context to the model's units", run.Chunk{}, []*tensors.Tensor{rows}, func(_ *model.Scope, in []*Node, _ run.Inputs[Node]) []*Node {
		return []*Node{p.flow.ContextToModel(in[0])}
	})
	if err != nil {
		return nil, fmt.Errorf("nami: the model's ContextTransform: %w", err)
	}
	defer gomlx.Finalize(mapped)
	batch, row := context.Shape().Dimensions[:context.Rank()-len(one)], mapped[0].Shape().Dimensions[1:]
	out := tensors.FromShape(shapes.Make(mapped[0].DType(), slices.Concat(batch, row)...))
	err = run.PutRows(out, 0, mapped[0], 1, c)
	bad, first := 0, 0
	if err == nil {
		bad, first, err = gomlx.NonFinite(out)
	}
	if err == nil && bad > 0 {
		wrong := transform.Validate(p.backend, t, transform.Data{X: rows}) // of a later step
		if value := (*transform.OutsideError)(nil); errors.As(wrong, &value) {
			wrong = value.From(0, count)
		}
		if wrong != nil {
			return nil, fmt.Errorf("nami: the context: %w", wrong)
		}
		err = fmt.Errorf("nami: %d of %d values of the context in the model's units, %s, are NaN or infinite, the first in row %d: is its ContextTransform defined for what the context has there?",
			bad, out.Size(), out.Shape(), first/shape.Size(row))
	}
	return out, err
}

// gradientInData takes the derivatives by the two parts of a chunk's state in the model's units
// back to derivatives by its events in the data's.
func (p *Process) gradientInData(x *tensors.Tensor, lead []int, seed run.Seed, c run.Chunk, by []*tensors.Tensor) (*tensors.Tensor, error) {
	rows, err := run.TakeRows(x, shape.Size(lead), c.First, c.N, p.EventShape())
	if err != nil {
		return nil, err
	}
	defer rows.MustFinalizeAll()
	out, err := p.unitsProgram(seed, c, rows, "gradient in the data's units", func(d run.Draws) []*Node {
		y, logDet := p.flow.ToModel(d.Random, d.X[0], d.In)
		return Gradient(Sub(ReduceAllSum(Mul(y, d.X[1])), ReduceAllSum(Mul(logDet, d.X[2]))), d.X[0])
	}, by...)
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// contextGradientInData takes derivatives by contexts in the model's units back to derivatives
// by the contexts as they were given.
func (p *Process) contextGradientInData(by *tensors.Tensor) (*tensors.Tensor, error) {
	if p.flow.Units.Context == nil {
		return by, nil
	}
	defer by.MustFinalizeAll()
	out, err := p.programs.OnRows("gradient in the context's units", run.Chunk{}, []*tensors.Tensor{p.context, by}, func(_ *model.Scope, in []*Node, _ run.Inputs[Node]) []*Node {
		return Gradient(ReduceAllSum(Mul(p.flow.ContextToModel(in[0]), in[1])), in[0])
	})
	if err != nil {
		return nil, fmt.Errorf("nami: the model's ContextTransform: %w", err)
	}
	return out[0], nil
}

// list prints parts of a model.
func list(parts []any) string {
	texts := make([]string, len(parts))
	for i, p := range parts {
		texts[i] = fmt.Sprint(p)
	}
	return strings.Join(texts, ", ")
}

// units prints the transforms of a model, as far as there are any.
func units(event, context transform.Transform) string {
	text := ""
	if event != nil {
		text += fmt.Sprintf(", transform %v", event)
	}
	if context != nil {
		text += fmt.Sprintf(", context transform %v", context)
	}
	return text
}
