package transform

import (
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Masked is t for events with padding: mask is 1 for an object and 0 for padding, of shape
// lead+[objects], for events of shape (objects, ..., columns). Padding has zeros in all that it
// returns, whatever stood there, and no part in a gradient.
func Masked(t Transform, mask *Node) Transform { return masked{t, mask} }

type masked struct {
	Transform
	mask *Node
}

func (m masked) Forward(random distribution.Random, x *Node) (y, logDet *Node) {
	lead, event, err := shape.Split(x.Shape().Dimensions, x.Rank()-m.mask.Rank()+1)
	must(err)
	inModel, err := m.ModelShape(event)
	must(err)
	// A logarithm's gradient is NaN at a zero that a selection leaves out, so t gets what the
	// model has at 0.
	harmless, _ := m.Transform.Inverse(Zeros(x.Graph(), shapes.Make(x.DType(), append(append([]int{}, lead...), inModel...)...)))
	y, logDet = m.Transform.Forward(random, m.objects(x, harmless))
	return m.objects(y, ZerosLike(y)), m.objects(logDet, ZerosLike(logDet))
}

func (m masked) Inverse(y *Node) (x, logDet *Node) {
	x, logDet = m.Transform.Inverse(m.objects(y, ZerosLike(y)))
	return m.objects(x, ZerosLike(x)), m.objects(logDet, ZerosLike(logDet))
}

// objects is x, and other in the padding.
func (m masked) objects(x, other *Node) *Node {
	isObject := GreaterThan(everywhere(StopGradient(ZerosLike(x)), shape.Lift(m.mask, x)), ConstAs(x, 0.5))
	return Where(isObject, x, other)
}
