// Package path holds the probability paths of flow matching: how a point moves
// from data at t=0 to noise at t=1 when both ends are fixed.
package path

import . "github.com/gomlx/gomlx/core/graph"

// Path is a family of curves between a target (data) and a source (noise) point. A
// user's own type is a Path as soon as it has these two methods; check it with [Check].
type Path interface {
	// Point returns x_t. target and source are lead+event of one shape, t is a scalar or
	// lead; the result is shaped like target.
	Point(target, source, t *Node) *Node

	// Velocity returns dx_t/dt at the same arguments, which a field learns.
	Velocity(target, source, t *Node) *Node
}
