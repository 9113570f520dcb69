package divergence_test

import (
	"testing"

	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/tests/property"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"pgregory.net/rapid"
)

// Whatever events and probes are given, an estimate has the lead's shape or what is said
// teaches.
func TestAnyEvents(t *testing.T) {
	backend := gomlxtest.Go(t)
	property.Check(t, func(t *rapid.T) {
		x, probes := gomlxtest.Misfit(t, "x", 3, 2), gomlxtest.Misfit(t, "probes", 3, 1, 2)
		if x == nil {
			return
		}
		rank, few := property.Mostly(t, "rank", 1, 0, 2, 3, -1), rapid.IntRange(0, 1)
		hutchinson := divergence.Hutchinson{
			Probe: property.Mostly(t, "kind", divergence.Probe(few.Draw(t, "usual")), -1, 2), N: property.Mostly(t, "N", few.Draw(t, "usual"), -1, 2),
		}
		most := property.Mostly(t, "MaxSize", 2*few.Draw(t, "usual"), 1, -1)
		lead := x.Shape().Dimensions[:max(0, x.Rank()-max(0, rank))]
		for what, e := range map[string]divergence.Estimator{
			"Exact": divergence.Exact{MaxSize: most}, "Hutchinson": hutchinson,
		} {
			of := func(way string, f func(x *Node) *Node) {
				gomlxtest.Builds(t, backend, what+way, []*tensors.Tensor{x, probes}, func(in []*Node) []*Node {
					value, div := e.Estimate(f, in[0], rank, in[1])
					return []*Node{value, div}
				}, x.Shape().Dimensions, lead)
			}
			of("", Neg)
			of(" of a constant", func(x *Node) *Node { return OnesLike(x) })
			gomlxtest.Refuses(t, backend, what+" of sums", "a divergence needs a value shaped like x", []*tensors.Tensor{x, probes}, func(in []*Node) []*Node {
				value, div := e.Estimate(func(x *Node) *Node { return ReduceSum(x) }, in[0], rank, in[1])
				return []*Node{value, div}
			})
		}
		gomlxtest.Builds(t, backend, "Probes", []*tensors.Tensor{x}, func(in []*Node) []*Node {
			return []*Node{divergence.Probes(hutchinson, model.NewStore().RootScope(), in[0].Graph(), in[0].Shape(), rank)}
		})
	})
}
