package path_test

import (
	"math"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/path"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// The path begins at the data, ends at the noise, and its velocity is its derivative.
func TestLinear(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		target, source := [][]float64{{1, 2}, {3, 4}, {5, 6}}, [][]float64{{-1, 0}, {2, -3}, {0.5, 7}}
		const h = 1e-6
		out, err := CallOnceN(backend, func(target, source, t *Node) []*Node {
			p := path.Linear{}
			at := func(t *Node) *Node { return p.Point(target, source, t) }
			slope := DivScalar(Sub(at(AddScalar(t, h)), at(AddScalar(t, -h))), 2*h)
			return []*Node{Sub(at(ZerosLike(t)), target), Sub(at(OnesLike(t)), source), Sub(slope, p.Velocity(target, source, t))}
		}, target, source, []float64{0.1, 0.5, 0.9})
		if err != nil {
			t.Fatal(err)
		}
		for i, what := range []string{"the point at t=0 and the data", "the point at t=1 and the noise", "the derivative and the velocity"} {
			for _, d := range tensors.MustCopyFlatData[float64](out[i]) {
				if math.Abs(d) > 1e-8 {
					t.Errorf("%s differ by %v", what, d)
				}
			}
		}
	})
}
