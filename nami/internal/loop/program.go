package loop

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// chunkTime is about how long the device works between two looks at the context.
const chunkTime = 100 * time.Millisecond

// maxPrograms bounds how many compiled programs a Program keeps, the most recently
// used ones: one for each combination of input shapes.
const maxPrograms = 16

// building guards the graphs under construction: variables of a store note the graph
// that uses them, and one store may serve several programs.
var building sync.Mutex

// Progress is told how many steps of how many are done.
type Progress func(done, total int)

// Program runs a body many times, compiled as one loop where the backend can, else
// one step at a time from the host. It is safe for concurrent use: calls take turns.
type Program struct {
	backend compute.Backend
	store   *model.Store
	states  int
	body    Body

	mu       sync.Mutex
	compiled []*program // the most recently used one last
}

// program is the body compiled for one combination of shapes.
type program struct {
	key     string
	exec    *model.Exec
	onHost  bool // exec makes one step, else it loops
	success bool // it ran at least once
}

// New returns the program of body, with that many tensors of state, over the variables
// of store. Nothing is compiled yet.
func New(backend compute.Backend, store *model.Store, states int, body Body) *Program {
	return &Program{backend: backend, store: store, states: states, body: body}
}

// Run advances state by steps 0 to n, exclusive. It takes the tensors of state: they
// are consumed, whether it succeeds or not. Those of fixed are only read. It looks at
// ctx about ten times a second, and returns its cause when it is done.
func (p *Program) Run(ctx context.Context, n int, state, fixed []*tensors.Tensor, progress Progress) ([]*tensors.Tensor, error) {
	key := fmt.Sprint(shapesOf(state), shapesOf(fixed))
	chunk := 1
	for done := 0; done < n; {
		if err := context.Cause(ctx); err != nil {
			finalize(state)
			return nil, fmt.Errorf("stopped after %d of %d steps: %w", done, n, err)
		}
		start := time.Now()
		end := min(done+chunk, n)
		next, err := p.advance(key, done, end, state, fixed)
		if err != nil {
			finalize(state)
			return nil, err
		}
		state, done = next, end
		if progress != nil {
			progress(done, n)
		}
		// The first chunk compiles too, so it can only make the second too short.
		perStep := time.Since(start) / time.Duration(chunk)
		chunk = max(1, min(int(chunkTime/max(perStep, 1)), 32*chunk))
	}
	return state, nil
}

// advance makes steps first to last, exclusive. On success it has consumed state.
func (p *Program) advance(key string, first, last int, state, fixed []*tensors.Tensor) ([]*tensors.Tensor, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, err := p.lookUp(key, false)
	if err != nil {
		return nil, err
	}
	next, err := p.call(c, first, last, state, fixed)
	if err == nil {
		return next, nil
	}
	p.drop(c) // an Exec that failed can hang when called again
	if c.onHost || c.success {
		return nil, err
	}
	// Some operations can't stand in a compiled loop. What can't run at all fails on
	// the host as well, with an error that says more.
	host, errHost := p.lookUp(key, true)
	if errHost != nil {
		return nil, errHost
	}
	next, errHost = p.call(host, first, last, state, fixed)
	if errHost != nil {
		p.drop(host)
		return nil, errHost
	}
	return next, nil
}

// call runs c from step first to last. It leaves state alone if it fails.
func (p *Program) call(c *program, first, last int, state, fixed []*tensors.Tensor) ([]*tensors.Tensor, error) {
	if !c.onHost {
		next, err := p.once(c, []any{int32(first), int32(last)}, state, fixed)
		if err == nil {
			finalize(state)
		}
		return next, err
	}
	current := state
	for i := first; i < last; i++ {
		next, err := p.once(c, []any{int32(i)}, current, fixed)
		if i > first {
			finalize(current)
		}
		if err != nil {
			return nil, err
		}
		current = next
	}
	finalize(state)
	return current, nil
}

// once calls c's program and waits for its end.
func (p *Program) once(c *program, args []any, state, fixed []*tensors.Tensor) (next []*tensors.Tensor, err error) {
	for _, t := range state {
		args = append(args, t)
	}
	for _, t := range fixed {
		args = append(args, t)
	}
	if !c.success {
		building.Lock()
		defer building.Unlock()
	}
	var out []*tensors.Tensor
	err = gomlx.Try(func() (err error) {
		out, err = c.exec.Call(args...)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(out) != len(state)+1 {
		return nil, errors.New("loop: a program returned the wrong number of values")
	}
	reached := out[0]
	defer finalize([]*tensors.Tensor{reached})
	// Reading one value waits for the device: chunks are timed by the host's clock.
	if err := reached.ConstFlatData(func(any) {}); err != nil {
		return nil, err
	}
	c.success = true
	return out[1:], nil
}

// lookUp returns the program for key, made if need be; an existing one, on the host
// or not, is taken as it is.
func (p *Program) lookUp(key string, onHost bool) (*program, error) {
	for i, c := range p.compiled {
		if c.key == key {
			p.compiled = append(append(p.compiled[:i:i], p.compiled[i+1:]...), c)
			return c, nil
		}
	}
	c := &program{key: key, onHost: onHost}
	build := func(scope *model.Scope, in []*Node) []*Node {
		if onHost {
			next := p.body(scope.ResetVisited(), in[0], in[1:1+p.states], in[1+p.states:])
			refuseChanges(p.store, in[0].Graph())
			return append([]*Node{Identity(in[0])}, next...)
		}
		out, reached := Steps(scope, in[0], in[1], in[2:2+p.states], in[2+p.states:], p.body)
		refuseChanges(p.store, in[0].Graph())
		return append([]*Node{reached}, out...)
	}
	var err error
	if c.exec, err = model.NewExec(p.backend, p.store, build); err != nil {
		return nil, err
	}
	p.compiled = append(p.compiled, c)
	if len(p.compiled) > maxPrograms {
		p.drop(p.compiled[0])
	}
	return c, nil
}

func (p *Program) drop(c *program) {
	for i := range p.compiled {
		if p.compiled[i] == c {
			p.compiled = append(p.compiled[:i:i], p.compiled[i+1:]...)
			break
		}
	}
	c.exec.Finalize()
}

func shapesOf(ts []*tensors.Tensor) (s []string) {
	for _, t := range ts {
		s = append(s, t.Shape().String())
	}
	return s
}

func finalize(ts []*tensors.Tensor) {
	for _, t := range ts {
		if t.Ok() {
			t.MustFinalizeAll()
		}
	}
}
