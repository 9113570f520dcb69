package metric_test

import (
	"fmt"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/nami-flow/go-nami/nami/metric"
)

// A comparison of as many events as are compared in pairs by default.
func BenchmarkCompare(b *testing.B) {
	x, y := random(1, 5000, 5), random(2, 5000, 5)
	for b.Loop() {
		if _, err := metric.Compare(b.Context(), x, y); err != nil {
			b.Fatal(err)
		}
	}
}

// Every test of 100,000 events against 100,000.
func BenchmarkLarge(b *testing.B) {
	const n = 100_000
	tests, ctx := metric.Tests{Permutations: 199}, b.Context()
	for _, d := range []int{2, 10} {
		x, y := random(1, n, d), random(2, n, d)
		for name, test := range map[string]func() (metric.Test, error){
			"energy":    func() (metric.Test, error) { return tests.EnergyDistance(ctx, x, y) },
			"MMD":       func() (metric.Test, error) { return tests.MMD(ctx, x, y, 0) },
			"sliced":    func() (metric.Test, error) { return tests.SlicedWasserstein(ctx, x, y, 100) },
			"Fréchet":   func() (metric.Test, error) { return tests.FrechetDistance(ctx, x, y) },
			"fast C2ST": func() (metric.Test, error) { return metric.FastC2ST(ctx, x, y, 1) },
			"support": func() (metric.Test, error) {
				s, err := tests.Support(ctx, x, y, 5)
				return s.Coverage, err
			},
			"copies": func() (metric.Test, error) {
				c, err := metric.Copies(x, y, y)
				return c.Nearer, err
			},
		} {
			b.Run(fmt.Sprintf("%s/%d", name, d), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := test(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		if err := finalize(x, y); err != nil {
			b.Fatal(err)
		}
	}
}

func finalize(all ...*tensors.Tensor) error {
	for _, x := range all {
		if err := x.FinalizeAll(); err != nil {
			return err
		}
	}
	return nil
}
