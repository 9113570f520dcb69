package coupling_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/nami-flow/go-nami/nami/coupling"
)

// BenchmarkPair pairs batches on one core, beside which a training step may run on others.
func BenchmarkPair(b *testing.B) {
	for _, c := range []coupling.Coupling{coupling.OptimalTransport{}, coupling.Entropic{}, coupling.Unbalanced{Target: 10}} {
		for _, n := range []int{256, 512, 1024, 2048} {
			b.Run(fmt.Sprintf("%v/%d", c, n), func(b *testing.B) {
				x, y := normal(1, n, 2, 1), normal(2, n, 2, 1.5)
				random := rand.New(rand.NewPCG(1, 1))
				for b.Loop() {
					if _, err := c.Pair(random, x, y, nil); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
