package nami

import (
	"fmt"
	"sync"

	"github.com/nami-flow/go-nami/nami/event"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// maxDraws bounds how many compiled draws a process keeps: one for each shape.
const maxDraws = 16

// stream numbers the draws from one seed: draw number i depends on both only.
type stream struct {
	mu   sync.Mutex
	seed int64
	i    uint64
}

// next returns the key of the next draw.
func (s *stream) next() *tensors.Tensor {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := gomlx.Key(s.seed, s.i)
	s.i++
	return key
}

// draws holds the compiled draws from the base distribution, the most recently used
// one last. Processes that are bound to one flow share it.
type draws struct {
	mu   sync.Mutex
	keys []string
	exec map[string]*Exec
}

// noise draws from the base distribution.
func (p *Process) noise(lead []int) (noise *tensors.Tensor, err error) {
	seed := p.random.next()
	defer seed.MustFinalizeAll()
	d := p.draws
	d.mu.Lock()
	defer d.mu.Unlock()
	key := event.Format(lead)
	err = gomlx.Try(func() error {
		exec := d.exec[key]
		if exec == nil {
			var err error
			exec, err = NewExec(p.backend, func(seed *Node) *Node {
				random := gomlx.NewCounter(seed, Const(seed.Graph(), uint32(0)))
				return p.model.Base.Sample(random, seed.Graph(), p.dtype, lead...)
			})
			if err != nil {
				return err
			}
			d.add(key, exec)
		}
		out, err := exec.Call(seed)
		if err != nil {
			return err
		}
		noise = out[0]
		return nil
	})
	if err != nil {
		d.drop(key)
		return nil, fmt.Errorf("nami: drawing from the base: %w", err)
	}
	return noise, nil
}

func (d *draws) add(key string, exec *Exec) {
	if len(d.keys) == maxDraws {
		d.drop(d.keys[0])
	}
	d.keys = append(d.keys, key)
	d.exec[key] = exec
}

// drop forgets a program: one that failed can hang when it is called again.
func (d *draws) drop(key string) {
	for i, k := range d.keys {
		if k == key {
			d.keys = append(d.keys[:i:i], d.keys[i+1:]...)
			d.exec[key].Finalize()
			delete(d.exec, key)
			return
		}
	}
}
