package run

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
)

// Request is one call: rows of a state that go from one time to another. The device sees a
// chunk of them at a time, with a single leading axis.
type Request struct {
	Lead     []int // the shape of what is returned, before the event
	First    int   // the number of the first row, for random numbers and inputs
	From, To float64
	Save     []float64 // times at which the state is wanted, too
	Seed     Seed

	// Size is the most rows of a chunk, of which as many as Group stay together.
	Size, Group int

	// Inputs makes the inputs of a chunk's rows.
	Inputs func(c Chunk) (Inputs[tensors.Tensor], error)

	// Start makes the state of a chunk.
	Start func(c Chunk) ([]*tensors.Tensor, error)

	// End, if not nil, turns the last state of a chunk, which it consumes, into what is
	// returned. With Whole it makes something of all rows together, and none may have failed.
	Whole bool
	End   func(c Chunk, state []*tensors.Tensor) ([]*tensors.Tensor, error)

	// Map, if not nil, turns a state of a chunk, the last one and those at the times of Save,
	// which it consumes, into what is returned. The saved ones come as one state of rows for
	// all times, of shape [times, rows].
	Map func(c Chunk, state []*tensors.Tensor) ([]*tensors.Tensor, error)

	// Progress, if not nil, is told how much is done, summed over the chunks.
	Progress func(done, total int)
}

// Solve runs the request with a program. Y in what it returns has the shapes lead+event
// of the state's parts; Saved has an axis of times before them.
func (r Request) Solve(ctx context.Context, program *solver.Program) (*solver.Solution, error) {
	rows := shape.Size(r.Lead)
	size := min(rows, r.Size)
	if size%r.Group != 0 {
		size = max(1, size/r.Group) * r.Group
	}
	chunks := (rows + size - 1) / size
	var all *solver.Solution
	for i := range chunks {
		c := Chunk{First: r.First + i*size, N: size, Keep: min(size, rows-i*size)}
		part, err := r.solveChunk(ctx, c, program, r.reporter(i, chunks))
		if err != nil {
			return nil, err
		}
		if all == nil {
			all = r.collect(part)
		}
		for k, y := range part.Y {
			err = errors.Join(err, PutRows(all.Y[k], i*size, y, 1, c))
		}
		for k, saved := range part.Saved {
			err = errors.Join(err, PutRows(all.Saved[k], i*size, saved, len(r.Save), c))
		}
		part.Finalize()
		if err != nil {
			return nil, err
		}
		all.Codes = append(all.Codes, part.Codes[:c.Keep]...)
		all.Times = append(all.Times, part.Times[:c.Keep]...)
		all.Accepted = append(all.Accepted, part.Accepted[:c.Keep]...)
		all.Rejected = append(all.Rejected, part.Rejected[:c.Keep]...)
		all.Evaluations = max(all.Evaluations, part.Evaluations)
	}
	return all, nil
}

// collect is where the solutions of chunks like the first are put together.
func (r Request) collect(first *solver.Solution) *solver.Solution {
	all := *first
	all.Y, all.Saved, all.Codes, all.Times, all.Accepted, all.Rejected = nil, nil, nil, nil, nil, nil
	for _, y := range first.Y {
		s := shapes.Make(y.DType(), slices.Concat(r.Lead, y.Shape().Dimensions[1:])...)
		all.Y = append(all.Y, tensors.FromShape(s))
	}
	for _, y := range first.Saved {
		s := shapes.Make(y.DType(), slices.Concat([]int{len(r.Save)}, r.Lead, y.Shape().Dimensions[2:])...)
		all.Saved = append(all.Saved, tensors.FromShape(s))
	}
	return &all
}

// reporter tells how far chunk i of several has come.
func (r Request) reporter(i, chunks int) func(done, total int) {
	if r.Progress == nil {
		return nil
	}
	return func(done, total int) { r.Progress(i*total+done, chunks*total) }
}

// solveChunk runs the request for one chunk.
func (r Request) solveChunk(ctx context.Context, c Chunk, program *solver.Program, report func(done, total int)) (*solver.Solution, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("stopped: %w", err)
	}
	var err error
	if c.Inputs, err = r.Inputs(c); err != nil {
		return nil, err
	}
	fixed := c.Inputs.List()
	defer gomlx.Finalize(fixed)
	y, err := r.Start(c)
	if err != nil {
		return nil, err
	}
	steps := r.Seed.derive(forSteps)
	solution, err := program.Solve(ctx, y, fixed, solver.Run{
		T0: r.From, T1: r.To, Save: r.Save, Seed: steps.one, Offset: c.First, Sources: steps.sources(c), Progress: report,
	})
	if err == nil && r.Map != nil {
		err = r.mapStates(c, solution)
	}
	if err != nil || r.End == nil {
		return solution, err
	}
	counted := *solution
	counted.Codes = solution.Codes[:c.Keep]
	if err := counted.Err(); err != nil && r.Whole {
		solution.Finalize()
		if c.Keep < shape.Size(r.Lead) {
			err = fmt.Errorf("rows %d to %d: %w", c.First, c.First+c.Keep-1, err)
		}
		return nil, err
	}
	solution.Y, err = r.End(c, solution.Y)
	return solution, err
}

// mapStates maps the states of a solution.
func (r Request) mapStates(c Chunk, solution *solver.Solution) (err error) {
	if solution.Y, err = r.Map(c, solution.Y); err == nil && len(solution.Saved) > 0 {
		solution.Saved, err = r.Map(c, solution.Saved)
	}
	return err
}
