package metric_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/metric"
)

// The number of bins divides the ranks where it can, and a bin that holds more of them is
// expected to be as much higher.
func TestRanks(t *testing.T) {
	for ranks, want := range map[int]int{100: 20, 128: 16, 101: 20, 3: 3, 1000: 20, 81: 9} {
		c, err := metric.Ranks(nil, ranks-1, 0)
		if err != nil || len(c.Heights) != want {
			t.Errorf("%d ranks in %d bins (%v), want %d", ranks, len(c.Heights), err, want)
		}
	}
	// Each rank from 0 to 4 twice, in two bins that hold three of them and two.
	c, err := metric.Ranks([]float64{0, 1, 2, 3, 4, 0, 1, 2, 3, 4, math.NaN()}, 4, 2)
	if err != nil || c.Ranks != 10 || c.Dropped != 1 {
		t.Fatalf("%+v, %v", c, err)
	}
	for i, h := range c.Heights {
		gomlxtest.Close(t, fmt.Sprintf("height %d", i), h, 1, 1e-12)
	}
	// Binomial(100, ½): 95 % lie within 40 and 60, in units of the 50 expected.
	var half []float64
	for i := range 100 {
		half = append(half, float64(i%2))
	}
	c, err = metric.Ranks(half, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	gomlxtest.Close(t, "low", c.Low, 0.8, 1e-12)
	gomlxtest.Close(t, "high", c.High, 1.2, 1e-12)
}

func TestCoverage(t *testing.T) {
	c, err := metric.Coverage([]float64{0.6, math.Inf(1), 0.2})
	if err != nil || fmt.Sprint(c.Probabilities) != "[0.2 0.6]" || c.Dropped != 1 {
		t.Errorf("%+v, %v", c, err)
	}
	gomlxtest.Close(t, "band", c.Band, math.Sqrt(math.Log(40)/4), 1e-12)
}

func TestBadCalibration(t *testing.T) {
	ranks := func(values []float64, draws, bins int) error {
		_, err := metric.Ranks(values, draws, bins)
		return err
	}
	_, coverage := metric.Coverage([]float64{0.5, 95})
	for want, err := range map[string]error{
		"0 posterior draws":                   ranks(nil, 0, 0),
		"6 bins for 5 ranks":                  ranks(nil, 4, 6),
		"-1 bins":                             ranks(nil, 4, -1),
		"rank 1 is 5: give whole numbers":     ranks([]float64{1, 5}, 4, 0),
		"rank 0 is 0.5":                       ranks([]float64{0.5}, 4, 0),
		"value 1 is 95: give probabilities f": coverage,
	} {
		gomlxtest.Says(t, want, err, want)
	}
}
