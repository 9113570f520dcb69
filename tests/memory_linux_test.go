//go:build slow

package tests

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"

	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/data"
	_ "github.com/nami-flow/go-nami/nami/data/parquet"
	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/divergence"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/solver"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// resident is the process's resident memory in MiB, after a collection. Linux's /proc tells.
func resident(t *testing.T) float64 {
	t.Helper()
	debug.FreeOSMemory()
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var size, pages int64
	if _, err := fmt.Sscan(string(data), &size, &pages); err != nil {
		t.Fatal(err)
	}
	return float64(pages*int64(os.Getpagesize())) / (1 << 20)
}

// Memory doesn't grow with the number of calls. Were one buffer of a call kept, 700
// calls with 64 KiB each would take 44 MiB; the bound is a fifth of that.
func TestMemoryDoesNotGrow(t *testing.T) {
	onBackends(t, func(t *testing.T, backend compute.Backend) {
		ctx, store := context.Background(), model.NewStore()
		flow := nami.FlowMatching{
			Field:  field.MLP{EventShape: []int{2}, ContextDim: 2, Hidden: []int{4}},
			Base:   distribution.NewStandardNormal(2),
			Solver: solver.Euler(2),
		}
		if err := nami.Initialize(backend, store, flow.Field, []int{2}, []int{2}, 1); err != nil {
			t.Fatal(err)
		}
		context := func(v float32) *tensors.Tensor { return tensors.FromFlatDataAndDimensions([]float32{v, v}, 1, 2) }
		first, err := flow.Bind(backend, store, context(0))
		if err != nil {
			t.Fatal(err)
		}
		call := func(i int) {
			process, err := first.Rebind(context(float32(i % 10)))
			if err != nil {
				t.Fatal(err)
			}
			samples, err := process.Sample(ctx, 8192)
			if err != nil {
				t.Fatal(err)
			}
			if i%10 == 0 {
				if _, err := process.LogProb(ctx, samples, divergence.Exact{}); err != nil {
					t.Fatal(err)
				}
			}
		}
		for i := range 150 {
			call(i)
		}
		before := resident(t)
		for i := range 700 {
			call(i)
		}
		if growth := resident(t) - before; growth > 9 {
			t.Errorf("700 calls made the process grow from %.0f by %.1f MiB", before, growth)
		} else {
			t.Logf("700 calls: from %.0f by %.1f MiB", before, growth)
		}
	})
}

// Ten million samples are streamed in the memory of a few chunks: kept, they alone would
// take 76 MiB in float32.
func TestStreamIsBounded(t *testing.T) {
	onBackends(t, func(t *testing.T, backend compute.Backend) {
		flow := nami.FlowMatching{Field: still(1), Base: distribution.NewStandardNormal(2), Solver: solver.Euler(1)}
		process, err := flow.Bind(backend, model.NewStore(), nil)
		if err != nil {
			t.Fatal(err)
		}
		const n = 10_000_000
		drawn, looks, before := 0, 0, 0.0
		for samples, err := range process.Stream(context.Background(), n) {
			if err != nil {
				t.Fatal(err)
			}
			drawn += samples.Shape().Dim(0)
			samples.MustFinalizeAll()
			if drawn < (looks+1)*n/10 {
				continue
			}
			if looks++; looks == 1 {
				before = resident(t)
			} else if growth := resident(t) - before; growth > 20 {
				t.Fatalf("from %d to %d samples the process grew from %.0f by %.1f MiB", n/10, drawn, before, growth)
			}
		}
		if drawn != n {
			t.Errorf("%d samples came, expected %d", drawn, n)
		}
	})
}

// An epoch through a Parquet file is read in the memory of a few blocks: the events alone
// would take 122 MiB if all were kept.
func TestStreamedFileIsBounded(t *testing.T) {
	const rows, width = 8_000_000, 4
	path := filepath.Join(t.TempDir(), "events.parquet")
	columns := data.Columns{X: []string{"a", "b", "c", "d"}}
	func() {
		var all []data.Column
		for j, name := range columns.X {
			v := make([]float64, rows)
			for i := range v {
				v[i] = math.Sin(float64(i*width + j))
			}
			all = append(all, data.NewColumn(name, v))
		}
		table, err := data.NewTable(all...)
		if err == nil {
			err = table.Write(path)
		}
		if err != nil {
			t.Fatal(err)
		}
	}()
	file, err := data.Open(path, columns)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	const size = 4096
	batches, err := data.Stream{Reader: file}.Open(data.Order{Seed: 1, BatchSize: size})
	if err != nil {
		t.Fatal(err)
	}
	before, most, sum := resident(t), 0.0, 0.0
	for step := range rows / size {
		batch, err := batches.Batch(step)
		if err != nil {
			t.Fatal(err)
		}
		if err := batch.X.ConstFlatData(func(flat any) { sum += float64(flat.([]float32)[0]) }); err != nil {
			t.Fatal(err)
		}
		batch.X.MustFinalizeAll()
		if step%100 == 99 {
			most = max(most, resident(t)-before)
		}
	}
	if math.IsNaN(sum) || most > 30 {
		t.Errorf("an epoch made the process grow from %.0f by %.1f MiB", before, most)
	} else {
		t.Logf("an epoch: from %.0f by %.1f MiB", before, most)
	}
}
