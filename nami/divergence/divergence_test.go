package divergence_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/tests/property"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"pgregory.net/rapid"
)

// wave is vᵢ = sin(xᵢ) + s·Σxⱼ²/2 over the event, with the divergence Σ cos(xᵢ) + s·xᵢ.
func wave(rank int, s *Node) func(x *Node) *Node {
	return func(x *Node) *Node {
		axes := make([]int, rank)
		for i := range axes {
			axes[i] = x.Rank() - rank + i
		}
		energy := MulScalar(Square(x), 0.5)
		if rank > 0 {
			energy = BroadcastToDims(ReduceAndKeep(energy, ReduceSum, axes...), x.Shape().Dimensions...)
		}
		return Add(Sin(x), Mul(s, energy))
	}
}

func points(dims ...int) *tensors.Tensor {
	x := tensors.FromShape(shapes.Make(dtypes.Float64, dims...))
	x.MustMutableFlatData(func(flat any) {
		for i := range flat.([]float64) {
			flat.([]float64)[i] = 2 * math.Sin(float64(3*i+1))
		}
	})
	return x
}

func call(t *testing.T, backend compute.Backend, f func(in []*Node) []*Node, in ...any) []*tensors.Tensor {
	t.Helper()
	out, err := CallOnceN(backend, f, in...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// trace is wave's divergence by event of that size.
func trace(x []float64, size int, s float64) (sums []float64) {
	for i := 0; i < len(x); i += size {
		sum := 0.0
		for _, v := range x[i : i+size] {
			sum += math.Cos(v) + s*v
		}
		sums = append(sums, sum)
	}
	return sums
}

// The exact divergence is the closed form's for events of rank 0 to 3, any lead included
// none; and a field that doesn't depend on x has none.
func TestExact(t *testing.T) {
	backend := gomlxtest.Go(t)
	property.Check(t, func(r *rapid.T) {
		lead := rapid.SliceOfN(rapid.IntRange(1, 3), 0, 2).Draw(r, "lead")
		event := rapid.SliceOfN(rapid.IntRange(1, 3), 0, 3).Draw(r, "event")
		x := points(slices.Concat(lead, event)...)
		size := 1
		for _, d := range event {
			size *= d
		}
		out := call(t, backend, func(in []*Node) []*Node {
			v, div := divergence.Exact{}.Estimate(wave(len(event), in[1]), in[0], len(event), nil)
			_, none := divergence.Exact{}.Estimate(func(x *Node) *Node { return OnesLike(StopGradient(x)) }, in[0], len(event), nil)
			return []*Node{Sub(v, wave(len(event), in[1])(in[0])), div, none}
		}, x, 0.7)
		if got := out[1].Shape().Dimensions; !slices.Equal(got, lead) {
			t.Errorf("the shape is %v, expected the lead %v", got, lead)
		}
		want := trace(tensors.MustCopyFlatData[float64](x), size, 0.7)
		gomlxtest.Near(t, "the divergence", tensors.MustCopyFlatData[float64](out[1]), want, 1e-10)
		gomlxtest.Near(t, "no divergence", tensors.MustCopyFlatData[float64](out[2]), make([]float64, len(want)), 0)
		gomlxtest.Near(t, "the value", tensors.MustCopyFlatData[float64](out[0]), make([]float64, x.Size()), 1e-12)
	})
}

// Both estimators can be differentiated: the derivatives of the divergence with respect to
// x and to a parameter are the closed form's.
func TestDifferentiable(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		x := points(4, 3)
		values := tensors.MustCopyFlatData[float64](x)
		out := call(t, backend, func(in []*Node) []*Node {
			_, exact := divergence.Exact{}.Estimate(wave(1, in[1]), in[0], 1, nil)
			// One unit vector after the other, each √3 long, has the trace as its mean.
			basis := MulScalar(BroadcastPrefix(Const(in[0].Graph(), [][]float64{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}), 4), math.Sqrt(3))
			_, estimate := divergence.Hutchinson{}.Estimate(wave(1, in[1]), in[0], 1, basis)
			return slices.Concat(Gradient(ReduceAllSum(exact), in[0], in[1]), Gradient(ReduceAllSum(estimate), in[0], in[1]), []*Node{estimate})
		}, x, 0.7)
		slope, sum := make([]float64, len(values)), 0.0
		for i, v := range values {
			slope[i] = 0.7 - math.Sin(v)
			sum += v
		}
		for k, name := range []string{"Exact", "Hutchinson"} {
			gomlxtest.Near(t, name+", by x", tensors.MustCopyFlatData[float64](out[2*k]), slope, 1e-10)
			gomlxtest.Near(t, name+", by s", tensors.MustCopyFlatData[float64](out[2*k+1]), []float64{sum}, 1e-10)
		}
		gomlxtest.Near(t, "the estimate", tensors.MustCopyFlatData[float64](out[4]), trace(values, 3, 0.7), 1e-10)
	})
}

// The mean over 2,000 probes is the trace within 5 standard errors (a false alarm in two
// million seeds for each of the 8, and the seed is fixed). Rademacher's variance is
// 2Σᵢ≠ⱼ of the symmetric part squared, Gaussian's 2Σᵢⱼ.
func TestHutchinsonIsUnbiased(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		a := [][]float64{{0.5, 2, -1}, {0, -0.3, 0.4}, {1, 1, 0.9}}
		const n = 2000
		for _, probe := range []divergence.Probe{divergence.Rademacher, divergence.Gaussian} {
			h := divergence.Hutchinson{Probe: probe, N: n}
			out := call(t, backend, func(in []*Node) []*Node {
				x := Zeros(in[0].Graph(), shapes.Make(dtypes.Float64, 4, 3))
				random := gomlx.NewCounter(in[0], Const(in[0].Graph(), uint32(0)))
				probes := divergence.Probes(h, random, in[0].Graph(), x.Shape(), 1)
				// The derivative of a linear field: the probes all at once, as a sum over 2,000
				// programs would take long to compile.
				ax := Einsum("nkd,ed->nke", probes, Const(in[0].Graph(), a))
				return []*Node{ReduceMean(ReduceSum(Mul(ax, probes), -1), -1)}
			}, gomlx.Key(1, 0))
			variance := 0.0
			for i := range a {
				for j := range a {
					s := (a[i][j] + a[j][i]) / 2
					if i != j || probe == divergence.Gaussian {
						variance += 2 * s * s
					}
				}
			}
			for i, got := range tensors.MustCopyFlatData[float64](out[0]) {
				if math.Abs(got-1.1) > 5*math.Sqrt(variance/n) {
					t.Errorf("%v: the mean of row %d is %v, expected 1.1 ± %.2g", probe, i, got, math.Sqrt(variance/n))
				}
			}
		}
	})
}

func TestMisuse(t *testing.T) {
	backend := gomlxtest.Go(t)
	identity := func(x *Node) *Node { return x }
	for want, f := range map[string]func(x *Node) *Node{
		"an event of shape (3) has 3 values, more than MaxSize 2": func(x *Node) *Node {
			_, div := divergence.Exact{MaxSize: 2}.Estimate(identity, x, 1, nil)
			return div
		},
		"the field returned (Float64)[4, 1] for x of (Float64)[4, 3]": func(x *Node) *Node {
			_, div := divergence.Exact{}.Estimate(func(x *Node) *Node { return ReduceAndKeep(x, ReduceSum, -1) }, x, 1, nil)
			return div
		},
		"the probes are nil": func(x *Node) *Node {
			_, div := divergence.Hutchinson{}.Estimate(identity, x, 1, nil)
			return div
		},
		"the probes are (Float64)[4, 3], x is (Float64)[4, 3]": func(x *Node) *Node {
			_, div := divergence.Hutchinson{}.Estimate(identity, x, 1, x)
			return div
		},
		"fewer than the event rank 3": func(x *Node) *Node {
			_, div := divergence.Exact{}.Estimate(identity, x, 3, nil)
			return div
		},
	} {
		_, err := CallOnce(backend, f, points(4, 3))
		gomlxtest.Says(t, want, err, want)
	}
	for want, e := range map[string]divergence.Estimator{
		"Probe is Probe(7)": divergence.Hutchinson{Probe: 7}, "N is -2": divergence.Hutchinson{N: -2},
		"use divergence.Hutchinson{}, or raise MaxSize": divergence.Exact{},
	} {
		err := e.Check([]int{65})
		gomlxtest.Says(t, want, err, want)
	}
}

func ExampleExact() {
	backend, err := nami.OpenBackend("go")
	if err != nil {
		panic(err)
	}
	// v = (x², x·y), with the divergence 2x + x.
	v := func(x *Node) *Node { return Mul(x, Slice(x, AxisRange(), AxisRange(0, 1))) }
	out, err := CallOnce(backend, func(x *Node) *Node {
		_, div := divergence.Exact{}.Estimate(v, x, 1, nil)
		return div
	}, [][]float64{{1, 5}, {2, 7}})
	if err != nil {
		panic(err)
	}
	fmt.Println(out.Value())
	// Output: [3 6]
}
