package nami

import (
	"sync"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
)

// stream gives each call of a process a seed of its own: call number i's depends on the
// process's seed and i only.
type stream struct {
	mu   sync.Mutex
	seed int64
	i    uint64
}

func (s *stream) next() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	seed := gomlx.Derive(s.seed, s.i)
	s.i++
	return seed
}

// What the parts of a call draw with, derived from its seed.
const (
	forNoise uint64 = iota
	forProbes
	forSteps
)
