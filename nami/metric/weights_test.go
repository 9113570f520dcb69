package metric_test

import (
	"math"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/metric"
	"github.com/nami-flow/go-nami/tests/property"

	"github.com/gomlx/gomlx/core/tensors"
	"pgregory.net/rapid"
)

// Every distance that takes weights.
var weightedDistances = map[string]func(x, y *tensors.Tensor, settings ...metric.Option) (float64, error){
	"SlicedWasserstein": func(x, y *tensors.Tensor, settings ...metric.Option) (float64, error) {
		return metric.SlicedWasserstein(x, y, 7, 3, settings...)
	},
	"EnergyDistance": metric.EnergyDistance,
	"MMD": func(x, y *tensors.Tensor, settings ...metric.Option) (float64, error) {
		return metric.MMD(x, y, 2, settings...)
	},
}

// An event of weight k counts as k events do, one of weight 0 not at all, and a common
// factor changes nothing.
func TestWeightsAreCounts(t *testing.T) {
	property.Check(t, func(t *rapid.T) {
		get := must(t)
		d := rapid.IntRange(1, 3).Draw(t, "d")
		draw := func(name string) (once, repeated, weights *tensors.Tensor) {
			n := rapid.IntRange(1, 8).Draw(t, "n")
			flat := rapid.SliceOfN(rapid.Float64Range(-10, 10), n*d, n*d).Draw(t, name)
			counts := rapid.SliceOfN(rapid.IntRange(0, 4), n, n).Draw(t, "counts")
			counts[0] = max(1, counts[0])
			factor := rapid.Float64Range(0.01, 100).Draw(t, "factor")
			var all, w []float64
			for i, c := range counts {
				w = append(w, factor*float64(c))
				for range c {
					all = append(all, flat[i*d:(i+1)*d]...)
				}
			}
			return tensors.FromFlatDataAndDimensions(flat, n, d), tensors.FromFlatDataAndDimensions(all, len(all)/d, d), tensors.FromFlatDataAndDimensions(w, n)
		}
		x, manyX, wx := draw("x")
		y, manyY, wy := draw("y")
		for name, distance := range weightedDistances {
			want := get(distance(manyX, manyY))
			gomlxtest.Close(t, name, get(distance(x, y, metric.Weights(wx, wy))), want, 1e-6*max(1, want))
			gomlxtest.Close(t, name+", of x alone", get(distance(x, manyY, metric.Weights(wx))), want, 1e-6*max(1, want))
			gomlxtest.Close(t, name+", of y alone", get(distance(manyX, y, metric.Weights(nil, wy))), want, 1e-6*max(1, want))
		}
	})
}

// A negative weight takes an event away again.
func TestNegativeWeights(t *testing.T) {
	get := must(t)
	weights := tensors.FromValue([]float64{1, 1, 1, -1}) // the third event and the fourth are one
	for _, name := range []string{"EnergyDistance", "MMD"} {
		want := get(weightedDistances[name](column(0, 1), column(3)))
		gomlxtest.Close(t, name, get(weightedDistances[name](column(0, 1, 7, 7), column(3), metric.Weights(weights))), want, 1e-7)
	}
}

// A shift of both samples far from 0 changes a distance by what float64 rounds of the
// events alone.
func TestDistancesFarFromZero(t *testing.T) {
	get := must(t)
	x, y := tensors.FromValue([][]float64{{0, 1}, {2, 3}, {1, 1}}), tensors.FromValue([][]float64{{1, 0}, {5, 2}})
	for name, distance := range weightedDistances {
		gomlxtest.Close(t, name, get(distance(shifted(x, 1<<50), shifted(y, 1<<50))), get(distance(x, y)), 1e-9)
	}
}

func TestBadWeights(t *testing.T) {
	x, y := column(0, 1), column(2)
	w := func(v ...float64) *tensors.Tensor { return tensors.FromFlatDataAndDimensions(v, len(v)) }
	for want, settings := range map[string][]metric.Option{
		"the weights of x are (Float64)[3], and it has 2 events": {metric.Weights(w(1, 2, 3))},
		"the weights of y are (Float64)[1, 1]":                   {metric.Weights(nil, column(1))},
		"add up to 0: their sum must be positive":                {metric.Weights(w(1, -1))},
		"add up to -3":     {metric.Weights(w(-1, -2))},
		"NaN or infinite":  {metric.Weights(w(1, math.NaN()))},
		"option 0 of 1 is": {nil},
		"Weights has 3 tensors, and there are 2 samples": {metric.Weights(w(1, 1), nil, nil)},
	} {
		for name, distance := range weightedDistances {
			_, err := distance(x, y, settings...)
			gomlxtest.Says(t, name, err, want)
		}
	}
	if _, err := metric.SlicedWasserstein(x, y, 3, 1, metric.Weights(w(2, -1))); err == nil || !strings.Contains(err.Error(), "weight 1 of x is negative") {
		t.Errorf("the error is %v for a negative weight", err)
	}
}

// With weights of both signs the distance can be above √2, as MMD says.
func TestMMDOfNegativeWeights(t *testing.T) {
	d, err := metric.MMD(column(0, 100), column(200), 1, metric.Weights(tensors.FromValue([]float64{2, -1})))
	if err != nil {
		t.Fatal(err)
	}
	gomlxtest.Close(t, "MMD", d, math.Sqrt(2*2+1+1), 1e-12) // three points too far apart to see each other
}

// Where more than half of the pairs are equal, the bandwidth is 1.
func TestMMDOfEqualPairs(t *testing.T) {
	x, y := column(3, 3, 3, 3), column(3, 4)
	got, err := metric.MMD(x, y, 0)
	if err != nil {
		t.Fatal(err)
	}
	want, err := metric.MMD(x, y, 1)
	if err != nil {
		t.Fatal(err)
	}
	gomlxtest.Close(t, "MMD", got, want, 0)
}
