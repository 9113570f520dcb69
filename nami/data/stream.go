package data

import (
	"errors"
	"fmt"
	"math/rand/v2"
)

// Reader reads events by the number of their row: what a file holds, or anything else that
// is larger than memory.
type Reader interface {
	// Len is the number of events.
	Len() int

	// Read returns the events of rows first to last, exclusive, with the same parts each
	// time. The caller frees them. Several goroutines may call it at once.
	Read(first, last int) (Events, error)
}

// Stream is a source of more events than memory holds. It holds two blocks of them, the one
// that batches are made of and the next, which is read meanwhile: each epoch goes through the blocks in a new random order, and through each block's
// rows in a new random order, and leaves out what doesn't fill a batch at a block's end.
// So a block should be large enough to look like the whole; where the rows of a file are
// sorted, as by class, shuffle the file first.
type Stream struct {
	// Reader reads the events.
	Reader Reader

	// Block is the number of rows that are read and shuffled at once, rounded down to
	// whole batches; 65,536 if 0.
	Block int
}

// Open implements [Source].
func (s Stream) Open(order Order) (Batches, error) {
	if s.Reader == nil {
		return nil, errors.New("data.Stream: Reader is nil: give what reads the events")
	}
	block, size, n := s.Block, order.size(), s.Reader.Len()
	if block == 0 {
		block = 65_536
	}
	switch {
	case size < 1 || size > n:
		return nil, fmt.Errorf("BatchSize is %d, and the data.Stream has %d events: a batch needs at least one event, and can't be larger than the data", size, n)
	case block < size:
		return nil, fmt.Errorf("data.Stream: Block is %d, and BatchSize %d: a block holds at least one batch", block, size)
	}
	return &stream{reader: s.Reader, seed: order.Seed, size: size, block: block - block%size, n: n, held: -1}, nil
}

// stream are a Stream's batches.
type stream struct {
	reader         Reader
	seed           int64
	size, block, n int // rows of a batch, of a block, and in all

	epoch  int
	blocks []int // their order in the epoch; nil before the first batch

	held   int // the block in memory; -1 for none
	events Events
	rows   []int // of the block, in the order of the epoch; nil before the first batch of it

	ahead chan ahead // of the block that is being read meanwhile; nil if none is
}

// ahead is a block that was read before it is needed.
type ahead struct {
	block  int
	events Events
	err    error
}

// batchesIn is the number of batches that a block has: the last block may be shorter.
func (s *stream) batchesIn(block int) int {
	return (min((block+1)*s.block, s.n) - block*s.block) / s.size
}

// Batch implements [Batches].
func (s *stream) Batch(step int) (Events, error) {
	count := (s.n + s.block - 1) / s.block
	perEpoch := (count-1)*(s.block/s.size) + s.batchesIn(count-1)
	epoch, left := step/perEpoch, step%perEpoch
	if s.blocks == nil || epoch != s.epoch {
		s.blocks, s.epoch, s.rows = s.random(epoch, -1).Perm(count), epoch, nil
	}
	for i, block := range s.blocks {
		if left >= s.batchesIn(block) {
			left -= s.batchesIn(block)
			continue
		}
		if err := s.hold(block); err != nil {
			return Events{}, fmt.Errorf("the data of step %d: %w", step, err)
		}
		if s.ahead == nil {
			s.readAhead(s.next(epoch, i))
		}
		if s.rows == nil {
			s.rows = s.random(epoch, block).Perm(s.events.Len())
		}
		rows := make([]int32, s.size)
		for i, row := range s.rows[left*s.size : (left+1)*s.size] {
			rows[i] = int32(row)
		}
		return s.events.pick(rows)
	}
	panic("data: a step beyond its epoch") // the blocks' batches add up to perEpoch
}

// random is that of the order of an epoch's blocks, or of the rows of one of them.
func (s *stream) random(epoch, block int) *rand.Rand {
	return rand.New(rand.NewPCG(uint64(s.seed), uint64(epoch)<<32|uint64(uint32(block))))
}

// next is the block that follows the i-th of an epoch.
func (s *stream) next(epoch, i int) int {
	if i+1 < len(s.blocks) {
		return s.blocks[i+1]
	}
	return s.random(epoch+1, -1).Perm(len(s.blocks))[0]
}

// readAhead starts to read a block, unless it is there already.
func (s *stream) readAhead(block int) {
	if block == s.held {
		return
	}
	s.ahead = make(chan ahead, 1)
	go func(to chan ahead) {
		events, err := s.readBlock(block)
		to <- ahead{block, events, err}
	}(s.ahead)
}

// hold makes a block the one in memory.
func (s *stream) hold(block int) error {
	if s.held == block {
		return nil
	}
	s.held, s.rows = -1, nil
	events, found, err := s.await(block)
	if err := errors.Join(err, s.events.free()); err != nil {
		return err
	}
	if !found {
		if events, err = s.readBlock(block); err != nil {
			return err
		}
	}
	s.events, s.held = events, block
	return nil
}

// await waits for what is being read, and returns it if it is a block that is needed.
func (s *stream) await(block int) (events Events, found bool, err error) {
	if s.ahead == nil {
		return Events{}, false, nil
	}
	read := <-s.ahead
	if s.ahead = nil; read.block == block {
		return read.events, true, read.err
	}
	return Events{}, false, read.events.free()
}

func (s *stream) readBlock(block int) (Events, error) {
	return s.read(block*s.block, min((block+1)*s.block, s.n))
}

// read reads rows and refuses what training can't use.
func (s *stream) read(first, last int) (Events, error) {
	events, err := s.reader.Read(first, last)
	if err == nil {
		err = events.Validate()
	}
	if err == nil && events.Len() != last-first {
		err = fmt.Errorf("the reader %T returned %d events: expected %d", s.reader, events.Len(), last-first)
	}
	if err != nil {
		return Events{}, fmt.Errorf("rows %d to %d of the stream: %w", first, last-1, err)
	}
	return events, nil
}

// free gives the memory of all parts back.
func (e *Events) free() error {
	var errs []error
	for _, p := range e.Parts() {
		errs = append(errs, p.Value.FinalizeAll())
	}
	*e = Events{}
	return errors.Join(errs...)
}

// digested is how many rows at each end of a stream tell it from others.
const digested = 1024

// Identity implements [Batches]. It is that of the first and the last thousand rows, with
// the number of all: reading everything to know it would take as long as an epoch.
func (s *stream) Identity() (map[string]string, error) {
	id := map[string]string{}
	for _, rows := range [][2]int{{0, min(digested, s.n)}, {max(0, s.n-digested), s.n}} {
		events, err := s.read(rows[0], rows[1])
		if err != nil {
			return nil, err
		}
		parts, err := events.identity(fmt.Sprintf("rows %d to %d of %d, ", rows[0], rows[1]-1, s.n))
		if err := errors.Join(err, events.free()); err != nil {
			return nil, err
		}
		for name, text := range parts {
			if id[name] != "" {
				text = id[name] + ", " + text
			}
			id[name] = text
		}
	}
	return id, nil
}
