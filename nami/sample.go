package nami

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/nami-flow/go-nami/nami/internal/run"
	"github.com/nami-flow/go-nami/nami/shape"
	"github.com/nami-flow/go-nami/nami/solver"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Sample draws samples of shape sample_shape + batch_shape + event_shape, where
// batch_shape comes from the context: 10,000 events of shape (2) without context are
// (10000, 2), one for each of 16 contexts with events of 8 is (1, 16, 8). Each call
// draws new ones. It stops soon after ctx is done, with an error that wraps its cause.
// Samples that don't come out finite are an error that says how many, and at what time.
func (p *Process) Sample(ctx context.Context, sampleShape ...int) (*tensors.Tensor, error) {
	lead, err := p.lead(sampleShape)
	if err != nil {
		return nil, err
	}
	return p.sampleRows(ctx, lead, 0, p.seeds.Next())
}

// Stream draws n samples for each context, as [Process.Sample] with the sample shape (n)
// does, and hands them out as they come, of shape (k) + batch_shape + event_shape with as
// many k as fit into a chunk ([ChunkSize]): memory doesn't grow with n. The samples are
// those that Sample would have returned, whatever the chunk's size. After an error it
// ends.
func (p *Process) Stream(ctx context.Context, n int) iter.Seq2[*tensors.Tensor, error] {
	return func(yield func(*tensors.Tensor, error) bool) {
		if _, err := p.lead([]int{n}); err != nil {
			yield(nil, err)
			return
		}
		perSample := shape.Size(p.batch)
		if n > (1<<32)/perSample {
			yield(nil, fmt.Errorf("nami: %d samples for each of %d contexts: a stream has random numbers for 2³² events", n, perSample))
			return
		}
		seed := p.seeds.Next()
		most := max(1, p.chunk/perSample)
		for first := 0; first < n; first += most {
			k := min(most, n-first)
			samples, err := p.sampleRows(ctx, slices.Concat([]int{k}, p.batch), first*perSample, seed)
			if !yield(samples, err) || err != nil {
				return
			}
		}
	}
}

// SampleFrom carries given noise to the data's time: for reproducing samples, or for moving
// from one to another. The noise is of shape sample_shape+batch_shape+event_shape, in the
// model's units: the events of its base, before the model's Transform is undone.
func (p *Process) SampleFrom(ctx context.Context, noise *tensors.Tensor) (*tensors.Tensor, error) {
	lead, err := p.check("noise", noise, p.flow.Base.EventShape())
	if err != nil {
		return nil, err
	}
	r := p.carrying(noise, lead, p.flow.Noise, p.flow.Data)
	r.Map = p.mapToData()
	solution, err := p.execute(ctx, r)
	return only(solution, err, "sampling")
}

// Encode carries data, of shape sample_shape+batch_shape+event_shape, to the noise from
// which the deterministic flow makes them, in the model's units: the inverse of
// [Process.SampleFrom], up to the solver's accuracy.
func (p *Process) Encode(ctx context.Context, x *tensors.Tensor) (*tensors.Tensor, error) {
	if err := p.flow.NeedsODE("Encode"); err != nil {
		return nil, err
	}
	r, err := p.encoding(x, nil)
	if err != nil {
		return nil, err
	}
	solution, err := p.execute(ctx, r)
	return only(solution, err, "encoding")
}

// lead checks a sample shape and returns it with the batch's.
func (p *Process) lead(sampleShape []int) ([]int, error) {
	for axis, size := range sampleShape {
		if size < 1 {
			return nil, fmt.Errorf("nami: axis %d of the sample shape %s is %d: every axis needs at least 1",
				axis, shape.Format(sampleShape), size)
		}
	}
	return slices.Concat(sampleShape, p.batch), nil
}

// sampleRows draws samples of that lead, of which the first has the given number.
func (p *Process) sampleRows(ctx context.Context, lead []int, first int, seed run.Seed) (*tensors.Tensor, error) {
	solution, err := p.execute(ctx, p.sampling(lead, first, seed))
	return only(solution, err, "sampling")
}

// sampling is the request that carries noise to the data.
func (p *Process) sampling(lead []int, first int, seed run.Seed) request {
	return request{Request: run.Request{
		Lead: lead, First: first, From: p.flow.Noise, To: p.flow.Data, Seed: seed,
		Start: func(c run.Chunk) ([]*tensors.Tensor, error) {
			noise, err := p.drawNoise(seed, c)
			return []*tensors.Tensor{noise}, err
		},
		Map: p.mapToData(),
	}}
}

// carrying is the request that takes given events of the model's from one time to another.
func (p *Process) carrying(x *tensors.Tensor, lead []int, from, to float64) request {
	return request{Request: run.Request{Lead: lead, From: from, To: to, Seed: p.seedIf(p.flow.Stochastic()), Start: p.startFrom(x, lead)}}
}

// seedIf is the seed of a call that draws random numbers. One that doesn't takes none, so
// that what is drawn later doesn't depend on it.
func (p *Process) seedIf(random bool) run.Seed {
	if !random {
		return run.Seed{}
	}
	return p.seeds.Next()
}

// startFrom starts a request from given events of the model's.
func (p *Process) startFrom(x *tensors.Tensor, lead []int) func(c run.Chunk) ([]*tensors.Tensor, error) {
	return func(c run.Chunk) ([]*tensors.Tensor, error) {
		rows, err := run.TakeRows(x, shape.Size(lead), c.First, c.N, p.flow.Base.EventShape())
		if err != nil || p.mask == nil {
			return []*tensors.Tensor{rows}, err
		}
		defer rows.MustFinalizeAll()
		return p.programs.OnRows("mask", c, []*tensors.Tensor{rows}, func(_ *model.Scope, in []*Node, given run.Inputs[Node]) []*Node {
			return []*Node{p.flow.Clean(in[0], given)}
		})
	}
}

// drawNoise draws from the base for the rows of a chunk.
func (p *Process) drawNoise(seed run.Seed, c run.Chunk) (*tensors.Tensor, error) {
	noise, err := p.programs.Draw(run.Key{Name: "noise"}, seed, run.ForNoise, c, nil, c.Inputs.Given(), func(d run.Draws) []*Node {
		return []*Node{p.flow.DrawRows(d.Random, d.Graph, p.dtype, d.Rows, d.Scope, d.In)}
	})
	if err != nil {
		return nil, fmt.Errorf("nami: drawing from the base: %w", err)
	}
	return noise[0], nil
}

// check refuses events that the process can't take, or that don't have the given shape, and
// returns their lead.
func (p *Process) check(what string, x *tensors.Tensor, event []int) (lead []int, err error) {
	if x == nil {
		return nil, fmt.Errorf("nami: the %s is nil", what)
	}
	if x.DType() != p.dtype || x.Size() == 0 {
		return nil, fmt.Errorf("nami: the %s is %s: expected %s values, at least one event", what, x.Shape(), p.dtype)
	}
	dims := x.Shape().Dimensions
	if err := shape.Validate(dims, event, nil); err != nil {
		return nil, fmt.Errorf("nami: the %s: %w", what, err)
	}
	lead = dims[:len(dims)-len(event)]
	if len(lead) < len(p.batch) || !slices.Equal(lead[len(lead)-len(p.batch):], p.batch) {
		return nil, fmt.Errorf("nami: the %s: shape %s has the lead %s, which must end in the context's batch shape %s",
			what, shape.Format(dims), shape.Format(lead), shape.Format(p.batch))
	}
	if p.mask != nil {
		return lead, nil // what stands in the padding doesn't matter
	}
	return lead, checkFinite(what, x)
}

// only is the first part of a solution, or its error.
func only(solution *solver.Solution, err error, what string) (*tensors.Tensor, error) {
	switch {
	case err != nil:
		return nil, fmt.Errorf("nami: %s: %w", what, err)
	case solution.Err() != nil:
		return nil, &Failure{Solution: solution, what: what}
	}
	return solution.Y[0], nil
}
