package nami_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/solver"
	"github.com/nami-flow/go-nami/nami/transform"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/ml/model"
)

var wide = field.MLP{EventShape: []int{2}, Hidden: []int{128, 128, 128}}

func benchmarkBackends(b *testing.B, f func(b *testing.B, backend compute.Backend, store *model.Store)) {
	for _, backend := range []compute.Backend{gomlxtest.Go(b), gomlxtest.XLA(b)} {
		b.Run(backend.Name(), func(b *testing.B) {
			store := model.NewStore()
			if err := nami.Initialize(backend, store, wide, []int{2}, nil, 1); err != nil {
				b.Fatal(err)
			}
			f(b, backend, store)
		})
	}
}

func wideFlow(steps int) nami.FlowMatching {
	return nami.FlowMatching{Field: wide, Base: distribution.NewStandardNormal(2), Solver: solver.RK4(steps)}
}

// BenchmarkCompile times what a process's first sample takes longer than its second: it
// is the same for 10 steps and for 1,000.
func BenchmarkCompile(b *testing.B) {
	for _, steps := range []int{10, 1000} {
		b.Run(fmt.Sprintf("RK4(%d)", steps), func(b *testing.B) {
			benchmarkBackends(b, func(b *testing.B, backend compute.Backend, store *model.Store) {
				var compile []float64
				for b.Loop() {
					process, err := wideFlow(steps).Bind(backend, store, nil)
					if err != nil {
						b.Fatal(err)
					}
					var took [2]time.Duration
					for i := range took {
						start := time.Now()
						if _, err := process.Sample(context.Background(), 1); err != nil {
							b.Fatal(err)
						}
						took[i] = time.Since(start)
					}
					compile = append(compile, 1e3*(took[0]-took[1]).Seconds())
				}
				slices.Sort(compile)
				b.ReportMetric(compile[len(compile)/2], "compile-ms")
			})
		})
	}
}

// BenchmarkChunkSize times 10,000 samples in chunks of several sizes.
func BenchmarkChunkSize(b *testing.B) {
	for _, chunk := range []int{512, 2048, 16_384} {
		b.Run(fmt.Sprint(chunk), func(b *testing.B) {
			benchmarkBackends(b, func(b *testing.B, backend compute.Backend, store *model.Store) {
				process, err := wideFlow(8).Bind(backend, store, nil, nami.ChunkSize(chunk))
				if err != nil {
					b.Fatal(err)
				}
				for b.Loop() {
					if _, err := process.Sample(context.Background(), 10_000); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

// BenchmarkLogProb times the log-densities of 1,000 points with each estimator.
func BenchmarkLogProb(b *testing.B) {
	for name, estimator := range map[string]divergence.Estimator{"Exact": divergence.Exact{}, "Hutchinson": divergence.Hutchinson{}} {
		b.Run(name, func(b *testing.B) {
			benchmarkBackends(b, func(b *testing.B, backend compute.Backend, store *model.Store) {
				process, err := wideFlow(8).Bind(backend, store, nil)
				if err != nil {
					b.Fatal(err)
				}
				x, err := process.Sample(context.Background(), 1000)
				if err != nil {
					b.Fatal(err)
				}
				for b.Loop() {
					if _, err := process.LogProb(context.Background(), x, estimator); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

// BenchmarkUnits times 10,000 samples, as they are and through a chain of transforms.
func BenchmarkUnits(b *testing.B) {
	standard := transform.Standardize{Mean: []float64{1, 2}, Std: []float64{3, 4}}
	for name, units := range map[string]transform.Transform{
		"none": nil,
		"five": transform.Chain{
			transform.Columns{{Of: []int{0}, By: transform.Logarithm{}}, {Of: []int{1}, By: transform.Logit{}}},
			transform.Asinh{},
			standard,
			transform.Whiten{Mean: []float64{0, 0}, Matrix: [][]float64{{1, 0.5}, {0.5, 1}}},
		},
	} {
		b.Run(name, func(b *testing.B) {
			benchmarkBackends(b, func(b *testing.B, backend compute.Backend, store *model.Store) {
				flow := wideFlow(16)
				flow.Transform = units
				process, err := flow.Bind(backend, store, nil)
				if err != nil {
					b.Fatal(err)
				}
				for b.Loop() {
					if _, err := process.Sample(context.Background(), 10_000); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
