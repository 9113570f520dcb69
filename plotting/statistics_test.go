package plotting

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/tests/property"

	"pgregory.net/rapid"
)

// parsed is the number that a tick's label writes.
func parsed(t *rapid.T, label string) float64 {
	plain := strings.NewReplacer("−", "-", "×10", "e").Replace(label)
	plain = strings.Map(func(r rune) rune {
		if i := slices.Index([]rune("⁰¹²³⁴⁵⁶⁷⁸⁹"), r); i >= 0 {
			return rune('0' + i)
		}
		if r == '⁻' {
			return '-'
		}
		return r
	}, plain)
	if strings.HasPrefix(plain, "10") && len(label) > 2 && strings.ContainsAny(label, "⁰¹²³⁴⁵⁶⁷⁸⁹") && !strings.Contains(label, "×") {
		plain = "1e" + plain[2:]
	}
	v, err := strconv.ParseFloat(plain, 64)
	if err != nil {
		t.Fatalf("the label %q isn't a number", label)
	}
	return v
}

// On a logarithmic axis over any range two values at least can be read off, each at its
// place, whatever the room for numbers.
func TestLogTicks(t *testing.T) {
	property.Check(t, func(t *rapid.T) {
		lo := math.Pow(10, rapid.Float64Range(-30, 30).Draw(t, "decade"))
		hi := lo * math.Pow(10, math.Pow(10, rapid.Float64Range(-5, 1.5).Draw(t, "width")))
		for _, most := range []int{0, 1, 2, 5, 20} {
			ticks := thinned(decadeTicks{}.Ticks(lo, hi), most)
			seen := map[string]bool{}
			for i, tick := range ticks {
				if i > 0 && tick.Value <= ticks[i-1].Value {
					t.Fatalf("over %g to %g tick %d is at %g after %g", lo, hi, i, tick.Value, ticks[i-1].Value)
				}
				if tick.Value < lo*(1-1e-6) || tick.Value > hi*(1+1e-6) {
					t.Fatalf("over %g to %g there is a tick at %g", lo, hi, tick.Value)
				}
				if tick.Label == "" {
					continue
				}
				if v := parsed(t, tick.Label); math.Abs(v/tick.Value-1) > 1e-9 || seen[tick.Label] {
					t.Fatalf("over %g to %g the tick at %g is called %q", lo, hi, tick.Value, tick.Label)
				}
				seen[tick.Label] = true
			}
			if len(seen) < 2 {
				t.Fatalf("over %g to %g, with room for %d numbers, there are %d: %v", lo, hi, most, len(seen), ticks)
			}
		}
	})
}

// A moving average is that of its window, whatever lies outside: values 10³⁰⁰ apart, NaN,
// ends, windows longer than the curve.
func TestAnyMovingAverage(t *testing.T) {
	property.Check(t, func(t *rapid.T) {
		n, window := rapid.IntRange(1, 60).Draw(t, "n"), rapid.IntRange(2, 80).Draw(t, "window")
		values := make([]float64, n)
		for i := range values {
			values[i] = rapid.SampledFrom([]float64{1, -2, 0.5, 3, 1e17, -1e20, 1e300, math.NaN()}).Draw(t, "value")
		}
		got := movingAverage(values, window)
		for i := range values {
			sum, size, count := 0.0, 0.0, 0
			for j := max(0, i-window/2); j <= min(n-1, i+window/2); j++ {
				if v := values[j]; !math.IsNaN(v) {
					sum, size, count = sum+v/100, size+math.Abs(v)/100, count+1
				}
			}
			want, slack := sum/float64(count)*100, 1e-12*size/float64(count)*100
			if math.IsNaN(values[i]) != math.IsNaN(got[i]) || !math.IsNaN(got[i]) && !(math.Abs(got[i]-want) <= slack) {
				t.Fatalf("the average of %v over %d at %d is %g, expected %g", values, window, i, got[i], want)
			}
		}
	})
}

// Quantiles are those of NumPy: the median of an even number of values is between the
// middle two, ties and a single value are themselves.
func TestQuantile(t *testing.T) {
	for _, c := range []struct {
		sorted      []float64
		share, want float64
	}{
		{[]float64{1, 2, 3, 4}, 0.5, 2.5},
		{[]float64{1, 2, 3, 4}, 0.05, 1.15},
		{[]float64{1, 2, 4}, 0.75, 3},
		{[]float64{7}, 0.95, 7},
		{[]float64{2, 2, 2, 9}, 0.5, 2},
		{[]float64{0, 1e17}, 1, 1e17},
	} {
		if got := quantile(c.sorted, c.share); math.Abs(got-c.want) > 1e-12*c.want {
			t.Errorf("the quantile %g of %v is %v, expected %v", c.share, c.sorted, got, c.want)
		}
	}
}

// How smooth the outlines of a corner plot are is set by what is drawn: neither by an
// outlier, nor by ties.
func TestRobustWidth(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	values := make([]float64, 20_000)
	for i := range values {
		values[i] = 3 + 2*random.NormFloat64()
	}
	over := span{-5, 11}
	plain := (weighted{values: values}).robustWidth(over)
	if math.Abs(plain-2) > 0.05 {
		t.Errorf("the width is %.3f, expected 2", plain)
	}
	for _, outlier := range []float64{1e6, -1e300} {
		values[0] = outlier
		if got := (weighted{values: values}).robustWidth(over); math.Abs(got/plain-1) > 1e-3 {
			t.Errorf("with an outlier at %g the width is %.3f, without %.3f", outlier, got, plain)
		}
	}
	for i := range values[:15_000] {
		values[i] = 3 // ties beyond both quartiles: the standard deviation is left
	}
	if got := (weighted{values: values}).robustWidth(over); !(got > 0.5 && got < 1.5) {
		t.Errorf("with three quarters of the values equal the width is %.3f", got)
	}
	if got := (weighted{values: []float64{1e9}}).robustWidth(over); got != 0 {
		t.Errorf("of no value within the range the width is %v", got)
	}
}
