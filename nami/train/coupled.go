package train

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/nami-flow/go-nami/nami/coupling"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	"github.com/gomlx/gomlx/core/tensors"
)

// withSource is a batch whose events have a source each.
type withSource struct {
	rows []int32     // of the events in memory; nil if they aren't in memory
	own  data.Events // the sources, and all else where the events aren't in memory
}

// withSource is the batch with that number. Those that are paired at once are made when the first
// of them is asked for, or any after a resume.
func (f *feeder) withSource(number int) (withSource, error) {
	first := number - number%f.sources.together
	if f.coupled == nil || f.firstCoupled != first {
		var err error
		if f.coupled, err = f.couple(first); err != nil {
			f.coupled = nil
			return withSource{}, err
		}
		f.firstCoupled = first
	}
	return f.coupled[number-first], nil
}

// couple makes the batches that are paired at once, the first of which has that number.
func (f *feeder) couple(first int) (made []withSource, err error) {
	s, size := f.sources, f.like.Len()
	indexed, inMemory := f.batches.(data.Indexed)
	var rows []int
	var batches []data.Events
	for number := first; number < first+s.together; number++ {
		if inMemory {
			for _, row := range indexed.Rows(number) {
				rows = append(rows, int(row))
			}
			continue
		}
		batch, err := f.made(number)
		if err != nil {
			return nil, err
		}
		batches = append(batches, batch)
	}
	var all data.Events
	if inMemory { // only what a coupling looks at
		set := indexed.All()
		all, err = data.Events{X: set.X, Context: set.Context, Mask: set.Mask}.Rows(rows...)
	} else {
		all, err = joined(batches)
	}
	if err != nil {
		return nil, err
	}
	source, err := s.ofAll(first, all, size)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, source.FinalizeAll()) }()
	events, sources := numbers(0, all.Len()), numbers(0, all.Len())
	if s.coupling != nil {
		if events, sources, err = s.pair(first/s.together, source, all); err != nil {
			return nil, err
		}
	}
	for at := 0; at < len(events); at += size {
		var batch withSource
		if inMemory {
			for _, event := range events[at : at+size] {
				batch.rows = append(batch.rows, int32(rows[event]))
			}
		} else if batch.own, err = all.Rows(events[at : at+size]...); err != nil {
			return nil, err
		}
		if batch.own.Source, err = gomlx.Rows(source, sources[at:at+size]); err != nil {
			return nil, err
		}
		made = append(made, batch)
	}
	return made, nil
}

// ofAll are the source events of several batches of one size, before they are paired.
func (s *sources) ofAll(first int, all data.Events, size int) (*tensors.Tensor, error) {
	var parts []*tensors.Tensor
	for at := 0; at < all.Len(); at += size {
		var context *tensors.Tensor
		if all.Context != nil {
			var err error
			if context, err = gomlx.Rows(all.Context, numbers(at, at+size)); err != nil {
				return nil, err
			}
		}
		part, err := s.of(first+len(parts), context)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	whole, err := stacked(parts)
	for _, part := range parts {
		if part != whole {
			err = errors.Join(err, part.FinalizeAll())
		}
	}
	return whole, err
}

// pair asks the coupling, with random numbers of its own for each number, which events go with
// which rows of the source: as many pairs as there are events.
func (s *sources) pair(number int, source *tensors.Tensor, all data.Events) (events, sources []int, err error) {
	if s.toModel != nil {
		if all.X, all.Context, err = s.inModel(all); err != nil {
			return nil, nil, err
		}
		defer func() {
			err = errors.Join(err, all.X.FinalizeAll())
			if all.Context != nil {
				err = errors.Join(err, all.Context.FinalizeAll())
			}
		}()
	}
	random := rand.New(rand.NewPCG(uint64(s.seed), uint64(number)))
	if all.Mask == nil {
		rows, err := ask(random, s.coupling, source, all.X, all.Context)
		if err != nil {
			return nil, nil, err
		}
		return filled(random, s.coupling, rows)
	}
	rows := make([]int, all.Len()) // of the source for each event
	groups, err := byMask(all.Mask)
	if err != nil {
		return nil, nil, err
	}
	for _, group := range groups {
		inside, err := data.Events{X: all.X, Source: source, Context: all.Context, Mask: all.Mask}.Rows(group...)
		if err != nil {
			return nil, nil, err
		}
		if err := errors.Join(clearPadding(inside.X, inside.Mask), clearPadding(inside.Source, inside.Mask)); err != nil {
			return nil, nil, err
		}
		own, err := ask(random, s.coupling, inside.Source, inside.X, inside.Context)
		if err != nil {
			return nil, nil, err
		}
		for i, row := range own {
			if row != coupling.LeftOut {
				row = group[row]
			}
			rows[group[i]] = row
		}
	}
	return filled(random, s.coupling, rows)
}

// ask asks a coupling for the pairs of two batches, and checks them.
func ask(random *rand.Rand, c coupling.Coupling, source, target, context *tensors.Tensor) (rows []int, err error) {
	err = gomlx.Guard("Pair", func() (err error) {
		rows, err = c.Pair(random, source, target, context)
		return err
	})
	n := target.Shape().Dimensions[0]
	switch {
	case err != nil:
		return nil, fmt.Errorf("the coupling %T: %w", c, err)
	case len(rows) != n:
		return nil, fmt.Errorf("the coupling %T paired %d of %d events: expected a row of the source for each (coupling.Check tests a coupling)", c, len(rows), n)
	}
	for i, row := range rows {
		if row != coupling.LeftOut && (row < 0 || row >= n) {
			return nil, fmt.Errorf("the coupling %T paired event %d with row %d of a source of %d (coupling.Check tests a coupling)", c, i, row, n)
		}
	}
	return rows, nil
}

// filled puts other pairs in the places of events that are left out, drawn at random so that each
// comes as often as any other, or once more.
func filled(random *rand.Rand, c coupling.Coupling, rows []int) (events, sources []int, err error) {
	events = numbers(0, len(rows))
	var kept, out []int
	for i, row := range rows {
		if row == coupling.LeftOut {
			out = append(out, i)
		} else {
			kept = append(kept, i)
		}
	}
	if len(kept) == 0 {
		return nil, nil, fmt.Errorf("the coupling %T leaves out all of %d events: at least one must stay", c, len(rows))
	}
	order := random.Perm(len(kept))
	for k, i := range out {
		from := kept[order[k%len(kept)]]
		events[i], rows[i] = from, rows[from]
	}
	return events, rows, nil
}

// inModel are events and contexts in the loss's units.
func (s *sources) inModel(all data.Events) (x, context *tensors.Tensor, err error) {
	out, err := s.toModel.Call([]*tensors.Tensor{all.X}, given(all.Mask), given(all.Context))
	if err != nil {
		return nil, nil, err
	}
	if len(out) > 1 {
		context = out[1]
	}
	return out[0], context, nil
}
