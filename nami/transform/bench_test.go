package transform_test

import (
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/transform"
)

func BenchmarkFit(b *testing.B) {
	backend := gomlxtest.Go(b)
	x, err := distribution.Draw(backend, distribution.NewStandardNormal(10), 1, dtypes.Float32, 1_000_000)
	if err != nil {
		b.Fatal(err)
	}
	for name, by := range map[string]transform.Transform{"standardize": transform.Standardize{}, "whiten": transform.Whiten{}, "chain": transform.Chain{transform.Asinh{}, transform.Standardize{}}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := transform.Fit(backend, by, transform.Data{X: x}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
