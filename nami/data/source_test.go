package data_test

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"

	"github.com/gomlx/gomlx/core/tensors"
)

// numbered are events whose X and Weight tell the row.
func numbered(first, last int) data.Events {
	n := last - first
	x, w := make([]float32, n), make([]float32, n)
	for i := range x {
		x[i], w[i] = float32(first+i), float32(1+first+i)
	}
	return data.Events{X: tensors.FromFlatDataAndDimensions(x, n, 1), Weight: tensors.FromFlatDataAndDimensions(w, n)}
}

// rows are those of numbered events; a weight that isn't the event's fails the test.
func rows(t *testing.T, e data.Events, err error) []int {
	t.Helper()
	x := gomlxtest.Floats(t, e.X, err)
	out := make([]int, len(x))
	for i, w := range gomlxtest.Floats(t, e.Weight, nil) {
		if out[i] = int(x[i]); w != x[i]+1 {
			t.Fatalf("event %v has the weight of event %v", x[i], w-1)
		}
	}
	return out
}

// counting is a Reader that knows how many of its rows are in memory.
type counting struct {
	mutex   sync.Mutex
	n, most int
	given   []*tensors.Tensor
	fails   int // at this row; -1 for never
}

func (c *counting) Len() int { return c.n }

func (c *counting) Read(first, last int) (data.Events, error) {
	if c.fails >= first && c.fails < last {
		return data.Events{}, errors.New("the disk is on fire")
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	e := numbered(first, last)
	c.given = append(c.given, e.X)
	held := 0
	for _, x := range c.given {
		if x.Ok() {
			held += x.Shape().Dim(0)
		}
	}
	c.most = max(c.most, held)
	return e, nil
}

// A stream holds two blocks at a time, sees each row at most once in an epoch and all but the
// last few, in a new order each time; and any step by itself is what it was in its turn.
func TestStream(t *testing.T) {
	const n, block, size, perEpoch, epochs = 103, 20, 5, 20, 3
	var reader *counting
	open := func() data.Batches {
		reader = &counting{n: n, fails: -1}
		batches, err := data.Stream{Reader: reader, Block: block + 3}.Open(data.Order{Seed: 7, BatchSize: size})
		if err != nil {
			t.Fatal(err)
		}
		return batches
	}
	batches := open()
	var inOrder [][]int
	for epoch := range epochs {
		seen := map[int]bool{}
		for i := range perEpoch {
			batch, err := batches.Batch(epoch*perEpoch + i)
			r := rows(t, batch, err)
			inOrder = append(inOrder, r)
			for _, row := range r {
				if row < 0 || row >= n || seen[row] {
					t.Fatalf("epoch %d: row %d comes twice, or doesn't exist", epoch, row)
				}
				seen[row] = true
				if row/block != r[0]/block {
					t.Fatalf("a batch has the rows %v, of more than one block of %d", r, block)
				}
			}
		}
		if len(seen) != perEpoch*size {
			t.Fatalf("epoch %d has %d rows, expected %d", epoch, len(seen), perEpoch*size)
		}
	}
	reader.mutex.Lock()
	most := reader.most
	reader.mutex.Unlock()
	if most > 2*block {
		t.Errorf("%d rows were held at once, expected at most %d", most, 2*block)
	}
	if slices.EqualFunc(inOrder[:perEpoch], inOrder[perEpoch:2*perEpoch], slices.Equal) {
		t.Error("two epochs have the same order")
	}
	for _, step := range []int{41, 3, 59, 0, 20} {
		batch, err := open().Batch(step)
		if r := rows(t, batch, err); !slices.Equal(r, inOrder[step]) {
			t.Errorf("step %d by itself has the rows %v, in its turn %v", step, r, inOrder[step])
		}
	}
	one, err := open().Identity()
	other, otherErr := open().Identity()
	if err := errors.Join(err, otherErr); err != nil || !reflect.DeepEqual(one, other) || len(one) != 2 {
		t.Errorf("the identities are %v and %v (%v)", one, other, err)
	}
}

func TestStreamErrors(t *testing.T) {
	open := func(s data.Stream, size int) error {
		batches, err := s.Open(data.Order{BatchSize: size})
		for step := 0; err == nil && step < 4; step++ {
			_, err = batches.Batch(step)
		}
		return err
	}
	for want, err := range map[string]error{
		"Reader is nil":                  open(data.Stream{}, 1),
		"BatchSize is 9":                 open(data.Stream{Reader: &counting{n: 8, fails: -1}}, 9),
		"BatchSize is -1":                open(data.Stream{Reader: &counting{n: 8, fails: -1}}, -1),
		"Block is 2, and BatchSize 4":    open(data.Stream{Reader: &counting{n: 8, fails: -1}, Block: 2}, 4),
		"of the stream: the disk is on ": open(data.Stream{Reader: &counting{n: 8, fails: 5}, Block: 4}, 2),
		"returned 3 events: expected 4":  open(data.Stream{Reader: short{}, Block: 4}, 2),
	} {
		gomlxtest.Says(t, want, err, want)
	}
}

// short returns too few rows.
type short struct{}

func (short) Len() int { return 8 }

func (short) Read(first, last int) (data.Events, error) { return numbered(first, last-1), nil }

// In memory, each epoch has every event once, with what belongs to it.
func TestEventsInEpochs(t *testing.T) {
	batches, err := numbered(0, 12).Open(data.Order{Seed: 3, BatchSize: 4})
	if err != nil {
		t.Fatal(err)
	}
	for epoch := range 4 {
		var all []int
		for i := range 3 {
			batch, err := batches.Batch(3*epoch + i)
			all = append(all, rows(t, batch, err)...)
		}
		if slices.Sort(all); !slices.Equal(all, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}) {
			t.Errorf("epoch %d has the rows %v", epoch, all)
		}
	}
}

func TestRowsAndSplit(t *testing.T) {
	e := numbered(0, 10)
	picked, err := e.Rows(7, 0, 7)
	if r := rows(t, picked, err); !slices.Equal(r, []int{7, 0, 7}) {
		t.Errorf("rows 7, 0 and 7 are %v", r)
	}
	_, err = e.Rows(1, 10)
	gomlxtest.Says(t, "a row too far", err, "row 10 is asked for, and there are 10")

	parts, err := e.Split(5, 0.3, 0.2)
	if err != nil {
		t.Fatal(err)
	}
	var all []int
	for i, n := range []int{3, 2, 5} {
		if r := rows(t, parts[i], nil); len(r) != n {
			t.Errorf("part %d has the rows %v, expected %d", i, r, n)
		} else {
			all = append(all, r...)
		}
	}
	if slices.Sort(all); !slices.Equal(all, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}) {
		t.Errorf("the rows are %v", all)
	}
	again, err1 := e.Split(5, 0.3)
	other, err2 := e.Split(6, 0.3)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if a := rows(t, parts[0], nil); !slices.Equal(rows(t, again[0], nil), a) || slices.Equal(rows(t, other[0], nil), a) {
		t.Error("a seed doesn't decide what goes where")
	}
	for _, fraction := range []float64{0, 1, -1, math.NaN()} {
		_, err := e.Split(1, fraction)
		gomlxtest.Says(t, fmt.Sprint("a fraction of ", fraction), err, fmt.Sprintf("the fractions are [%v]", fraction))
	}
	for _, fraction := range []float64{0.01, 0.99} {
		_, err := e.Split(1, fraction)
		gomlxtest.Says(t, fmt.Sprint("a fraction of ", fraction), err, fmt.Sprintf("with the fractions [%v] of 10 events a part is empty", fraction))
	}
}

func TestFunc(t *testing.T) {
	f := data.Func(func(step int) (data.Events, error) {
		switch step {
		case 3:
			return data.Events{}, errors.New("no beam")
		case 4:
			return data.Events{X: gomlxtest.Filled(float32(math.Inf(1)), 2, 1)}, nil
		}
		return numbered(step, step+2), nil
	})
	batches, err := f.Open(data.Order{})
	if err != nil {
		t.Fatal(err)
	}
	batch, err := batches.Batch(2)
	if r := rows(t, batch, err); !slices.Equal(r, []int{2, 3}) {
		t.Errorf("step 2 has the rows %v", r)
	}
	_, err = batches.Batch(3)
	gomlxtest.Says(t, "a function that fails", err, "the data of step 3: no beam")
	_, err = batches.Batch(4)
	gomlxtest.Says(t, "a batch that isn't finite", err, "the data of step 4: 2 of 2 values of the data are NaN or infinite, the first in row 0")
	_, err = f.Open(data.Order{BatchSize: 8})
	gomlxtest.Says(t, "a batch size", err, "BatchSize is 8, and the data is a data.Func")
	_, err = data.Func(nil).Open(data.Order{})
	gomlxtest.Says(t, "a nil function", err, "data.Func is nil")
}
