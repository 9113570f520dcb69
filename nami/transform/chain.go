package transform

import (
	"fmt"

	"github.com/nami-flow/go-nami/nami/distribution"

	. "github.com/gomlx/gomlx/core/graph"
)

// Chain applies transforms one after the other, the first of them to the data. An empty chain
// leaves the data as it is.
type Chain []Transform

// Forward implements [Transform].
func (c Chain) Forward(random distribution.Random, x *Node) (y, logDet *Node) {
	must(c.validate())
	y, logDet = x, ZerosLike(x)
	for _, step := range c {
		var share *Node
		y, share = step.Forward(random, y)
		logDet = Add(logDet, fold(share, x))
	}
	return y, logDet
}

// Inverse implements [Transform].
func (c Chain) Inverse(y *Node) (x, logDet *Node) {
	must(c.validate())
	x, logDet = y, ZerosLike(y)
	for i := len(c) - 1; i >= 0; i-- {
		var share *Node
		x, share = c[i].Inverse(x)
		logDet = Add(fold(logDet, x), share)
	}
	return x, logDet
}

// ModelShape implements [Transform].
func (c Chain) ModelShape(event []int) ([]int, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	event = same(event)
	for i, step := range c {
		var err error
		if event, err = step.ModelShape(event); err != nil {
			return nil, fmt.Errorf("transform.Chain: step %d: %w", i, err)
		}
	}
	return event, nil
}

func (c Chain) validate() error {
	for i, step := range c {
		if step == nil {
			return fmt.Errorf("transform.Chain: step %d of %d is nil", i, len(c))
		}
	}
	return nil
}
