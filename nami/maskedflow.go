package nami

import (
	"errors"

	. "github.com/gomlx/gomlx/core/graph"
)

// Masked is the flow in one graph for events of varying numbers of objects, as
// [Process.Masked] is at eager level: the first axis of an event counts objects, and mask,
// of shape lead+[objects], is 1 where there is one and 0 where there is padding. What its
// methods that build graphs return is exactly zero in the padding, and log-densities are
// those of the objects alone; what stands in the padding changes nothing. lead is that of
// the events that the methods are asked for. nil takes a mask away. Bind refuses a model with
// one: a mask belongs to a graph.
func (m FlowMatching) Masked(mask *Node) FlowMatching {
	m.mask = mask
	return m
}

// Masked is the model in one graph for events of varying numbers of objects, as
// [FlowMatching.Masked] is.
func (m Diffusion) Masked(mask *Node) Diffusion {
	m.mask = mask
	return m
}

// notInGraph refuses to bind a model that has the mask of a graph.
func notInGraph(mask *Node) error {
	if mask != nil {
		return errors.New("nami: the model has a mask that belongs to a graph: bind the model without it, and mask the process (Process.Masked)")
	}
	return nil
}
