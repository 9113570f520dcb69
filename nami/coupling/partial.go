package coupling

import (
	"fmt"
	"math/rand/v2"

	"github.com/gomlx/gomlx/core/tensors"
)

// Partial is [OptimalTransport] that leaves out the given fraction of the data of each batch, those
// for which transport is cheapest then: outliers. They are [LeftOut]. Rows of the source are left
// over, drawn at random, so that the rest still have the source's distribution (partial transport,
// Chapel et al. 2020, arXiv:2002.08276, of trimmed data and the whole source).
//
// It is refused where events have contexts: those of a context would change their share.
type Partial struct {
	// LeaveOut is the fraction of the data that is left out, to the next whole number of
	// events below; between 0 and 1. A batch must be large enough to have some of them: see
	// train.CoupleTogether.
	LeaveOut float64
}

// Validate reports a fraction that is out of range.
func (p Partial) Validate() error {
	if !(p.LeaveOut > 0 && p.LeaveOut < 1) {
		return fmt.Errorf("coupling.Partial: LeaveOut is %v: it must be between 0 and 1, such as 0.05; to leave out none, use coupling.OptimalTransport", p.LeaveOut)
	}
	return nil
}

// Pair implements [Coupling]. It leaves the context alone.
func (p Partial) Pair(random *rand.Rand, source, target, _ *tensors.Tensor) ([]int, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	costs, n, err := squaredDistances("Partial", source, target)
	if err != nil {
		return nil, err
	}
	out := make([]bool, n) // rows of the source that are left over: they cost nothing
	for _, row := range random.Perm(n)[:int(p.LeaveOut*float64(n))] {
		out[row] = true
	}
	for at := range costs {
		if out[at%n] {
			costs[at] = 0
		}
	}
	rows := assign(costs, n)
	for i, row := range rows {
		if out[row] {
			rows[i] = LeftOut
		}
	}
	return rows, nil
}

// String describes the coupling on one line.
func (p Partial) String() string { return fmt.Sprintf("Partial{%g}", p.LeaveOut) }
