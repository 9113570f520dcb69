package train

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/nami-flow/go-nami/nami/coupling"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/internal/fingerprint"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
)

// Snapshots is the source of batches for a [loss.Trajectory]: samples of the same events at several
// times, of which nobody knows which event became which. Each batch takes some of each sample,
// without replacement in an epoch, and pairs each with the next, so that an event has a place at each time.
// The batches are made on the host while the device makes the steps before.
type Snapshots struct {
	// At are the samples, [n, event...], in the order of the curve's times: of one event shape and
	// dtype, and each with a batch of events at least.
	At []*tensors.Tensor

	// Coupling pairs each sample with the next, the later one as its source;
	// [coupling.OptimalTransport] if nil. An event that it leaves out at one time is left out at
	// all.
	Coupling coupling.Coupling
}

// Open implements [data.Source].
func (s Snapshots) Open(order data.Order) (data.Batches, error) {
	if len(s.At) < 2 {
		return nil, fmt.Errorf("train.Snapshots: there are %d samples: expected two at least, in the order of their times", len(s.At))
	}
	if s.Coupling == nil {
		s.Coupling = coupling.OptimalTransport{}
	}
	b := &snapshots{Snapshots: s, seed: order.Seed, size: cmp.Or(order.BatchSize, 256)}
	for k, x := range s.At {
		if err := (data.Events{X: x}).Validate(); err != nil {
			return nil, fmt.Errorf("train.Snapshots: sample %d: %w", k, err)
		}
		n, dims, first := x.Shape().Dimensions[0], x.Shape().Dimensions, s.At[0].Shape()
		if x.DType() != first.DType || !slices.Equal(dims[1:], first.Dimensions[1:]) {
			return nil, fmt.Errorf("train.Snapshots: sample %d is %s, the first one %s: all must have one event shape and dtype", k, x.Shape(), first)
		}
		if b.size < 1 || b.size > n {
			return nil, fmt.Errorf("train.Snapshots: BatchSize is %d, and sample %d has %d events: a batch needs at least one event, and can't be larger than a sample", b.size, k, n)
		}
		b.orders = append(b.orders, &data.Shuffle{Seed: gomlx.Derive(order.Seed, uint64(k)), N: n, Size: b.size})
	}
	return b, nil
}

// snapshots are the batches of Snapshots.
type snapshots struct {
	Snapshots
	seed   int64
	size   int
	orders []*data.Shuffle
}

// Batch implements [data.Batches].
func (s *snapshots) Batch(step int) (events data.Events, err error) {
	random := rand.New(rand.NewPCG(uint64(s.seed), uint64(step)))
	var places []*tensors.Tensor
	rows := [][]int{numbers(0, s.size)} // at each time, the row of the batch of each event
	for k, order := range s.orders {
		place, err := gomlx.Rows(s.At[k], order.Batch(step))
		if err != nil {
			return data.Events{}, err
		}
		places = append(places, place)
		if k == 0 {
			continue
		}
		next, err := ask(random, s.Coupling, place, places[k-1], nil)
		if err != nil {
			return data.Events{}, fmt.Errorf("samples %d and %d: %w", k-1, k, err)
		}
		of := slices.Clone(rows[k-1])
		for i, row := range of {
			if row != coupling.LeftOut {
				of[i] = next[row]
			}
		}
		rows = append(rows, of)
	}
	chosen, _, err := filled(random, s.Coupling, slices.Clone(rows[len(rows)-1]))
	if err != nil {
		return data.Events{}, err
	}
	dims := places[0].Shape().Dimensions
	events.X = tensors.FromShape(shapes.Make(places[0].DType(), slices.Concat(dims[:1], []int{len(places)}, dims[1:])...))
	event := int(places[0].ByteSize()) / s.size
	var reading error
	writing := events.X.MutableBytes(func(to []byte) {
		for k, place := range places {
			reading = errors.Join(reading, place.ConstBytes(func(from []byte) {
				for i, e := range chosen {
					row := rows[k][e]
					copy(to[(i*len(places)+k)*event:], from[row*event:(row+1)*event])
				}
			}))
		}
	})
	return events, errors.Join(reading, writing)
}

// Identity implements [data.Batches].
func (s *snapshots) Identity() (map[string]string, error) {
	id := map[string]string{"coupling of samples": fingerprint.Describe(s.Coupling)}
	for k, x := range s.At {
		digest, err := data.Digest(x)
		if err != nil {
			return nil, err
		}
		id[fmt.Sprintf("sample %d", k)] = digest
	}
	return id, nil
}
