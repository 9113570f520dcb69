package train

import (
	"fmt"

	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
)

// feeder makes what steps learn from, ahead of the device.
type feeder struct {
	batches data.Batches
	units   units
	sources *sources // nil if the loss draws them
	first   int      // the number of the first batch
	perStep int      // batches
	like    data.Events
	ready   chan prepared // of what is being made; nil if nothing is

	coupled      []withSource // batches that were paired at once, the newest ones
	firstCoupled int          // the number of the first of them
}

// prepared is what the steps before end are given. If err isn't nil, it is what failed in
// making step end.
type prepared struct {
	feed feed
	end  int
	err  error
}

// start makes the steps from first to end, exclusive, in the background. What was started
// must have been received before.
func (f *feeder) start(first, end int) {
	f.ready = make(chan prepared, 1)
	go func() { f.ready <- f.prepare(first, end) }()
}

// next waits for what was started.
func (f *feeder) next() prepared {
	p := <-f.ready
	f.ready = nil
	return p
}

// stop waits for what was started, if anything was.
func (f *feeder) stop() {
	if f.ready != nil {
		f.next()
	}
}

func (f *feeder) prepare(first, end int) prepared {
	p := prepared{end: first}
	for step := first; step < end; step++ {
		before := p.feed
		for i := range f.perStep {
			number := f.first + step*f.perStep + i
			err := gomlx.Guard("the data", func() error { return f.add(&p.feed, number) })
			if err != nil {
				p.feed, p.err = before, err
				return p
			}
		}
		p.end = step + 1
	}
	return p
}

// add makes one batch more.
func (f *feeder) add(to *feed, number int) error {
	indexed, inMemory := f.batches.(data.Indexed)
	if inMemory {
		to.fixed = indexed.All()
	}
	if f.sources != nil {
		made, err := f.withSource(number)
		if err != nil {
			return err
		}
		if inMemory {
			to.rows = append(to.rows, made.rows)
		}
		to.own = append(to.own, made.own)
		return nil
	}
	if inMemory {
		to.rows = append(to.rows, indexed.Rows(number))
		return nil
	}
	batch, err := f.made(number)
	if err == nil {
		to.own = append(to.own, batch)
	}
	return err
}

// made is a batch that isn't rows of what is in memory.
func (f *feeder) made(number int) (data.Events, error) {
	batch, err := f.batches.Batch(number)
	if err == nil && f.like.X != nil && shapesOf(batch) != shapesOf(f.like) {
		err = fmt.Errorf("the data of step %d is %sthat of the first step %sall batches must have the same parts and shapes", number, shapesOf(batch), shapesOf(f.like))
	}
	if err == nil {
		if err = f.units.admit(batch); err != nil {
			err = fmt.Errorf("the data of step %d: %w", number, err)
		}
	}
	return batch, err
}
