package run

import (
	"sync"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
)

// Seeds gives each call of a process a seed of its own: call number i's depends on the
// process's seed and i only.
type Seeds struct {
	mu   sync.Mutex
	seed int64
	i    uint64
}

// NewSeeds returns the seeds of a process with that seed.
func NewSeeds(seed int64) *Seeds { return &Seeds{seed: seed} }

// Next is the next call's seed.
func (s *Seeds) Next() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	seed := gomlx.Derive(s.seed, s.i)
	s.i++
	return seed
}

// What the parts of a call draw with, derived from its seed.
const (
	ForNoise uint64 = iota
	ForProbes
	forSteps
	ForUnits
)
