package transform

import (
	"errors"
	"slices"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Draws is how many random numbers Forward draws for an event of a shape in the data's units. It
// is an error if t doesn't fit such an event.
func Draws(backend compute.Backend, t Transform, event ...int) (int, error) {
	if t == nil || backend == nil {
		return 0, errors.New("transform.Draws: the transform or the backend is nil")
	}
	var asked witness
	err := gomlx.Try(func() error {
		g := NewGraph(backend, "transform.Draws")
		defer g.Finalize()
		t.Forward(&asked, Parameter(g, "x", shapes.Make(dtypes.Float64, slices.Concat([]int{1}, event)...)))
		return nil
	})
	return asked.asked, err
}

// witness counts the random numbers that it was asked for, and gives the least of them, 0, or the
// largest.
type witness struct {
	asked int
	most  bool
}

// RandomUniform implements [distribution.Random].
func (w *witness) RandomUniform(g *Graph, s shapes.Shape) *Node {
	w.asked += s.Size()
	if w.most {
		return AddScalar(Zeros(g, s), 1-0x1p-24)
	}
	return Zeros(g, s)
}
