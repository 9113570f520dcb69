package gomlxtest

import (
	"math"
	"strings"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"

	"github.com/gomlx/gomlx/core/tensors"
	"pgregory.net/rapid"
)

// Filled is a Float32 tensor of one value.
func Filled(value float32, dims ...int) *tensors.Tensor {
	return tensors.FromScalarAndDimensions(value, dims...)
}

// Floats are the values of a tensor of Float32 or Float64. An error fails the test.
func Floats(t rapid.TB, x *tensors.Tensor, err error) []float64 {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	values := make([]float64, x.Size())
	if err := gomlx.EachFloat(x, func(i int, v float64) { values[i] = v }); err != nil {
		t.Fatal(err)
	}
	return values
}

// Says fails the test unless err is an error that contains want.
func Says(t rapid.TB, what string, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: the error is %q, expected one that says %q", what, err, want)
	}
}

// Near fails the test unless each value is within tolerance·max(1, |want|) of want.
func Near(t rapid.TB, what string, got, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: there are %d values, expected %d", what, len(got), len(want))
		return
	}
	for i := range got {
		if !(math.Abs(got[i]-want[i]) <= tolerance*math.Max(1, math.Abs(want[i]))) {
			t.Errorf("%s: value %d of %d is %.8g, expected %.8g ± %.2g", what, i, len(got), got[i], want[i], tolerance)
			return
		}
	}
}

// Close fails the test unless a value is within allowed of want.
func Close(t rapid.TB, what string, got, want, allowed float64) {
	t.Helper()
	if !(math.Abs(got-want) <= allowed) {
		t.Errorf("%s is %.8g, expected %.8g ± %.2g", what, got, want, allowed)
	}
}
