package gomlx_test

import (
	"fmt"
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
	"github.com/gomlx/gomlx/ml/model"
)

// *model.Scope and *Counter are sources of uniform numbers.
var (
	_ gomlx.Uniforms = (*model.Scope)(nil)
	_ gomlx.Uniforms = (*gomlx.Counter)(nil)
)

// counter starts at row 0.
func counter(key *Node) *gomlx.Counter { return gomlx.NewCounter(key, Const(key.Graph(), uint32(0))) }

// uniforms hides that a source draws normal numbers by itself.
type uniforms struct{ gomlx.Uniforms }

// normals draws standard normal numbers of a shape with a seed.
func normals(t *testing.T, backend compute.Backend, seed int64, shape shapes.Shape) []float64 {
	t.Helper()
	out := run(t, backend, func(key *Node) *Node {
		z := gomlx.Normal(uniforms{counter(key)}, key.Graph(), shape)
		if !z.Shape().Equal(shape) {
			panic(fmt.Errorf("the shape is %s, expected %s", z.Shape(), shape))
		}
		return ConvertDType(z, dtypes.Float64)
	}, gomlx.Key(seed, 0))
	return tensors.MustCopyFlatData[float64](out)
}

func run(t *testing.T, backend compute.Backend, f func(*Node) *Node, in *tensors.Tensor) (out *tensors.Tensor) {
	t.Helper()
	err := gomlx.Try(func() (err error) {
		exec, err := NewExec(backend, f)
		if err != nil {
			return err
		}
		all, err := exec.Call(in)
		if err == nil {
			out = all[0]
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestNormalMoments(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.Float64} {
			const n = 200_001
			z := normals(t, backend, 7, shapes.Make(dtype, n))
			// The two outputs of a pair, one in each half, are independent.
			checkNormal(t, dtype.String(), z, func(i int) (a, b float64) { return z[i], z[i+(n+1)/2] })
		}
	})
}

// checkNormal tests moments, the distribution, and the correlation of n/2 pairs. The
// bounds are 5 standard errors of each moment (false alarm 6e-7 each, two-sided); the
// Kolmogorov-Smirnov bound is 2.6/√n, a false alarm of 2·exp(-2·2.6²) = 3e-6. The seeds
// are fixed, so that a pass stays a pass on a backend.
func checkNormal(t *testing.T, what string, z []float64, pair func(i int) (a, b float64)) {
	t.Helper()
	n, root := len(z), math.Sqrt(float64(len(z)))
	for power, c := range map[int]struct{ mean, sd float64 }{
		1: {0, 1}, 2: {1, math.Sqrt(2)}, 3: {0, math.Sqrt(15)}, 4: {3, math.Sqrt(96)},
	} {
		sum := 0.0
		for _, v := range z {
			sum += math.Pow(v, float64(power))
		}
		if got := sum / float64(n); math.Abs(got-c.mean) > 5*c.sd/root {
			t.Errorf("%s: moment %d is %.4f, expected %v ± %.4f", what, power, got, c.mean, 5*c.sd/root)
		}
	}
	product := 0.0
	for i := range n / 2 {
		a, b := pair(i)
		product += a * b
	}
	if got := product / float64(n/2); math.Abs(got) > 5/math.Sqrt(float64(n/2)) {
		t.Errorf("%s: the correlation of pairs is %.4f", what, got)
	}
	sorted := slices.Sorted(slices.Values(z))
	distance := 0.0
	for i, v := range sorted {
		cdf := 0.5 * math.Erfc(-v/math.Sqrt2)
		distance = max(distance, cdf-float64(i)/float64(n), float64(i+1)/float64(n)-cdf)
	}
	if distance > 2.6/root {
		t.Errorf("%s: the Kolmogorov-Smirnov distance is %.5f, expected below %.5f", what, distance, 2.6/root)
	}
}

func TestNormalShapes(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, dims := range [][]int{nil, {1}, {3}, {2, 3, 5}, {4, 1}} {
			z := normals(t, backend, 1, shapes.Make(dtypes.Float32, dims...))
			seen := map[float64]bool{}
			for _, v := range z {
				if seen[v] {
					t.Errorf("shape %v: the value %v comes twice", dims, v)
				}
				seen[v] = true
			}
			if again := normals(t, backend, 1, shapes.Make(dtypes.Float32, dims...)); !slices.Equal(z, again) {
				t.Errorf("shape %v: the same seed gives other numbers", dims)
			}
			if other := normals(t, backend, 2, shapes.Make(dtypes.Float32, dims...)); slices.Equal(z, other) {
				t.Errorf("shape %v: another seed gives the same numbers", dims)
			}
		}
	})
}

// ends gives the smallest and the largest number that a uniform source can give.
type ends struct{}

func (ends) RandomUniform(g *Graph, shape shapes.Shape) *Node {
	largest := 1 - math.Pow(2, -24)
	first := Zeros(g, shapes.Make(shape.DType, shape.Size()/2))
	last := BroadcastToDims(ConstAsDType(g, shape.DType, largest), shape.Size()-shape.Size()/2)
	return Concatenate([]*Node{first, last}, 0)
}

// A uniform number that is exactly 0 comes once in 2^32 on XLA, where GoMLX's own
// normals are then infinite: too rare to wait for, so it is given.
func TestNormalIsFinite(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.Float64} {
			out := run(t, backend, func(x *Node) *Node {
				return ConvertDType(gomlx.Normal(ends{}, x.Graph(), shapes.Make(dtype, 8)), dtypes.Float64)
			}, tensors.FromScalar(float32(0)))
			for i, v := range tensors.MustCopyFlatData[float64](out) {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					t.Errorf("%s: value %d is %v", dtype, i, v)
				}
			}
		}
	})
}
