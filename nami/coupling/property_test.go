package coupling_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/nami/coupling"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/tests/property"

	"github.com/gomlx/gomlx/core/tensors"
	"pgregory.net/rapid"
)

// Whatever two batches are given, the pairs are a permutation or there is an error.
func TestAnyBatches(t *testing.T) {
	property.Check(t, func(t *rapid.T) {
		source, target := gomlxtest.Misfit(t, "source", 4, 2), gomlxtest.Misfit(t, "target", 4, 2)
		for _, c := range []coupling.Coupling{coupling.Independent{}, coupling.OptimalTransport{}} {
			gomlxtest.Bears(t, "Pair", func() ([]*tensors.Tensor, error) {
				pair, err := c.Pair(rand.New(rand.NewPCG(1, 0)), source, target, nil)
				if err != nil {
					return nil, err
				}
				slices.Sort(pair)
				for i, j := range pair {
					if i != j || len(pair) != source.Shape().Dim(0) {
						t.Errorf("%v: the pairs hold %v of %s", c, pair, source.Shape())
					}
				}
				return nil, nil
			})
		}
		for _, c := range []coupling.Coupling{coupling.Entropic{}, coupling.Unbalanced{Target: 1}, coupling.Partial{LeaveOut: 0.3}} {
			gomlxtest.Bears(t, "Pair", func() ([]*tensors.Tensor, error) {
				pair, err := c.Pair(rand.New(rand.NewPCG(1, 0)), source, target, nil)
				if err == nil && len(pair) != source.Shape().Dim(0) {
					t.Errorf("%v: %d pairs of %s", c, len(pair), source.Shape())
				}
				return nil, err
			})
		}
	})
}
