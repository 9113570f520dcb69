package data_test

import (
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/nami-flow/go-nami/nami/data"
)

// benchmarked is a file of a million rows of ten columns, as many analyses have.
func benchmarked(b *testing.B, name string) string {
	b.Helper()
	const rows = 1_000_000
	r := rand.New(rand.NewPCG(1, 2))
	var columns []data.Column
	for _, name := range []string{"x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7"} {
		v := make([]float64, rows)
		for i := range v {
			v[i] = r.NormFloat64()
		}
		columns = append(columns, data.NewColumn(name, v))
	}
	k, kind := make([]int, rows), make([]string, rows)
	for i := range k {
		k[i] = r.IntN(5)
		kind[i] = []string{"signal", "background", "other"}[r.IntN(3)]
	}
	table, err := data.NewTable(append(columns, data.NewColumn("k", k), data.NewColumn("kind", kind))...)
	if err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(b.TempDir(), name)
	if err := table.Write(path); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	return path
}

func BenchmarkRead(b *testing.B) {
	for _, name := range []string{"x.csv", "x.parquet", "x.npy"} {
		b.Run(name, func(b *testing.B) {
			path := benchmarked(b, name)
			for b.Loop() {
				if _, err := data.Read(path); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A batch of a stream costs little beside a step of training, which takes a millisecond and
// more.
func BenchmarkStream(b *testing.B) {
	file, err := data.Open(benchmarked(b, "x.parquet"), data.Columns{X: []string{"x0", "x1"}, Context: []string{"x2", "x3", "x4"}})
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	batches, err := data.Stream{Reader: file}.Open(data.Order{Seed: 1, BatchSize: 512})
	if err != nil {
		b.Fatal(err)
	}
	step := 0
	for b.Loop() {
		if _, err := batches.Batch(step); err != nil {
			b.Fatal(err)
		}
		step++
	}
}
