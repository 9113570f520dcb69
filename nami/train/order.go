package train

import "math/rand/v2"

// order chooses the rows of each batch: every epoch goes through the data in a new
// order, without replacement, and leaves out what doesn't fill a batch. Step i's rows
// depend on the seed and i only, so that a resumed run goes on as if never stopped.
type order struct {
	seed    int64
	n, size int
	epoch   int
	rows    []int
}

func (o *order) batch(step int) []int32 {
	perEpoch := o.n / o.size
	epoch, at := step/perEpoch, step%perEpoch*o.size
	if o.rows == nil || epoch != o.epoch {
		o.rows, o.epoch = rand.New(rand.NewPCG(uint64(o.seed), uint64(epoch))).Perm(o.n), epoch
	}
	out := make([]int32, o.size)
	for i, row := range o.rows[at : at+o.size] {
		out[i] = int32(row)
	}
	return out
}
