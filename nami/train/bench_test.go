package train_test

import (
	"math"
	"testing"

	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// wave is n points on a sine.
func wave(n int) *tensors.Tensor {
	flat := make([]float32, 2*n)
	for i := range n {
		s := float64(i) / float64(n)
		flat[2*i], flat[2*i+1] = float32(2*s-1), float32(math.Sin(2*math.Pi*s))
	}
	return tensors.FromFlatDataAndDimensions(flat, n, 2)
}

var netA = loss.FM{Field: field.MLP{EventShape: []int{2}, Hidden: []int{128, 128, 128}}}

// BenchmarkStep is one step on 512 points with a net of three layers of 128 (33,794
// parameters), the loss read every 100 steps.
func BenchmarkStep(b *testing.B) {
	for name, open := range map[string]func(testing.TB) compute.Backend{"go": gomlxtest.Go, "xla": gomlxtest.XLA} {
		b.Run(name, func(b *testing.B) {
			trainer, err := train.NewTrainer(open(b), model.NewStore(), netA, train.Seed(1))
			if err != nil {
				b.Fatal(err)
			}
			x := data.Events{X: wave(512)}
			step := func(i int) {
				if err := trainer.Steps(x, 1); err != nil {
					b.Fatal(err)
				}
				if i%100 == 99 {
					if _, err := trainer.Losses(); err != nil {
						b.Fatal(err)
					}
				}
			}
			step(0)
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				step(i)
			}
			if _, err := trainer.Losses(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkFit is the same within Fit, each batch chosen from 20,000 points.
func BenchmarkFit(b *testing.B) {
	for name, open := range map[string]func(testing.TB) compute.Backend{"go": gomlxtest.Go, "xla": gomlxtest.XLA} {
		b.Run(name, func(b *testing.B) {
			backend, x := open(b), data.Events{X: wave(20_000)}
			b.ResetTimer()
			if _, err := train.Fit(b.Context(), backend, model.NewStore(), netA, x,
				train.Steps(b.N), train.BatchSize(512)); err != nil {
				b.Fatal(err)
			}
		})
	}
}
