package gomlx_test

import (
	"math"
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"

	"github.com/gomlx/gomlx/core/tensors"
)

func TestFloats(t *testing.T) {
	for _, x := range []*tensors.Tensor{tensors.FromValue([][]float32{{1, 2}, {3, 4}}), tensors.FromValue([]float64{1, 2, 3, 4})} {
		values, err := gomlx.Floats("x", x)
		if err != nil || !slices.Equal(values, []float64{1, 2, 3, 4}) {
			t.Errorf("got %v (%v) of %s, expected 1 to 4", values, err, x.Shape())
		}
	}
	for want, x := range map[string]*tensors.Tensor{
		"x is nil": nil,
		"x is (Int32)[1]: expected Float32 or Float64":         tensors.FromValue([]int32{1}),
		"value 1 of x, of shape (Float32)[2], is -Inf":         tensors.FromValue([]float32{1, float32(math.Inf(-1))}),
		"value 0 of x, of shape (Float64), is NaN: it must be": tensors.FromValue(math.NaN()),
	} {
		_, err := gomlx.Floats("x", x)
		gomlxtest.Says(t, "gomlx.Floats", err, want)
	}
}
