package gomlx_test

import (
	"math"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// The normal quantile is the inverse error function's, to the digits of the dtype, and
// finite at 0 and 1.
func TestNormalQuantile(t *testing.T) {
	gomlxtest.Run(t, func(t *testing.T, backend compute.Backend) {
		u := []float64{1e-6, 1e-4, 0.01, 0.1, 0.25, 0.5, 0.6, 0.9, 0.99, 1 - 1e-3}
		single := make([]float32, len(u))
		for i, p := range u {
			single[i] = float32(p)
		}
		double := MustExecOnce(backend, gomlx.NormalQuantile, append([]float64{1e-12}, u...))
		for i, z := range tensors.MustCopyFlatData[float64](double)[1:] {
			if want := math.Sqrt2 * math.Erfinv(2*u[i]-1); math.Abs(z-want) > 1e-9 {
				t.Errorf("the quantile of %g is %.12f, expected %.12f", u[i], z, want)
			}
		}
		if z := tensors.MustCopyFlatData[float64](double)[0]; math.Abs(z/(math.Sqrt2*math.Erfinv(2e-12-1))-1) > 1e-4 {
			t.Errorf("the quantile of 10⁻¹² is %g", z)
		}
		for i, z := range tensors.MustCopyFlatData[float32](MustExecOnce(backend, gomlx.NormalQuantile, single)) {
			// A probability is known to its last place, which the slope of the quantile magnifies.
			x := 2*float64(single[i]) - 1
			want := math.Sqrt2 * math.Erfinv(x)
			slope := math.Sqrt(2*math.Pi) * math.Exp(want*want/2)
			if math.Abs(float64(z)-want) > 2e-6+slope*1.2e-7 {
				t.Errorf("in Float32 the quantile of %g is %.8f, expected %.8f", single[i], z, want)
			}
		}
		for _, z := range tensors.MustCopyFlatData[float32](MustExecOnce(backend, gomlx.NormalQuantile, []float32{0, 1})) {
			if !(math.Abs(float64(z)) < 6) {
				t.Errorf("the quantile of an end is %v", z)
			}
		}
	})
}
