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

// DeepSet is a network on sets of objects, such as particles: events of shape [objects,
// features], whose values change places as the objects do (Zaheer et al. 2017, arXiv:1703.06114,
// section 3 and eq. 4). A layer makes of the values h of an object
//
//	act(h·W + mean(h)·P + z·Z + b)
//
// with the mean over the event's objects, and z the time, the context and the share of objects
// that aren't padding; all layers but the first add it to h. It takes masks (see [OnObjects]):
// padding is no part of any mean.
//
// Its variables are deep_set/layer_<i>/{each, pooled, condition} and deep_set/last, each with
// dense/weights, of shape [in, out], and dense/biases, of shape [out].
type DeepSet struct {
	// EventShape is the shape of one event: {objects, features}.
	EventShape []int

	// Width is the number of values of an object in each layer; 64 if 0.
	Width int

	// Layers is the number of layers before the last, which is linear; 3 if 0.
	Layers int

	// ContextDim is the size of the context's last axis; 0 for an unconditional field.
	ContextDim int

	// TimeFeatures is the number of values that [Sinusoidal] makes of the time: an
	// even number. 0 feeds the plain time in (see [MLP]).
	TimeFeatures int

	// Activation is that of the layers; SiLU if unset.
	Activation activation.Type
}

var _ OnObjects = DeepSet{}

// Validate reports parameters that are out of range.
func (d DeepSet) Validate() error {
	if len(d.EventShape) != 2 || d.EventShape[0] < 1 || d.EventShape[1] < 1 {
		return fmt.Errorf("field.DeepSet: EventShape is %s: give the numbers of objects and of their features, as in {30, 3}", shape.Format(d.EventShape))
	}
	if d.Width < 0 || d.Layers < 0 {
		return fmt.Errorf("field.DeepSet: Width is %d and Layers %d: neither may be negative; 0 is the default", d.Width, d.Layers)
	}
	return checkConditioning("field.DeepSet", d.ContextDim, d.TimeFeatures)
}

// WithDefaults returns the network with the usual values where none are given.
func (d DeepSet) WithDefaults() DeepSet {
	d.Width, d.Layers = cmp.Or(d.Width, 64), cmp.Or(d.Layers, 3)
	d.Activation = cmp.Or(d.Activation, activation.TypeSilu)
	return d
}

// EventRank implements [Field].
func (d DeepSet) EventRank() int { return 2 }

// ContextShape is what [ContextShape] asks for.
func (d DeepSet) ContextShape() []int { return vector(d.ContextDim) }

// Apply implements [Field]. It panics if x doesn't end in EventShape, or if there is
// a context where ContextDim is 0, none where it isn't, or one of another size.
func (d DeepSet) Apply(scope *model.Scope, x, t, c *Node) *Node {
	must(d.Validate())
	checkEventAndContext("field.DeepSet", d.EventShape, d.ContextDim, x, c)
	return d.ApplyMasked(scope, x, t, c, OnesLike(Squeeze(SliceAxis(x, -1, AxisElem(0)), -1)))
}

// ApplyMasked implements [OnObjects].
func (d DeepSet) ApplyMasked(scope *model.Scope, x, t, c, mask *Node) *Node {
	must(d.Validate())
	checkEventAndContext("field.DeepSet", d.EventShape, d.ContextDim, x, c)
	d = d.WithDefaults()
	scope = scope.At("deep_set")

	present := InsertAxes(ConvertDType(GreaterThan(mask, ConstAs(mask, 0.5)), x.DType()), -1) // lead+[objects, 1]
	count := ReduceSum(present, -2)                                                           // lead+[1]
	features := []*Node{leading(timeFeatures(t, d.TimeFeatures), t, shape.Lead(x, 2)), MulScalar(count, 1/float64(d.EventShape[0]))}
	if c != nil {
		features = append(features, c)
	}
	condition := Concatenate(features, -1)
	// for all objects of an event alike
	shared := func(scope *model.Scope, n *Node) *Node { return InsertAxes(layer.Dense(scope, n, d.Width, 1), -2) }
	mean := func(h *Node) *Node { return Div(ReduceSum(Mul(h, present), -2), MaxScalar(count, 1)) }
	h := x
	for i := range d.Layers {
		at := scope.At("layer_%d", i)
		u := layer.Dense(at.At("each"), h, d.Width, math.Sqrt(6))
		u = Add(u, Add(shared(at.At("pooled"), mean(h)), shared(at.At("condition"), condition)))
		u = activation.Apply(d.Activation, u)
		if i > 0 {
			u = Add(u, h)
		}
		h = u
	}
	return layer.Dense(scope.At("last"), h, d.EventShape[1], 1)
}

// String describes the network on one line, the same in every process, and the same for a
// default as for its value.
func (d DeepSet) String() string {
	d = d.WithDefaults()
	return fmt.Sprintf("DeepSet{event %s, width %d, layers %d, context %d, time features %d, %v}",
		shape.Format(d.EventShape), d.Width, d.Layers, d.ContextDim, d.TimeFeatures, d.Activation)
}
