package layer

import (
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
)

// Normalized has mean 0 and variance 1 on the last axis of h. GoMLX's nn.LayerNorm is one operation
// on the pure Go backend, which has no derivative within the gradient of a likelihood.
func Normalized(h *Node) *Node {
	h = Sub(h, ReduceAndKeep(h, ReduceMean, -1))
	variance := ReduceAndKeep(Square(h), ReduceMean, -1)
	return Div(h, Sqrt(AddScalar(variance, 1e-5)))
}

// NormalizedTangents are the derivatives of [Normalized] at h, [n, k], along tangents j,
// [n, directions, k]: with y = (h - mean)/σ they are (j - mean(j) - y·mean(y·j))/σ.
func NormalizedTangents(h, j *Node) *Node {
	h = Sub(h, ReduceAndKeep(h, ReduceMean, -1))
	sigma := Sqrt(AddScalar(ReduceAndKeep(Square(h), ReduceMean, -1), 1e-5))
	y := InsertAxes(Div(h, sigma), 1)
	j = Sub(j, ReduceAndKeep(j, ReduceMean, -1))
	j = Sub(j, Mul(y, ReduceAndKeep(Mul(y, j), ReduceMean, -1)))
	return Div(j, InsertAxes(sigma, 1))
}

// GroupNormalized has mean 0 and variance 1 over the pixels and channels of each group of channels
// of an image, [channels, height, width, n] (Wu & He 2018, arXiv:1803.08494), and then a scale and
// an offset for each channel.
func GroupNormalized(scope *model.Scope, h *Node, groups int) *Node {
	dims := h.Shape().Dimensions
	channels := dims[0]
	g := Reshape(h, groups, channels/groups, dims[1], dims[2], dims[3])
	g = Sub(g, ReduceAndKeep(g, ReduceMean, 1, 2, 3))
	deviation := Sqrt(AddScalar(ReduceAndKeep(Square(g), ReduceMean, 1, 2, 3), 1e-5))
	parameter := func(name string, start model.VariableInitializer) *Node {
		return perChannel(scope.WithInitializer(start).VariableWithShape(name, shapes.Make(h.DType(), channels)).NodeValue(h), dims[3])
	}
	scale := Div(Reshape(parameter("scale", initializer.One), groups, channels/groups, 1, 1, dims[3]), deviation)
	return Add(Reshape(Mul(g, scale), dims...), parameter("offset", initializer.Zero))
}

// perChannel are values of channels for each of n images, [channels, 1, 1, n]. It is a product with
// ones, so that the derivative's sum over images is a product too: of a broadcast XLA makes it a sum
// over windows, in 36 places of a UNet's step for 3.
func perChannel(values *Node, n int) *Node {
	channels := values.Shape().Dim(0)
	ones := Ones(values.Graph(), shapes.Make(values.DType(), 1, n))
	return Reshape(DotGeneral(Reshape(values, channels, 1), []int{1}, nil, ones, []int{0}, nil), channels, 1, 1, n)
}
