package field_test

import (
	"testing"

	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"

	"github.com/gomlx/compute"
)

// The network for images is a field, and has second derivatives. That its numbers are those of
// other libraries is checked by tests/bench.
func TestUNet(t *testing.T) {
	gomlxtest.RunLong(t, func(t *testing.T, backend compute.Backend) {
		f := field.UNet{EventShape: []int{2, 4, 1}, Width: 2, Blocks: 1, Attention: []int{1}, Groups: 1, ContextDim: 2, TimeFeatures: 2}
		if err := field.Check(backend, f, f.EventShape, []int{2}); err != nil {
			t.Error(err)
		}
	})
}

func TestBadUNet(t *testing.T) {
	event := []int{8, 8, 1}
	for want, f := range map[string]field.UNet{
		"EventShape is (8, 8)":                                {EventShape: []int{8, 8}},
		"8 × 6 pixels can't be halved 2 times":                {EventShape: []int{8, 6, 1}, Multiples: []int{1, 2, 4}},
		"Width is -1":                                         {EventShape: event, Width: -1},
		"Multiples are [1 0]":                                 {EventShape: event, Multiples: []int{1, 0}},
		"resolution 0 has 12 channels, and there are ":        {EventShape: event, Width: 12},
		"resolution 1 has 64 channels, and there are 3 Heads": {EventShape: event, Heads: 3, Attention: []int{1}},
		"Attention at resolution 2: there are 2":              {EventShape: event, Attention: []int{2}},
		"TimeFeatures 3":                                      {EventShape: event, TimeFeatures: 3},
	} {
		gomlxtest.Says(t, want, field.Validate(f), want)
	}
}
