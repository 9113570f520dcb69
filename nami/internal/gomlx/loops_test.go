package gomlx_test

import (
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// Steps of gradient descent on the mean of w² in a While: what LoopsGradients promises,
// and no more. Where it says no and this runs, the backend was mended.
func TestLoopsGradients(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		err := gomlx.Try(func() error {
			exec, err := NewExec(backend, func(w *Node) *Node {
				g := w.Graph()
				start := []*Node{Const(g, int32(0)), w}
				parameters := func() []*Node {
					return []*Node{Parameter(g, "i", start[0].Shape()), Parameter(g, "w", w.Shape())}
				}
				more := NewClosure(g, func(g *Graph) []*Node {
					return []*Node{LessThan(parameters()[0], Const(g, int32(3)))}
				})
				step := NewClosure(g, func(g *Graph) []*Node {
					ps := parameters()
					gradient := Gradient(ReduceAllMean(Square(ps[1])), ps[1])[0]
					return []*Node{Add(ps[0], Const(g, int32(1))), Sub(ps[1], gradient)}
				})
				return While(more, step, start...)[1]
			})
			if err != nil {
				return err
			}
			_, err = exec.Call(tensors.FromFlatDataAndDimensions([]float32{1, 2, 3, 4}, 4))
			return err
		})
		if can := gomlx.LoopsGradients(backend); can != (err == nil) {
			t.Errorf("LoopsGradients is %v, and the program gives %v", can, err)
		}
	})
}
