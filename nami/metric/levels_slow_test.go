//go:build slow

package metric_test

import (
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/metric"
)

// The null distribution of more than 1,000 events, which is that of 1,000 of them in other units, keeps the
// level: of 200 pairs of 1,500 and 3,000 events of a skew distribution, 20 ± 4.2 are at most at 0.1, further
// away than 4 deviations once in 15,000 seeds for each of the three.
func TestScaledTestsKeepTheirLevel(t *testing.T) {
	rejected := map[string]int{}
	for i := range 200 {
		x, y := skew(uint64(2*i), 1500), skew(uint64(2*i+1), 3000)
		tests := metric.Tests{Permutations: 99, Seed: int64(i)}
		energy, err := tests.EnergyDistance(t.Context(), x, y)
		if err != nil {
			t.Fatal(err)
		}
		mmd, err := tests.MMD(t.Context(), x, y, 0)
		if err != nil {
			t.Fatal(err)
		}
		frechet, err := tests.FrechetDistance(t.Context(), x, y)
		if err != nil {
			t.Fatal(err)
		}
		for _, test := range []metric.Test{energy, mmd, frechet} {
			if test.P <= 0.1 {
				rejected[test.Name]++
			}
		}
	}
	t.Log(rejected)
	if len(rejected) != 3 {
		t.Errorf("some tests reject none of 200: %v", rejected)
	}
	for name, n := range rejected {
		if n < 3 || n > 37 {
			t.Errorf("%s: P is at most 0.1 in %d of 200 cases, expected 20", name, n)
		}
	}
}

// P of the benchmark's C2ST, whose five folds depend on each other a little: of 100 pairs, 10 ± 3 are at most
// at 0.1, above 24 once in 30,000 seeds.
func TestC2STKeepsItsLevel(t *testing.T) {
	backend := gomlxtest.XLA(t)
	rejected := 0
	for i := range 100 {
		test, err := metric.C2ST(t.Context(), backend, random(uint64(2*i), 100, 2), random(uint64(2*i+1), 100, 2), int64(i))
		if err != nil {
			t.Fatal(err)
		}
		if test.P <= 0.1 {
			rejected++
		}
	}
	t.Logf("%d of 100", rejected)
	if rejected > 24 {
		t.Errorf("P is at most 0.1 in %d of 100 cases, expected 10", rejected)
	}
}
