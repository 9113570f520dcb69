package gomlx_test

import (
	"math"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// A denominator is lifted to the machine epsilon, no further, and 1/ε² is finite.
func TestAwayFromZero(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		for dtype, epsilon := range map[dtypes.DType]float64{dtypes.Float32: 0x1p-23, dtypes.Float64: 0x1p-52} {
			out, err := CallOnceN(backend, func(x *Node) []*Node {
				d := gomlx.AwayFromZero(ConvertDType(x, dtype))
				return []*Node{ConvertDType(d, dtypes.Float64), ConvertDType(Reciprocal(Square(d)), dtypes.Float64)}
			}, []float64{0, 1e-30, 1, 1e10})
			if err != nil {
				t.Fatal(err)
			}
			got, inverse := tensors.MustCopyFlatData[float64](out[0]), tensors.MustCopyFlatData[float64](out[1])
			for i, want := range []float64{epsilon, epsilon, 1, 1e10} {
				if got[i] != want || math.IsInf(inverse[i], 0) {
					t.Errorf("%s: got %v with 1/x² = %v, expected %v", dtype, got[i], inverse[i], want)
				}
			}
		}
	})
}
