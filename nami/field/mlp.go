package field

import (
	"fmt"
	"math"

	"github.com/nami-flow/go-nami/nami/internal/layer"
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
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

// Validate reports parameters that are out of range.
func (m MLP) Validate() error {
	for i, width := range m.Hidden {
		if width < 1 {
			return fmt.Errorf("field.MLP: Hidden[%d] is %d: every layer needs at least one unit", i, width)
		}
	}
	return checkConditioning("field.MLP", m.ContextDim, m.TimeFeatures)
}

// EventRank implements [Field].
func (m MLP) EventRank() int { return len(m.EventShape) }

// ContextShape is what [ContextShape] asks for.
func (m MLP) ContextShape() []int { return vector(m.ContextDim) }

// Apply implements [Field]. It panics if x doesn't end in EventShape, or if there is
// a context where ContextDim is 0, none where it isn't, or one of another size.
func (m MLP) Apply(scope *model.Scope, x, t, c *Node) *Node {
	act := m.WithDefaults().Activation
	return m.layers(scope, x, t, c, func(z *Node) *Node { return activation.Apply(act, z) })
}

// layers is Apply with that function as the activation.
func (m MLP) layers(scope *model.Scope, x, t, c *Node, act func(z *Node) *Node) *Node {
	must(m.Validate())
	checkEventAndContext("field.MLP", m.EventShape, m.ContextDim, x, c)
	time := leading(timeFeatures(t, m.TimeFeatures), t, shape.Lead(x, m.EventRank()))
	features := []*Node{shape.Flatten(x, m.EventRank()), time}
	if c != nil {
		features = append(features, c)
	}
	hidden := m.WithDefaults().Hidden
	h := Concatenate(features, -1)
	for i, width := range hidden {
		h = act(layer.Dense(m.layer(scope, i), h, width, math.Sqrt(6)))
	}
	h = layer.Dense(m.layer(scope, len(hidden)), h, shape.Size(m.EventShape), 1)
	return shape.Unflatten(h, m.EventShape)
}

// layer is the scope of a layer.
func (MLP) layer(scope *model.Scope, i int) *model.Scope { return scope.At("mlp").At("layer_%d", i) }

// ApplyWithDivergence implements [Divergent]. It costs one product more than Apply for each hidden
// layer after the first and each value of the event, and with two hidden layers a single one.
func (m MLP) ApplyWithDivergence(scope *model.Scope, x, t, c *Node) (value, divergence *Node) {
	return m.withTrace(scope, x, t, c, nil)
}

func (m MLP) carriesTangents(f Field) bool {
	_, is := f.(MLP)
	return is && ofEachUnit(m.Activation)
}

func (m MLP) withTrace(scope *model.Scope, x, t, c, counted *Node) (value, trace *Node) {
	lead := shape.Lead(x, m.EventRank())
	net := chain{n: shape.Size(lead)}
	value = m.layers(scope, x, t, c, func(z *Node) *Node {
		a, rate := activated(m.WithDefaults().Activation, z)
		net.rates = append(net.rates, asRows(rate))
		return a
	})
	for i := range len(net.rates) + 1 {
		net.weights = append(net.weights, layer.Weights(m.layer(scope, i), x))
	}
	net.weights[0] = rows(net.weights[0], 0, shape.Size(m.EventShape)) // the others are the time's and the context's
	return value, Reshape(net.trace(counted), lead...)
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

// String describes the network on one line, the same in every process, and the same for a
// default as for its value.
func (m MLP) String() string {
	m = m.WithDefaults()
	return fmt.Sprintf("MLP{event %s, hidden %v, context %d, time features %d, %v}",
		shape.Format(m.EventShape), m.Hidden, m.ContextDim, m.TimeFeatures, m.Activation)
}
