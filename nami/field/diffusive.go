package field

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Diffusive is a velocity field v that also tells which noise leaves its events distributed as they
// are: with the score s = ∇log p_t(x), in both directions of time,
//
//	dx = (v + ½g²·s) dt + g dw   from data to noise,
//	dx = (v - ½g²·s) dt + g dw   from noise to data,
//
// have the distributions of dx/dt = v at each time (Song et al. 2021, arXiv:2011.13456, appendix
// D.1; Albergo, Boffi & Vanden-Eijnden 2023, arXiv:2303.08797, corollary 2.10). A flow of such a
// field can be solved by a stochastic solver.
type Diffusive interface {
	Field

	// ApplyWithPush is Apply, and ½g²·s, shaped like x.
	ApplyWithPush(scope *model.Scope, x, t, c *Node) (velocity, push *Node)

	// Diffusion is g(t), shaped like t, a scalar or lead.
	Diffusion(t *Node) *Node
}
