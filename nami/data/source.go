package data

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/gomlx/gomlx/core/tensors"
)

// Source is what training takes its batches from. [Events], [Func] and [Stream] are
// sources; a type of your own is one as soon as it has this method.
type Source interface {
	// Open checks the source and says how its batches are made. Nothing is read ahead.
	Open(order Order) (Batches, error)
}

// Order says how a source's events are put into batches.
type Order struct {
	// Seed starts what is random in the order.
	Seed int64

	// BatchSize is how many events a batch has; 256 if 0. A source whose batches are made
	// elsewhere refuses any other value.
	BatchSize int
}

// size is BatchSize, or its default.
func (o Order) size() int {
	if o.BatchSize == 0 {
		return 256
	}
	return o.BatchSize
}

// Batches are the batches of a run, by the number of the step, from 0. One goroutine at a
// time calls them, nearly always with rising steps.
type Batches interface {
	// Batch is that of a step: the same events each time, and the same shapes in all steps.
	Batch(step int) (Events, error)

	// Identity tells these events from others, by a name and a text for each part, to know
	// a run by: two sources of the same events have the same.
	Identity() (map[string]string, error)
}

// Indexed are batches that are rows of one set of events in memory. Training keeps the set
// on the device, and gathers the rows there, in the compiled loop.
type Indexed interface {
	Batches

	// All are the events, which don't change.
	All() Events

	// Rows are the numbers of the rows of a step's batch.
	Rows(step int) []int32
}

// Func is a source whose batches a function makes, of the number of the step alone:
// simulated events, for instance, or an order of your own. Its batches all have the same
// shapes. BatchSize isn't for it: the function decides.
type Func func(step int) (Events, error)

// Open implements [Source].
func (f Func) Open(order Order) (Batches, error) {
	if f == nil {
		return nil, fmt.Errorf("the data.Func is nil: give a function of the step that returns its batch")
	}
	if order.BatchSize != 0 {
		return nil, fmt.Errorf("BatchSize is %d, and the data is a data.Func, which decides how large its batches are: leave BatchSize out", order.BatchSize)
	}
	return f, nil
}

// Batch implements [Batches]: what the function returns, after a look at whether training
// can use it.
func (f Func) Batch(step int) (Events, error) {
	events, err := f(step)
	if err != nil {
		return Events{}, fmt.Errorf("the data of step %d: %w", step, err)
	}
	if err := events.Validate(); err != nil {
		return Events{}, fmt.Errorf("the data of step %d: %w", step, err)
	}
	return events, nil
}

// Identity implements [Batches]. It is that of the first batch.
func (f Func) Identity() (map[string]string, error) {
	first, err := f.Batch(0)
	if err != nil {
		return nil, err
	}
	return first.identity("the first batch of a function, ")
}

// identity has a digest of each part.
func (e Events) identity(prefix string) (map[string]string, error) {
	id := map[string]string{}
	for _, p := range e.Parts() {
		text, err := Digest(p.Value)
		if err != nil {
			return nil, err
		}
		id[p.Name] = prefix + text
	}
	return id, nil
}

// Digest is a tensor's shape and the first digits of the SHA-256 of its bytes.
func Digest(t *tensors.Tensor) (string, error) {
	var sum [sha256.Size]byte
	err := t.ConstBytes(func(raw []byte) { sum = sha256.Sum256(raw) })
	return t.Shape().String() + " " + hex.EncodeToString(sum[:6]), err
}
