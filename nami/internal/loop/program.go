package loop

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
)

// chunkTime is about how long the device works between two looks at the context.
const chunkTime = 100 * time.Millisecond

// Program runs a body many times, compiled as one loop where the backend can, else
// one step at a time from the host. It is safe for concurrent use: calls take turns.
type Program struct {
	body Body

	mu    sync.Mutex
	cache cache
}

// New returns the program of body over the variables of store. Nothing is compiled yet.
func New(backend compute.Backend, store *model.Store, body Body) *Program {
	return &Program{body: body, cache: cache{backend: backend, store: store}}
}

// Run advances state by steps 0 to n, exclusive, or until the body says that no more
// are needed, and returns the last state and how many steps were made. It takes the
// tensors of state: they are consumed, whether it succeeds or not. Those of fixed are
// only read. About ten times a second it calls after, if not nil, with the steps made
// and the state, to be read only; and it looks at ctx, whose cause it returns when it is
// done.
func (p *Program) Run(ctx context.Context, n int, state, fixed []*tensors.Tensor, after func(done int, state []*tensors.Tensor)) ([]*tensors.Tensor, int, error) {
	key := Key(state, fixed)
	chunk, done := 1, 0
	for more := true; more && done < n; {
		if err := context.Cause(ctx); err != nil {
			gomlx.Finalize(state)
			return nil, done, fmt.Errorf("stopped after %d of %d steps: %w", done, n, err)
		}
		start := time.Now()
		next, err := p.advance(key, done, min(done+chunk, n), state, fixed)
		if err != nil {
			gomlx.Finalize(state)
			return nil, done, err
		}
		// The first chunk compiles too, so it can only make the second too short.
		perStep := time.Since(start) / time.Duration(chunk)
		chunk = max(1, min(int(chunkTime/max(perStep, 1)), 32*chunk))
		state, done, more = next.state, next.reached, next.more
		if after != nil {
			after(done, state)
		}
	}
	return state, done, nil
}

// progress is where a chunk of steps ended.
type progress struct {
	reached int
	more    bool
	state   []*tensors.Tensor
}

// advance makes steps first to last, exclusive. On success it has consumed state.
func (p *Program) advance(key string, first, last int, state, fixed []*tensors.Tensor) (progress, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.cache.find(key)
	if c == nil {
		var err error
		if c, err = p.cache.add(key, false, p.looping(len(state))); err != nil {
			return progress{}, err
		}
	}
	next, err := call(c, first, last, state, fixed)
	if err == nil {
		return next, nil
	}
	tried := c.onHost || c.success
	p.cache.drop(c) // an Exec that failed can hang when called again
	if tried {
		return progress{}, err
	}
	// Some operations can't stand in a compiled loop. What can't run at all fails on
	// the host as well, with an error that says more.
	if c, err = p.cache.add(key, true, p.stepping(len(state))); err != nil {
		return progress{}, err
	}
	if next, err = call(c, first, last, state, fixed); err != nil {
		p.cache.drop(c)
	}
	return next, err
}

// looping builds the graph of many steps, whose state is that many tensors.
func (p *Program) looping(states int) func(scope *model.Scope, in []*Node) []*Node {
	return func(scope *model.Scope, in []*Node) []*Node {
		state, reached, more := Steps(scope, in[0], in[1], in[2:2+states], in[2+states:], p.body)
		refuseChanges(p.cache.store, in[0].Graph())
		return append([]*Node{reached, more}, state...)
	}
}

// stepping builds the graph of one step.
func (p *Program) stepping(states int) func(scope *model.Scope, in []*Node) []*Node {
	return func(scope *model.Scope, in []*Node) []*Node {
		g := in[0].Graph()
		next, more := p.body(scope.ResetVisited(), in[0], in[2:2+states], in[2+states:])
		refuseChanges(p.cache.store, g)
		if more == nil {
			more = Const(g, true)
		}
		return append([]*Node{Add(in[0], Const(g, int32(1))), more}, next...)
	}
}

// call runs c from step first to step last. It consumes state if it succeeds, and
// leaves it alone if it fails.
func call(c *compiled, first, last int, state, fixed []*tensors.Tensor) (progress, error) {
	at := progress{reached: first, more: true, state: state}
	for at.more && at.reached < last {
		next, err := once(c, at.reached, last, at.state, fixed)
		if err != nil {
			if at.reached > first {
				gomlx.Finalize(at.state)
			}
			return progress{}, err
		}
		if at.reached > first {
			gomlx.Finalize(at.state)
		}
		at = next
	}
	gomlx.Finalize(state)
	return at, nil
}

// once calls c's graph, of one step or of all up to last, and waits for its end.
func once(c *compiled, first, last int, state, fixed []*tensors.Tensor) (progress, error) {
	counts := []*tensors.Tensor{tensors.FromScalar(int32(first)), tensors.FromScalar(int32(last))}
	defer gomlx.Finalize(counts)
	out, err := c.call(counts, state, fixed)
	if err != nil {
		return progress{}, err
	}
	if len(out) != len(state)+2 {
		return progress{}, errors.New("loop: a program returned the wrong number of values")
	}
	defer gomlx.Finalize(out[:2])
	// Reading a value waits for the device: chunks are timed by the host's clock.
	at := progress{state: out[2:]}
	read := func(flat any) {
		switch v := flat.(type) {
		case []int32:
			at.reached = int(v[0])
		case []bool:
			at.more = v[0]
		}
	}
	for _, t := range out[:2] {
		if err := t.ConstFlatData(read); err != nil {
			return progress{}, err
		}
	}
	return at, nil
}
