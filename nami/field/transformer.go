package field

import (
	"cmp"
	"fmt"
	"math"

	"github.com/nami-flow/go-nami/nami/internal/layer"
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
)

// Transformer is a network on tokens that attend to each other: events of shape [tokens,
// features], such as particles, atoms or the values of a time series. The time and the context
// modulate its blocks, which start as the identity (Peebles & Xie 2023, arXiv:2212.09748, section
// 3.2, "adaLN-Zero"):
//
//	h ← h + gate ⊙ attention((1 + scale) ⊙ norm(h) + shift)
//	h ← h + gate ⊙ W₂·act(W₁·((1 + scale) ⊙ norm(h) + shift) + b₁) + b₂
//
// Without Ordered it is a set transformer: the values change places as the tokens do (Lee et al.
// 2019, arXiv:1810.00825), and padding takes no part in anything (see [OnObjects]). Its work grows
// with the square of the number of tokens; [DeepSet] has one that grows with their number.
//
// Its variables are transformer/{input, condition}, transformer/block_<i>/attention/{query, key,
// value, out, shift, scale, gate}, transformer/block_<i>/each/{first, second, shift, scale, gate}
// and transformer/output/{shift, scale, last}, each with dense/weights, of shape [in, out], and
// dense/biases, of shape [out].
type Transformer struct {
	// EventShape is the shape of one event: {tokens, features}.
	EventShape []int

	// Width is the number of values of a token; 64 if 0.
	Width int

	// Blocks is the number of blocks; 4 if 0.
	Blocks int

	// Heads is the number of heads of an attention, which share Width; 4 if 0.
	Heads int

	// Ordered tells tokens apart by their place, by sines and cosines of it ([Sinusoidal]), as
	// those of a time series are.
	Ordered bool

	// ContextDim is the size of the context's last axis; 0 for an unconditional field.
	ContextDim int

	// TimeFeatures is the number of values that [Sinusoidal] makes of the time: an
	// even number. 0 feeds the plain time in (see [MLP]).
	TimeFeatures int

	// Activation is that of the layers; SiLU if unset.
	Activation activation.Type
}

var _ OnObjects = Transformer{}

// Validate reports parameters that are out of range.
func (f Transformer) Validate() error {
	if len(f.EventShape) != 2 || f.EventShape[0] < 1 || f.EventShape[1] < 1 {
		return fmt.Errorf("field.Transformer: EventShape is %s: give the numbers of tokens and of their features, as in {30, 3}", shape.Format(f.EventShape))
	}
	if err := checkHeads("field.Transformer", f.Width, f.Blocks, f.Heads); err != nil {
		return err
	}
	return checkConditioning("field.Transformer", f.ContextDim, f.TimeFeatures)
}

// checkHeads reports sizes of a transformer that are out of range, or don't fit each other.
func checkHeads(network string, width, blocks, heads int) error {
	if width < 0 || blocks < 0 || heads < 0 {
		return fmt.Errorf("%s: Width is %d, Blocks %d and Heads %d: none may be negative; 0 is the default", network, width, blocks, heads)
	}
	if width, heads := cmp.Or(width, 64), cmp.Or(heads, 4); width%heads != 0 || width%2 != 0 {
		return fmt.Errorf("%s: Width is %d and Heads %d: the width must be even, and a multiple of the number of heads, which share it", network, width, heads)
	}
	return nil
}

// WithDefaults returns the network with the usual values where none are given.
func (f Transformer) WithDefaults() Transformer {
	f.Width, f.Blocks, f.Heads = cmp.Or(f.Width, 64), cmp.Or(f.Blocks, 4), cmp.Or(f.Heads, 4)
	f.Activation = cmp.Or(f.Activation, activation.TypeSilu)
	return f
}

// EventRank implements [Field].
func (f Transformer) EventRank() int { return 2 }

// ContextShape is what [ContextShape] asks for.
func (f Transformer) ContextShape() []int { return vector(f.ContextDim) }

// Apply implements [Field]. It panics if x doesn't end in EventShape, or if there is
// a context where ContextDim is 0, none where it isn't, or one of another size.
func (f Transformer) Apply(scope *model.Scope, x, t, c *Node) *Node {
	return f.on(scope, x, t, c, nil)
}

// ApplyMasked implements [OnObjects].
func (f Transformer) ApplyMasked(scope *model.Scope, x, t, c, mask *Node) *Node {
	return f.on(scope, x, t, c, mask)
}

// on is the field; mask is nil where all tokens are present.
func (f Transformer) on(scope *model.Scope, x, t, c, mask *Node) *Node {
	must(f.Validate())
	checkEventAndContext("field.Transformer", f.EventShape, f.ContextDim, x, c)
	f = f.WithDefaults()
	tokens := tokenNetwork{
		width: f.Width, timeFeatures: f.TimeFeatures,
		trunk: trunk{blocks: f.Blocks, heads: f.Heads, hidden: 4 * f.Width, activation: f.Activation},
	}
	if f.Ordered {
		tokens.places = func(like *Node) *Node { return placed(like, f.EventShape[0], f.Width) }
	}
	return tokens.apply(scope.At("transformer"), x, t, c, mask)
}

// String describes the network on one line, the same in every process, and the same for a
// default as for its value.
func (f Transformer) String() string {
	f = f.WithDefaults()
	return fmt.Sprintf("Transformer{event %s, width %d, blocks %d, heads %d, ordered %v, context %d, time features %d, %v}",
		shape.Format(f.EventShape), f.Width, f.Blocks, f.Heads, f.Ordered, f.ContextDim, f.TimeFeatures, f.Activation)
}

// tokenNetwork is a transformer with what stands before and behind its blocks.
type tokenNetwork struct {
	trunk
	width, timeFeatures int
	// places are what tells tokens apart, [tokens, width], of the dtype of a node; nil if
	// nothing does.
	places func(like *Node) *Node
}

// apply is a field on tokens x, lead+[tokens, features].
func (k tokenNetwork) apply(scope *model.Scope, x, t, c, mask *Node) *Node {
	lead, event := shape.Lead(x, 2), x.Shape().Dimensions[x.Rank()-2:]
	n := shape.Size(lead)
	flat := func(of *Node) *Node { return Reshape(of, n, of.Shape().Dim(-1)) } // one axis for the lead

	features := timeFeatures(t, k.timeFeatures)
	var present *Node
	if c != nil || mask != nil {
		features = flat(leading(features, t, lead))
	} else if !t.IsScalar() {
		features = flat(features)
	}
	condition := []*Node{features}
	if mask != nil {
		present = Reshape(GreaterThan(mask, ConstAs(mask, 0.5)), n, event[0])
		// Attention takes means, and doesn't know of how many.
		condition = append(condition, ReduceAndKeep(ConvertDType(present, x.DType()), ReduceMean, -1))
	} else {
		condition = append(condition, OnesLike(SliceAxis(features, -1, AxisRange(0, 1))))
	}
	if c != nil {
		condition = append(condition, flat(c))
	}
	by := modulator{tokens: true, condition: activation.Apply(k.activation, layer.Dense(scope.At("condition"), Concatenate(condition, -1), k.width, math.Sqrt(6)))}
	h := layer.Dense(scope.At("input"), Reshape(x, n, event[0], event[1]), k.width, math.Sqrt(3))
	if k.places != nil {
		h = Add(h, ExpandLeftToRank(k.places(h), h.Rank()))
	}
	h = k.trunk.apply(scope, h, present, by)
	output := scope.At("output")
	return Reshape(layer.Dense(output.At("last"), by.modulated(output, h), event[1], 1), x.Shape().Dimensions...)
}

// placed are width features of the places of n tokens in a row, [n, width].
func placed(like *Node, n, width int) *Node {
	places := make([]float64, n)
	for i := range places {
		places[i] = float64(i) / 1000 // Sinusoidal's frequencies are for times up to 1, in thousandths
	}
	return Sinusoidal(ConstAsDType(like.Graph(), like.DType(), places), width)
}
