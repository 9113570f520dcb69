package fingerprint_test

import (
	"testing"

	"github.com/nami-flow/go-nami/nami/distribution"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/fingerprint"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/path"
	"github.com/nami-flow/go-nami/nami/schedule"

	"github.com/gomlx/compute/dtypes"
)

// BenchmarkCheck is what binding a network of three layers costs more.
func BenchmarkCheck(b *testing.B) {
	backend, mlp := gomlxtest.Go(b), field.MLP{EventShape: []int{2}}
	store := trained(b, backend, mlp, nil)
	for b.Loop() {
		if err := fingerprint.Check(backend, store, mlp, fingerprint.Model{}, []int{2}, nil, dtypes.Float32); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOfModel is what binding costs for base, path and schedule.
func BenchmarkOfModel(b *testing.B) {
	for b.Loop() {
		fingerprint.OfModel(fingerprint.Parts{Base: distribution.NewStandardNormal(2), Path: path.Linear{}, Schedule: schedule.VP{}})
	}
}
