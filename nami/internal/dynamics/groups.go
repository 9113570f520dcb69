package dynamics

import (
	"slices"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/run"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Groups is the shape of the batch of distributions that the base is; empty if it is one
// for all, or one that a context decides.
func (f *Flow) Groups() []int {
	if b, ok := f.Base.(interface{ BatchShape() []int }); ok {
		return b.BatchShape()
	}
	return nil
}

// grouped is a lead of n events as the base sees it: whole batches.
func (f *Flow) grouped(n int) []int {
	group := f.Groups()
	return slices.Concat([]int{n / shape.Size(group)}, group)
}

// DrawRows draws n events from the base, a row for each, without the objects that a mask
// leaves out.
func (f *Flow) DrawRows(random distribution.Random, g *Graph, dtype dtypes.DType, n int, scope *model.Scope, in run.Inputs[Node]) *Node {
	dims := f.grouped(n)
	x := distribution.Given(f.Base, scope, in.Context).Sample(byRow{random, len(dims)}, g, dtype, dims...)
	return f.Clean(Reshape(x, slices.Concat([]int{n}, f.Base.EventShape())...), in)
}

// byRow draws for a lead of several axes as a source does whose rows are its events.
type byRow struct {
	distribution.Random
	axes int
}

// RandomUniform implements [distribution.Random].
func (r byRow) RandomUniform(g *Graph, s shapes.Shape) *Node {
	return Reshape(r.Random.RandomUniform(g, r.flat(s)), s.Dimensions...)
}

// Normal draws standard normal numbers, as the source itself does.
func (r byRow) Normal(g *Graph, s shapes.Shape) *Node {
	return Reshape(gomlx.Normal(r.Random, g, r.flat(s)), s.Dimensions...)
}

// flat is s with one axis for the lead.
func (r byRow) flat(s shapes.Shape) shapes.Shape {
	lead, rest := s.Dimensions[:r.axes], s.Dimensions[r.axes:]
	return shapes.Make(s.DType, slices.Concat([]int{shape.Size(lead)}, rest)...)
}
