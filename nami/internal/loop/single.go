package loop

import (
	"sync"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Single is a graph without a loop, compiled once for each combination of input
// shapes: what comes before or after a solve. Its inputs come in groups. It is safe for
// concurrent use: calls take turns.
type Single struct {
	build func(scope *model.Scope, in [][]*Node) []*Node

	mu    sync.Mutex
	cache cache
}

// NewSingle returns the one whose graph build makes, over the variables of store,
// which it may only read. Nothing is compiled yet.
func NewSingle(backend compute.Backend, store *model.Store, build func(scope *model.Scope, in [][]*Node) []*Node) *Single {
	return &Single{build: build, cache: cache{backend: backend, store: store}}
}

// Call runs the graph. The inputs are only read.
func (s *Single) Call(groups ...[]*tensors.Tensor) ([]*tensors.Tensor, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := Key(groups...)
	c := s.cache.find(key)
	if c == nil {
		var err error
		c, err = s.cache.add(key, true, func(scope *model.Scope, in []*Node) []*Node {
			g := in[0].Graph()
			var split [][]*Node
			for _, group := range groups {
				split = append(split, in[:len(group)])
				in = in[len(group):]
			}
			out := s.build(scope.ResetVisited(), split)
			refuseChanges(s.cache.store, g)
			return out
		})
		if err != nil {
			return nil, err
		}
	}
	out, err := c.call(groups...)
	if err != nil {
		s.cache.drop(c) // an Exec that failed can hang when called again
	}
	return out, err
}
