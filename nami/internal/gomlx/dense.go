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
		if text := n.String(); !strings.Contains(text, "Activation:none") || !strings.Contains(text, "WeightLayout:InputOutputs") {
			exceptions.Panicf("the gradient of %s, built again for a checkpoint, isn't known: use layers.Dense without an activation", text)
		}
		x, w, dy := n.Inputs()[0], n.Inputs()[1], v[0]
		in, out := w.Shape().Dim(0), w.Shape().Dim(1)
		rows, slopes := Reshape(x, -1, in), Reshape(dy, -1, out)
		grads := []*Node{
			Reshape(Einsum("no,io->ni", slopes, w), x.Shape().Dimensions...),
			Einsum("ni,no->io", rows, slopes),
		}
		if len(n.Inputs()) > 2 {
			grads = append(grads, ReduceSum(slopes, 0))
		}
		return grads
	}
}
