package run

import (
	"math"
	"sync"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/gomlx/core/tensors"
)

// Seeds gives each call of a process a seed of its own: call number i's depends on the
// process's seed and i only.
type Seeds struct {
	mu   sync.Mutex
	from Seed
	i    uint64
}

// NewSeeds returns the seeds of a process with that seed.
func NewSeeds(seed int64) *Seeds { return &Seeds{from: Seed{one: seed}} }

// SeedsOf returns the seeds of a process whose elements of a batch have sources of their own.
func SeedsOf(sources []solver.Source) *Seeds { return &Seeds{from: Seed{each: sources}} }

// Each is how many sources there are; 0 for one seed.
func (s *Seeds) Each() int { return len(s.from.each) }

// Next is the next call's seed.
func (s *Seeds) Next() Seed {
	s.mu.Lock()
	defer s.mu.Unlock()
	seed := s.from.derive(s.i)
	s.i++
	return seed
}

// Seed is where the random numbers of a call's rows come from: one seed, of which each row has
// its number; or a source for each element of a batch, which gives the k-th row of its element
// the k-th number from its own on.
type Seed struct {
	one  int64
	each []solver.Source
}

// derive is the seed of a part of a call, or of one of its process's calls.
func (s Seed) derive(part uint64) Seed {
	if s.each == nil {
		return Seed{one: gomlx.Derive(s.one, part)}
	}
	each := make([]solver.Source, len(s.each))
	for i, source := range s.each {
		each[i] = solver.Source{Seed: gomlx.Derive(source.Seed, part), Number: source.Number}
	}
	return Seed{each: each}
}

// sources are those of a chunk's rows; nil for one seed.
func (s Seed) sources(c Chunk) []solver.Source {
	if s.each == nil {
		return nil
	}
	out := make([]solver.Source, c.N)
	for i := range out {
		row := c.First + i
		out[i] = s.each[row%len(s.each)]
		out[i].Number = (out[i].Number + row/len(s.each)) & math.MaxUint32
	}
	return out
}

// counter is what the rows of a chunk draw with for a part of the call: see
// [gomlx.NewCounter].
func (s Seed) counter(part uint64, c Chunk) []*tensors.Tensor {
	numbers := make([]uint32, c.N)
	sources := s.sources(c)
	if sources == nil {
		for i := range numbers {
			numbers[i] = uint32(c.First + i)
		}
		return []*tensors.Tensor{gomlx.Key(s.one, part), tensors.FromFlatDataAndDimensions(numbers, c.N)}
	}
	seeds := make([]int64, c.N)
	for i, source := range sources {
		seeds[i], numbers[i] = source.Seed, uint32(source.Number)
	}
	return []*tensors.Tensor{gomlx.Keys(seeds, part), tensors.FromFlatDataAndDimensions(numbers, c.N)}
}

// What the parts of a call draw with, derived from its seed.
const (
	ForNoise uint64 = iota
	ForProbes
	forSteps
	ForUnits
)
