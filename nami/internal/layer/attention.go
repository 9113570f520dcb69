package layer

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Attention lets each token of h, [n, tokens, width], take from all tokens of its event what its
// heads ask for (Vaswani et al. 2017, arXiv:1706.03762, section 3.2). present, [n, tokens], is
// true for the tokens that there are; nil for all. The result has the shape of h.
func Attention(scope *model.Scope, h, present *Node, heads int) *Node {
	width := h.Shape().Dim(-1)
	split := func(name string) *Node { // [n, tokens, heads, width/heads]
		dims := h.Shape().Dimensions
		return Reshape(Dense(scope.At("%s", name), h, width, math.Sqrt(3)), dims[0], dims[1], heads, width/heads)
	}
	asked, offered, value := split("query"), split("key"), split("value")
	logits := MulScalar(Einsum("bqhd,bkhd->bhqk", asked, offered), 1/math.Sqrt(float64(width/heads)))
	if present != nil {
		there := InsertAxes(present, 1, 1) // [n, 1, 1, tokens]
		there = BroadcastToDims(there, logits.Shape().Dimensions...)
		// An event of padding alone keeps finite numbers.
		logits = Where(there, logits, ConstAs(logits, -1e9))
	}
	taken := Einsum("bhqk,bkhd->bqhd", softmax(logits), value)
	return Dense(scope.At("out"), Reshape(taken, h.Shape().Dimensions...), width, math.Sqrt(3))
}

// softmax is that of the last axis. GoMLX's is one operation on the pure Go backend, which has no
// derivative within the gradient of a likelihood.
func softmax(logits *Node) *Node {
	e := Exp(Sub(logits, StopGradient(ReduceAndKeep(logits, ReduceMax, -1))))
	return Div(e, ReduceAndKeep(e, ReduceSum, -1))
}
