package field

import (
	"fmt"
	"math"
	"slices"

	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
	"github.com/gomlx/gomlx/ml/nn"
	"github.com/gomlx/gomlx/support/exceptions"
)

// MLP is a multilayer perceptron on the concatenation of the flattened event, the
// time and the context, in this order. Its variables are mlp/layer_<i>/dense/weights,
// of shape [in, out], and mlp/layer_<i>/dense/biases, of shape [out].
//
// The weights of hidden layers start uniform on ±√(6/in), so that signals keep their size
// from layer to layer (He et al. 2015, arXiv:1502.01852, section 2.2); those of the last
// layer, and all biases, on ±1/√in.
type MLP struct {
	// EventShape is the shape of one event, of any rank; empty for scalar events.
	EventShape []int

	// Hidden holds the widths of the hidden layers; {128, 128, 128} if nil.
	Hidden []int

	// ContextDim is the size of the context's last axis; 0 for an unconditional field.
	ContextDim int

	// TimeFeatures is the number of values that [Sinusoidal] makes of the time: an
	// even number. 0 feeds the plain time in. Features of high frequency make the velocity
	// rough in time, and a solver's order worth less: plain time does for points.
	TimeFeatures int

	// Activation follows every layer but the last; SiLU if unset.
	Activation activation.Type
}

// EventRank implements [Field].
func (m MLP) EventRank() int { return len(m.EventShape) }

// Apply implements [Field]. It panics if x doesn't end in EventShape, or if there is
// a context where ContextDim is 0, none where it isn't, or one of another size.
func (m MLP) Apply(scope *model.Scope, x, t, c *Node) *Node {
	m.check(x, c)
	lead := shape.Lead(x, m.EventRank())
	features := []*Node{shape.Flatten(x, m.EventRank()), m.time(t, lead)}
	if c != nil {
		features = append(features, c)
	}
	m = m.WithDefaults()
	hidden, act := m.Hidden, m.Activation
	h := Concatenate(features, -1)
	for i, width := range hidden {
		h = activation.Apply(act, dense(scope.At("mlp").At("layer_%d", i), h, width, math.Sqrt(6)))
	}
	h = dense(scope.At("mlp").At("layer_%d", len(hidden)), h, shape.Size(m.EventShape), 1)
	return shape.Unflatten(h, m.EventShape)
}

// WithDefaults returns the network with the usual layers and activation where none are given.
func (m MLP) WithDefaults() MLP {
	if m.Hidden == nil {
		m.Hidden = []int{128, 128, 128}
	}
	if m.Activation == activation.TypeNone {
		m.Activation = activation.TypeSilu
	}
	return m
}

// dense is h·W + b. W starts uniform on ±gain/√in: with a gain of 1, as PyTorch's layers
// have it, each layer makes a signal smaller, and a flow in the plane needs twice the steps
// for the same divergence from the data. b starts at random, too: where all are zero, the
// units' kinks meet in one point, and a small network on few inputs learns more slowly.
func dense(scope *model.Scope, h *Node, width int, gain float64) *Node {
	in := h.Shape().Dim(-1)
	scope = scope.In("dense")
	uniform := func(limit float64) *model.Scope {
		return scope.WithInitializer(initializer.RandomUniformFn(scope, -limit, limit))
	}
	limit := 1 / math.Sqrt(float64(in))
	weights := uniform(gain*limit).VariableWithShape("weights", shapes.Make(h.DType(), in, width)).NodeValue(h)
	biases := uniform(limit).VariableWithShape("biases", shapes.Make(h.DType(), width)).NodeValue(h)
	if width < narrow && h.Rank() > 1 { // GoMLX can't do it for an event without a lead
		return nn.Dense(h, Transpose(weights, 0, 1), biases, compute.DenseLayoutOutputsInput)
	}
	return nn.Dense(h, weights, biases, compute.DenseLayoutInputOutputs)
}

// narrow is the number of values that a processor computes with at once. GoMLX's pure
// Go backend multiplies by a matrix of fewer columns one number at a time, and by its
// transpose does not; XLA makes no difference.
const narrow = 8

// time returns t's features with the axes of lead and one more.
func (m MLP) time(t *Node, lead []int) *Node {
	features := InsertAxes(t, -1)
	if m.TimeFeatures > 0 {
		features = Sinusoidal(t, m.TimeFeatures)
	}
	if !t.IsScalar() || len(lead) == 0 {
		return features
	}
	return BroadcastPrefix(features, lead...)
}

func (m MLP) check(x, c *Node) {
	for i, width := range m.Hidden {
		if width < 1 {
			exceptions.Panicf("field.MLP: Hidden[%d] is %d: every layer needs at least one unit", i, width)
		}
	}
	if m.ContextDim < 0 || m.TimeFeatures < 0 || m.TimeFeatures%2 != 0 {
		exceptions.Panicf("field.MLP: ContextDim is %d and TimeFeatures %d: neither may be negative, and TimeFeatures must be even",
			m.ContextDim, m.TimeFeatures)
	}
	dims := x.Shape().Dimensions
	if rank := m.EventRank(); len(dims) < rank || !slices.Equal(dims[len(dims)-rank:], m.EventShape) {
		exceptions.Panicf("field.MLP: x is %s: its shape must end in the event shape %s", x.Shape(), shape.Format(m.EventShape))
	}
	switch {
	case c == nil && m.ContextDim > 0:
		exceptions.Panicf("field.MLP: there is no context, and the field expects one of %d values: bind a context, or set ContextDim to 0", m.ContextDim)
	case c != nil && m.ContextDim == 0:
		exceptions.Panicf("field.MLP: the context is %s, and the field expects none: set ContextDim to its last axis, or bind no context", c.Shape())
	case c != nil && c.Shape().Dim(-1) != m.ContextDim:
		exceptions.Panicf("field.MLP: the context is %s, and the field expects %d values on its last axis (ContextDim)", c.Shape(), m.ContextDim)
	}
}

// String describes the network on one line, the same in every process, and the same for a
// default as for its value.
func (m MLP) String() string {
	m = m.WithDefaults()
	return fmt.Sprintf("MLP{event %s, hidden %v, context %d, time features %d, %v}",
		shape.Format(m.EventShape), m.Hidden, m.ContextDim, m.TimeFeatures, m.Activation)
}
