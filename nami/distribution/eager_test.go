package distribution_test

import (
	"math"
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
)

func TestDrawAndDensity(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		d := distribution.NewStandardNormal(2).Expand(3)
		draw := func(n int) *tensors.Tensor {
			x, err := distribution.Draw(backend, d, 7, dtypes.Float64, n)
			if err != nil {
				t.Fatal(err)
			}
			return x
		}
		few, many := draw(2), draw(4)
		if got := few.Shape().Dimensions; !slices.Equal(got, []int{2, 3, 2}) {
			t.Fatalf("the samples have shape %v, expected sample, batch and event: [2 3 2]", got)
		}
		x := tensors.MustCopyFlatData[float64](few)
		if !slices.Equal(x, tensors.MustCopyFlatData[float64](many)[:len(x)]) {
			t.Error("two rows are not the first of four with the same seed")
		}
		logProb, err := distribution.Density(backend, d, few)
		if err != nil {
			t.Fatal(err)
		}
		for i, got := range tensors.MustCopyFlatData[float64](logProb) {
			if want := -(x[2*i]*x[2*i]+x[2*i+1]*x[2*i+1])/2 - math.Log(2*math.Pi); math.Abs(got-want) > 1e-12 {
				t.Errorf("log p of event %d is %v, expected %v", i, got, want)
			}
		}
	})
}

func TestDrawAndDensityRefuse(t *testing.T) {
	backend, d := gomlxtest.Go(t), distribution.NewStandardNormal(2)
	draw := func(backend compute.Backend, d distribution.Distribution, dtype dtypes.DType, shape ...int) error {
		_, err := distribution.Draw(backend, d, 1, dtype, shape...)
		return err
	}
	density := func(d distribution.Distribution, x *tensors.Tensor) error {
		_, err := distribution.Density(backend, d, x)
		return err
	}
	for want, err := range map[string]error{
		"distribution.Draw: the backend (<nil>)":                 draw(nil, d, dtypes.Float32, 1),
		"or the distribution (<nil>) is nil":                     draw(backend, nil, dtypes.Float32, 1),
		"can't draw Float32 values of lead (3, 0)":               draw(backend, d, dtypes.Float32, 3, 0),
		"can't draw Int32 values of lead (3)":                    draw(backend, d, dtypes.Int32, 3),
		"distribution.Density: x is nil":                         density(d, nil),
		"value 1 of x, of shape (Float64)[2], is NaN":            density(d, tensors.FromValue([]float64{0, math.NaN()})),
		"shape (5, 3) ends in (3), expected events of shape (2)": density(d, tensors.FromFlatDataAndDimensions(make([]float64, 15), 5, 3)),
		"shape (5, 1) ends in (1), expected events of shape (2)": density(d, tensors.FromFlatDataAndDimensions(make([]float64, 5), 5, 1)),
	} {
		gomlxtest.Says(t, want, err, want)
	}
}
