package tests

import (
	"testing"

	"github.com/nami-flow/go-nami/nami/distribution"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// moments is what the normal distributions have besides sampling and density.
type moments interface {
	distribution.Independent
	Mean(g *Graph, dtype dtypes.DType) *Node
	Variance(g *Graph, dtype dtypes.DType) *Node
}

// Densities, means and variances of normal distributions, scalar, with batches and
// expanded; the densities of the values sum to those of the events.
func TestGoldenDistributions(t *testing.T) {
	g := readGolden(t, "distributions")
	if len(g.Cases) != 38 {
		t.Fatalf("%d cases, expected 38", len(g.Cases))
	}
	onBackends(t, func(t *testing.T, backend compute.Backend) {
		for i, c := range g.Cases {
			if thin(backend, i) {
				continue
			}
			t.Run(c.Name, func(t *testing.T) {
				for _, dtype := range bothDTypes {
					d := goldenNormal(t, c)
					out, err := CallOnceN(backend, func(x *Node) []*Node {
						logProb, values := d.LogProb(x), d.LogProbValues(x)
						for values.Rank() > logProb.Rank() {
							values = ReduceSum(values, -1)
						}
						return []*Node{logProb, d.Mean(x.Graph(), dtype), d.Variance(x.Graph(), dtype), values}
					}, tensorOf(t, c.Inputs, "x", dtype))
					if err != nil {
						t.Fatal(err)
					}
					agree(t, "log p", out[0], tensorOf(t, c.Expected, "log_prob", dtype))
					agree(t, "the sum of the values' log p", out[3], tensorOf(t, c.Expected, "log_prob", dtype))
					for j, name := range []string{"mean", "variance"} {
						if want := tensorOf(t, c.Expected, name, dtype); want != nil {
							agree(t, name, out[1+j], want)
						}
					}
				}
			})
		}
	})
}

func goldenNormal(t *testing.T, c goldenCase) moments {
	t.Helper()
	if c.Op == "standard_normal" {
		event, _ := get[[]int](t, c.Inputs, "event_shape")
		batch, _ := get[[]int](t, c.Inputs, "batch_shape")
		return distribution.NewStandardNormal(event...).Expand(batch...)
	}
	rank, _ := get[int](t, c.Inputs, "event_ndim")
	loc, scale := tensorOf(t, c.Inputs, "loc", dtypes.Float64), tensorOf(t, c.Inputs, "scale", dtypes.Float64)
	if c.Name == "diagonal/scale_shared_by_batch" {
		scale = repeated(scale, loc) // the library repeats nothing in silence
	}
	d, err := distribution.NewDiagonalNormal(loc, scale, rank)
	if err != nil {
		t.Fatal(err)
	}
	if batch, ok := get[[]int](t, c.Inputs, "expand_to"); ok {
		return d.Expand(batch...)
	}
	return d
}

// repeated fills the shape of like with x over and over.
func repeated(x, like *tensors.Tensor) *tensors.Tensor {
	var flat []float64
	for len(flat) < like.Size() {
		flat = append(flat, toFloats(x)...)
	}
	return fromFloats(flat, like.Shape().Dimensions, x.DType())
}
