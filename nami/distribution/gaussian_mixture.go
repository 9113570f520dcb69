package distribution

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// GaussianMixture is the mixture Σ_k w_k·N(loc_k, diag(scale_k²)) over events, once or for
// each element of a batch. [NewGaussianMixture] makes one.
type GaussianMixture struct {
	batched
	weights    parameter // batch+[components]; of each mixture they sum to 1
	loc, scale parameter // batch+[components]+event
}

var _ Distribution = GaussianMixture{}

// NewGaussianMixture returns the mixture of normal distributions with the given weights, of
// shape batch+[components], and with the means and standard deviations loc and scale, both
// batch+[components]+event, of which the last eventRank axes are the event. Weights are
// scaled to sum to 1. It is an error if shapes don't fit, a value is not finite, or a weight
// or scale not positive.
func NewGaussianMixture(weights, loc, scale *tensors.Tensor, eventRank int) (GaussianMixture, error) {
	m, err := newGaussianMixture(weights, loc, scale, eventRank)
	if err != nil {
		return GaussianMixture{}, fmt.Errorf("distribution.GaussianMixture: %w", err)
	}
	return m, nil
}

func newGaussianMixture(weights, loc, scale *tensors.Tensor, eventRank int) (m GaussianMixture, err error) {
	if m.weights, err = newParameter("weights", weights); err != nil {
		return m, err
	}
	if m.loc, err = newParameter("loc", loc); err != nil {
		return m, err
	}
	if m.scale, err = newParameter("scale", scale); err != nil {
		return m, err
	}
	components, event, err := m.checkParameters(eventRank)
	if err != nil {
		return m, err
	}
	m.batched, err = newBatched("GaussianMixture", slices.Concat(components[:len(components)-1], event), eventRank)
	for row := range slices.Chunk(m.weights.values, m.components()) {
		total := 0.0
		for _, w := range row {
			total += w
		}
		if math.IsInf(total, 0) {
			return m, fmt.Errorf("the weights %v sum to %v: the sum must be finite", row, total)
		}
		for k := range row {
			row[k] /= total
		}
	}
	return m, err
}

// checkParameters refuses parameters that don't fit together, and returns the shape
// batch+[components] and that of an event.
func (m GaussianMixture) checkParameters(eventRank int) (components, event []int, err error) {
	if err := errors.Join(sameShape(m.loc, m.scale), m.weights.positive(), m.scale.positive()); err != nil {
		return nil, nil, err
	}
	components, event, err = shape.Split(m.loc.dims, eventRank)
	if err != nil {
		return nil, nil, err
	}
	if len(components) == 0 || !slices.Equal(components, m.weights.dims) {
		return nil, nil, fmt.Errorf("weights has shape %s and loc %s, with events of shape %s: weights must be batch+[components], and loc the same with the event at its end",
			shape.Format(m.weights.dims), shape.Format(m.loc.dims), shape.Format(event))
	}
	return components, event, nil
}

func (m GaussianMixture) components() int { return m.weights.dims[len(m.weights.dims)-1] }

// Expand returns the distribution repeated to a batch shape that ends in its own. It
// panics if batch doesn't end so, or has an axis below 1.
func (m GaussianMixture) Expand(batch ...int) GaussianMixture {
	m.batched = m.expanded(batch)
	return m
}

// Mean is the mean, Σ w·loc, of shape batch+event.
func (m GaussianMixture) Mean(g *Graph, dtype dtypes.DType) *Node {
	weights, loc, _ := m.over(g, dtype, m.batch)
	return m.unflatten(m.mix(weights, loc))
}

// Variance is the variance of each value, Σ w·(scale² + (loc - mean)²), of shape
// batch+event.
func (m GaussianMixture) Variance(g *Graph, dtype dtypes.DType) *Node {
	weights, loc, scale := m.over(g, dtype, m.batch)
	apart := Sub(loc, m.across(m.mix(weights, loc)))
	return m.unflatten(m.mix(weights, Add(Square(scale), Square(apart))))
}

// Sample implements [Distribution]: one uniform number for each event picks the component,
// loc and scale move the normal numbers. It panics unless lead ends in the batch shape.
func (m GaussianMixture) Sample(random Random, g *Graph, dtype dtypes.DType, lead ...int) *Node {
	m.checkLead(lead)
	_, loc, scale := m.over(g, dtype, lead)
	from, to := m.edges()
	u := InsertAxes(random.RandomUniform(g, shapes.Make(dtype, lead...)), -1)
	u = BroadcastToDims(u, slices.Concat(lead, []int{m.components()})...)
	picked := ConvertDType(LogicalAnd(
		GreaterOrEqual(u, from.over(g, dtype, lead, 1)),
		LessThan(u, to.over(g, dtype, lead, 1))), dtype)
	z := shape.Flatten(gomlx.Normal(random, g, shapes.Make(dtype, slices.Concat(lead, m.event)...)), len(m.event))
	return m.unflatten(Add(m.mix(picked, loc), Mul(m.mix(picked, scale), z)))
}

// edges are the parts of [0, 1), one beside the other, in which a uniform number picks each
// component. The last one reaches beyond 1, so that rounding leaves no gap.
func (m GaussianMixture) edges() (from, to parameter) {
	from, to = parameter{dims: m.weights.dims}, parameter{dims: m.weights.dims}
	for row := range slices.Chunk(m.weights.values, m.components()) {
		sum := 0.0
		for k, w := range row {
			from.values = append(from.values, sum)
			if sum += w; k == len(row)-1 {
				sum = 2
			}
			to.values = append(to.values, sum)
		}
	}
	return from, to
}

// LogProb implements [Distribution]: the logarithm of the sum of the components' densities,
// which doesn't underflow far from all of them.
func (m GaussianMixture) LogProb(x *Node) *Node {
	weights, loc, scale := m.over(x.Graph(), x.DType(), m.leadOf(x))
	values := normalLogDensity(m.across(shape.Flatten(x, len(m.event))), loc, scale)
	each := Add(Log(weights), ReduceSum(values, -1))
	// Where all densities are zero, the largest is lifted, so that -∞ - -∞ doesn't occur.
	largest := StopGradient(MaxScalar(ReduceAndKeep(each, ReduceMax, -1), -1e38))
	return Add(Squeeze(largest, -1), Log(ReduceSum(Exp(Sub(each, largest)), -1)))
}

// over are the parameters for a lead that ends in the batch: weights lead+[components], loc
// and scale lead+[components, size of the event].
func (m GaussianMixture) over(g *Graph, dtype dtypes.DType, lead []int) (weights, loc, scale *Node) {
	flat := func(p parameter) *Node {
		return shape.Flatten(p.over(g, dtype, lead, 1+len(m.event)), len(m.event))
	}
	return m.weights.over(g, dtype, lead, 1), flat(m.loc), flat(m.scale)
}

// mix is the sum over the components of weights, lead+[components], times values,
// lead+[components, size]. It doesn't contract with a matrix product, which GPUs round.
func (m GaussianMixture) mix(weights, values *Node) *Node {
	weights = BroadcastToDims(InsertAxes(weights, -1), values.Shape().Dimensions...)
	return ReduceSum(Mul(weights, values), -2)
}

// across repeats x, lead+[size], for each component.
func (m GaussianMixture) across(x *Node) *Node {
	dims := slices.Insert(slices.Clone(x.Shape().Dimensions), x.Rank()-1, m.components())
	return BroadcastToDims(InsertAxes(x, -2), dims...)
}

func (m GaussianMixture) unflatten(x *Node) *Node { return shape.Unflatten(x, m.event) }

// String describes the distribution: the same in every process, and different for different
// parameters.
func (m GaussianMixture) String() string {
	return fmt.Sprintf("%v{%v, %v, %v}", m.batched, m.weights, m.loc, m.scale)
}
