package gomlx

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Learns tells whether x is computed from a weight that is trained, as far as scope's store
// knows its variables.
func Learns(scope *model.Scope, x *Node) bool {
	g := x.Graph()
	weights := map[*Node]bool{}
	for v := range scope.Store().IterVariables() {
		if v.Trainable && v.InUseByGraph(g) {
			weights[v.NodeValue(g)] = true
		}
	}
	seen := map[*Node]bool{}
	var from func(n *Node) bool
	from = func(n *Node) bool {
		if seen[n] {
			return false
		}
		seen[n] = true
		if weights[n] {
			return true
		}
		for _, input := range n.Inputs() {
			if from(input) {
				return true
			}
		}
		return false
	}
	return from(x)
}
