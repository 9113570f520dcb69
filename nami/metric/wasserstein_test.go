package metric_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize/convex/lp"
	"pgregory.net/rapid"

	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/metric"
	"github.com/nami-flow/go-nami/tests/property"
)

func TestWassersteinClosedForms(t *testing.T) {
	get := must(t)
	// On a line the quantile functions decide: thirds against halves differ by ½ on the middle third.
	gomlxtest.Close(t, "W1", get(metric.Wasserstein(column(1, 0, 0.5), column(0, 1), 1)), 0.5/3, 1e-12)
	gomlxtest.Close(t, "W2", get(metric.Wasserstein(column(1, 0, 0.5), column(0, 1), 2)), math.Sqrt(0.25/3), 1e-12)
	w := metric.Weights(tensors.FromValue([]float64{3, 1}))
	gomlxtest.Close(t, "W1 with weights", get(metric.Wasserstein(column(0, 4), column(0), 1, w)), 1, 1e-12)
	// A shift is its length, whatever the order, in any dimension.
	x := random(1, 60, 3)
	for order := 1; order <= 2; order++ {
		gomlxtest.Close(t, fmt.Sprint("a shift, order ", order), get(metric.Wasserstein(x, shifted(x, 1, 2, 2), order)), 3, 1e-9)
	}
	// Half of the weight moves by 3, and a quarter by 5.
	corner := tensors.FromValue([][]float64{{0, 0}, {0, 3}})
	there := tensors.FromValue([][]float64{{0, 0}, {3, 0}, {4, 0}})
	gomlxtest.Close(t, "three against two", get(metric.Wasserstein(corner, there, 1, metric.Weights(nil, tensors.FromValue([]float64{2, 1, 1})))), (math.Sqrt(18)+5)/4, 1e-12)
}

// Exact transport is the linear program's, for any weights and numbers of events; equal weights are none;
// and an event of weight k is k events.
func TestWassersteinIsLeast(t *testing.T) {
	tried, compared := 0, 0
	defer func() {
		if 2*compared < tried {
			t.Errorf("the linear program has a solution in %d of %d cases: too few to compare with", compared, tried)
		}
	}()
	property.Check(t, func(t *rapid.T) {
		get := must(t)
		n, m := rapid.IntRange(1, 6).Draw(t, "n"), rapid.IntRange(1, 6).Draw(t, "m")
		draw := func(name string, n int) []float64 {
			return rapid.SliceOfN(rapid.Map(rapid.IntRange(-50, 50), func(i int) float64 { return float64(i) / 10 }), n, n).Draw(t, name)
		}
		a, b := draw("x", 2*n), draw("y", 2*m)
		weights := func(name string, n int) (w []float64, all []int) {
			total := 0.0
			for range n {
				k := rapid.IntRange(1, 4).Draw(t, name)
				w, all, total = append(w, float64(k)), append(all, k), total+float64(k)
			}
			for i := range w {
				w[i] /= total
			}
			return w, all
		}
		wa, countsA := weights("weights of x", n)
		wb, countsB := weights("weights of y", m)
		x, y := tensors.FromFlatDataAndDimensions(a, n, 2), tensors.FromFlatDataAndDimensions(b, m, 2)
		w := metric.Weights(tensors.FromFlatDataAndDimensions(wa, n), tensors.FromFlatDataAndDimensions(wb, m))
		for order := 1; order <= 2; order++ {
			got := get(metric.Wasserstein(x, y, order, w))
			costs := make([]float64, n*m)
			// All rows but the last column's, which follows from the others.
			constraints, right := mat.NewDense(n+m-1, n*m, nil), append(append([]float64{}, wa...), wb[:m-1]...)
			for i := range n {
				for j := range m {
					costs[i*m+j] = math.Pow(math.Hypot(a[2*i]-b[2*j], a[2*i+1]-b[2*j+1]), float64(order))
					constraints.Set(i, i*m+j, 1)
					if j < m-1 {
						constraints.Set(n+j, i*m+j, 1)
					}
				}
			}
			want, _, err := lp.Simplex(costs, constraints, right, 1e-12, nil)
			tried++
			if err == nil { // the simplex method may stop where plans are degenerate
				compared++
				gomlxtest.Close(t, fmt.Sprint("order ", order), math.Pow(got, float64(order)), want, 1e-7)
			}
			repeated := func(flat []float64, counts []int) *tensors.Tensor {
				var all []float64
				for i, k := range counts {
					for range k {
						all = append(all, flat[2*i:2*i+2]...)
					}
				}
				return tensors.FromFlatDataAndDimensions(all, len(all)/2, 2)
			}
			gomlxtest.Close(t, "counts", get(metric.Wasserstein(repeated(a, countsA), repeated(b, countsB), order)), got, 1e-6)
		}
	})
}

// The assignment and the shortest paths agree where both apply.
func TestTransportIsAssignment(t *testing.T) {
	get := must(t)
	x, y := random(1, 80, 3), random(2, 80, 3)
	ones := make([]float64, 80)
	for i := range ones {
		ones[i] = 1
	}
	w := metric.Weights(tensors.FromFlatDataAndDimensions(ones, 80))
	for order := 1; order <= 2; order++ {
		gomlxtest.Close(t, fmt.Sprint("order ", order), get(metric.Wasserstein(x, y, order, w)), get(metric.Wasserstein(x, y, order)), 1e-9)
	}
}

func TestWassersteinTeaches(t *testing.T) {
	x := random(1, 4, 2)
	_, err := metric.Wasserstein(x, x, 3)
	gomlxtest.Says(t, "order", err, "metric.Wasserstein: order 3: give 1, for distances, or 2")
	_, err = metric.Wasserstein(x, x, 1, metric.Weights(tensors.FromValue([]float64{1, -0.5, 1, 1})))
	gomlxtest.Says(t, "negative", err, "weight 1 of x is negative")
	_, err = metric.Wasserstein(random(1, 20_000, 2), random(2, 20_000, 2), 2)
	gomlxtest.Says(t, "many", err, "give a part of the events, or use SlicedWasserstein")
	huge := tensors.FromValue([][]float64{{1e300, 0}, {0, 0}})
	_, err = metric.Wasserstein(huge, shifted(huge, 1), 2, metric.Weights(tensors.FromValue([]float64{1, 2})))
	gomlxtest.Says(t, "overflow", err, "overflow float64")
	_, err = metric.Wasserstein(huge, tensors.FromValue([][]float64{{1, 2}, {3, 4}}), 2)
	gomlxtest.Says(t, "overflow of an assignment", err, "overflow float64")
}
