package nami

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// job is one call of a process: rows of a state that go from one time to another. The
// device sees a chunk of them at a time, with a single leading axis.
type job struct {
	lead      []int // the shape of what is returned, before the event
	first     int   // the number of the first row, for random numbers and contexts
	from, to  float64
	steps     int                  // 0: the solver's
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
	fixed          []*tensors.Tensor // context, mask and probes of the rows, those that there are
}

// do runs a job. Y in what it returns has the shapes lead+event and, with an estimator,
// lead.
func (p *Process) do(ctx context.Context, j job) (*solver.Solution, error) {
	if ctx == nil {
		return nil, errors.New("nami: the context.Context is nil: give context.Background(), say")
	}
	program, err := p.program(j.estimator)
	if err != nil {
		return nil, err
	}
	rows := shape.Size(j.lead)
	size := min(rows, p.chunk)
	if group := shape.Size(p.groups()); size%group != 0 { // a batch of base distributions stays together
		size = max(1, size/group) * group
	}
	chunks := (rows + size - 1) / size
	var all *solver.Solution
	for i := range chunks {
		c := chunk{first: j.first + i*size, n: size, keep: min(size, rows-i*size)}
		part, err := p.doChunk(ctx, j, c, program, p.reporter(i, chunks))
		if err != nil {
			return nil, err
		}
		if all == nil {
			first := *part
			all = &first
			all.Y, all.Codes, all.Times, all.Accepted, all.Rejected = nil, nil, nil, nil, nil
			for _, y := range part.Y {
				shape := shapes.Make(y.DType(), slices.Concat(j.lead, y.Shape().Dimensions[1:])...)
				all.Y = append(all.Y, tensors.FromShape(shape))
			}
		}
		for k, y := range part.Y {
			err = putRows(all.Y[k], i*size, y, c)
			y.MustFinalizeAll()
			if err != nil {
				return nil, err
			}
		}
		all.Codes = append(all.Codes, part.Codes[:c.keep]...)
		all.Times = append(all.Times, part.Times[:c.keep]...)
		all.Accepted = append(all.Accepted, part.Accepted[:c.keep]...)
		all.Rejected = append(all.Rejected, part.Rejected[:c.keep]...)
		all.Evaluations = max(all.Evaluations, part.Evaluations)
	}
	return all, nil
}

// reporter tells the process's user how far chunk i of several has come.
func (p *Process) reporter(i, chunks int) func(done, total int) {
	if p.progress == nil {
		return nil
	}
	return func(done, total int) { p.progress(i*total+done, chunks*total) }
}

// doChunk runs a job for one chunk.
func (p *Process) doChunk(ctx context.Context, j job, c chunk, program *solver.Program, report func(done, total int)) (*solver.Solution, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("stopped: %w", err)
	}
	fixed, err := p.inputs(c, j)
	if err != nil {
		return nil, err
	}
	c.fixed = fixed
	defer finalize(fixed)
	y, err := j.start(c)
	if err != nil {
		return nil, err
	}
	from, to := j.from, j.to
	if p.clock != nil {
		from, to = p.clock.solver(from), p.clock.solver(to)
	}
	run := solver.Run{
		T0: from, T1: to, Steps: j.steps, Seed: gomlx.Derive(j.seed, forSteps), Offset: c.first, Progress: report,
	}
	solution, err := p.integrate(ctx, program, y, c, run)
	if err != nil {
		return nil, err
	}
	if p.clock != nil {
		for i, u := range solution.Times {
			solution.Times[i] = p.clock.model(u)
		}
	}
	if j.end != nil && solution.Err() == nil {
		solution.Y, err = j.end(c, solution.Y)
	}
	return solution, err
}

// integrate runs a solve, with its last step by finish where the flow asks for that.
func (p *Process) integrate(ctx context.Context, program *solver.Program, y []*tensors.Tensor, c chunk, run solver.Run) (*solver.Solution, error) {
	if p.finish == nil || run.T1 != p.data {
		return program.Solve(ctx, y, c.fixed, run)
	}
	n := run.Steps
	if n == 0 {
		n = p.solver.Steps()
	}
	run.T1, run.Steps = run.T0+(run.T1-run.T0)*float64(n-1)/float64(n), n-1
	solution, err := program.Solve(ctx, y, c.fixed, run) // of one step in all, it makes none
	if err != nil || solution.Err() != nil {
		return solution, err
	}
	at := p.scalar(run.T1)
	defer at.MustFinalizeAll()
	out, err := p.single("finish", func(scope *model.Scope, in [][]*Node) []*Node {
		return []*Node{p.finish(scope, in[0][0], in[0][1], p.unpack(in[1]))}
	}).Call([]*tensors.Tensor{solution.Y[0], at}, c.fixed)
	finalize(solution.Y)
	if err != nil {
		return nil, err
	}
	solution.Y = out
	for i := range solution.Times {
		solution.Times[i] = p.data
		solution.Accepted[i]++
	}
	solution.Evaluations++
	return solution, nil
}

// inputs makes the tensors that belong to a chunk's rows.
func (p *Process) inputs(c chunk, j job) (fixed []*tensors.Tensor, err error) {
	count := shape.Size(p.batch)
	for _, t := range []*tensors.Tensor{p.context, p.mask} {
		if t == nil {
			continue
		}
		rows, err := takeRows(t, count, c.first, c.n, t.Shape().Dimensions[len(p.batch):])
		if err != nil {
			finalize(fixed)
			return nil, err
		}
		fixed = append(fixed, rows)
	}
	if stochastic, ok := j.estimator.(divergence.Stochastic); ok {
		out, err := p.draw("probes "+describe(stochastic), j.seed, forProbes, c, nil,
			func(random distribution.Random, g *Graph, lead int, _ *model.Scope, _ inputs) *Node {
				x := shapes.Make(p.dtype, slices.Concat([]int{lead}, p.base.EventShape())...)
				return stochastic.Probes(random, g, x, p.rank())
			})
		if err != nil {
			finalize(fixed)
			return nil, fmt.Errorf("nami: drawing probes: %w", err)
		}
		fixed = append(fixed, out)
	}
	return fixed, nil
}

// draw runs a program that draws for the rows of a chunk.
func (p *Process) draw(name string, seed int64, part uint64, c chunk, fixed []*tensors.Tensor,
	f func(random distribution.Random, g *Graph, lead int, scope *model.Scope, in inputs) *Node,
) (*tensors.Tensor, error) {
	numbers := make([]uint32, c.n)
	for i := range numbers {
		numbers[i] = uint32(c.first + i)
	}
	in := []*tensors.Tensor{gomlx.Key(seed, part), tensors.FromFlatDataAndDimensions(numbers, c.n)}
	defer finalize(in)
	out, err := p.single(name, func(scope *model.Scope, in [][]*Node) []*Node {
		key, numbers := in[0][0], in[0][1]
		var given inputs
		if len(in[1]) > 0 {
			given = p.unpack(in[1])
		}
		return []*Node{f(gomlx.NewCounter(key, numbers), key.Graph(), numbers.Shape().Dim(0), scope, given)}
	}).Call(in, fixed)
	if err != nil {
		return nil, err
	}
	return out[0], nil
}
