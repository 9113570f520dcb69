// Package divergence holds estimators of a vector field's divergence, the trace of its
// Jacobian, which the change of log-density along a flow needs: d log p/dt = -∇·v
// (Chen et al. 2018, arXiv:1806.07366, theorem 1).
package divergence

import (
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/shape"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Estimator gives the divergence of a field over events. What it returns can be
// differentiated again: with respect to x, to a context and to weights. A user's own type
// is an Estimator as soon as it has these two methods. Compiled programs are shared by
// estimators that are deeply equal ([reflect.DeepEqual]): don't change what one points to
// after it was used. One that holds a function is equal to no other.
type Estimator interface {
	// Estimate returns f(x), shaped like x, and its divergence, of the lead's shape. x is
	// lead+event with events of the given rank; probes are what a [Stochastic] estimator
	// drew, else nil.
	Estimate(f func(x *Node) *Node, x *Node, rank int, probes *Node) (value, divergence *Node)

	// Check returns an error if the estimator isn't fit for events of that shape.
	Check(eventShape []int) error
}

// Stochastic is an estimator that needs random vectors.
type Stochastic interface {
	Estimator

	// Probes draws them for events of x's shape, lead+event. The result begins with the lead's
	// axes; the others are the estimator's choice. Probes are drawn once for a whole solve: a
	// right-hand side that changes from call to call has no order of convergence, and no
	// adaptive solver settles on it.
	Probes(random distribution.Random, g *Graph, x shapes.Shape, rank int) *Node
}

// Probes draws what e needs for events of x's shape: nil if it isn't [Stochastic].
func Probes(e Estimator, random distribution.Random, g *Graph, x shapes.Shape, rank int) *Node {
	if s, ok := e.(Stochastic); ok {
		return s.Probes(random, g, x, rank)
	}
	return nil
}

// apply calls f, and checks that it gives a vector field.
func apply(f func(x *Node) *Node, x *Node) *Node {
	if x.Shape().Size() == 0 {
		exceptions.Panicf("divergence: x is %s: every axis needs at least 1 value", x.Shape())
	}
	v := f(x)
	if !v.Shape().Equal(x.Shape()) {
		exceptions.Panicf("divergence: the field returned %s for x of %s: a divergence needs a value shaped like x", v.Shape(), x.Shape())
	}
	return v
}

// vjp is the vector–Jacobian product w·∂v/∂x, with w, v and x as matrices of rows. It
// contracts with Einsum rather than multiply and reduce: GoMLX's pure Go backend can't
// run the latter's gradient in a compiled loop.
func vjp(v, w, x *Node) *Node {
	var total *Node
	if w.Rank() == 1 {
		total = Einsum("nd,d->", v, w)
	} else {
		total = Einsum("nd,nd->", v, w)
	}
	return Gradient(total, x)[0]
}

// rows is x as a matrix with a row for each event.
func rows(x *Node, rank int) *Node {
	flat := shape.Flatten(x, rank)
	return Reshape(flat, -1, flat.Shape().Dim(-1))
}
