package metric_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/metric"
)

// P of samples of one distribution is below a in a share a of all cases: of 200 pairs, 20 ± 4.2 for
// a tenth, further away than 4 deviations once in 15,000 seeds. Samples a unit apart are told apart.
func TestStatisticKeepsItsLevel(t *testing.T) {
	const pairs, permutations = 200, 19
	sliced := func(x, y *tensors.Tensor, settings ...metric.Option) (float64, error) {
		return metric.SlicedWasserstein(x, y, 5, 1, settings...)
	}
	for name, distance := range map[string]metric.Statistic{"energy": metric.EnergyDistance, "sliced": sliced} {
		for _, weighted := range []bool{false, true} {
			rejected := 0
			for i := range pairs {
				x, y := random(uint64(2*i), 15, 2), random(uint64(2*i+1), 20, 2)
				var settings []metric.Option
				if weighted { // of one law for both samples
					settings = append(settings, metric.Weights(positive(uint64(i), 15), positive(uint64(1000+i), 20)))
				}
				test, err := metric.Tests{Permutations: permutations, Seed: int64(i)}.Statistic(t.Context(), name, distance, x, y, settings...)
				if err != nil {
					t.Fatal(err)
				}
				if test.P <= 0.1 {
					rejected++
				}
			}
			if rejected < 3 || rejected > 37 {
				t.Errorf("%s, weighted %v: P is at most 0.1 in %d of %d cases, expected 20", name, weighted, rejected, pairs)
			}
		}
		apart, err := metric.Tests{Permutations: 99, Seed: 1}.Statistic(t.Context(), name, distance, random(1, 40, 2), shifted(random(2, 40, 2), 1, 0))
		if err != nil || apart.P != 0.01 || len(apart.Null) != 99 || !(apart.Null[98] < apart.Value) {
			t.Errorf("%s: a unit apart, P is %v with a value of %v: %v", name, apart.P, apart.Value, err)
		}
	}
}

func positive(seed uint64, n int) *tensors.Tensor {
	w := tensors.MustCopyFlatData[float64](random(seed, n, 1))
	for i := range w {
		w[i] = math.Exp(0.5 * w[i])
	}
	return tensors.FromFlatDataAndDimensions(w, n)
}

func TestStatisticMisuse(t *testing.T) {
	x := random(1, 5, 2)
	energy := func(ctx context.Context, permutations int, y *tensors.Tensor) error {
		_, err := metric.Tests{Permutations: permutations}.Statistic(ctx, "energy", metric.EnergyDistance, x, y)
		return err
	}
	_, err := metric.Tests{}.Statistic(t.Context(), "none", nil, x, x)
	gomlxtest.Says(t, "no statistic", err, "give one, such as metric.EnergyDistance")
	gomlxtest.Says(t, "fewer than none", energy(t.Context(), -1, x), "-1 permutations: give 1 or more")
	gomlxtest.Says(t, "other events", energy(t.Context(), 9, random(1, 5, 3)), "metric.Tests.Statistic")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	gomlxtest.Says(t, "cancelled", energy(ctx, 9, x), "metric.Tests.Statistic: after 0 of 9 permutations: enough")
}

func TestKolmogorovSmirnov(t *testing.T) {
	tests, err := metric.KolmogorovSmirnov(column(1, 2, 3, 4), column(5, 3, 6, 4))
	if err != nil {
		t.Fatal(err)
	}
	gomlxtest.Close(t, "the statistic", tests[0].Value, 0.5, 1e-12)
	// A weight of 2 counts as two events for the distribution.
	heavy, err := metric.KolmogorovSmirnov(column(0, 1), column(0.5, 2), metric.Weights(tensors.FromValue([]float64{2, 1})))
	if err != nil {
		t.Fatal(err)
	}
	gomlxtest.Close(t, "with weights", heavy[0].Value, 2./3, 1e-12)
	// Each of three values sees the shift of its own.
	x := random(3, 400, 3)
	shift, err := metric.KolmogorovSmirnov(x, shifted(random(4, 300, 3), 0, 0.5, 0))
	if err != nil || len(shift) != 3 || shift[0].P < 0.01 || shift[1].P > 1e-4 || shift[2].P < 0.01 {
		t.Errorf("the second of three values is shifted, and the tests are %v: %v", shift, err)
	}
	// P is uniform for samples of one distribution: of 400, 40 ± 6 are below a tenth, further away
	// than 4 deviations once in 15,000 seeds.
	rejected := 0
	for i := range 400 {
		one, err := metric.KolmogorovSmirnov(random(uint64(2*i), 60, 1), random(uint64(2*i+1), 50, 1))
		if err != nil {
			t.Fatal(err)
		}
		if one[0].P <= 0.1 {
			rejected++
		}
	}
	if rejected < 16 || rejected > 64 {
		t.Errorf("P is at most 0.1 in %d of 400 cases, expected 40", rejected)
	}
}

func TestFrechetDistance(t *testing.T) {
	get := must(t)
	x := random(1, 50, 3)
	gomlxtest.Close(t, "a shift", get(metric.FrechetDistance(x, shifted(x, 1, 2, 2))), 9, 1e-9)
	// Twice as wide: tr(Σ + 4Σ - 2·2Σ) = tr Σ, beside the shift of the mean.
	wide := tensors.MustCopyFlatData[float64](x)
	mean := make([]float64, 3)
	trace := 0.0
	for i, v := range wide {
		mean[i%3] += v / 50
	}
	for i, v := range wide {
		trace += (v - mean[i%3]) * (v - mean[i%3]) / 49
		wide[i] = mean[i%3] + 2*(v-mean[i%3])
	}
	gomlxtest.Close(t, "twice as wide", get(metric.FrechetDistance(x, tensors.FromFlatDataAndDimensions(wide, 50, 3))), trace, 1e-9)
	// Of two values, tr (Σ₁Σ₂)^½ is √(tr Σ₁Σ₂ + 2√(det Σ₁Σ₂)), in whatever order.
	a := tensors.FromValue([][]float64{{1, 0}, {-1, 0}, {1, 1}, {-1, -1}})
	b := tensors.FromValue([][]float64{{0, 2}, {0, -2}, {1, -1}, {-1, 1}})
	s1, s2 := [3]float64{4. / 3, 2. / 3, 2. / 3}, [3]float64{2. / 3, -2. / 3, 10. / 3} // xx, xy, yy
	product := s1[0]*s2[0] + 2*s1[1]*s2[1] + s1[2]*s2[2]
	determinant := (s1[0]*s1[2] - s1[1]*s1[1]) * (s2[0]*s2[2] - s2[1]*s2[1])
	want := s1[0] + s1[2] + s2[0] + s2[2] - 2*math.Sqrt(product+2*math.Sqrt(determinant))
	gomlxtest.Close(t, "two shapes", get(metric.FrechetDistance(a, b)), want, 1e-9)
	gomlxtest.Close(t, "two shapes, exchanged", get(metric.FrechetDistance(b, a)), want, 1e-9)
	// Equal weights are none.
	gomlxtest.Close(t, "equal weights", get(metric.FrechetDistance(a, b, metric.Weights(tensors.FromValue([]float64{3, 3, 3, 3})))), want, 1e-9)
	_, err := metric.FrechetDistance(column(1), column(1, 2))
	gomlxtest.Says(t, "one event", err, "a covariance needs at least 2")
}

func TestCompareSupport(t *testing.T) {
	data, far := random(1, 60, 2), shifted(random(2, 60, 2), 30, 0)
	apart, err := metric.CompareSupport(data, far, 0)
	if err != nil || apart != (metric.SupportOverlap{}) {
		t.Errorf("samples far away: %+v, %v", apart, err)
	}
	// Samples of one of two modes are precise, and half of the data is missing.
	modes := tensors.FromFlatDataAndDimensions(append(tensors.MustCopyFlatData[float64](data), tensors.MustCopyFlatData[float64](far)...), 120, 2)
	half, err := metric.CompareSupport(modes, random(3, 100, 2), 0)
	if err != nil || half.Precision < 0.85 || half.Recall > 0.51 || half.Coverage > 0.51 || half.Recall < 0.4 || half.Coverage < 0.4 {
		t.Errorf("one of two modes: %+v, %v", half, err)
	}
	// Of one distribution, density is 1 and coverage has a formula, on average: over 200 pairs,
	// whose means have standard deviations of 0.009 and 0.006, within 4.5 of them, which fails once
	// in 70,000 seeds.
	const n, m, k, trials = 40, 30, 3, 200
	density, coverage, want := 0.0, 0.0, 1.0
	for i := range k {
		want *= float64(n-1-i) / float64(n+m-1-i)
	}
	for i := range trials {
		s, err := metric.CompareSupport(random(uint64(2*i+10), n, 2), random(uint64(2*i+11), m, 2), k)
		if err != nil {
			t.Fatal(err)
		}
		density, coverage = density+s.Density/trials, coverage+s.Coverage/trials
	}
	gomlxtest.Close(t, "density", density, 1, 4.5*0.009)
	gomlxtest.Close(t, "coverage", coverage, 1-want, 4.5*0.006)
	for _, k := range []int{-1, 60} {
		_, err = metric.CompareSupport(data, far, k)
		gomlxtest.Says(t, fmt.Sprintf("k of %d", k), err, fmt.Sprintf("k is %d, and there are 60 and 60 events", k))
	}
}
