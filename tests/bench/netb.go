package main

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
)

// netB is the tasks' larger network, of width 512: a dense layer on point, context and
// time, four residual ones, and a dense layer to the event's 16 values.
type netB struct{}

const netBWidth, netBEvent = 512, 16

func (netB) EventRank() int { return 1 }

func (netB) Apply(scope *model.Scope, x, t, c *Node) *Node {
	t = InsertAxes(t, -1)
	if t.Rank() != x.Rank() {
		t = BroadcastPrefix(t, x.Shape().Dimensions[:x.Rank()-1]...)
	}
	features := []*Node{x, t}
	if c != nil {
		features = []*Node{x, c, t}
	}
	layer := func(l int, h *Node, width int) *Node {
		return layers.Dense(scope.At("mlp").At("layer_%d", l), h, true, width)
	}
	h := activation.Swish(layer(0, Concatenate(features, -1), netBWidth))
	for l := 1; l <= 4; l++ {
		h = Add(h, activation.Swish(layer(l, h, netBWidth)))
	}
	return layer(5, h, netBEvent)
}

func (netB) String() string { return "netB" }

func netBStore(contextDim int) (*model.Store, error) {
	store := model.NewStore()
	in := netBEvent + contextDim + 1
	for l := range 6 {
		out := netBWidth
		if l == 5 {
			out = netBEvent
		}
		if err := setLayer(mlpLayer(store, l), l, in, out); err != nil {
			return nil, err
		}
		in = netBWidth
	}
	return store, nil
}
