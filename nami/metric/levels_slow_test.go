//go:build slow

package metric_test

import (
	"math"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/nami-flow/go-nami/nami/metric"
)

// The null distribution of more than 1,000 events, which is that of 1,000 of them in other units, keeps the
// level: of 200 pairs of 700 and 1,400 events of a skew distribution, 20 ± 4.2 are at most at 0.1, further
// away than 4 deviations once in 15,000 seeds for each of the three.
func TestScaledTestsKeepTheirLevel(t *testing.T) {
	rejected := map[string]int{}
	for i := range 200 {
		x, y := skew(uint64(2*i), 700), skew(uint64(2*i+1), 1400)
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

// Weights that depend on where an event is, of one sample alone, keep the level for as many events of both:
// of 200 pairs, 20 ± 4.2 are at most at 0.1, further away than 4 deviations once in 15,000 seeds for each.
// The fast C2ST and the differences have formulas with effective numbers.
func TestImportanceWeightsKeepTheLevel(t *testing.T) {
	rejected := map[string]int{}
	for i := range 200 {
		x := random(uint64(2*i), 200, 2)
		at := tensors.MustCopyFlatData[float64](x)
		weights := make([]float64, 200)
		for j := range weights { // from N(0, 1) to N(0.4, 1)
			weights[j] = math.Exp(0.4 * at[2*j])
		}
		y := shifted(random(uint64(2*i+1), 200, 2), 0.4, 0)
		c, err := metric.Comparer{Tests: metric.Tests{Permutations: 99, Seed: int64(i)}}.Compare(t.Context(), x, y, metric.Weights(tensors.FromFlatDataAndDimensions(weights, 200)))
		if err != nil {
			t.Fatal(err)
		}
		for _, test := range c.Tests {
			if test.P <= 0.1 {
				rejected[test.Name]++
			}
		}
		for _, d := range c.Differences {
			if d.P <= 0.1 {
				rejected[d.Name]++
			}
		}
	}
	t.Log(rejected)
	for name, n := range rejected {
		if n > 37 {
			t.Errorf("%s: P is at most 0.1 in %d of 200 cases, expected 20", name, n)
		}
	}
}
