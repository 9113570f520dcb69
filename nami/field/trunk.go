package field

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/nami-flow/go-nami/nami/internal/layer"
)

// trunk is a stack of transformer blocks (Peebles & Xie 2023, arXiv:2212.09748, section 3.2).
type trunk struct {
	blocks, heads, hidden int
	activation            activation.Type
}

// apply lets tokens h, [n, tokens, width], attend to each other and pass through a network of
// their own, block by block.
func (k trunk) apply(scope *model.Scope, h, present *Node, by modulator) *Node {
	for i := range k.blocks {
		block := scope.At("block_%d", i)
		attend, each := block.At("attention"), block.At("each")
		h = Add(h, by.gated(attend, layer.Attention(attend, by.modulated(attend, layer.Normalized(h)), present, k.heads)))
		u := layer.Dense(each.At("first"), by.modulated(each, layer.Normalized(h)), k.hidden, math.Sqrt(6))
		u = layer.Dense(each.At("second"), activation.Apply(k.activation, u), h.Shape().Dim(-1), math.Sqrt(3))
		h = Add(h, by.gated(each, u))
	}
	return h
}
