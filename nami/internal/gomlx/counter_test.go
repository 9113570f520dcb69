package gomlx_test

import (
	"math"
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

var floats = []dtypes.DType{dtypes.Float32, dtypes.Float64}

// drawn gives what f draws from a counter whose rows begin at first.
func drawn(t *testing.T, backend compute.Backend, first uint32, f func(c *gomlx.Counter, g *Graph) *Node) []float64 {
	t.Helper()
	out := run(t, backend, func(key *Node) *Node {
		c := gomlx.NewCounter(key, Const(key.Graph(), first))
		return ConvertDType(f(c, key.Graph()), dtypes.Float64)
	}, gomlx.Key(3, 1))
	return tensors.MustCopyFlatData[float64](out)
}

// A row's numbers depend on its number, not on how many rows are drawn with it, and are
// the same on every backend, and to rounding in both dtypes.
func TestCounterRows(t *testing.T) {
	const columns = 3 // numbers are made in pairs: one and a half
	draws := map[string]func(*gomlx.Counter, *Graph, shapes.Shape) *Node{
		"uniform": (*gomlx.Counter).RandomUniform, "normal": (*gomlx.Counter).Normal,
	}
	var before []float64
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		var single []float64
		for _, dtype := range floats {
			for name, draw := range draws {
				rows := func(n int) func(*gomlx.Counter, *Graph) *Node {
					return func(c *gomlx.Counter, g *Graph) *Node { return draw(c, g, shapes.Make(dtype, n, columns)) }
				}
				all := drawn(t, backend, 0, rows(7))
				some := drawn(t, backend, 2, rows(3))
				listed := drawn(t, backend, 0, func(c *gomlx.Counter, g *Graph) *Node {
					return rows(3)(gomlx.NewCounter(Const(g, tensors.MustCopyFlatData[uint32](gomlx.Key(3, 1))), Const(g, []uint32{2, 3, 4})), g)
				})
				if !slices.Equal(some, listed) {
					t.Errorf("%s, %s: rows from 2 are %v, listed %v", name, dtype, some, listed)
				}
				if !slices.Equal(all[2*columns:5*columns], some) {
					t.Errorf("%s, %s: rows 2 to 4 are %v, drawn alone %v", name, dtype, all[2*columns:5*columns], some)
				}
				switch {
				case name == "normal" && dtype == dtypes.Float32:
					single = all
				case name == "normal":
					gomlxtest.Near(t, "the dtypes", single, all, 1e-5)
					if before != nil {
						gomlxtest.Near(t, "the backends", before, all, 1e-12)
					}
					before = all
				}
			}
		}
	})
}

// The draws of one counter, the steps that are folded into it and the parts of a step
// have no number in common, and each is normally distributed.
func TestCounterStreams(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, dtype := range floats {
			const rows, columns, streams = 10_000, 3, 6
			s := shapes.Make(dtype, rows, columns)
			z := drawn(t, backend, 0, func(c *gomlx.Counter, g *Graph) *Node {
				step := func(i int32, b uint32) *Node { return c.Fold(Const(g, i), b).Normal(g, s) }
				return Stack([]*Node{c.Normal(g, s), c.Normal(g, s), step(0, 0), step(1, 0), step(0, 1), step(1, 1)}, 0)
			})
			seen := map[float64]bool{}
			for _, v := range z[:streams*100] {
				if seen[v] {
					t.Errorf("%s: %v comes twice", dtype, v)
				}
				seen[v] = true
			}
			// Neighbours in a row, and the same place in two streams.
			checkNormal(t, dtype.String()+", in a row", z, func(i int) (a, b float64) { return z[2*i], z[2*i+1] })
			checkNormal(t, dtype.String()+", across streams", z, func(i int) (a, b float64) { return z[i], z[i+len(z)/2] })
		}
	})
}

// Uniform numbers fill [0, 1): 5 standard errors for mean and variance (false alarm 6e-7
// each), none outside.
func TestCounterUniform(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, dtype := range floats {
			const n = 100_000
			u := drawn(t, backend, 0, func(c *gomlx.Counter, g *Graph) *Node { return c.RandomUniform(g, shapes.Make(dtype, n/4, 4)) })
			mean, square := 0.0, 0.0
			for _, v := range u {
				if v < 0 || v >= 1 {
					t.Fatalf("%s: %v is outside [0, 1)", dtype, v)
				}
				mean, square = mean+v/n, square+v*v/n
			}
			if math.Abs(mean-0.5) > 5*math.Sqrt(1./12/n) || math.Abs(square-1./3) > 5*math.Sqrt(4./45/n) {
				t.Errorf("%s: mean %v and mean square %v, expected 1/2 and 1/3", dtype, mean, square)
			}
		}
	})
}

// The graph computes the same words as the host, whose answers are known ones.
func TestCounterEqualsHost(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		encrypt := func(key []uint32, a, b uint32) []uint32 {
			seed := int64(uint64(key[0]) | uint64(key[1])<<32)
			return tensors.MustCopyFlatData[uint32](gomlx.Key(seed, uint64(a)|uint64(b)<<32))
		}
		key := encrypt(tensors.MustCopyFlatData[uint32](gomlx.Key(3, 1)), 0, math.MaxUint32)
		got := drawn(t, backend, 5, func(c *gomlx.Counter, g *Graph) *Node { return c.RandomUniform(g, shapes.Make(dtypes.Float32, 2, 4)) })
		for i, v := range got {
			words := encrypt(key, 5+uint32(i/4), uint32(i%4/2))
			if want := float64(words[i%2]>>8) / (1 << 24); v != want {
				t.Errorf("value %d is %v, expected %v", i, v, want)
			}
		}
	})
}
