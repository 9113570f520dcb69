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
		rank, few := rapid.SampledFrom([]int{1, 1, 1, 0, 2, 3, -1}).Draw(t, "rank"), rapid.IntRange(-1, 2)
		hutchinson := divergence.Hutchinson{Probe: divergence.Probe(few.Draw(t, "kind")), N: few.Draw(t, "N")}
		lead := x.Shape().Dimensions[:max(0, x.Rank()-max(0, rank))]
		for what, e := range map[string]divergence.Estimator{
			"Exact": divergence.Exact{MaxSize: few.Draw(t, "MaxSize")}, "Hutchinson": hutchinson,
		} {
			for way, f := range map[string]func(x *Node) *Node{
				"": Neg, " of sums": func(x *Node) *Node { return ReduceSum(x) }, " of a constant": func(x *Node) *Node { return OnesLike(x) },
			} {
				gomlxtest.Builds(t, backend, what+way, []*tensors.Tensor{x, probes}, func(in []*Node) []*Node {
					value, div := e.Estimate(f, in[0], rank, in[1])
					return []*Node{value, div}
				}, x.Shape().Dimensions, lead)
			}
		}
		gomlxtest.Builds(t, backend, "Probes", []*tensors.Tensor{x}, func(in []*Node) []*Node {
			return []*Node{divergence.Probes(hutchinson, model.NewStore().RootScope(), in[0].Graph(), in[0].Shape(), rank)}
		})
	})
}
