package plotting

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
)

// An event of weight k is drawn as k events are, in every kind of figure that takes
// weights, and those of weight 0 not at all.
func TestWeightsAreCounts(t *testing.T) {
	points := moons(1, 400)
	flat := tensors.MustCopyFlatData[float64](tensors.FromFlatDataAndDimensions(floats(points), 400, 2))
	var repeated, weights, ones []float64
	for i := range 400 {
		k := i % 4
		if i < 4 {
			k = 1 // so that the ranges are the same
		}
		weights, ones = append(weights, float64(k)), append(ones, 1)
		for range k {
			repeated = append(repeated, flat[2*i:2*i+2]...)
		}
	}
	// The corners of the range, in both.
	for _, corner := range [][2]float64{{-3, -3}, {3, 3}} {
		flat, repeated = append(flat, corner[:]...), append(repeated, corner[:]...)
		weights = append(weights, 1)
	}
	once, many := tensors.FromFlatDataAndDimensions(flat, len(flat)/2, 2), tensors.FromFlatDataAndDimensions(repeated, len(repeated)/2, 2)
	w := tensors.FromFlatDataAndDimensions(weights, len(weights))
	column := func(x *tensors.Tensor) (out []float64) {
		for i, v := range tensors.MustCopyFlatData[float64](x) {
			if i%2 == 0 {
				out = append(out, v)
			}
		}
		return out
	}
	for name, pair := range map[string][2]Figure{
		"Histogram": {
			Histogram([]Series{{Values: column(once), Weights: weights}}, Bins(9), YLabel("y")),
			Histogram([]Series{{Values: column(many)}}, Bins(9), YLabel("y")),
		},
		"densities": {
			Histogram([]Series{{Values: column(once), Weights: weights}, {Values: []float64{1, 2}}}, Bins(9)),
			Histogram([]Series{{Values: column(many)}, {Values: []float64{1, 2}}}, Bins(9)),
		},
		"Histogram2D": {
			Histogram2D(once, Weights(w), Bins(12), Limits(-3, 3, -3, 3), ValueLabel("n")),
			Histogram2D(many, Bins(12), Limits(-3, 3, -3, 3), ValueLabel("n")),
		},
		"Joint": {Joint(once, Weights(w), Bins(12), Limits(-3, 3, -3, 3)), Joint(many, Bins(12), Limits(-3, 3, -3, 3))},
	} {
		a, errA := pair[0].SVG()
		b, errB := pair[1].SVG()
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s: drawn with weights and with repeated events it differs (errors %v, %v)", name, errA, errB)
		}
	}
	// The diagonal of a corner plot; its outlines are smoothed by what the weights say of how
	// many events there are, which isn't the number of repeated ones.
	over := span{-3, 3}
	with := weighted{column(once), weights}.binned(binning{over: over, n: 9}).heights
	without := weighted{values: column(many)}.binned(binning{over: over, n: 9}).heights
	if !slices.Equal(with, without) {
		t.Errorf("the bins are %v with weights, %v with repeated events", with, without)
	}
	if got := (weighted{ones, ones}).effective(); got != 400 {
		t.Errorf("400 events of weight 1 count as %g", got)
	}
	if got := (weighted{[]float64{1, 2}, []float64{1, 3}}).effective(); math.Abs(got-1.6) > 1e-12 {
		t.Errorf("weights 1 and 3 count as %g events, expected 1.6", got)
	}
	draws(t, "corner", Corner([]Sample{{Name: "weighted", Points: once, Weights: w}, {Name: "repeated", Points: many}}))
}

// A bin in which negative weights prevail is drawn below zero.
func TestNegativeWeights(t *testing.T) {
	f := Histogram([]Series{{Values: []float64{0, 0.1, 1}, Weights: []float64{3, 1, -2}}}, Bins(2))
	if over := only(t, f).y.over; math.Abs(over.lo+2.12) > 1e-9 || math.Abs(over.hi-4.24) > 1e-9 {
		t.Errorf("heights of 4 and −2 are drawn over %v", over)
	}
	draws(t, "negative", f)
	x := tensors.FromValue([][]float64{{0, 0}, {1, 1}, {1, 0}})
	draws(t, "joint", Joint(x, Weights(tensors.FromValue([]float64{2, 1, -1})), Bins(2)))
}

func TestBadWeights(t *testing.T) {
	x := moons(1, 4)
	two := tensors.FromValue([]float64{1, 2})
	cancel := tensors.FromValue([]float64{1, -1, 1, -1})
	for want, err := range map[string]error{
		"has 1 Weights for 2 Values":                                            Histogram([]Series{{Values: []float64{1, 2}, Weights: []float64{1}}}).Err(),
		"a density needs a positive sum":                                        Histogram([]Series{{Values: []float64{1, 2}, Weights: []float64{1, -1}}, {Values: []float64{1}}}).Err(),
		"has Weights: give Name, Values, X, Errors alone":                       Line([]Series{{Values: []float64{1}, Weights: []float64{1}}}).Err(),
		"RankHistogram: series 0 (\"\") has Weights: give Name, Values alone":   RankHistogram([]Series{{Values: []float64{1}, Weights: []float64{1}}}, 9).Err(),
		"Coverage: series 0 (\"\") has Weights: give Name, Values alone":        Coverage([]Series{{Values: []float64{1}, Weights: []float64{1}}}).Err(),
		"2 weights, of shape (Float64)[2], for 4":                               Histogram2D(x, Weights(two)).Err(),
		"Joint: there are 2 weights":                                            Joint(x, Weights(two)).Err(),
		"sample 1 (\"a\"): there are 2 weights":                                 Corner([]Sample{{Name: "a", Points: x, Weights: two}}).Err(),
		"weights that add up to 0":                                              Corner([]Sample{{Points: x, Weights: cancel}}).Err(),
		"plotting.Compare: sample 1: metric.Compare: the weights of the sample": Compare(Sample{Points: x}, []Sample{{Points: x, Weights: two}}, 1).Err(),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, expected %q", err, want)
		}
	}
	f := Histogram([]Series{{Values: []float64{1, 2, 3}, Weights: []float64{1, math.NaN(), 1}}})
	if note := only(t, f).note; note != "1 of 3 values not finite, left out" {
		t.Errorf("a weight of NaN is noted as %q", note)
	}
}
