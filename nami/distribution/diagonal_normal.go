package distribution

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/nami-flow/go-nami/nami/event"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"
)

// DiagonalNormal is N(loc, diag(scale²)) over events, one for each element of a batch:
// what it draws and what it is asked for has a lead that ends in the batch shape.
// [NewDiagonalNormal] and [DiagonalNormalOf] make one.
type DiagonalNormal struct {
	batch, event []int
	parameters   func(g *Graph, dtype dtypes.DType) (loc, scale *Node) // of shape batch+event
}

var _ Independent = DiagonalNormal{}

// NewDiagonalNormal returns the normal distribution with the given means and standard
// deviations, both batch+event, of which the last eventRank axes are the event. It is an
// error if their shapes differ, a value is not finite or a scale not positive.
func NewDiagonalNormal(loc, scale *tensors.Tensor, eventRank int) (DiagonalNormal, error) {
	if loc == nil || scale == nil {
		return DiagonalNormal{}, errors.New("distribution.DiagonalNormal: loc and scale must not be nil")
	}
	dims := loc.Shape().Dimensions
	if !slices.Equal(dims, scale.Shape().Dimensions) {
		return DiagonalNormal{}, fmt.Errorf("distribution.DiagonalNormal: loc is %s and scale %s: both must have one shape", loc.Shape(), scale.Shape())
	}
	locs, err := floats("loc", loc)
	if err != nil {
		return DiagonalNormal{}, err
	}
	scales, err := floats("scale", scale)
	if err != nil {
		return DiagonalNormal{}, err
	}
	for i, s := range scales {
		if s <= 0 {
			return DiagonalNormal{}, fmt.Errorf("distribution.DiagonalNormal: value %d of scale, of shape %s, is %v: it must be positive", i, scale.Shape(), s)
		}
	}
	batch, shape, err := event.Split(slices.Clone(dims), eventRank)
	if err != nil {
		return DiagonalNormal{}, fmt.Errorf("distribution.DiagonalNormal: %w", err)
	}
	constant := func(g *Graph, dtype dtypes.DType, values []float64) *Node {
		return Reshape(ConstAsDType(g, dtype, values), dims...)
	}
	return DiagonalNormal{batch: batch, event: shape, parameters: func(g *Graph, dtype dtypes.DType) (*Node, *Node) {
		return constant(g, dtype, locs), constant(g, dtype, scales)
	}}, nil
}

// floats are a parameter's values, which must be finite floats.
func floats(name string, t *tensors.Tensor) (values []float64, err error) {
	err = t.ConstFlatData(func(flat any) {
		switch flat := flat.(type) {
		case []float64:
			values = slices.Clone(flat)
		case []float32:
			for _, v := range flat {
				values = append(values, float64(v))
			}
		}
	})
	if err != nil {
		return nil, err
	}
	if len(values) == 0 {
		return nil, fmt.Errorf("distribution: %s is %s: expected Float32 or Float64 values, at least one", name, t.Shape())
	}
	for i, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("distribution: value %d of %s, of shape %s, is %v: it must be finite", i, name, t.Shape(), v)
		}
	}
	return values, nil
}

// Isotropic returns N(mean, scale²) for each value of an event, independently.
func Isotropic(mean, scale float64, event ...int) (DiagonalNormal, error) {
	fill := func(v float64) *tensors.Tensor {
		return tensors.FromScalarAndDimensions(v, event...)
	}
	return NewDiagonalNormal(fill(mean), fill(scale), len(event))
}

// DiagonalNormalOf is a normal distribution in a graph: loc and scale are batch+event
// nodes of one shape and dtype, computed from a context or learned (see [Conditional]),
// and the scale must be positive. It belongs to their graph. It panics if shapes differ.
func DiagonalNormalOf(loc, scale *Node, eventRank int) DiagonalNormal {
	if !loc.Shape().Equal(scale.Shape()) {
		exceptions.Panicf("distribution.DiagonalNormalOf: loc is %s and scale %s: both must have one shape and dtype", loc.Shape(), scale.Shape())
	}
	batch, shape, err := event.Split(loc.Shape().Dimensions, eventRank)
	if err != nil {
		panic(err)
	}
	return DiagonalNormal{batch: batch, event: shape, parameters: func(_ *Graph, dtype dtypes.DType) (*Node, *Node) {
		return ConvertDType(loc, dtype), ConvertDType(scale, dtype)
	}}
}

// EventShape implements [Distribution].
func (d DiagonalNormal) EventShape() []int { return slices.Clone(d.event) }

// BatchShape is the shape of the batch of distributions; empty for one.
func (d DiagonalNormal) BatchShape() []int { return slices.Clone(d.batch) }

// Expand returns the distribution repeated to a batch shape that ends in its own.
func (d DiagonalNormal) Expand(batch ...int) DiagonalNormal {
	if !endsIn(batch, d.batch) {
		exceptions.Panicf("distribution.DiagonalNormal: can't expand the batch %s to %s: it must be the end of it", event.Format(d.batch), event.Format(batch))
	}
	expanded := slices.Clone(batch)
	return DiagonalNormal{batch: expanded, event: d.event, parameters: func(g *Graph, dtype dtypes.DType) (*Node, *Node) {
		return d.over(g, dtype, expanded)
	}}
}

// Mean is the mean, of shape batch+event.
func (d DiagonalNormal) Mean(g *Graph, dtype dtypes.DType) *Node {
	loc, _ := d.parameters(g, dtype)
	return loc
}

// Variance is the variance of each value, of shape batch+event.
func (d DiagonalNormal) Variance(g *Graph, dtype dtypes.DType) *Node {
	_, scale := d.parameters(g, dtype)
	return Square(scale)
}

// Sample implements [Distribution]: loc + scale·ε, reparameterised. It panics unless lead
// ends in the batch shape.
func (d DiagonalNormal) Sample(random Random, g *Graph, dtype dtypes.DType, lead ...int) *Node {
	loc, scale := d.over(g, dtype, lead)
	return Add(loc, Mul(scale, gomlx.Normal(random, g, shapes.Make(dtype, slices.Concat(lead, d.event)...))))
}

// LogProb implements [Distribution].
func (d DiagonalNormal) LogProb(x *Node) *Node {
	return ReduceSum(event.Flatten(d.LogProbValues(x), len(d.event)), -1)
}

// LogProbValues implements [Independent]: -((x-loc)/scale)²/2 - log scale - log(2π)/2.
func (d DiagonalNormal) LogProbValues(x *Node) *Node {
	if err := event.Validate(x.Shape().Dimensions, d.event, nil); err != nil {
		panic(fmt.Errorf("distribution.DiagonalNormal: x: %w", err))
	}
	loc, scale := d.over(x.Graph(), x.DType(), event.Lead(x, len(d.event)))
	z := Div(Sub(x, loc), scale)
	return Neg(Add(MulScalar(Square(z), 0.5), AddScalar(Log(scale), 0.5*math.Log(2*math.Pi))))
}

// over repeats the parameters over a lead that ends in the batch.
func (d DiagonalNormal) over(g *Graph, dtype dtypes.DType, lead []int) (loc, scale *Node) {
	if !endsIn(lead, d.batch) {
		exceptions.Panicf("distribution.DiagonalNormal: the lead is %s, which must end in the batch shape %s", event.Format(lead), event.Format(d.batch))
	}
	loc, scale = d.parameters(g, dtype)
	return event.Expand(loc, lead, len(d.event)), event.Expand(scale, lead, len(d.event))
}

func endsIn(dims, end []int) bool {
	return len(dims) >= len(end) && slices.Equal(dims[len(dims)-len(end):], end)
}

// String names the distribution and its shapes.
func (d DiagonalNormal) String() string {
	return fmt.Sprintf("DiagonalNormal{batch %s, event %s}", event.Format(d.batch), event.Format(d.event))
}
