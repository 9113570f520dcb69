package train

import (
	"fmt"
	"math/rand/v2"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
)

// feeder chooses what each step learns from, ahead of the device.
type feeder struct {
	config
	x        *tensors.Tensor
	data     *order
	starting *order // rows of the source; nil if it is noise
}

// prepared is what the steps before end are given.
type prepared struct {
	feed feed
	end  int
	err  error
}

func newFeeder(c config, x *tensors.Tensor) *feeder {
	f := &feeder{config: c, x: x, data: &order{seed: c.seed, n: x.Shape().Dimensions[0], size: c.batchSize}}
	if c.source != nil {
		// Another seed, or both would go through their rows in the same order.
		f.starting = &order{seed: ^c.seed, n: c.source.Shape().Dimensions[0], size: c.batchSize}
	}
	return f
}

// start prepares the steps from first to end, exclusive, in the background. One call must
// have been received from before the next is made.
func (f *feeder) start(first, end int) <-chan prepared {
	ready := make(chan prepared, 1)
	go func() {
		p := prepared{feed: feed{x: f.x, c: f.context, mask: f.mask, weight: f.weight}, end: end}
		for step := first; step < end && p.err == nil; step++ {
			rows := f.data.batch(step)
			p.feed.rows = append(p.feed.rows, rows)
			if f.source != nil || f.coupling != nil {
				var source *tensors.Tensor
				source, p.err = f.from(step, rows)
				p.feed.sources = append(p.feed.sources, source)
			}
		}
		ready <- p
	}()
	return ready
}

// from returns the source of each event of a step's batch.
func (f *feeder) from(step int, rows []int32) (*tensors.Tensor, error) {
	var source *tensors.Tensor
	var err error
	if f.starting != nil {
		source, err = pick(f.source, f.starting.batch(step))
	} else {
		source, err = f.noise(step)
	}
	if err != nil || f.coupling == nil {
		return source, err
	}
	target, err := pick(f.x, rows)
	if err != nil {
		return nil, err
	}
	pairs, err := f.coupling.Pair(source, target)
	if err != nil {
		return nil, fmt.Errorf("the coupling %T: %w", f.coupling, err)
	}
	if len(pairs) != len(rows) {
		return nil, fmt.Errorf("the coupling %T paired %d of %d events: expected a row of the source for each (coupling.Check tests a coupling)", f.coupling, len(pairs), len(rows))
	}
	partners := make([]int32, len(pairs))
	for i, row := range pairs {
		if row < 0 || row >= len(rows) {
			return nil, fmt.Errorf("the coupling %T paired event %d with row %d of a source of %d (coupling.Check tests a coupling)", f.coupling, i, row, len(rows))
		}
		partners[i] = int32(row)
	}
	return pick(source, partners)
}

// noise draws standard normal numbers for a batch; they depend on the seed and the step
// only, so that a resumed run goes on as if never stopped.
func (f *feeder) noise(step int) (*tensors.Tensor, error) {
	shape := f.x.Shape().Clone()
	shape.Dimensions[0] = f.batchSize
	random := rand.New(rand.NewPCG(uint64(f.seed), ^uint64(step)))
	values := make([]float64, shape.Size())
	for i := range values {
		values[i] = random.NormFloat64()
	}
	if shape.DType == dtypes.Float64 {
		return tensors.FromFlatDataAndDimensions(values, shape.Dimensions...), nil
	}
	single := make([]float32, len(values))
	for i, v := range values {
		single[i] = float32(v)
	}
	return tensors.FromFlatDataAndDimensions(single, shape.Dimensions...), nil
}

// pick copies rows of t.
func pick(t *tensors.Tensor, rows []int32) (*tensors.Tensor, error) {
	shape := t.Shape().Clone()
	size := int(t.ByteSize()) / shape.Dimensions[0]
	shape.Dimensions[0] = len(rows)
	out := tensors.FromShape(shape)
	err := t.ConstBytes(func(from []byte) {
		out.MutableBytes(func(to []byte) {
			for i, row := range rows {
				copy(to[i*size:(i+1)*size], from[int(row)*size:])
			}
		})
	})
	return out, err
}
