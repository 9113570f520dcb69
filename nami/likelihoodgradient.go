package nami

import (
	"context"
	"slices"
	"strings"

	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/run"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/nami/solver"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// LogProbGradients are the log-densities of events and the derivatives of their sum.
type LogProbGradients struct {
	// LogProb is what [Process.LogProb] gives, of the lead's shape.
	LogProb *tensors.Tensor

	// X is the derivative with respect to the events, shaped like them: each event's own
	// score ∇ log p(x).
	X *tensors.Tensor

	// Context is the derivative with respect to the context, shaped like it; nil without.
	Context *tensors.Tensor

	// Variables are the derivatives with respect to the trainable variables, by path.
	Variables map[string]*tensors.Tensor
}

// LogProbGradient returns the log-densities of x, as [Process.LogProb] does, and the
// derivatives of their sum, by the continuous adjoint ([solver.Adjoint]): in memory that
// doesn't grow with the number of steps, at about three times the cost of LogProb. They
// are the derivatives of the exact solution, to the solver's accuracy; those of the
// discrete one come from [FlowMatching.LogProb], unrolled.
func (p *Process) LogProbGradient(ctx context.Context, x *tensors.Tensor, estimator divergence.Estimator) (*LogProbGradients, error) {
	r, err := p.likelihood("LogProbGradient", x, estimator)
	if err != nil {
		return nil, err
	}
	adjoint, err := p.programs.Adjoint(p.key("adjoint", r.estimator), p.system(r.estimator))
	if err != nil {
		return nil, err
	}
	out := &LogProbGradients{X: tensors.FromShape(x.Shape()), Variables: map[string]*tensors.Tensor{}}
	if p.context != nil {
		out.Context = tensors.FromShape(p.inModel.Shape())
	}
	toData := func(_ run.Chunk, by []*tensors.Tensor) (*tensors.Tensor, error) { return by[0], nil }
	if p.flow.Units.Event != nil {
		toData = func(c run.Chunk, by []*tensors.Tensor) (*tensors.Tensor, error) {
			return p.gradientInData(x, r.Lead, r.Seed, c, by)
		}
	}
	r.Whole = true
	r.End = func(c run.Chunk, y []*tensors.Tensor) ([]*tensors.Tensor, error) {
		logProb, err := p.backward(ctx, adjoint, c, y, toData, out)
		return []*tensors.Tensor{logProb}, err
	}
	solution, err := p.execute(ctx, r)
	if out.LogProb, err = only(solution, err, "the log-density's gradient"); err != nil {
		return nil, err
	}
	if p.context != nil {
		out.Context, err = p.contextGradientInData(out.Context)
	}
	return out, err
}

// backward adds to out what a chunk, whose solve ended in y, gives, and returns its
// log-densities. toData makes derivatives by the events of those by the state that they start
// as. It consumes y.
func (p *Process) backward(ctx context.Context, adjoint *solver.Adjoint, c run.Chunk, y []*tensors.Tensor, toData func(c run.Chunk, by []*tensors.Tensor) (*tensors.Tensor, error), out *LogProbGradients) (*tensors.Tensor, error) {
	counted := p.zeros(c.N) // 1 for each row that counts
	counted.MustMutableFlatData(func(flat any) {
		for i := range c.Keep {
			switch values := flat.(type) {
			case []float32:
				values[i] = 1
			case []float64:
				values[i] = 1
			}
		}
	})
	defer counted.MustFinalizeAll()
	var paths []string // of the base's variables
	for v := range p.store.IterVariables() {
		if v.Trainable {
			paths = append(paths, v.Path())
		}
	}
	ends, err := p.programs.OnRows("gradient of the base by "+strings.Join(paths, ", "), c, append(slices.Clone(y), counted), func(scope *model.Scope, in []*Node, given run.Inputs[Node]) []*Node {
		z, integral, counted := in[0], in[1], in[2]
		base := p.flow.BaseLogProb(scope, z, given)
		by := []*Node{z}
		if given.Context != nil {
			by = append(by, given.Context)
		}
		for _, path := range paths {
			by = append(by, p.store.GetVariable(path).NodeValue(z.Graph()))
		}
		grads := Gradient(ReduceAllSum(Mul(base, counted)), by...)
		return append([]*Node{Sub(base, integral), Neg(counted)}, grads...)
	})
	if err != nil {
		gomlx.Finalize(y)
		return nil, err
	}
	logProb, cotangents, ends := ends[0], []*tensors.Tensor{ends[2], ends[1]}, ends[3:]
	grads, err := adjoint.Gradient(ctx, y, cotangents, c.Inputs.List(), solver.Run{T0: p.flow.Data, T1: p.flow.Noise})
	if err != nil {
		return nil, err
	}
	gomlx.Finalize(grads.Y0)
	byX, err := toData(c, grads.Y)
	if err != nil {
		return nil, err
	}
	if err := run.PutRows(out.X, c.First, byX, 1, c); err != nil {
		return nil, err
	}
	gomlx.Finalize(append(grads.Y[1:], byX))
	byInput := run.InputsOf(c.Inputs.Present(), grads.Fixed)
	if byInput.Context != nil {
		for _, rows := range []*tensors.Tensor{ends[0], byInput.Context} {
			if err := run.AddRows(out.Context, shape.Size(p.batch), c.First, rows, c.Keep); err != nil {
				return nil, err
			}
		}
		ends = ends[1:]
	}
	gomlx.Finalize(grads.Fixed)
	for i, path := range paths {
		if out.Variables[path] == nil {
			out.Variables[path] = tensors.FromShape(ends[i].Shape())
		}
		for _, g := range []*tensors.Tensor{ends[i], grads.Variables[path]} {
			if g != nil {
				if err := run.AddRows(out.Variables[path], 1, 0, g, 1); err != nil {
					return nil, err
				}
				g.MustFinalizeAll()
			}
		}
	}
	return logProb, nil
}
