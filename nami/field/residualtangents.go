package field

import (
	"github.com/nami-flow/go-nami/nami/internal/layer"
	"github.com/nami-flow/go-nami/nami/shape"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// residualUnits is what passes through a residual network, as far as its derivative needs it.
type residualUnits struct {
	blocks []residualBlock
	scale  *Node // that of the output
}

// residualBlock has the values that go into a block, and its modulation.
type residualBlock struct {
	h, scale, gate *Node
	rate           *Node // the derivative of its activation, [n, Width]
}

// ApplyWithDivergence implements [Divergent]. It costs two products more than Apply for each block
// and each value of the event.
func (r Residual) ApplyWithDivergence(scope *model.Scope, x, t, c *Node) (value, divergence *Node) {
	return r.withTrace(scope, x, t, c, nil)
}

func (r Residual) carriesTangents(f Field) bool {
	_, is := f.(Residual)
	return is && ofEachUnit(r.Activation)
}

func (r Residual) withTrace(scope *model.Scope, x, t, c, counted *Node) (value, trace *Node) {
	r = r.WithDefaults()
	var rates []*Node
	value, passed := r.layers(scope, x, t, c, func(z *Node) *Node {
		a, rate := activated(r.Activation, z)
		rates = append(rates, asRows(rate))
		return a
	})
	for i := range passed.blocks {
		passed.blocks[i].rate = rates[i]
	}
	lead, d := shape.Lead(x, r.EventRank()), shape.Size(r.EventShape)
	scope = scope.At("residual")
	last := layer.Weights(scope.At("output").At("last"), x)
	n, start := shape.Size(lead), r.startOfTangents(scope, x)
	trace = inBlocks(n, d, r.Width, counted, asRows(passed.scale), func(from, to int) *Node {
		j := start(from, to)
		for i, b := range passed.blocks {
			j = b.through(scope.At("block_%d", i), j)
		}
		end := Transpose(columns(last, from, to), 0, 1)
		return Mul(j, InsertAxes(end, 0))
	})
	return value, Reshape(trace, lead...)
}

// through are tangents j, [n, directions, Width], after the block.
func (b residualBlock) through(scope *model.Scope, j *Node) *Node {
	each := func(h *Node) *Node { return InsertAxes(asRows(h), 1) } // of a condition of all events there is one row
	u := Mul(layer.NormalizedTangents(asRows(b.h), j), each(b.scale))
	u = Mul(through(u, layer.Weights(scope.At("first"), j)), InsertAxes(b.rate, 1))
	u = through(u, layer.Weights(scope.At("second"), j))
	return Add(j, Mul(u, each(b.gate)))
}

// startOfTangents gives those of the first layer's units, [n, directions, Width], by the values
// of the event from one to before another: the weights' rows, and what goes through the
// features sin(ω·x) and cos(ω·x).
func (r Residual) startOfTangents(scope *model.Scope, x *Node) func(from, to int) *Node {
	x = asRows(shape.Flatten(x, r.EventRank()))
	n, d := x.Shape().Dim(0), x.Shape().Dim(1)
	w := layer.Weights(scope.At("input"), x)
	plain := func(from, to int) *Node { return InsertAxes(rows(w, from, to), 0) }
	if r.Frequencies == 0 {
		return func(from, to int) *Node {
			return BroadcastToDims(plain(from, to), n, to-from, r.Width)
		}
	}
	frequencies := scope.GetVariable("frequencies").NodeValue(x) // [d, Frequencies]
	angle := MatMul(x, frequencies)
	rate := Concatenate([]*Node{Cos(angle), Neg(Sin(angle))}, -1)
	twice := Concatenate([]*Node{frequencies, frequencies}, -1)
	features := Slice(w, AxisRange(d, d+2*r.Frequencies))
	return func(from, to int) *Node {
		return Add(spread(rate, rows(twice, from, to), features), plain(from, to))
	}
}
