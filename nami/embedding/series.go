package embedding

import (
	"cmp"
	"fmt"
	"math"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/layer"
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Series embeds a time series, or other values in a row: conditions of shape [Length, Channels],
// by convolutions that halve the length until 8 or fewer places are left, and a layer on what
// they have there, so that it tells early from late.
//
// Its variables are conv_<i>/conv/{weights, biases}, with weights of shape [3, 1, in, out], and
// last/dense/{weights, biases}.
type Series struct {
	// Length is the number of places in the row, and Channels that of values at each.
	Length, Channels int

	// Values is the number of values of the vector.
	Values int

	// Width is the number of channels of the convolutions; 32 if 0.
	Width int
}

var _ field.Embedding = Series{}

// Validate reports parameters that are out of range.
func (e Series) Validate() error {
	if e.Length < 1 || e.Channels < 1 || e.Values < 1 || e.Width < 0 {
		return fmt.Errorf("embedding.Series: Length is %d, Channels %d, Values %d and Width %d: each must be at least 1, or Width 0 for 32", e.Length, e.Channels, e.Values, e.Width)
	}
	return nil
}

// WithDefaults returns the embedding with the usual values where none are given.
func (e Series) WithDefaults() Series {
	e.Width = cmp.Or(e.Width, 32)
	return e
}

// ContextShape implements [field.Embedding].
func (e Series) ContextShape() []int { return []int{e.Length, e.Channels} }

// Size implements [field.Embedding].
func (e Series) Size() int { return e.Values }

// Embed implements [field.Embedding]. It panics if conditions have another shape.
func (e Series) Embed(scope *model.Scope, c *Node) *Node {
	must(e.Validate())
	checkCondition("Series", e, c)
	return convolutions(scope, c, len(e.ContextShape()), [3]int{e.Length, 1, e.Channels}, e.WithDefaults().Width, e.Values)
}

// String describes the embedding on one line.
func (e Series) String() string {
	return fmt.Sprintf("Series{%d of %d to %d, width %d}", e.Length, e.Channels, e.Values, e.WithDefaults().Width)
}

// Image embeds images: conditions of shape [Height, Width, Channels], by convolutions that halve
// both sides until 8 or fewer rows and columns are left, and a layer on what they have there.
//
// Its variables are those of [Series], with weights of shape [3, 3, in, out].
type Image struct {
	// Height and Width are the numbers of rows and columns, and Channels that of values in each.
	Height, Width, Channels int

	// Values is the number of values of the vector.
	Values int

	// Filters is the number of channels of the convolutions; 32 if 0.
	Filters int
}

var _ field.Embedding = Image{}

// Validate reports parameters that are out of range.
func (e Image) Validate() error {
	if e.Height < 1 || e.Width < 1 || e.Channels < 1 || e.Values < 1 || e.Filters < 0 {
		return fmt.Errorf("embedding.Image: Height is %d, Width %d, Channels %d, Values %d and Filters %d: each must be at least 1, or Filters 0 for 32",
			e.Height, e.Width, e.Channels, e.Values, e.Filters)
	}
	return nil
}

// WithDefaults returns the embedding with the usual values where none are given.
func (e Image) WithDefaults() Image {
	e.Filters = cmp.Or(e.Filters, 32)
	return e
}

// ContextShape implements [field.Embedding].
func (e Image) ContextShape() []int { return []int{e.Height, e.Width, e.Channels} }

// Size implements [field.Embedding].
func (e Image) Size() int { return e.Values }

// Embed implements [field.Embedding]. It panics if conditions have another shape.
func (e Image) Embed(scope *model.Scope, c *Node) *Node {
	must(e.Validate())
	checkCondition("Image", e, c)
	return convolutions(scope, c, len(e.ContextShape()), [3]int{e.Height, e.Width, e.Channels}, e.WithDefaults().Filters, e.Values)
}

// String describes the embedding on one line.
func (e Image) String() string {
	return fmt.Sprintf("Image{%d × %d of %d to %d, filters %d}", e.Height, e.Width, e.Channels, e.Values, e.WithDefaults().Filters)
}

// few is the number of places along a side that a last layer takes.
const few = 8

// convolutions embed conditions, of so many axes, as images.
func convolutions(scope *model.Scope, c *Node, rank int, image [3]int, filters, values int) *Node {
	lead := shape.Lead(c, rank)
	// As layer.Convolution has images, with the batch last.
	h := TransposeAllAxes(Reshape(c, shape.Size(lead), image[0], image[1], image[2]), 3, 1, 2, 0)
	sides := [2]int{image[0], image[1]}
	for i := 0; i == 0 || max(sides[0], sides[1]) > few; i++ {
		window, stride := layer.Both(3), layer.Both(1)
		for axis, n := range sides {
			if n == 1 {
				window[axis] = 1
			}
			if n > few {
				stride[axis], sides[axis] = 2, (n+1)/2
			}
		}
		h = silu(layer.Convolution(scope.At("conv_%d", i), h, filters, window, stride, math.Sqrt(6)))
	}
	h = TransposeAllAxes(h, 3, 1, 2, 0)
	v := layer.Dense(scope.At("last"), Reshape(h, shape.Size(lead), sides[0]*sides[1]*filters), values, math.Sqrt(3))
	return Reshape(v, append(append([]int{}, lead...), values)...)
}
