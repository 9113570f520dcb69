package distribution

import (
	"fmt"
	"math"
	"slices"

	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// Uniform is the uniform distribution over a box, low ≤ x ≤ high in each value of an event,
// once or for each element of a batch. [NewUniform] and [UniformBox] make one. Outside the
// box the log-density is -∞: a flow whose solve leaves the box by a rounding error has no
// finite likelihood there, so it suits priors and tests more than bases of flows.
type Uniform struct {
	batched
	low, high parameter
}

var _ Independent = Uniform{}

// NewUniform returns the uniform distribution between low and high, both batch+event, of
// which the last eventRank axes are the event. It is an error if their shapes differ, a
// value is not finite, or low is not below high.
func NewUniform(low, high *tensors.Tensor, eventRank int) (Uniform, error) {
	u, err := newUniform(low, high, eventRank)
	if err != nil {
		return Uniform{}, fmt.Errorf("distribution.Uniform: %w", err)
	}
	return u, nil
}

func newUniform(low, high *tensors.Tensor, eventRank int) (u Uniform, err error) {
	if u.low, err = newParameter("low", low); err != nil {
		return u, err
	}
	if u.high, err = newParameter("high", high); err != nil {
		return u, err
	}
	if err := u.checkRange(); err != nil {
		return u, err
	}
	u.batched, err = newBatched("Uniform", u.low.dims, eventRank)
	return u, err
}

// checkRange refuses bounds that don't make a box.
func (u Uniform) checkRange() error {
	if err := sameShape(u.low, u.high); err != nil {
		return err
	}
	for i, l := range u.low.values {
		if h := u.high.values[i]; !(l < h) || math.IsInf(h-l, 1) {
			return fmt.Errorf("value %d of low and high, of shape %s, is %v and %v: low must be below high, and their difference finite", i, shape.Format(u.low.dims), l, h)
		}
	}
	return nil
}

// UniformBox returns the uniform distribution over the box with all sides from low to high.
func UniformBox(low, high float64, event ...int) (Uniform, error) {
	if err := checkEvent(event); err != nil {
		return Uniform{}, fmt.Errorf("distribution.UniformBox: %w", err)
	}
	return NewUniform(tensors.FromScalarAndDimensions(low, event...), tensors.FromScalarAndDimensions(high, event...), len(event))
}

// Expand returns the distribution repeated to a batch shape that ends in its own. It
// panics if batch doesn't end so, or has an axis below 1.
func (u Uniform) Expand(batch ...int) Uniform {
	u.batched = u.expanded(batch)
	return u
}

// Mean is the centre of the box, of shape batch+event.
func (u Uniform) Mean(g *Graph, dtype dtypes.DType) *Node {
	low, high := u.over(g, dtype, u.batch)
	return MulScalar(Add(low, high), 0.5)
}

// Variance is (high-low)²/12, of shape batch+event.
func (u Uniform) Variance(g *Graph, dtype dtypes.DType) *Node {
	low, high := u.over(g, dtype, u.batch)
	return DivScalar(Square(Sub(high, low)), 12)
}

// Sample implements [Distribution]: low + (high-low)·u, reparameterised. It panics unless
// lead ends in the batch shape.
func (u Uniform) Sample(random Random, g *Graph, dtype dtypes.DType, lead ...int) *Node {
	u.checkLead(lead)
	low, high := u.over(g, dtype, lead)
	uniform := random.RandomUniform(g, shapes.Make(dtype, slices.Concat(lead, u.event)...))
	return Min(Add(low, Mul(Sub(high, low), uniform)), high) // rounding must not leave the box
}

// LogProb implements [Distribution].
func (u Uniform) LogProb(x *Node) *Node { return u.sum(u.LogProbValues(x)) }

// LogProbValues implements [Independent]: -log(high-low) inside the box, edges included,
// -∞ outside, and NaN where x is.
func (u Uniform) LogProbValues(x *Node) *Node {
	low, high := u.over(x.Graph(), x.DType(), u.leadOf(x))
	outside := LogicalOr(LessThan(x, low), GreaterThan(x, high))
	inside := Where(NotEqual(x, x), StopGradient(x), Neg(Log(Sub(high, low))))
	return Where(outside, Infinity(x.Graph(), x.DType(), -1), inside)
}

func (u Uniform) over(g *Graph, dtype dtypes.DType, lead []int) (low, high *Node) {
	rank := len(u.event)
	return u.low.over(g, dtype, lead, rank), u.high.over(g, dtype, lead, rank)
}

// String describes the distribution, the same in every process and another for other
// parameters.
func (u Uniform) String() string { return fmt.Sprintf("%v{%v, %v}", u.batched, u.low, u.high) }
