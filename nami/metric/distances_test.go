package metric_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"pgregory.net/rapid"

	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/metric"
	"github.com/nami-flow/go-nami/tests/property"
)

func shifted(x *tensors.Tensor, by ...float64) *tensors.Tensor {
	flat := tensors.MustCopyFlatData[float64](x)
	for i := range flat {
		flat[i] += by[i%len(by)]
	}
	return tensors.FromFlatDataAndDimensions(flat, x.Shape().Dimensions...)
}

func must(t interface{ Fatal(...any) }) func(float64, error) float64 {
	return func(v float64, err error) float64 {
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func column(values ...float64) *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(values, len(values), 1)
}

func TestSlicedWassersteinClosedForms(t *testing.T) {
	get := must(t)
	// In one dimension the quantile functions decide: 0 and 1 against 0.25 and 0.75.
	gomlxtest.Close(t, "two against two", get(metric.SlicedWasserstein(column(0, 1), column(0.75, 0.25), 3, 1)), 0.25, 1e-12)
	// Thirds against halves: (0,½,1) and (0,1) differ by ½ on the middle third.
	gomlxtest.Close(t, "three against two", get(metric.SlicedWasserstein(column(1, 0, 0.5), column(0, 1), 1, 1)), math.Sqrt(0.25/3), 1e-12)
	// A shift in d dimensions: its length over √d. (θ·δ)² has mean |δ|²/d and, for d = 3,
	// standard deviation 0.9|δ|²/d; 4000 directions miss it by 6 % once in 40,000 seeds.
	x := random(1, 50, 3)
	gomlxtest.Close(t, "shift", get(metric.SlicedWasserstein(x, shifted(x, 1, 2, 2), 4000, 1)), 3/math.Sqrt(3), 0.06*math.Sqrt(3)/2)
	if a, b := get(metric.SlicedWasserstein(x, random(2, 40, 3), 10, 7)), get(metric.SlicedWasserstein(x, random(2, 40, 3), 10, 7)); a != b {
		t.Errorf("the same seed gave %g and %g", a, b)
	}
}

func TestEnergyDistanceClosedForms(t *testing.T) {
	get := must(t)
	gomlxtest.Close(t, "two points", get(metric.EnergyDistance(column(0), column(3))), 6, 1e-12)
	// 2·½ − 0 − ½
	gomlxtest.Close(t, "middle of two", get(metric.EnergyDistance(column(0.5), column(0, 1))), 0.5, 1e-12)
	gomlxtest.Close(t, "in the plane", get(metric.EnergyDistance(tensors.FromValue([][]float32{{0, 0}}), tensors.FromValue([][]float32{{3, 4}}))), 10, 1e-12)
	// Normals one apart: 2E|Z√2+1| − 4/√π, with E|N(1,2)| = √2·√(2/π)·e^(−1/4) + erf(1/2).
	want := 2*(2/math.Sqrt(math.Pi)*math.Exp(-0.25)+math.Erf(0.5)) - 4/math.Sqrt(math.Pi)
	// Over seeds the estimate is spread by 0.04; one in two million is off by five times that.
	gomlxtest.Close(t, "normals", get(metric.EnergyDistance(random(1, 1500, 1), shifted(random(2, 1500, 1), 1))), want, 0.2)
}

func TestMMDClosedForms(t *testing.T) {
	get := must(t)
	gomlxtest.Close(t, "two points", get(metric.MMD(column(0), column(1), 1)), math.Sqrt(2-2*math.Exp(-0.5)), 1e-12)
	gomlxtest.Close(t, "median", get(metric.MMD(column(0), column(4), 0)), math.Sqrt(2-2*math.Exp(-0.5)), 1e-12)
	gomlxtest.Close(t, "far apart", get(metric.MMD(column(0), column(1e200), 1)), math.Sqrt2, 1e-12)
	gomlxtest.Close(t, "all equal", get(metric.MMD(column(2, 2), column(2), 0)), 0, 1e-12)
}

func TestDistancesAreDistances(t *testing.T) {
	property.Check(t, func(t *rapid.T) {
		get := must(t)
		d := rapid.IntRange(1, 4).Draw(t, "d")
		draw := func(name string) *tensors.Tensor {
			n := rapid.IntRange(1, 12).Draw(t, "n")
			flat := rapid.SliceOfN(rapid.Float64Range(-100, 100), n*d, n*d).Draw(t, name)
			return tensors.FromFlatDataAndDimensions(flat, n, d)
		}
		x, y := draw("x"), draw("y")
		for name, distance := range map[string]func(a, b *tensors.Tensor) (float64, error){
			"sliced": func(a, b *tensors.Tensor) (float64, error) { return metric.SlicedWasserstein(a, b, 5, 3) },
			"energy": func(a, b *tensors.Tensor) (float64, error) { return metric.EnergyDistance(a, b) },
			"MMD":    func(a, b *tensors.Tensor) (float64, error) { return metric.MMD(a, b, 10) },
		} {
			there, back := get(distance(x, y)), get(distance(y, x))
			gomlxtest.Close(t, name+" to itself", get(distance(x, x)), 0, 1e-6)
			gomlxtest.Close(t, name+" back", back, there, 1e-6*max(1, there))
			if there < 0 {
				t.Errorf("%s is %g", name, there)
			}
			gomlxtest.Close(t, name+" moved", get(distance(shifted(x, 7), shifted(y, 7))), there, 1e-6*max(1, there))
		}
	})
}

func TestDistancesTeach(t *testing.T) {
	good := random(1, 4, 3)
	huge := tensors.FromValue([][]float64{{1e300, 0, 0}})
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"nil":         {second(metric.EnergyDistance(nil, good)), "x is nil"},
		"event":       {second(metric.EnergyDistance(good, random(1, 4, 2))), "axis 1 differs"},
		"empty":       {second(metric.MMD(good, random(1, 0, 3), 0)), "y is empty"},
		"NaN":         {second(metric.MMD(tensors.FromValue([][]float64{{math.NaN()}}), column(1), 0)), "NaN or infinite"},
		"projections": {second(metric.SlicedWasserstein(good, good, 0, 1)), "0 projections"},
		"bandwidth":   {second(metric.MMD(good, good, -1)), "bandwidth -1"},
		"overflow":    {second(metric.EnergyDistance(good, huge)), "overflow"},
		"overflow W":  {second(metric.SlicedWasserstein(good, huge, 5, 1)), "overflow"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) || !strings.Contains(c.err.Error(), "metric.") {
			t.Errorf("%s: error is %v, want one with %q", name, c.err, c.want)
		}
	}
}

func second(_ float64, err error) error { return err }

func ExampleSlicedWasserstein() {
	x := tensors.FromValue([][]float32{{0}, {1}})
	y := tensors.FromValue([][]float32{{2}, {3}})
	distance, err := metric.SlicedWasserstein(x, y, 1, 0)
	fmt.Printf("%.1f %v\n", distance, err)
	// Output: 2.0 <nil>
}

func ExampleEnergyDistance() {
	distance, err := metric.EnergyDistance(tensors.FromValue([][]float32{{0, 0}}), tensors.FromValue([][]float32{{3, 4}}))
	fmt.Printf("%.1f %v\n", distance, err)
	// Output: 10.0 <nil>
}

func ExampleMMD() {
	distance, err := metric.MMD(tensors.FromValue([][]float32{{0}}), tensors.FromValue([][]float32{{1}}), 1)
	fmt.Printf("%.3f %v\n", distance, err)
	// Output: 0.887 <nil>
}
