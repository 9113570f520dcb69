package gomlx

import (
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Parameters are inputs of a graph with the shapes of tensors or of another graph's nodes.
func Parameters[T interface{ Shape() shapes.Shape }](g *Graph, like []T) []*Node {
	var out []*Node
	for _, x := range like {
		out = append(out, Parameter(g, "", x.Shape()))
	}
	return out
}
