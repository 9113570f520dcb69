package nami

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/memory"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// request is one call of a process: rows of a state that go from one time to another. The
// device sees a chunk of them at a time, with a single leading axis.
type request struct {
	lead      []int // the shape of what is returned, before the event
	first     int   // the number of the first row, for random numbers and contexts
	from, to  float64
	save      []float64            // times at which the state is wanted, too
	estimator divergence.Estimator // if not nil, the state has a second part, the integral of minus the divergence
	seed      int64

	// start makes the state of a chunk.
	start func(c chunk) ([]*tensors.Tensor, error)

	// end, if not nil, turns the last state of a chunk, which it consumes, into what is
	// returned.
	end func(c chunk, state []*tensors.Tensor) ([]*tensors.Tensor, error)
}

// chunk is n rows from number first on, of which keep count, as the last chunk of
// several is filled up to the size of the others: one compiled program serves all.
type chunk struct {
	first, n, keep int
	inputs         inputs[tensors.Tensor] // those of the rows
}

// given are the inputs that don't belong to a solve: all but the probes.
func (c chunk) given() inputs[tensors.Tensor] {
	in := c.inputs
	in.probes = nil
	return in
}

// rowBytes is how much a solve's result takes for a row with that many states, with what
// says how the row fared.
func (p *Process) rowBytes(states int) int {
	const about = 32
	return states*shape.Size(p.base.EventShape())*p.dtype.Size() + about
}

// execute runs a request. Y in what it returns has the shapes lead+event and, with an
// estimator, lead; Saved has an axis of times before them.
func (p *Process) execute(ctx context.Context, r request) (*solver.Solution, error) {
	if ctx == nil {
		return nil, errors.New("nami: the context.Context is nil: give context.Background()")
	}
	if err := memory.Check(fmt.Sprintf("%s events of shape %s", shape.Format(r.lead), shape.Format(p.base.EventShape())), p.rowBytes(1+len(r.save)), r.lead...); err != nil {
		return nil, err
	}
	has := p.has(r.estimator)
	program, err := p.program(has, r.estimator)
	if err != nil {
		return nil, err
	}
	rows := shape.Size(r.lead)
	size := min(rows, p.chunk)
	if group := shape.Size(p.groups()); size%group != 0 { // a batch of base distributions stays together
		size = max(1, size/group) * group
	}
	chunks := (rows + size - 1) / size
	var all *solver.Solution
	for i := range chunks {
		c := chunk{first: r.first + i*size, n: size, keep: min(size, rows-i*size)}
		part, err := p.executeChunk(ctx, r, c, program, p.reporter(i, chunks))
		if err != nil {
			return nil, err
		}
		if all == nil {
			all = p.collect(r, part)
		}
		for k, y := range part.Y {
			err = errors.Join(err, putRows(all.Y[k], i*size, y, 1, c))
		}
		for k, saved := range part.Saved {
			err = errors.Join(err, putRows(all.Saved[k], i*size, saved, len(r.save), c))
		}
		part.Finalize()
		if err != nil {
			return nil, err
		}
		all.Codes = append(all.Codes, part.Codes[:c.keep]...)
		all.Times = append(all.Times, part.Times[:c.keep]...)
		all.Accepted = append(all.Accepted, part.Accepted[:c.keep]...)
		all.Rejected = append(all.Rejected, part.Rejected[:c.keep]...)
		all.Evaluations = max(all.Evaluations, part.Evaluations)
	}
	return all, nil
}

// collect is where the solutions of chunks like the first are put together.
func (p *Process) collect(r request, first *solver.Solution) *solver.Solution {
	all := *first
	all.Y, all.Saved, all.Codes, all.Times, all.Accepted, all.Rejected = nil, nil, nil, nil, nil, nil
	for _, y := range first.Y {
		s := shapes.Make(y.DType(), slices.Concat(r.lead, y.Shape().Dimensions[1:])...)
		all.Y = append(all.Y, tensors.FromShape(s))
	}
	for _, y := range first.Saved {
		s := shapes.Make(y.DType(), slices.Concat([]int{len(r.save)}, r.lead, y.Shape().Dimensions[2:])...)
		all.Saved = append(all.Saved, tensors.FromShape(s))
	}
	return &all
}

// reporter tells the process's user how far chunk i of several has come.
func (p *Process) reporter(i, chunks int) func(done, total int) {
	if p.progress == nil {
		return nil
	}
	return func(done, total int) { p.progress(i*total+done, chunks*total) }
}

// executeChunk runs a request for one chunk.
func (p *Process) executeChunk(ctx context.Context, r request, c chunk, program *solver.Program, report func(done, total int)) (*solver.Solution, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("stopped: %w", err)
	}
	var err error
	if c.inputs, err = p.rowInputs(c, r); err != nil {
		return nil, err
	}
	fixed := c.inputs.list()
	defer gomlx.Finalize(fixed)
	y, err := r.start(c)
	if err != nil {
		return nil, err
	}
	solution, err := program.Solve(ctx, y, fixed, solver.Run{
		T0: r.from, T1: r.to, Save: r.save, Seed: gomlx.Derive(r.seed, forSteps), Offset: c.first, Progress: report,
	})
	if err != nil || r.end == nil {
		return solution, err
	}
	solution.Codes = solution.Codes[:c.keep]
	if err := solution.Err(); err != nil { // end makes something of all rows or of none
		solution.Finalize()
		if c.keep < shape.Size(r.lead) {
			err = fmt.Errorf("rows %d to %d: %w", c.first, c.first+c.keep-1, err)
		}
		return nil, err
	}
	solution.Y, err = r.end(c, solution.Y)
	return solution, err
}

// has says which inputs a solve with an estimator has.
func (p *Process) has(estimator divergence.Estimator) [3]bool {
	in := inputs[tensors.Tensor]{context: p.context, mask: p.mask}
	if _, ok := estimator.(divergence.Stochastic); ok {
		in.probes = new(tensors.Tensor)
	}
	return in.present()
}

// rowInputs makes the tensors that belong to a chunk's rows.
func (p *Process) rowInputs(c chunk, r request) (in inputs[tensors.Tensor], err error) {
	count := shape.Size(p.batch)
	rows := func(t *tensors.Tensor) *tensors.Tensor {
		if t == nil || err != nil {
			return nil
		}
		var out *tensors.Tensor
		out, err = takeRows(t, count, c.first, c.n, t.Shape().Dimensions[len(p.batch):])
		return out
	}
	in.context, in.mask = rows(p.context), rows(p.mask)
	if stochastic, ok := r.estimator.(divergence.Stochastic); ok && err == nil {
		in.probes, err = p.drawRows(programKey{name: "probes", estimator: stochastic}, r.seed, forProbes, c, inputs[tensors.Tensor]{},
			func(random distribution.Random, g *Graph, lead int, _ *model.Scope, _ inputs[Node]) *Node {
				x := shapes.Make(p.dtype, slices.Concat([]int{lead}, p.base.EventShape())...)
				return stochastic.Probes(random, g, x, p.rank())
			})
		if err != nil {
			err = fmt.Errorf("nami: drawing probes: %w", err)
		}
	}
	if err != nil {
		gomlx.Finalize(in.list())
	}
	return in, err
}

// drawRows runs a program that draws for the rows of a chunk, with the inputs that it is
// given.
func (p *Process) drawRows(key programKey, seed int64, part uint64, c chunk, in inputs[tensors.Tensor],
	f func(random distribution.Random, g *Graph, lead int, scope *model.Scope, in inputs[Node]) *Node,
) (*tensors.Tensor, error) {
	numbers := make([]uint32, c.n)
	for i := range numbers {
		numbers[i] = uint32(c.first + i)
	}
	counter := []*tensors.Tensor{gomlx.Key(seed, part), tensors.FromFlatDataAndDimensions(numbers, c.n)}
	defer gomlx.Finalize(counter)
	key.has = in.present()
	out, err := p.single(key, func(scope *model.Scope, groups [][]*Node) []*Node {
		key, numbers := groups[0][0], groups[0][1]
		return []*Node{f(gomlx.NewCounter(key, numbers), key.Graph(), numbers.Shape().Dim(0), scope, inputsOf(in.present(), groups[1]))}
	}).Call(counter, in.list())
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// onRows runs a program on tensors and the inputs of a chunk's rows, without probes.
func (p *Process) onRows(name string, c chunk, in []*tensors.Tensor, f func(scope *model.Scope, in []*Node, given inputs[Node]) []*Node) ([]*tensors.Tensor, error) {
	given := c.given()
	has := given.present()
	return p.single(programKey{name: name, has: has}, func(scope *model.Scope, groups [][]*Node) []*Node {
		return f(scope, groups[0], inputsOf(has, groups[1]))
	}).Call(in, given.list())
}
