package path_test

import (
	"fmt"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/path"
	"github.com/nami-flow/go-nami/nami/schedule"
	"github.com/nami-flow/go-nami/tests/property"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"pgregory.net/rapid"
)

// Whatever ends and times are given, a point is shaped like the target or what is said
// teaches.
func TestAnyEnds(t *testing.T) {
	backend := gomlxtest.Go(t)
	paths := []path.Path{
		path.Linear{},
		path.Cosine{},
		path.Scheduled{Schedule: schedule.VP{}},
		path.Affine{Alpha: OneMinus, Sigma: Identity, AlphaDot: func(t *Node) *Node { return Neg(OnesLike(t)) }, SigmaDot: OnesLike},
	}
	property.Check(t, func(t *rapid.T) {
		target, source := gomlxtest.Misfit(t, "target", 3, 2), gomlxtest.Misfit(t, "source", 3, 2)
		at := gomlxtest.Misfit(t, "t", rapid.SampledFrom([][]int{{}, {3}}).Draw(t, "times")...)
		if target == nil || source == nil || at == nil {
			return
		}
		for want, p := range map[string]path.Path{
			"Alpha": path.Affine{}, "the schedule is nil": path.Scheduled{}, "SigmaMin is 2 and SigmaMax 1": path.Scheduled{Schedule: schedule.VE{SigmaMin: 2, SigmaMax: 1}},
		} {
			gomlxtest.Refuses(t, backend, fmt.Sprintf("%T", p), want, []*tensors.Tensor{target, source, at},
				func(in []*Node) []*Node { return []*Node{p.Point(in[0], in[1], in[2])} })
		}
		for _, p := range paths {
			for what, of := range map[string]func(target, source, t *Node) *Node{"Point": p.Point, "Velocity": p.Velocity} {
				gomlxtest.Builds(t, backend, fmt.Sprintf("%s of %T", what, p), []*tensors.Tensor{target, source, at},
					func(in []*Node) []*Node { return []*Node{of(in[0], in[1], in[2])} }, target.Shape().Dimensions)
			}
		}
	})
}
