package coupling

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/gomlx/gomlx/core/tensors"
)

// Unbalanced draws pairs from a plan π of transport with entropy that needn't use all rows alike:
// of all plans the one with the least
//
//	Σ π·|x - y|² + Epsilon·KL(π | 1/n²) + Target·KL(rows | 1/n) + Source·KL(columns | 1/n)
//
// (Chizat et al. 2018, arXiv:1607.05816; Eyring et al. 2024, arXiv:2311.15100). A row of the data
// for which transport costs much more than Target is used little: an outlier. An event
// stays with a probability in proportion to its row, and draws a row of the source by the plan;
// others are [LeftOut].
//
// It is refused where events have contexts: those of a context would change their share.
type Unbalanced struct {
	// Target is the cost, a squared distance, by which a row of the data may deviate before it
	// is used e times less or more, or so; positive.
	Target float64

	// Source is the same for rows of the source; 0 uses all of them alike, as noise must be. Give
	// it only for events to start from that have outliers themselves: the flow then starts
	// from what is left of them.
	Source float64

	// Epsilon, Tolerance and Iterations are as in [Entropic].
	Epsilon, Tolerance float64
	Iterations         int
}

// Validate reports parameters that are out of range.
func (u Unbalanced) Validate() error {
	if !(u.Target > 0) || !(u.Source >= 0) || math.IsInf(u.Target+u.Source, 1) {
		return fmt.Errorf("coupling.Unbalanced: Target is %v and Source %v: Target must be a positive, finite cost, such as the squared distance beyond which data are outliers, and Source one too, or 0 to use all rows of the source alike", u.Target, u.Source)
	}
	if err := u.entropic().Validate(); err != nil {
		return fmt.Errorf("coupling.Unbalanced: Epsilon is %v, Tolerance %v and Iterations %d: none may be negative, and 0 is the default", u.Epsilon, u.Tolerance, u.Iterations)
	}
	return nil
}

func (u Unbalanced) entropic() Entropic {
	return Entropic{Epsilon: u.Epsilon, Tolerance: u.Tolerance, Iterations: u.Iterations}
}

// WithDefaults returns the coupling with the usual values where none are given, as
// [Entropic.WithDefaults] does.
func (u Unbalanced) WithDefaults() Unbalanced {
	e := u.entropic().WithDefaults()
	u.Tolerance, u.Iterations = e.Tolerance, e.Iterations
	return u
}

// Pair implements [Coupling]. It leaves the context alone. A plan that hasn't come within the
// Tolerance is an error that says by how much it is off.
func (u Unbalanced) Pair(random *rand.Rand, source, target, _ *tensors.Tensor) ([]int, error) {
	plan, n, off, err := u.plan(source, target)
	if err != nil {
		return nil, err
	}
	if u = u.WithDefaults(); !(off <= u.Tolerance) {
		return nil, fmt.Errorf("coupling.Unbalanced: after %d iterations a row of the source still changes by %.2g of what it is, and %.2g is allowed: give a larger Epsilon, more Iterations, or a larger Tolerance", u.Iterations, off, u.Tolerance)
	}
	mass, most := make([]float64, n), 0.0
	for i := range mass {
		for _, p := range plan[i*n : (i+1)*n] {
			mass[i] += p
		}
		most = max(most, mass[i])
	}
	if !(most > 0) {
		return nil, fmt.Errorf("coupling.Unbalanced: Target is %v, beside which all pairs cost so much that none is left: give a larger one", u.Target)
	}
	rows := make([]int, n)
	for i := range rows {
		if rows[i] = LeftOut; random.Float64()*most < mass[i] {
			rows[i] = drawFrom(random, plan[i*n:(i+1)*n])
		}
	}
	return rows, nil
}

// Plan is the plan of two batches, float64 [n, n]: how much of row i of target (data) goes with
// row j of source (noise); and by how much at most the last iteration would have changed a row of
// the source, as a share of it, whether that is within the Tolerance or not.
func (u Unbalanced) Plan(source, target *tensors.Tensor) (plan *tensors.Tensor, off float64, err error) {
	flat, n, off, err := u.plan(source, target)
	if err != nil {
		return nil, 0, err
	}
	return tensors.FromFlatDataAndDimensions(flat, n, n), off, nil
}

// String describes the coupling on one line.
func (u Unbalanced) String() string {
	u = u.WithDefaults()
	return fmt.Sprintf("Unbalanced{%g, %g, %g, %g, %d}", u.Target, u.Source, u.Epsilon, u.Tolerance, u.Iterations)
}

func (u Unbalanced) plan(source, target *tensors.Tensor) (plan []float64, n int, off float64, err error) {
	if err := u.Validate(); err != nil {
		return nil, 0, 0, err
	}
	costs, n, err := squaredDistances("Unbalanced", source, target)
	if err != nil {
		return nil, 0, 0, err
	}
	e := u.entropic().WithDefaults()
	epsilon := e.epsilon(costs)
	columns := 1.0
	if u.Source > 0 {
		columns = u.Source / (u.Source + epsilon)
	}
	s := newSinkhorn(costs, n, epsilon, u.Target/(u.Target+epsilon), columns)
	off = s.run(e)
	return s.plan(), n, off, nil
}
