package field

import (
	"cmp"
	"fmt"
	"math"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/layer"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/nn"
)

// Residual is a residual network whose blocks are modulated by the time and the context: adaptive
// layer normalisation with a gate (Peebles & Xie 2023, arXiv:2212.09748, section 3.2, "adaLN-Zero";
// without attention), after FiLM (Perez et al. 2018, arXiv:1709.07871). The flattened event, and
// its Fourier features if asked for, make Width values h. A block adds to them
//
//	gate ⊙ W₂·act(W₁·((1 + scale) ⊙ norm(h) + shift) + b₁) + b₂
//
// where norm makes mean 0 and variance 1 of the values of an event, and shift, scale and gate are
// linear in a hidden layer of Width/4 units on the time and the context. The output is linear in
// (1 + scale) ⊙ h + shift, so that the field can grow with the event as a velocity does. Shifts,
// scales and gates start at zero: each block starts as the identity, and a deep network learns as
// easily as a shallow one.
//
// Its variables are residual/input, residual/condition, residual/block_<i>/{first, second, shift,
// scale, gate} and residual/output/{shift, scale, last}, each with dense/weights, of shape
// [in, out], and dense/biases, of shape [out]; and residual/frequencies, of shape
// [event size, Frequencies], which isn't trained.
type Residual struct {
	// EventShape is the shape of one event, of any rank; empty for scalar events.
	EventShape []int

	// Width is the number of values that the blocks add to, and that of their hidden units;
	// 64 if 0.
	Width int

	// Blocks is the number of blocks; 2 if 0.
	Blocks int

	// ContextDim is the size of the context's last axis; 0 for an unconditional field.
	ContextDim int

	// TimeFeatures is the number of values that [Sinusoidal] makes of the time: an
	// even number. 0 feeds the plain time in (see [MLP]).
	TimeFeatures int

	// Frequencies is the number of random frequencies ω of the event x, whose features
	// sin(ω·x) and cos(ω·x) stand beside x: with them a network learns edges and other detail
	// sooner (Tancik et al. 2020, arXiv:2006.10739). 16 do for points. There are none if 0.
	Frequencies int

	// Bandwidth is the standard deviation of the normal law from which each component of the
	// frequencies is drawn, in radians for a unit of x; 2 if 0, which is right for detail
	// of a fraction of the standard deviation in data that are standardised.
	Bandwidth float64

	// Activation is that of the hidden layers; SiLU if unset.
	Activation activation.Type
}

// Validate reports parameters that are out of range.
func (r Residual) Validate() error {
	switch {
	case r.Width < 0 || r.Blocks < 0:
		return fmt.Errorf("field.Residual: Width is %d and Blocks %d: neither may be negative; 0 is the default", r.Width, r.Blocks)
	case r.Frequencies < 0:
		return fmt.Errorf("field.Residual: Frequencies is %d: give the number of frequencies, 0 for none", r.Frequencies)
	case !(r.Bandwidth >= 0) || math.IsInf(r.Bandwidth, 0):
		return fmt.Errorf("field.Residual: Bandwidth is %v: it must be positive and finite, or 0 for 2", r.Bandwidth)
	}
	return checkConditioning("field.Residual", r.ContextDim, r.TimeFeatures)
}

// WithDefaults returns the network with the usual values where none are given.
func (r Residual) WithDefaults() Residual {
	r.Width, r.Blocks, r.Bandwidth = cmp.Or(r.Width, 64), cmp.Or(r.Blocks, 2), cmp.Or(r.Bandwidth, 2)
	r.Activation = cmp.Or(r.Activation, activation.TypeSilu)
	return r
}

// EventRank implements [Field].
func (r Residual) EventRank() int { return len(r.EventShape) }

// ContextShape is what [ContextShape] asks for.
func (r Residual) ContextShape() []int { return vector(r.ContextDim) }

// Apply implements [Field]. It panics if x doesn't end in EventShape, or if there is
// a context where ContextDim is 0, none where it isn't, or one of another size.
func (r Residual) Apply(scope *model.Scope, x, t, c *Node) *Node {
	act := r.WithDefaults().Activation
	value, _ := r.layers(scope, x, t, c, func(z *Node) *Node { return activation.Apply(act, z) })
	return value
}

// layers is Apply with that function as the activation of the blocks, and what passes through
// them.
func (r Residual) layers(scope *model.Scope, x, t, c *Node, act func(z *Node) *Node) (value *Node, passed residualUnits) {
	must(r.Validate())
	checkEventAndContext("field.Residual", r.EventShape, r.ContextDim, x, c)
	r = r.WithDefaults()
	scope = scope.At("residual")

	narrower := max(1, r.Width/4) // a modulation costs as much as a layer otherwise
	h := layer.Dense(scope.At("input"), r.features(scope, shape.Flatten(x, r.EventRank())), r.Width, math.Sqrt(3))
	condition := activation.Apply(r.Activation, layer.Dense(scope.At("condition"), r.condition(x, t, c), narrower, math.Sqrt(6)))
	by := modulator{condition: condition}
	for i := range r.Blocks {
		block := scope.At("block_%d", i)
		u, scale := by.scaled(block, layer.Normalized(h))
		u = layer.Dense(block.At("second"), act(layer.Dense(block.At("first"), u, r.Width, math.Sqrt(6))), r.Width, math.Sqrt(3))
		gate := by.factor(block, "gate", u)
		passed.blocks = append(passed.blocks, residualBlock{h: h, scale: scale, gate: gate})
		h = Add(h, Mul(gate, u))
	}
	output := scope.At("output")
	h, passed.scale = by.scaled(output, h)
	h = layer.Dense(output.At("last"), h, shape.Size(r.EventShape), 1)
	return shape.Unflatten(h, r.EventShape), passed
}

// features are the flattened events x and, if there are frequencies, sin(ω·x) and cos(ω·x).
func (r Residual) features(scope *model.Scope, x *Node) *Node {
	if r.Frequencies == 0 {
		return x
	}
	scope = scope.WithInitializer(func(g *Graph, s shapes.Shape) *Node {
		return MulScalar(gomlx.Normal(scope, g, s), r.Bandwidth)
	})
	frequencies := scope.VariableWithShape("frequencies", shapes.Make(x.DType(), x.Shape().Dim(-1), r.Frequencies)).SetTrainable(false)
	angle := nn.Dense(x, frequencies.NodeValue(x), nil, compute.DenseLayoutInputOutputs)
	return Concatenate([]*Node{x, Sin(angle), Cos(angle)}, -1)
}

// condition is what modulates: the time's features, and the context if there is one. Its lead
// is that of x, or none where one time stands for all events and there is no context.
func (r Residual) condition(x, t, c *Node) *Node {
	if c == nil {
		return timeFeatures(t, r.TimeFeatures)
	}
	return Concatenate([]*Node{leading(timeFeatures(t, r.TimeFeatures), t, shape.Lead(x, r.EventRank())), c}, -1)
}

// String describes the network on one line, the same in every process, and the same for a
// default as for its value.
func (r Residual) String() string {
	r = r.WithDefaults()
	return fmt.Sprintf("Residual{event %s, width %d, blocks %d, context %d, time features %d, frequencies %d of bandwidth %g, %v}",
		shape.Format(r.EventShape), r.Width, r.Blocks, r.ContextDim, r.TimeFeatures, r.Frequencies, r.Bandwidth, r.Activation)
}
