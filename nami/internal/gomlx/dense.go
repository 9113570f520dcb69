package gomlx

import (
	"strings"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// The pure Go backend's fused dense layer carries its gradient with the node, and a node
// that [Node.Checkpoint] builds again has lost it. GoMLX's table of gradients has none
// either; here it gets one.
func init() {
	VJPRegistration[NodeTypeFusedDense] = func(n *Node, v []*Node, _ shapes.Shape) []*Node {
		text := n.String()
		if !strings.Contains(text, "Activation:none") {
			exceptions.Panicf("the gradient of %s, built again for a checkpoint, isn't known: use layers.Dense without an activation", text)
		}
		x, w, dy := n.Inputs()[0], n.Inputs()[1], v[0]
		// The weights are [in, out], or [out, in].
		rows, slopes := Reshape(x, -1, x.Shape().Dim(-1)), Reshape(dy, -1, dy.Shape().Dim(-1))
		back, product := "no,io->ni", "ni,no->io"
		if strings.Contains(text, "WeightLayout:OutputsInput") {
			back, product = "no,oi->ni", "ni,no->oi"
		}
		grads := []*Node{Reshape(Einsum(back, slopes, w), x.Shape().Dimensions...), Einsum(product, rows, slopes)}
		if len(n.Inputs()) > 2 {
			grads = append(grads, ReduceSum(slopes, 0))
		}
		return grads
	}
}
