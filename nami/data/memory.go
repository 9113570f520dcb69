package data

import (
	"fmt"
	"math/rand/v2"
)

// Open implements [Source]: every epoch goes through the events in a new random order,
// without replacement, and leaves out what doesn't fill a batch. A batch can't be larger
// than the set.
func (e Events) Open(order Order) (Batches, error) {
	if err := e.Validate(); err != nil {
		return nil, err
	}
	if size := order.size(); size < 1 || size > e.Len() {
		return nil, fmt.Errorf("BatchSize is %d, and the data has %d events: a batch needs at least one event, and can't be larger than the data", size, e.Len())
	}
	return &inMemory{events: e, order: Shuffle{Seed: order.Seed, N: e.Len(), Size: order.size()}}, nil
}

// inMemory are the batches of a set in memory.
type inMemory struct {
	events Events
	order  Shuffle
}

var _ Indexed = (*inMemory)(nil)

// All implements [Indexed].
func (m *inMemory) All() Events { return m.events }

// Rows implements [Indexed].
func (m *inMemory) Rows(step int) []int32 { return m.order.Batch(step) }

// Batch implements [Batches].
func (m *inMemory) Batch(step int) (Events, error) { return m.events.pick(m.Rows(step)) }

// Identity implements [Batches].
func (m *inMemory) Identity() (map[string]string, error) { return m.events.identity("") }

// Shuffle chooses the rows of batches of Size among N, at least as many: every epoch goes
// through them in a new order, without replacement, and leaves out what doesn't fill a
// batch.
type Shuffle struct {
	Seed    int64
	N, Size int

	epoch int
	rows  []int // of the epoch; nil before the first batch
}

// Batch are the rows of a step: they depend on the seed and the step only, so that a
// resumed run goes on as if never stopped.
func (s *Shuffle) Batch(step int) []int32 {
	perEpoch := s.N / s.Size
	epoch, at := step/perEpoch, step%perEpoch*s.Size
	if s.rows == nil || epoch != s.epoch {
		s.rows, s.epoch = rand.New(rand.NewPCG(uint64(s.Seed), uint64(epoch))).Perm(s.N), epoch
	}
	out := make([]int32, s.Size)
	for i, row := range s.rows[at : at+s.Size] {
		out[i] = int32(row)
	}
	return out
}
