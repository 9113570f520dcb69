package field

import (
	"cmp"
	"fmt"

	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
)

// DiT is the diffusion transformer (Peebles & Xie 2023, arXiv:2212.09748) for images, events of
// shape [height, width, channels]: an image is cut into square patches, each of which is a token
// of a [Transformer] that knows its row and column, and each token ends as the values of its
// patch. The class of an image is a context like any other, one-hot or embedded.
//
// Its variables are those of Transformer, below dit in place of transformer.
type DiT struct {
	// EventShape is the shape of one event: {height, width, channels}.
	EventShape []int

	// Patch is the number of pixels of a patch's side, which divides height and width; 2 if 0.
	// The work grows with Patch⁻⁴.
	Patch int

	// Width is the number of values of a token; 64 if 0.
	Width int

	// Blocks is the number of blocks; 4 if 0.
	Blocks int

	// Heads is the number of heads of an attention, which share Width; 4 if 0.
	Heads int

	// ContextDim is the size of the context's last axis; 0 for an unconditional field.
	ContextDim int

	// TimeFeatures is the number of values that [Sinusoidal] makes of the time: an
	// even number. 0 feeds the plain time in (see [MLP]).
	TimeFeatures int

	// Activation is that of the layers; SiLU if unset.
	Activation activation.Type
}

// Validate reports parameters that are out of range.
func (d DiT) Validate() error {
	if err := checkImage("field.DiT", d.EventShape); err != nil {
		return err
	}
	if patch := cmp.Or(d.Patch, 2); patch < 1 || d.EventShape[0]%patch != 0 || d.EventShape[1]%patch != 0 {
		return fmt.Errorf("field.DiT: Patch is %d for images of %d × %d pixels: it must be positive and divide both", patch, d.EventShape[0], d.EventShape[1])
	}
	if err := checkHeads("field.DiT", d.Width, d.Blocks, d.Heads); err != nil {
		return err
	}
	if d.Width%4 != 0 {
		return fmt.Errorf("field.DiT: Width is %d: it must be a multiple of 4, for sines and cosines of rows and columns", d.Width)
	}
	return checkConditioning("field.DiT", d.ContextDim, d.TimeFeatures)
}

// checkImage reports an event shape that isn't that of images.
func checkImage(network string, event []int) error {
	if len(event) != 3 || event[0] < 1 || event[1] < 1 || event[2] < 1 {
		return fmt.Errorf("%s: EventShape is %s: give the height, the width and the number of channels, as in {28, 28, 1}", network, shape.Format(event))
	}
	return nil
}

// WithDefaults returns the network with the usual values where none are given.
func (d DiT) WithDefaults() DiT {
	d.Patch, d.Width, d.Blocks, d.Heads = cmp.Or(d.Patch, 2), cmp.Or(d.Width, 64), cmp.Or(d.Blocks, 4), cmp.Or(d.Heads, 4)
	d.Activation = cmp.Or(d.Activation, activation.TypeSilu)
	return d
}

// EventRank implements [Field].
func (d DiT) EventRank() int { return 3 }

// ContextShape is what [ContextShape] asks for.
func (d DiT) ContextShape() []int { return vector(d.ContextDim) }

// Apply implements [Field]. It panics if x doesn't end in EventShape, or if there is
// a context where ContextDim is 0, none where it isn't, or one of another size.
func (d DiT) Apply(scope *model.Scope, x, t, c *Node) *Node {
	must(d.Validate())
	checkEventAndContext("field.DiT", d.EventShape, d.ContextDim, x, c)
	d = d.WithDefaults()
	height, width, channels, side := d.EventShape[0], d.EventShape[1], d.EventShape[2], d.Patch
	rows, columns := height/side, width/side
	lead := shape.Lead(x, 3)
	n := shape.Size(lead)
	patches := Transpose(Reshape(x, n, rows, side, columns, side*channels), 2, 3)
	tokens := Reshape(patches, append(append([]int{}, lead...), rows*columns, side*side*channels)...)
	v := tokenNetwork{
		width: d.Width, timeFeatures: d.TimeFeatures,
		trunk: trunk{blocks: d.Blocks, heads: d.Heads, hidden: 4 * d.Width, activation: d.Activation},
		places: func(like *Node) *Node {
			of := func(n, axis int) *Node {
				return BroadcastToDims(InsertAxes(placed(like, n, d.Width/2), axis), rows, columns, d.Width/2)
			}
			return Reshape(Concatenate([]*Node{of(rows, 1), of(columns, 0)}, -1), rows*columns, d.Width)
		},
	}.apply(scope.At("dit"), tokens, t, c, nil)
	return Reshape(Transpose(Reshape(v, n, rows, columns, side, side*channels), 2, 3), x.Shape().Dimensions...)
}

// String describes the network on one line, the same in every process, and the same for a
// default as for its value.
func (d DiT) String() string {
	d = d.WithDefaults()
	return fmt.Sprintf("DiT{event %s, patch %d, width %d, blocks %d, heads %d, context %d, time features %d, %v}",
		shape.Format(d.EventShape), d.Patch, d.Width, d.Blocks, d.Heads, d.ContextDim, d.TimeFeatures, d.Activation)
}
