package metric_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/metric"
)

// Of samples of one distribution, something is significant at 0.05 in at most a twentieth for each of
// the two families: of 60, 3 ± 1.7 for each at most, above 11 once in 15,000 seeds. A skew
// distribution, and weights, don't change it.
func TestCompareRaisesFewFalseAlarms(t *testing.T) {
	tests, differences := 0, 0
	for i := range 60 {
		var settings []metric.Option
		if i%2 == 1 {
			settings = append(settings, metric.Weights(positive(uint64(i), 80)))
		}
		c, err := metric.Comparer{Tests: metric.Tests{Permutations: 199, Seed: int64(i)}}.Compare(t.Context(), skew(uint64(2*i), 80), skew(uint64(2*i+1), 80), settings...)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range c.Adjusted {
			if p <= 0.05 {
				tests++
				break
			}
		}
		if c.Differences[0].Adjusted <= 0.05 {
			differences++
		}
	}
	if tests > 11 || differences > 11 {
		t.Errorf("false alarms of %d tests and %d differences in 60 cases, expected at most 3 each", tests, differences)
	}
}

// skew are events of which one value is skew, and two belong together.
func skew(seed uint64, n int) *tensors.Tensor {
	flat := tensors.MustCopyFlatData[float64](random(seed, n, 3))
	for j := range flat {
		if j%3 == 1 {
			flat[j] = math.Exp(flat[j] / 2)
		} else if j%3 == 2 {
			flat[j] += flat[j-2]
		}
	}
	return tensors.FromFlatDataAndDimensions(flat, n, 3)
}

// What is wrong is said, of the value that it is wrong of.
func TestCompareSaysWhatDiffers(t *testing.T) {
	reference := random(1, 3000, 3)
	for want, change := range map[string]func(row []float64){
		"c: spread 13.9 % too small, p ":               func(row []float64) { row[2] *= 0.88 },
		"a: mean too large by 0.2":                     func(row []float64) { row[0] += 0.2 },
		"a and b: correlation 0.29, should be -0.01":   func(row []float64) { row[1] = 0.3*row[0] + math.Sqrt(1-0.09)*row[1] },
		"b: distribution differs, ":                    func(row []float64) { row[1] = math.Copysign(math.Sqrt(0.9), row[1]) + math.Sqrt(0.1)*row[0] },
		"c: constant 1, should vary, p < 1e-06":        func(row []float64) { row[2] = 1 },
		" times what it should be, p":                  func(row []float64) { row[1] *= 3 },
		"sliced Wasserstein distance 0.":               func(row []float64) { row[0] += 0.8 },
		"energy distance 0.":                           func(row []float64) { row[0] += 0.8 },
		"fast C2ST 0.":                                 func(row []float64) { row[0] += 0.5 },
		"coverage 0.":                                  func(row []float64) { row[0], row[1], row[2] = row[0]/9, row[1]/9, row[2]/9 },
		"nearer to the training data than held-out da": func(row []float64) { row[0], row[1], row[2] = 0, 0, 0 },
	} {
		flat := tensors.MustCopyFlatData[float64](random(2, 2000, 3))
		for i := 0; i < len(flat); i += 3 {
			change(flat[i : i+3])
		}
		c, err := metric.Comparer{Columns: []string{"a", "b", "c"}, Events: 100, Tests: metric.Tests{Permutations: 299}, Training: tensors.FromFlatDataAndDimensions(make([]float64, 3), 1, 3)}.
			Compare(t.Context(), reference, tensors.FromFlatDataAndDimensions(flat, 2000, 3))
		if err != nil {
			t.Fatal(err)
		}
		found := strings.Join(c.Findings(), "\n")
		if !strings.Contains(found, want) || c.P() > 0.05 || !strings.Contains(c.String(), "Differences, p adjusted for") {
			t.Errorf("expected %q:\n%s\nfound: %s", want, c, found)
		}
	}
}

// Other units of a value change nothing; events that aren't finite are left out and counted; images
// are events too.
func TestCompareUnits(t *testing.T) {
	flat := tensors.MustCopyFlatData[float64](random(1, 100, 4))
	flat[7] = math.NaN()
	x, y := tensors.FromFlatDataAndDimensions(flat, 100, 2, 2), random(2, 80, 2, 2)
	compare := metric.Comparer{Tests: metric.Tests{Permutations: 9}}
	one, err := compare.Compare(t.Context(), x, y)
	if err != nil || one.Reference != (metric.Counts{Events: 99, Dropped: 1}) || one.Sample.Events != 80 {
		t.Fatalf("%v, %v", one, err)
	}
	scale := func(x *tensors.Tensor) *tensors.Tensor {
		flat := tensors.MustCopyFlatData[float64](x)
		for i := range flat {
			flat[i] = 5 + flat[i]*[]float64{1, 1000, 1e-3, 2}[i%4]
		}
		return tensors.FromFlatDataAndDimensions(flat, x.Shape().Dimensions...)
	}
	other, err := compare.Compare(t.Context(), scale(x), scale(y))
	if err != nil {
		t.Fatal(err)
	}
	for i, test := range one.Tests {
		gomlxtest.Close(t, test.Name, other.Tests[i].Value, test.Value, 1e-6)
	}
}

// What doesn't suit the data is left out, with the reason; what is asked for is there.
func TestCompareTakesWhatSuits(t *testing.T) {
	names := func(c metric.Comparison, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, test := range c.Tests {
			all = append(all, test.Name)
		}
		return strings.Join(all, ", ") + " without " + strings.Join(c.LeftOut, "; ")
	}
	few := metric.Tests{Permutations: 9}
	negative := make([]float64, 60)
	for i := range negative {
		negative[i] = 1 - 1.5*float64(i%3/2)
	}
	for want, got := range map[string]string{
		"energy distance, maximum mean discrepancy without all but": names(metric.Comparer{Tests: few}.Compare(t.Context(), random(1, 60, 2), random(2, 60, 2),
			metric.Weights(tensors.FromFlatDataAndDimensions(negative, 60)))),
		"discrepancy, Wasserstein distance of order 2, precision":  names(metric.Comparer{Tests: few}.Compare(t.Context(), random(1, 300, 1), random(2, 60, 1))),
		"the exact Wasserstein distance: of several values, it is": names(metric.Comparer{Tests: few}.Compare(t.Context(), random(1, 300, 2), random(2, 60, 2))),
		"precision, recall, density and coverage: there are fewer": names(metric.Comparer{Tests: few}.Compare(t.Context(), random(1, 300, 2), random(2, 6, 2))),
		"Fréchet distance, nearer to": names(metric.Comparer{
			Tests: few, Training: random(3, 20, 2),
			Features: func(x *tensors.Tensor) (*tensors.Tensor, error) { return x, nil },
		}.Compare(t.Context(), random(1, 60, 2), random(2, 60, 2))),
	} {
		if !strings.Contains(got, want) {
			t.Errorf("expected %q: %s", want, got)
		}
	}
	x := random(1, 30, 2)
	failing := metric.Comparer{Tests: few, Features: func(*tensors.Tensor) (*tensors.Tensor, error) { return nil, errors.New("no network") }}
	_, features := failing.Compare(t.Context(), x, x)
	_, columns := metric.Comparer{Columns: []string{"a"}}.Compare(t.Context(), x, x)
	_, events := metric.Comparer{Events: -3}.Compare(t.Context(), x, x)
	_, shape := metric.Compare(t.Context(), x, random(1, 30, 3))
	_, single := metric.Compare(t.Context(), x, random(1, 1, 2))
	_, wide := metric.Compare(t.Context(), column(-1e200, 1e200, -1e200, 1e200), column(0, 1, 2, 3))
	_, three := metric.Compare(t.Context(), x, x, metric.Weights(nil, nil, nil))
	for want, err := range map[string]error{
		"metric.Compare: Fréchet distance of the features: the features of the reference: no network": features,
		"metric.Compare: there are 1 Columns, and an event has 2 values":                              columns,
		"the Events are -3": events,
		"the reference is (Float64)[30, 2], the sample is (Float64)[30, 3]: axis 1 differs": shape,
		"the sample has 1 finite events": single,
		"overflow":                       wide,
		"metric.Compare: Weights has 3 tensors, and there are 2 samples": three,
	} {
		gomlxtest.Says(t, want, err, want)
	}
}

func ExampleCompare() {
	c, err := metric.Comparer{Columns: []string{"x", "y"}, Tests: metric.Tests{Permutations: 199}}.
		Compare(context.Background(), random(1, 1000, 2), shifted(random(2, 1000, 2), 0, 0.3))
	if err != nil {
		panic(err)
	}
	fmt.Println(c.Findings()[len(c.Findings())-1])
	// Output: y: mean too large by 0.268 standard deviations, p < 1e-06
}
