package train_test

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/nami-flow/go-nami/nami/coupling"
	"github.com/nami-flow/go-nami/nami/data"
	_ "github.com/nami-flow/go-nami/nami/data/parquet"
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

// BenchmarkSources are steps of Fit on a million points, from memory and from a file of Parquet
// that is read as training goes.
func BenchmarkSources(b *testing.B) {
	backend, x := gomlxtest.XLA(b), wave(1_000_000)
	table, err := data.FromTensor(x, "x", "y")
	if err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(b.TempDir(), "points.parquet")
	if err := table.Write(path); err != nil {
		b.Fatal(err)
	}
	file, err := data.Open(path, data.Columns{X: []string{"x", "y"}})
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	for _, c := range []struct {
		name   string
		source data.Source
	}{{"memory", data.Events{X: x}}, {"stream", data.Stream{Reader: file}}} {
		b.Run(c.name, func(b *testing.B) {
			store := model.NewStore()
			if _, err := train.Fit(b.Context(), backend, store, netA, c.source, train.Steps(10), train.BatchSize(512)); err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			if _, err := train.Fit(b.Context(), backend, store, netA, c.source, train.Steps(b.N), train.BatchSize(512)); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkCoupled is one step of training on 1,024 events of 16 values with a network of
// five layers of 512, alone and beside a coupling, which works on the host ahead of the device: of
// batches of 1,024, or of 512 as others couple. Times are the wall's, between looks.
func BenchmarkCoupled(b *testing.B) {
	const n = 8_192
	random := rand.New(rand.NewPCG(1, 1))
	flat := make([]float32, 16*n)
	for i := range flat {
		flat[i] = float32(random.NormFloat64())
	}
	for _, c := range []struct {
		name     string
		batch    int
		coupling coupling.Coupling
	}{
		{"none/1024", 1024, nil},
		{"transport/1024", 1024, coupling.OptimalTransport{}},
		{"none/512", 512, nil},
		{"transport/512", 512, coupling.OptimalTransport{}},
		{"entropic/512", 512, coupling.Entropic{}},
	} {
		b.Run(c.name, func(b *testing.B) {
			var first, last time.Time
			var from, to int
			options := []train.Option{train.BatchSize(c.batch), train.Steps(max(40, b.N)), train.AfterBurst(func(h *train.History) error {
				if last, to = time.Now(), h.Steps(); from == 0 && to > 8 { // the first few compile, and grow
					first, from = last, to
				}
				return nil
			})}
			if c.coupling != nil {
				options = append(options, train.Couple(c.coupling))
			}
			l := loss.FM{Field: field.MLP{EventShape: []int{16}, Hidden: []int{512, 512, 512, 512, 512}}}
			if _, err := train.Fit(b.Context(), gomlxtest.XLA(b), model.NewStore(), l, data.Events{X: tensors.FromFlatDataAndDimensions(slices.Clone(flat), n, 16)}, options...); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(last.Sub(first).Seconds()*1e3/float64(to-from), "ms/step")
		})
	}
}
