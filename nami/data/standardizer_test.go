package data_test

import (
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"

	"github.com/gomlx/gomlx/core/tensors"
)

func fit(t *testing.T, e data.Events) data.Standardizer {
	t.Helper()
	s, err := data.FitStandardizer(e)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStandardizer(t *testing.T) {
	x := tensors.FromValue([][]float32{{1, 0.1, -5}, {2, 0.1, 3}, {6, 0.1, 4}})
	s := fit(t, data.Events{X: x})
	if s.Mean[1] != float64(float32(0.1)) || s.Std[1] != 1 {
		t.Errorf("the constant feature has mean %v and standard deviation %v, expected its value and 1", s.Mean[1], s.Std[1])
	}
	gomlxtest.Near(t, "the mean of the first feature", s.Mean[:1], []float64{3}, 1e-12)
	gomlxtest.Near(t, "its deviation", s.Std[:1], []float64{math.Sqrt(7)}, 1e-12)
	z, err := s.Apply(x)
	if err != nil {
		t.Fatal(err)
	}
	back, err := s.Inverse(z)
	gomlxtest.Near(t, "what comes back", gomlxtest.Floats(t, back, err), gomlxtest.Floats(t, x, nil), 1e-6)
	gomlxtest.Near(t, "LogDet", []float64{s.LogDet()}, []float64{-math.Log(s.Std[0] * s.Std[2])}, 1e-12)
}

// Padding isn't counted, and stays zero on the way there and back, whatever stands in it.
func TestStandardizerOfPadding(t *testing.T) {
	mask := tensors.FromValue([][]float32{{1, 1, 0}, {1, 0, 0}})
	nan := float32(math.NaN())
	x := tensors.FromFlatDataAndDimensions([]float32{9, 10, nan, 11, 0, 1e30}, 2, 3, 1)
	s := fit(t, data.Events{X: x, Mask: mask})
	gomlxtest.Near(t, "mean and deviation", []float64{s.Mean[0], s.Std[0]}, []float64{10, 1}, 1e-12)
	z, err := s.Masked(mask).Apply(x)
	gomlxtest.Near(t, "Apply", gomlxtest.Floats(t, z, err), []float64{-1, 0, 0, 1, 0, 0}, 0)
	back, err := s.Masked(mask).Inverse(z)
	gomlxtest.Near(t, "Inverse", gomlxtest.Floats(t, back, err), []float64{9, 10, 0, 11, 0, 0}, 0)

	// Samples have axes before those of the mask.
	two := tensors.FromFlatDataAndDimensions([]float32{-1, 0, 5, 1, 5, 5, 1, 2, 5, 3, 5, 5}, 2, 2, 3, 1)
	back, err = s.Masked(mask).Inverse(two)
	gomlxtest.Near(t, "Inverse of two samples", gomlxtest.Floats(t, back, err), []float64{9, 10, 0, 11, 0, 0, 11, 12, 0, 13, 0, 0}, 0)

	_, err = s.Masked(tensors.FromValue([][]float32{{1, 1}, {1, 0}})).Inverse(two)
	gomlxtest.Says(t, "another number of objects", err, "the mask is (Float32)[2, 2], x (Float32)[2, 2, 3, 1]")
	_, err = s.Masked(tensors.FromValue([][]float32{{1, 1, 0}, {1, 0.5, 0}})).Inverse(two)
	gomlxtest.Says(t, "half a mask", err, "has 0.5 in row 1: expected 1 for an object and 0 for padding")
}

// What would be wrong of events with padding isn't taken over from the standardizer: LogDet
// counts the objects of an event, and Masked a second mask.
func TestMaskedStandardizerHasItsOwnMethods(t *testing.T) {
	masked := reflect.TypeFor[data.MaskedStandardizer]()
	var methods []string
	for i := range masked.NumMethod() {
		methods = append(methods, masked.Method(i).Name)
	}
	if !slices.Equal(methods, []string{"Apply", "Inverse"}) {
		t.Errorf("the methods are %v, expected Apply and Inverse", methods)
	}
}

// Whole weights count an event that often; equal ones change nothing; negative ones take
// events away that were there too often.
func TestStandardizerOfWeights(t *testing.T) {
	once := tensors.FromValue([][]float64{{1, 2}, {3, 5}, {7, 7}})
	equal := fit(t, data.Events{X: once, Weight: tensors.FromValue([]float64{4, 4, 4})})
	plain := fit(t, data.Events{X: once})
	gomlxtest.Near(t, "equal weights' means", equal.Mean, plain.Mean, 1e-12)
	gomlxtest.Near(t, "equal weights' deviations", equal.Std, plain.Std, 1e-12)

	// Σw = 6, Σw² = 14: mean (1+6+21)/6 and (2+10+21)/6, divisor 6 - 14/6.
	s := fit(t, data.Events{X: once, Weight: tensors.FromValue([]float64{1, 2, 3})})
	gomlxtest.Near(t, "means", s.Mean, []float64{28. / 6, 33. / 6}, 1e-12)
	variance := func(mean float64, x ...float64) float64 {
		sum := 0.0
		for i, v := range x {
			sum += float64(i+1) * (v - mean) * (v - mean)
		}
		return math.Sqrt(sum / (6 - 14./6))
	}
	gomlxtest.Near(t, "deviations", s.Std, []float64{variance(28./6, 1, 3, 7), variance(33./6, 2, 5, 7)}, 1e-12)

	cancelled := fit(t, data.Events{
		X:      tensors.FromValue([][]float64{{1}, {3}, {7}, {100}, {100}}),
		Weight: tensors.FromValue([]float64{1, 1, 1, 1, -1}),
	})
	gomlxtest.Near(t, "a mean with events that cancel", cancelled.Mean, []float64{11. / 3}, 1e-12)
}

func TestBadStandardizer(t *testing.T) {
	x := tensors.FromValue([][]float32{{1, 0.1, -5}, {2, 0.1, 3}, {6, 0.1, 4}})
	s := fit(t, data.Events{X: x})
	fitted := func(e data.Events) error { _, err := data.FitStandardizer(e); return err }
	applied := func(s data.Standardizer, x *tensors.Tensor) error { _, err := s.Apply(x); return err }
	for want, err := range map[string]error{
		"the data is nil": fitted(data.Events{}),
		"the data is (Float32)[1, 2], and 1 of its rows count":                        fitted(data.Events{X: tensors.FromValue([][]float32{{1, 2}})}),
		"row 1, column 0 of the data, (Float64)[2, 2], is +Inf":                       fitted(data.Events{X: tensors.FromValue([][]float64{{1, 2}, {math.Inf(1), 1}})}),
		"data.FitStandardizer: the data is (Float32)[2]: expected [n, ..., features]": fitted(data.Events{X: tensors.FromValue([]float32{1, 2})}),
		"the weight is (Float32)[2]":                                                  fitted(data.Events{X: x, Weight: tensors.FromValue([]float32{1, 2})}),
		"add up to 0":                                                                 fitted(data.Events{X: x, Weight: tensors.FromValue([]float32{1, -2, 1})}),
		"of the weight are NaN or infinite, the first in row 2":                       fitted(data.Events{X: x, Weight: tensors.FromValue([]float32{1, 1, float32(math.NaN())})}),
		"the variance of column 0 is -":                                               fitted(data.Events{X: x, Weight: tensors.FromValue([]float32{3, 3, -0.5})}),
		"make an effective number of 0.03":                                            fitted(data.Events{X: x, Weight: tensors.FromValue([]float32{-2, 5, -2})}),
		"expected [n, objects, features], one axis of features": fitted(data.Events{
			X: gomlxtest.Filled(1, 2, 3, 1, 1), Mask: gomlxtest.Filled(1, 2, 3),
		}),
		"and 0 of its rows count": fitted(data.Events{X: gomlxtest.Filled(1, 2, 3, 1), Mask: gomlxtest.Filled(0, 2, 3)}),
		"data.Standardizer.Apply: x is (Float32)[1, 2]: its last axis must hold the 3 features":            applied(s, tensors.FromValue([][]float32{{1, 2}})),
		"data.Standardizer.Apply: x is nil":                                                                applied(s, nil),
		"x is (Int32)[1, 3]: expected Float32 or Float64":                                                  applied(s, tensors.FromValue([][]int32{{1, 2, 3}})),
		"feature 0 has Mean 0 and Std 0":                                                                   applied(data.Standardizer{Mean: []float64{0}, Std: []float64{0}}, x),
		"Mean has 1 values and Std 0":                                                                      data.Standardizer{Mean: []float64{0}}.Validate(),
		"data.Standardizer.Apply: 2, feature 1 of row 1, becomes 2e+40 with Mean 0 and Std 1e-40, which F": applied(data.Standardizer{Mean: []float64{0, 0}, Std: []float64{1, 1e-40}}, tensors.FromValue([][]float32{{1, 0}, {1, 2}})),
	} {
		gomlxtest.Says(t, want, err, want)
	}
}

func TestOneHot(t *testing.T) {
	x, err := data.OneHot([]int{1, 0, 1}, 2)
	gomlxtest.Near(t, "rows", gomlxtest.Floats(t, x, err), []float64{0, 1, 1, 0, 0, 1}, 0)
	for _, labels := range [][]int{{0, 3}, {-1}} {
		_, err := data.OneHot(labels, 3)
		gomlxtest.Says(t, "a label out of range", err, "from 0 to 2")
	}
	_, err = data.OneHot(nil, 0)
	gomlxtest.Says(t, "no classes", err, "classes is 0")
}
