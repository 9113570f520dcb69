package transform_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/transform"

	"github.com/gomlx/gomlx/core/tensors"
)

func fit[T transform.Transform](t *testing.T, by T, d transform.Data) T {
	t.Helper()
	fitted, err := transform.Fit(gomlxtest.Go(t), by, d)
	if err != nil {
		t.Fatal(err)
	}
	return fitted.(T)
}

func TestFitStandardize(t *testing.T) {
	x := tensors.FromValue([][]float32{{1, -5}, {2, 3}, {6, 5}})
	s := fit(t, transform.Standardize{}, transform.Data{X: x})
	gomlxtest.Near(t, "means", s.Mean, []float64{3, 1}, 1e-12)
	gomlxtest.Near(t, "deviations", s.Std, []float64{math.Sqrt(7), math.Sqrt(28)}, 1e-12)

	// Parameters that were given stay.
	given := transform.Standardize{Mean: []float64{7}, Std: []float64{2}}
	if got := fit(t, given, transform.Data{X: x}); got.Mean[0] != 7 || got.Std[0] != 2 {
		t.Errorf("the given parameters became %v", got)
	}

	constant := fit(t, transform.Standardize{Constant: 1}, transform.Data{X: tensors.FromValue([][]float64{{1, 0.1}, {2, 0.1}, {6, 0.1}})})
	gomlxtest.Near(t, "mean and deviation with a constant column", append(constant.Mean, constant.Std...), []float64{3, 0.1, math.Sqrt(7), 1}, 0)

	images := tensors.FromValue([][][]float64{{{1, 2}, {3, 4}}, {{3, 4}, {5, 8}}})
	s = fit(t, transform.Standardize{PerValue: true}, transform.Data{X: images})
	gomlxtest.Near(t, "means of pixels", s.Mean, []float64{2, 3, 4, 6}, 1e-12)
	gomlxtest.Near(t, "deviations of pixels", s.Std, []float64{math.Sqrt2, math.Sqrt2, math.Sqrt2, math.Sqrt(8)}, 1e-12)

	scalars := fit(t, transform.Standardize{}, transform.Data{X: tensors.FromValue([]float64{1, 2, 6})})
	gomlxtest.Near(t, "the mean of scalars", scalars.Mean, []float64{3}, 1e-12)
}

// Equal weights change nothing; negative ones take events away that were there too often.
func TestFitWithWeights(t *testing.T) {
	x := tensors.FromValue([][]float64{{1, 2}, {3, 5}, {7, 7}})
	// Σw = 6, Σw² = 14: mean (1+6+21)/6 and (2+10+21)/6, divisor 6 - 14/6.
	d := transform.Data{X: x, Weight: tensors.FromValue([]float64{1, 2, 3})}
	s := fit(t, transform.Standardize{}, d)
	gomlxtest.Near(t, "means", s.Mean, []float64{28. / 6, 33. / 6}, 1e-12)
	moment := func(a, b float64, x, y [3]float64) (sum float64) {
		for i := range x {
			sum += float64(i+1) * (x[i] - a) * (y[i] - b) / (6 - 14./6)
		}
		return sum
	}
	first, second := [3]float64{1, 3, 7}, [3]float64{2, 5, 7}
	variances := []float64{moment(s.Mean[0], s.Mean[0], first, first), moment(s.Mean[1], s.Mean[1], second, second)}
	gomlxtest.Near(t, "variances", []float64{s.Std[0] * s.Std[0], s.Std[1] * s.Std[1]}, variances, 1e-12)

	// W·C·Wᵀ is 1.
	w := fit(t, transform.Whiten{}, d).Matrix
	c := moment(s.Mean[0], s.Mean[1], first, second)
	between := func(a, b []float64) float64 {
		return a[0]*(variances[0]*b[0]+c*b[1]) + a[1]*(c*b[0]+variances[1]*b[1])
	}
	gomlxtest.Near(t, "the whitened covariance", []float64{between(w[0], w[0]), between(w[0], w[1]), between(w[1], w[1])}, []float64{1, 0, 1}, 1e-10)

	cancelled := fit(t, transform.Standardize{}, transform.Data{
		X:      tensors.FromValue([][]float64{{1}, {3}, {7}, {100}, {100}}),
		Weight: tensors.FromValue([]float64{1, 1, 1, 1, -1}),
	})
	gomlxtest.Near(t, "a mean with events that cancel", cancelled.Mean, []float64{11. / 3}, 1e-12)
}

// Padding isn't counted, and stays zero on the way there and back, whatever stands in it.
func TestMask(t *testing.T) {
	backend := gomlxtest.Go(t)
	mask := tensors.FromValue([][]float32{{1, 1, 0}, {1, 0, 0}})
	x := tensors.FromFlatDataAndDimensions([]float32{9, 10, float32(math.NaN()), 11, 0, 1e30}, 2, 3, 1)
	s := fit(t, transform.Standardize{}, transform.Data{X: x, Mask: mask})
	gomlxtest.Near(t, "mean and deviation", []float64{s.Mean[0], s.Std[0]}, []float64{10, 1}, 1e-12)

	by := transform.Chain{transform.Logarithm{}, transform.Standardize{Mean: []float64{1}, Std: []float64{2}}}
	y, logDet, err := transform.Apply(backend, by, transform.Data{X: x, Mask: mask}, 0)
	z := func(x float64) float64 { return (math.Log(x) - 1) / 2 }
	gomlxtest.Near(t, "Apply", gomlxtest.Floats(t, y, err), []float64{z(9), z(10), 0, z(11), 0, 0}, 1e-6)
	want := []float64{-math.Log(9) - math.Log(10) - 2*math.Ln2, -math.Log(11) - math.Ln2}
	gomlxtest.Near(t, "logDet", gomlxtest.Floats(t, logDet, err), want, 1e-6)
	back, logDet, err := transform.Invert(backend, by, transform.Data{X: y, Mask: mask})
	gomlxtest.Near(t, "Invert", gomlxtest.Floats(t, back, err), []float64{9, 10, 0, 11, 0, 0}, 1e-5)
	gomlxtest.Near(t, "logDet of Invert", gomlxtest.Floats(t, logDet, err), want, 1e-6)
}

// Each step of a chain is fitted to what those before it made, in each group of columns.
func TestFitChain(t *testing.T) {
	x := tensors.FromValue([][]float64{{math.E, 0.1, 3}, {math.Exp(3), 0.7, -4}, {math.Exp(5), 0.4, 8}})
	fitted := fit(t, transform.Columns{
		{Of: []int{0}, By: transform.Chain{transform.Logarithm{}, transform.Standardize{}}},
		{Of: []int{1}, By: transform.Circle{Period: 1}},
	}, transform.Data{X: x})
	s := fitted[0].By.(transform.Chain)[1].(transform.Standardize)
	gomlxtest.Near(t, "the mean and deviation of the logarithm", []float64{s.Mean[0], s.Std[0]}, []float64{3, 2}, 1e-12)

	y, _, err := transform.Apply(gomlxtest.Go(t), fitted, transform.Data{X: x}, 3)
	values := gomlxtest.Floats(t, y, err)
	for i, column := range [][]float64{{-1, 3, 0.1}, {0, -4, 0.7}, {1, 8, 0.4}} {
		row := values[4*i : 4*i+4]
		angle := math.Atan2(row[2], row[1]) / (2 * math.Pi)
		if angle < 0 {
			angle++
		}
		gomlxtest.Near(t, "a row", []float64{row[0], row[3], angle}, column, 1e-12)
	}
}

func TestBadData(t *testing.T) {
	backend := gomlxtest.Go(t)
	x := tensors.FromValue([][]float32{{1, 0.1, -5}, {2, 0.1, 3}, {6, 0.1, 4}})
	fit := func(by transform.Transform, d transform.Data) error {
		_, err := transform.Fit(backend, by, d)
		return err
	}
	of := func(by transform.Transform, rows ...[]float64) error {
		return fit(by, transform.Data{X: tensors.FromValue(rows)})
	}
	nan := math.NaN()
	s, w, l := transform.Standardize{}, transform.Whiten{}, transform.Logarithm{}
	for want, err := range map[string]error{
		"transform.Fit: the transform is nil":                                fit(nil, transform.Data{X: x}),
		"the data is nil":                                                    fit(s, transform.Data{}),
		"the data is (Int32)[2]: expected [n, event...]":                     fit(s, transform.Data{X: tensors.FromValue([]int32{1, 2})}),
		"column 1 is 0.10000000149011612 in every row":                       fit(s, transform.Data{X: x}),
		"1 of its rows count":                                                of(s, []float64{1, 2}),
		"row 1, column 0 of the data, (Float64)[2, 2], is NaN":               of(s, []float64{1, 2}, []float64{nan, 3}),
		"the weight is (Float32)[2], the data (Float32)[3, 3]":               fit(s, transform.Data{X: x, Weight: tensors.FromValue([]float32{1, 2})}),
		"the weight of row 1 is NaN":                                         fit(s, transform.Data{X: x, Weight: tensors.FromValue([]float32{1, float32(nan), 1})}),
		"an effective number of 0.03":                                        fit(s, transform.Data{X: x, Weight: tensors.FromValue([]float32{-2, 5, -2})}),
		"the mask is (Float32)[3]":                                           fit(s, transform.Data{X: x, Mask: gomlxtest.Filled(1, 3)}),
		"has 0.5 in row 1":                                                   fit(s, transform.Data{X: gomlxtest.Filled(1, 2, 2, 1), Mask: tensors.FromValue([][]float32{{1, 1}, {1, 0.5}})}),
		"0 of its rows count":                                                fit(s, transform.Data{X: gomlxtest.Filled(1, 2, 2, 1), Mask: gomlxtest.Filled(0, 2, 2)}),
		"PerValue is set and the data has a mask":                            fit(transform.Standardize{PerValue: true}, transform.Data{X: gomlxtest.Filled(1, 2, 2, 1), Mask: gomlxtest.Filled(1, 2, 2)}),
		"the variance of column 0 is -":                                      fit(s, transform.Data{X: tensors.FromValue([][]float32{{1}, {2}, {6}}), Weight: tensors.FromValue([]float32{3, 3, -0.5})}),
		"column 0, column 1 depend linearly on each other":                   of(w, []float64{1, 2, 5}, []float64{2, 4, 1}, []float64{3, 6, 7}, []float64{9, 18, -4}),
		"row 1, column 1 of the data, (Float64)[2, 2], is -3: transform.Log": of(l, []float64{1, 2}, []float64{3, -3}),
		"is 0: transform.Logarithm expects values above 0":                   of(l, []float64{0}),
		"expects values above -2":                                            of(transform.Logarithm{Shift: 2}, []float64{-2}),
		"is 1.5: transform.Logit expects values from 0 to 1":                 of(transform.Logit{}, []float64{1.5}),
		"is -4: transform.Logit expects values from -3 to 5":                 of(transform.Logit{Low: -3, High: 5}, []float64{-4}),
		"is 2.5: transform.Dequantize expects multiples of 1":                of(transform.Dequantize{}, []float64{2.5}),
		"is 0.3: transform.Dequantize expects multiples of 0.25":             of(transform.Dequantize{Step: 0.25}, []float64{0.3}),
		"transform.Dequantize expects at most 1048576 steps":                 of(transform.Dequantize{}, []float64{1e9}),
		"step 1: the value in row 0, column 0 of the data, (Float64)[1, 1], is 0.5: transform.Logarithm expects values above 0, and gets -0.6931471805599453": of(transform.Chain{transform.Logarithm{}, transform.Logarithm{}}, []float64{0.5}),
		"step 0 of 1 is nil": of(transform.Chain{nil}, []float64{0.5}),
		"group 1, of the columns [2]: the value in row 1, column 2 of": of(transform.Columns{{Of: []int{0}, By: l}, {Of: []int{2}, By: l}}, []float64{1, 2, 3}, []float64{1, 2, -3}),
		"group 0, of the columns [3 1]: transform.Standardize: column 1 is 5 in every": of(transform.Columns{{Of: []int{3, 1}, By: s}},
			[]float64{1, 5, 3, 9}, []float64{2, 5, 3, 1}),
		"group 0 has column 3, and there are 2":               of(transform.Columns{{Of: []int{3}, By: l}}, []float64{1, 2}),
		"column 1 is in group 0 and in group 1":               of(transform.Columns{{Of: []int{1}, By: l}, {Of: []int{1}, By: l}}, []float64{1, 2}),
		"it needs at least one column, and a transform":       of(transform.Columns{{Of: []int{1}}}, []float64{1, 2}),
		"transform.Columns: an event has the shape ()":        fit(transform.Columns{{Of: []int{1}, By: l}}, transform.Data{X: tensors.FromValue([]float64{1})}),
		"transform.Circle: an event has the shape ()":         fit(transform.Circle{}, transform.Data{X: tensors.FromValue([]float64{1})}),
		"expected a last axis of the 3 columns of Matrix":     of(whiten, []float64{1, 2}),
		"Mean has 2 values, and an event the shape (3)":       of(transform.Standardize{Mean: []float64{1, 2}, Std: []float64{1, 2}}, []float64{1, 2, 3}),
		"Mean has 2 values and Std 1":                         of(transform.Standardize{Mean: []float64{1, 2}, Std: []float64{1}}, []float64{1, 2}),
		"Constant is -1: it must be positive":                 of(transform.Standardize{Constant: -1}, []float64{1}, []float64{1}),
		"column 0 is 1 in every row":                          of(w, []float64{1, 2}, []float64{1, 3}),
		"value 1 of Mean and Std is 2 and 0":                  of(transform.Standardize{Mean: []float64{1, 2}, Std: []float64{1, 0}}, []float64{1, 2}),
		"Shift is NaN":                                        of(transform.Logarithm{Shift: nan}, []float64{1}),
		"transform.Probit: Low is 2 and High 1":               of(transform.Probit{Low: 2, High: 1}, []float64{1}),
		"is 6: transform.Probit expects values from -3 to 5":  of(transform.Probit{Low: -3, High: 5}, []float64{6}),
		"Low is 2 and High 1":                                 of(transform.Logit{Low: 2, High: 1}, []float64{1}),
		"Scale is -1":                                         of(transform.Asinh{Scale: -1}, []float64{1}),
		"Step is -1":                                          of(transform.Dequantize{Step: -1}, []float64{1}),
		"Period is -1 and Low 0":                              of(transform.Circle{Period: -1}, []float64{1}),
		"row 1 of Matrix has 1 values: expected 2":            of(transform.Whiten{Mean: []float64{1, 2}, Matrix: [][]float64{{1, 2}, {3}}}, []float64{1, 2}),
		"Mean has 2 values and Matrix 1 rows":                 of(transform.Whiten{Mean: []float64{1, 2}, Matrix: [][]float64{{1, 2}}}, []float64{1, 2}),
		"row 0 of Mean and Matrix holds NaN":                  of(transform.Whiten{Mean: []float64{nan}, Matrix: [][]float64{{1}}}, []float64{1}),
		"Matrix, 2 by 2, has no inverse":                      of(transform.Whiten{Mean: []float64{1, 2}, Matrix: [][]float64{{1, 2}, {2, 4}}}, []float64{1, 2}),
		"transform.Validate: transform.Standardize: Mean and": transform.Validate(backend, s, transform.Data{X: x}),
		"transform.Fit: the backend is nil":                   func() error { _, err := transform.Fit(nil, s, transform.Data{X: x}); return err }(),
	} {
		gomlxtest.Says(t, want, err, want)
	}
	_, _, err := transform.Invert(backend, transform.Circle{}, transform.Data{X: x})
	gomlxtest.Says(t, "an odd number of columns", err, "transform.Circle: y is (Float32)[3, 3]: expected two columns for each angle")
	_, _, err = transform.Invert(backend, l, transform.Data{X: tensors.FromValue([]float32{1, 100})})
	gomlxtest.Says(t, "a number that overflows", err, "1 of 2 values of the result, (Float32)[2], are NaN or infinite, the first in row 1: Float32 can't hold them")
	_, _, err = transform.Invert(backend, nil, transform.Data{X: x})
	gomlxtest.Says(t, "no transform", err, "is nil")
}

// Transforms print in words.
func TestString(t *testing.T) {
	got := fmt.Sprint(transform.Chain{
		transform.Columns{{Of: []int{0}, By: transform.Logarithm{}}, {Of: []int{2}, By: transform.Circle{Low: -math.Pi}}},
		transform.Asinh{},
		transform.Logit{},
		transform.Dequantize{},
		transform.Standardize{Mean: []float64{1, 2, 3, 4, 5}, Std: []float64{1.23456, 1, 1, 1, 1}},
		transform.Whiten{},
	})
	const want = "Chain{Columns{[0] Logarithm, [2] Circle{-3.142 to 3.142}}, Asinh{scale 1}, Logit{0 to 1}, Dequantize{step 1}, " +
		"Standardize{mean [1 2 3 4 … (5 values)], std [1.235 1 1 1 … (5 values)]}, Whiten, not fitted}"
	if got != want {
		t.Errorf("a chain prints as\n%s\nexpected\n%s", got, want)
	}
}

// A value outside the domain of a later step, or of one behind noise, is reported as it stands in
// the data, with all events that have one.
func TestOutsideError(t *testing.T) {
	backend := gomlxtest.Go(t)
	counts := transform.Chain{transform.Dequantize{}, transform.Logarithm{}}
	inHundreds := transform.Chain{transform.Standardize{Mean: []float64{0}, Std: []float64{100}}, transform.Logit{}}
	all := transform.Chain{
		transform.Columns{{Of: []int{0}, By: transform.Circle{}}, {Of: []int{2}, By: counts}},
		transform.Columns{{Of: []int{3}, By: transform.Asinh{}}},
	}
	widened := transform.Chain{transform.Circle{}, transform.Columns{{Of: []int{4, 5}, By: transform.Logit{Low: -9, High: 9}}}}
	for _, c := range []struct {
		by         transform.Transform
		x          []float64 // in rows of three
		row, place int
		rows       []int
		says       string
	}{
		{counts, []float64{0, 1, 2, 3, 4, 5, 7, 8, -3}, 2, 2, []int{2}, "is -3: transform.Logarithm expects values above 0, and"},
		{counts, []float64{0, 1, 2, 3, 4, 0.5, 7, 8, 0.25}, 1, 2, []int{1, 2}, "is 0.5: transform.Dequantize expects multiples of 1"},
		{inHundreds, []float64{0, 1, 2, 120, 4, 5, 7, 101, 3}, 1, 0, []int{1, 2}, "is 120: transform.Logit expects values from 0 to 1, and gets 1.2"},
		{transform.Chain{transform.Dequantize{}, inHundreds}, []float64{0, 1, 2, 3, 99, 5, 7, 8, 100}, 2, 2, []int{2}, "is 100: transform.Logit expects values from 0 to 1, and gets 1.0000000000000002"},
		{all, []float64{100, -1, 0, 4, -5, -1, 3, 3, -2}, 1, 2, []int{1, 2}, "is -1: transform.Logarithm expects values above 0"},
		{widened, []float64{0, 0, 0, 0, 0, 1, 0, 0, 0}, -1, 0, nil, ""},
		{transform.Chain{transform.Circle{}, transform.Columns{{Of: []int{4}, By: transform.Logarithm{}}}}, []float64{0, 0, 3, 0, 0, 0, 0, 0, 1}, 0, 2, []int{0}, "is 3: transform.Logarithm expects values above 0, and gets -"},
	} {
		x := tensors.FromFlatDataAndDimensions(c.x, len(c.x)/3, 3)
		err := transform.Validate(backend, c.by, transform.Data{X: x})
		if c.rows == nil {
			if err != nil {
				t.Errorf("%v: %v", c.by, err)
			}
			continue
		}
		gomlxtest.Says(t, fmt.Sprint(c.by), err, c.says)
		var outside *transform.OutsideError
		if !errors.As(err, &outside) || !errors.Is(err, transform.ErrOutside) {
			t.Errorf("%v: the error is %T", c.by, err)
			continue
		}
		if outside.Row != c.row || outside.Place != c.place || outside.Value != c.x[3*c.row+c.place] || !slices.Equal(outside.Rows, c.rows) {
			t.Errorf("%v: the value is %v in row %d at %d, the rows are %v: expected row %d, place %d and the rows %v", c.by, outside.Value, outside.Row, outside.Place, outside.Rows, c.row, c.place, c.rows)
		}
		moved := outside.From(1000, c.row+1)
		if moved.Row != 1000+c.row || !slices.Equal(moved.Rows, []int{1000 + c.row}) || !strings.Contains(moved.Error(), fmt.Sprintf("row %d, place %d", 1000+c.row, c.place)) {
			t.Errorf("%v: moved it is %v, of the rows %v", c.by, moved, moved.Rows)
		}
		// What no graph is built for says the same, if it sees it.
		if err := transform.Admit(c.by, x, nil, []int{3}); err != nil {
			var admitted *transform.OutsideError
			if !errors.As(err, &admitted) || admitted.Row != c.row || admitted.Place != c.place || !slices.Equal(admitted.Rows, c.rows) {
				t.Errorf("%v: Admit says %v", c.by, err)
			}
		} else if c.says[:7] != "is 120:" && c.says[:7] != "is 100:" && c.says[:5] != "is 3:" {
			t.Errorf("%v: Admit takes it", c.by)
		}
	}
}

// All that Dequantize can make of a count that it admits is in the domain behind it, at both ends.
func TestCountsWithNoise(t *testing.T) {
	backend := gomlxtest.Go(t)
	counts := transform.Chain{transform.Dequantize{}, transform.Logarithm{Shift: -5}}
	n := 1 << 16
	x := make([]float32, n)
	for i := range x {
		x[i] = 5
	}
	data := transform.Data{X: tensors.FromFlatDataAndDimensions(x, n, 1)}
	for seed := range int64(20) {
		if _, _, err := transform.Apply(backend, counts, data, seed); err != nil {
			t.Fatal(err)
		}
	}
	x[7] = 4
	err := transform.Admit(counts, tensors.FromFlatDataAndDimensions(x, n, 1), nil, []int{1})
	gomlxtest.Says(t, "a count below", err, "row 7")
}
