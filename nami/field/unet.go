package field

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/nami-flow/go-nami/nami/internal/layer"
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
)

// UNet is a convolutional network for images, events of shape [height, width, channels], as
// diffusion models have it (Ho et al. 2020, arXiv:2006.11239, appendix B): residual blocks at
// several resolutions, each half of that before, down and up again, where each resolution takes
// up what it had on the way down. A block is
//
//	h + conv₂(act(norm₂(conv₁(act(norm₁(h))) + W·e)))
//
// with group normalisation and e, the features of the time and the context, passed through two
// layers of 4·Width units. Where the number of channels changes, h passes through a convolution
// with one pixel.
//
// Its variables are unet/{embedding_0, embedding_1}/dense, unet/{in, out}/conv, unet/norm, and for
// each resolution <l> and block <i> unet/{down, up}_<l>/block_<i>/{norm_0, conv_0/conv, embedding/
// dense, norm_1, conv_1/conv, skip/conv}, with attention besides where it is asked for, and
// unet/{halve, double}_<l>/conv. Those of conv are weights, [rows, columns, in, out], and biases,
// [out]; those of norms scale and offset.
type UNet struct {
	// EventShape is the shape of one event: {height, width, channels}. Both sides must be
	// divisible by 2 for each resolution but the first.
	EventShape []int

	// Width is the number of channels at the first resolution; 32 if 0.
	Width int

	// Multiples are the numbers of channels at each resolution, in units of Width; {1, 2} if
	// empty, which is two resolutions.
	Multiples []int

	// Blocks is the number of residual blocks at each resolution, down and up; 2 if 0.
	Blocks int

	// Attention are the resolutions, from 0, whose blocks are followed by attention among
	// pixels; none if empty. Its work grows with the square of the number of pixels.
	Attention []int

	// Heads is the number of heads of an attention; 1 if 0.
	Heads int

	// Groups is the number of groups of channels in a normalisation; 8 if 0.
	Groups int

	// ContextDim is the size of the context's last axis; 0 for an unconditional field.
	ContextDim int

	// TimeFeatures is the number of values that [Sinusoidal] makes of the time, an
	// even number; Width if 0.
	TimeFeatures int

	// Activation is that of the layers; SiLU if unset.
	Activation activation.Type
}

// Validate reports parameters that are out of range.
func (u UNet) Validate() error {
	if err := checkImage("field.UNet", u.EventShape); err != nil {
		return err
	}
	if u.Width < 0 || u.Blocks < 0 || u.Heads < 0 || u.Groups < 0 {
		return fmt.Errorf("field.UNet: Width is %d, Blocks %d, Heads %d and Groups %d: none may be negative; 0 is the default", u.Width, u.Blocks, u.Heads, u.Groups)
	}
	d := u.WithDefaults()
	for l, m := range d.Multiples {
		switch {
		case m < 1:
			return fmt.Errorf("field.UNet: Multiples are %v: each must be at least 1", d.Multiples)
		case d.Width*m%d.Groups != 0:
			return fmt.Errorf("field.UNet: resolution %d has %d channels, and there are %d Groups: the number of groups must divide Width", l, d.Width*m, d.Groups)
		case slices.Contains(d.Attention, l) && d.Width*m%d.Heads != 0:
			return fmt.Errorf("field.UNet: resolution %d has %d channels, and there are %d Heads, which must divide them", l, d.Width*m, d.Heads)
		}
	}
	parts := 1 << (len(d.Multiples) - 1)
	if u.EventShape[0]%parts != 0 || u.EventShape[1]%parts != 0 {
		return fmt.Errorf("field.UNet: images of %d × %d pixels can't be halved %d times, for %d resolutions: give fewer Multiples, or pad the images to a multiple of %d",
			u.EventShape[0], u.EventShape[1], len(d.Multiples)-1, len(d.Multiples), parts)
	}
	for _, l := range d.Attention {
		if l < 0 || l >= len(d.Multiples) {
			return fmt.Errorf("field.UNet: Attention at resolution %d: there are %d, from 0", l, len(d.Multiples))
		}
	}
	return checkConditioning("field.UNet", u.ContextDim, d.TimeFeatures)
}

// WithDefaults returns the network with the usual values where none are given.
func (u UNet) WithDefaults() UNet {
	u.Width, u.Blocks, u.Heads, u.Groups = cmp.Or(u.Width, 32), cmp.Or(u.Blocks, 2), cmp.Or(u.Heads, 1), cmp.Or(u.Groups, 8)
	if len(u.Multiples) == 0 {
		u.Multiples = []int{1, 2}
	}
	u.TimeFeatures = cmp.Or(u.TimeFeatures, u.Width)
	u.Activation = cmp.Or(u.Activation, activation.TypeSilu)
	return u
}

// EventRank implements [Field].
func (u UNet) EventRank() int { return 3 }

// ContextShape is what [ContextShape] asks for.
func (u UNet) ContextShape() []int { return vector(u.ContextDim) }

// Apply implements [Field]. It panics if x doesn't end in EventShape, or if there is
// a context where ContextDim is 0, none where it isn't, or one of another size.
func (u UNet) Apply(scope *model.Scope, x, t, c *Node) *Node {
	must(u.Validate())
	checkEventAndContext("field.UNet", u.EventShape, u.ContextDim, x, c)
	u = u.WithDefaults()
	scope = scope.At("unet")
	lead := shape.Lead(x, 3)
	e := timeFeatures(t, u.TimeFeatures)
	if c != nil {
		e = Concatenate([]*Node{leading(e, t, lead), c}, -1)
	}
	if e.Rank() > 1 {
		e = Reshape(e, shape.Size(lead), e.Shape().Dim(-1))
	}
	for i := range 2 {
		e = u.act(layer.Dense(scope.At("embedding_%d", i), e, 4*u.Width, math.Sqrt(6)))
	}
	// Inside, the batch is the last axis: see layer.Convolution.
	h := TransposeAllAxes(Reshape(x, append([]int{shape.Size(lead)}, u.EventShape...)...), 3, 1, 2, 0)
	h = layer.Convolution(scope.At("in"), h, u.Width*u.Multiples[0], layer.Both(3), layer.Both(1), math.Sqrt(3))
	var kept []*Node
	last := len(u.Multiples) - 1
	for l := range u.Multiples {
		h = u.blocks(scope.At("down_%d", l), h, e, l)
		if l < last {
			kept = append(kept, h)
			h = layer.Convolution(scope.At("halve_%d", l), h, h.Shape().Dim(0), layer.Both(3), layer.Both(2), math.Sqrt(3))
		}
	}
	for l := last - 1; l >= 0; l-- {
		h = layer.Convolution(scope.At("double_%d", l), layer.Enlarged(h), u.Width*u.Multiples[l], layer.Both(3), layer.Both(1), math.Sqrt(3))
		h = u.blocks(scope.At("up_%d", l), Concatenate([]*Node{h, kept[l]}, 0), e, l)
	}
	h = u.act(layer.GroupNormalized(scope.At("norm"), h, u.Groups))
	h = layer.Convolution(scope.At("out"), h, u.EventShape[2], layer.Both(3), layer.Both(1), 1)
	return Reshape(TransposeAllAxes(h, 3, 1, 2, 0), x.Shape().Dimensions...)
}

func (u UNet) act(h *Node) *Node { return activation.Apply(u.Activation, h) }

// blocks are those of a resolution l.
func (u UNet) blocks(scope *model.Scope, h, e *Node, l int) *Node {
	channels := u.Width * u.Multiples[l]
	for i := range u.Blocks {
		block := scope.At("block_%d", i)
		v := layer.Convolution(block.At("conv_0"), u.act(layer.GroupNormalized(block.At("norm_0"), h, u.Groups)), channels, layer.Both(3), layer.Both(1), math.Sqrt(6))
		shift := layer.Dense(block.At("embedding"), e, channels, 1) // [n, channels], or [channels] for one time
		if shift.Rank() > 1 {
			shift = Transpose(shift, 0, 1)
		}
		v = Add(v, Reshape(shift, channels, 1, 1, -1))
		v = layer.Convolution(block.At("conv_1"), u.act(layer.GroupNormalized(block.At("norm_1"), v, u.Groups)), channels, layer.Both(3), layer.Both(1), 1)
		if h.Shape().Dim(0) != channels {
			h = layer.Convolution(block.At("skip"), h, channels, layer.Both(1), layer.Both(1), math.Sqrt(3))
		}
		h = Add(h, v)
		if slices.Contains(u.Attention, l) {
			attend := block.At("attention")
			dims := h.Shape().Dimensions
			pixels := Reshape(layer.GroupNormalized(attend.At("norm"), h, u.Groups), channels, dims[1]*dims[2], dims[3])
			pixels = layer.Attention(attend, TransposeAllAxes(pixels, 2, 1, 0), nil, u.Heads)
			h = Add(h, Reshape(TransposeAllAxes(pixels, 2, 1, 0), dims...))
		}
	}
	return h
}

// String describes the network on one line, the same in every process, and the same for a
// default as for its value.
func (u UNet) String() string {
	u = u.WithDefaults()
	return fmt.Sprintf("UNet{event %s, width %d, multiples %v, blocks %d, attention %v with %d heads, groups %d, context %d, time features %d, %v}",
		shape.Format(u.EventShape), u.Width, u.Multiples, u.Blocks, u.Attention, u.Heads, u.Groups, u.ContextDim, u.TimeFeatures, u.Activation)
}
