package metric_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/spatial/vptree"

	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/metric"
)

// every is each test of two samples, with its null distribution.
func every(t metric.Tests, ctx context.Context, x, y *tensors.Tensor, settings ...metric.Option) (map[string]metric.Test, error) {
	energy, err1 := t.EnergyDistance(ctx, x, y, settings...)
	mmd, err2 := t.MMD(ctx, x, y, 0, settings...)
	sliced, err3 := t.SlicedWasserstein(ctx, x, y, 5, settings...)
	first, err4 := t.Wasserstein(ctx, x, y, 1, settings...)
	frechet, err5 := t.FrechetDistance(ctx, x, y, settings...)
	support, err6 := t.Support(ctx, x, y, 3, settings...)
	fast, err7 := metric.FastC2ST(ctx, x, y, t.Seed, settings...)
	return map[string]metric.Test{
		"energy": energy, "MMD": mmd, "sliced": sliced, "Wasserstein": first, "Fréchet": frechet, "fast C2ST": fast,
		"precision": support.Precision, "recall": support.Recall, "density": support.Density, "coverage": support.Coverage,
	}, errors.Join(err1, err2, err3, err4, err5, err6, err7)
}

// P of samples of one distribution is at most 0.1 in a tenth of all cases: of 200 pairs, 20 ± 4.2, further
// away than 4 deviations once in 15,000 seeds for each of the 20 numbers. Shares of few events have few
// values, so that they may be there less often.
func TestTestsKeepTheirLevel(t *testing.T) {
	const pairs = 200
	for _, weighted := range []bool{false, true} {
		rejected := map[string]int{}
		for i := range pairs {
			x, y := random(uint64(2*i), 30, 2), random(uint64(2*i+1), 24, 2)
			var settings []metric.Option
			if weighted { // of one law for both samples
				settings = append(settings, metric.Weights(positive(uint64(i), 30), positive(uint64(1000+i), 24)))
			}
			tests, err := every(metric.Tests{Permutations: 19, Seed: int64(i)}, t.Context(), x, y, settings...)
			if err != nil {
				t.Fatal(err)
			}
			for name, test := range tests {
				if test.P <= 0.1 {
					rejected[name]++
				}
			}
		}
		for name, n := range rejected {
			few := slices.Contains([]string{"fast C2ST", "precision", "recall", "coverage"}, name)
			if n > 37 || n < 3 && !few {
				t.Errorf("%s, weighted %v: P is at most 0.1 in %d of %d cases, expected 20", name, weighted, n, pairs)
			}
		}
		if len(rejected) < 8 {
			t.Errorf("some tests reject none of %d: %v", pairs, rejected)
		}
	}
}

// The values are those of the functions of the same names, and the fast null distributions those that
// the functions have for the same splits.
func TestTestsAreTheirStatistics(t *testing.T) {
	x, y := random(1, 20, 2), shifted(random(2, 15, 2), 0.5, 0)
	weights := metric.Weights(positive(1, 20), positive(2, 15))
	tests := metric.Tests{Permutations: 20, Seed: 3}
	for _, settings := range [][]metric.Option{nil, {weights}} {
		got, err := every(tests, t.Context(), x, y, settings...)
		if err != nil {
			t.Fatal(err)
		}
		mmd, err := tests.MMD(t.Context(), x, y, 2, settings...)
		if err != nil {
			t.Fatal(err)
		}
		got["MMD"] = mmd // of a bandwidth that is the same for all
		support := func(get func(metric.SupportOverlap) float64) metric.Statistic {
			return func(x, y *tensors.Tensor, settings ...metric.Option) (float64, error) {
				s, err := metric.CompareSupport(x, y, 3, settings...)
				return get(s), err
			}
		}
		for name, statistic := range map[string]metric.Statistic{
			"energy": metric.EnergyDistance, "MMD": weightedDistances["MMD"], "Fréchet": metric.FrechetDistance,
			"sliced": func(x, y *tensors.Tensor, settings ...metric.Option) (float64, error) {
				return metric.SlicedWasserstein(x, y, 5, 3, settings...)
			},
			"Wasserstein": func(x, y *tensors.Tensor, settings ...metric.Option) (float64, error) {
				return metric.Wasserstein(x, y, 1, settings...)
			},
			"precision": support(func(s metric.SupportOverlap) float64 { return s.Precision }),
			"recall":    support(func(s metric.SupportOverlap) float64 { return s.Recall }),
			"density":   support(func(s metric.SupportOverlap) float64 { return s.Density }),
			"coverage":  support(func(s metric.SupportOverlap) float64 { return s.Coverage }),
		} {
			want, err := tests.Statistic(t.Context(), name, statistic, x, y, settings...)
			if err != nil {
				t.Fatal(err)
			}
			gomlxtest.Close(t, name, got[name].Value, want.Value, 1e-9)
			gomlxtest.Near(t, name+", null", got[name].Null, want.Null, 1e-7)
		}
	}
}

// Balls around events are counted as by the definition, events that are equal too.
func TestSupportByItsDefinition(t *testing.T) {
	for seed := range uint64(20) {
		x, y := random(seed, 14, 2), random(seed+100, 40, 2)
		if seed%2 == 1 { // whole numbers, of which many are equal
			for _, s := range []**tensors.Tensor{&x, &y} {
				flat := tensors.MustCopyFlatData[float64](*s)
				for i := range flat {
					flat[i] = math.Round(flat[i])
				}
				*s = tensors.FromFlatDataAndDimensions(flat, (*s).Shape().Dimensions...)
			}
		}
		const k = 3
		a, b := points(x), points(y)
		reach := func(all []vptree.Comparable) (out []float64) {
			for i, p := range all {
				var d []float64
				for j, q := range all {
					if i != j {
						d = append(d, p.Distance(q))
					}
				}
				slices.Sort(d)
				out = append(out, d[k-1])
			}
			return out
		}
		ofA, ofB := reach(a), reach(b)
		var want metric.SupportOverlap
		covered, recalled := map[int]bool{}, map[int]bool{}
		for j, q := range b {
			balls := 0.0
			for i, p := range a {
				if d := p.Distance(q); d <= ofA[i] {
					balls, covered[i] = balls+1, true
				}
				if d := p.Distance(q); d <= ofB[j] {
					recalled[i] = true
				}
			}
			want.Density += balls / k / float64(len(b))
			if balls > 0 {
				want.Precision += 1 / float64(len(b))
			}
		}
		want.Coverage, want.Recall = float64(len(covered))/float64(len(a)), float64(len(recalled))/float64(len(a))
		got, err := metric.CompareSupport(x, y, k)
		if err != nil {
			t.Fatal(err)
		}
		gomlxtest.Near(t, fmt.Sprint("support, ", seed), []float64{got.Precision, got.Recall, got.Density, got.Coverage},
			[]float64{want.Precision, want.Recall, want.Density, want.Coverage}, 1e-9)
	}
}

// What is wrong is found, by the numbers that see it, and small ones are bad where they are said to be.
func TestTestsFindWhatIsWrong(t *testing.T) {
	tests := metric.Tests{Permutations: 199}
	x := random(1, 150, 2)
	all, err := every(tests, t.Context(), x, shifted(random(2, 150, 2), 1, 0))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"energy", "MMD", "sliced", "Wasserstein", "Fréchet", "fast C2ST", "precision", "coverage"} {
		if all[name].P > 0.02 {
			t.Errorf("a shift of one: %s", all[name])
		}
	}
	// Samples of one mode of two miss the other.
	two := tensors.MustCopyFlatData[float64](x)
	for i := range two[:len(two)/2] {
		two[i] += 8
	}
	half, err := tests.Support(t.Context(), tensors.FromFlatDataAndDimensions(two, 150, 2), random(3, 150, 2), 0)
	if err != nil || half.Precision.P < 0.02 || half.Recall.P > 0.01 || half.Coverage.P > 0.01 {
		t.Errorf("one of two modes: %+v, %v", half, err)
	}
	one, err := tests.SlicedWasserstein(t.Context(), x, x, 5)
	if err != nil || one.P != 1 || one.Value != 0 {
		t.Errorf("a sample and itself: %v, %v", one, err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	_, err = every(tests, ctx, x, x)
	for _, name := range []string{"EnergyDistance", "MMD", "SlicedWasserstein", "Wasserstein", "FrechetDistance", "Support"} {
		gomlxtest.Says(t, name, err, "metric.Tests."+name+": ")
	}
	gomlxtest.Says(t, "FastC2ST", err, "metric.FastC2ST: enough")
}

// Normals a distance δ apart are told apart with a probability of Φ(δ/2) at best, 0.6915 for 1, to
// which 4,000 events come within 0.007 (one standard deviation). A ring around its inside is told from
// it too. Unequal numbers of events, and weights, leave a half what chance gets.
func TestFastC2ST(t *testing.T) {
	test := func(x, y *tensors.Tensor, settings ...metric.Option) metric.Test {
		got, err := metric.FastC2ST(t.Context(), x, y, 1, settings...)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	apart := test(random(1, 4000, 2), shifted(random(2, 4000, 2), 1, 0))
	gomlxtest.Close(t, "a unit apart", apart.Value, 0.6915, 0.03)
	if apart.P > 1e-9 {
		t.Error(apart)
	}
	ring := tensors.MustCopyFlatData[float64](random(3, 1000, 2))
	for i := 0; i < len(ring); i += 2 {
		r := math.Hypot(ring[i], ring[i+1])
		ring[i], ring[i+1] = 3*ring[i]/r, 3*ring[i+1]/r
	}
	if got := test(random(4, 3000, 2), tensors.FromFlatDataAndDimensions(ring, 1000, 2)); got.Value < 0.9 {
		t.Error(got)
	}
	if got := test(random(5, 3000, 2), random(6, 500, 2)); math.Abs(got.Value-0.5) > 0.05 || got.P < 1e-3 {
		t.Error(got)
	}
	// Twice as likely above 0 as below, by weights and by events.
	x := random(7, 4000, 1)
	heavy := tensors.MustCopyFlatData[float64](x)
	for i, v := range heavy {
		heavy[i] = 1
		if v > 0 {
			heavy[i] = 2
		}
	}
	var more []float64
	for i, v := range tensors.MustCopyFlatData[float64](random(8, 4800, 1)) {
		if v > 0 || i%2 == 0 {
			more = append(more, v)
		}
	}
	y := tensors.FromFlatDataAndDimensions(more, len(more), 1)
	if with := test(x, y, metric.Weights(tensors.FromFlatDataAndDimensions(heavy, 4000))); with.P < 1e-3 {
		t.Errorf("with weights: %s", with)
	}
	if without := test(x, y); without.P > 1e-6 {
		t.Errorf("without: %s", without)
	}
}

// Fisher's exact test by hand: of 2 and 2 events, all told right, P is 1/6.
func TestFastC2STOfFewEvents(t *testing.T) {
	x, y := make([]float64, 10), make([]float64, 10)
	for i := range 10 {
		x[i], y[i] = float64(i), 1000+float64(i)
	}
	got, err := metric.FastC2ST(t.Context(), column(x...), column(y...), 1)
	if err != nil {
		t.Fatal(err)
	}
	gomlxtest.Close(t, "P of 5 and 5", got.P, 1./252, 1e-9)
	gomlxtest.Close(t, "value", got.Value, 1, 1e-12)
	_, err = metric.FastC2ST(t.Context(), column(1, 2), column(3), 1)
	gomlxtest.Says(t, "few", err, "the samples have 2 and 1 events: give at least 10")
}
