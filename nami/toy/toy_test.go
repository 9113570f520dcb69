package toy

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/stat"
)

type reference struct {
	Probabilities []float64
	Cases         []struct {
		Name   string
		Noise  float64
		All    moments `json:"all"`
		Label0 moments `json:"label_0"`
		Label1 moments `json:"label_1"`
	}
}

type moments struct {
	N                    float64
	Mean                 [2]float64
	MeanError            [2]float64    `json:"mean_error"`
	Covariance           [2][2]float64 `json:"covariance"`
	CovarianceError      [2][2]float64 `json:"covariance_error"`
	RadiusQuantiles      []float64     `json:"radius_quantiles"`
	RadiusQuantilesError []float64     `json:"radius_quantiles_error"`
}

// The seed is fixed. Each of the 72 numbers may differ by six standard errors of the
// difference, so a correct sampler with another seed fails with a chance of 2e-7.
func TestTwoMoonsHasTheReferenceStatistics(t *testing.T) {
	file, err := os.ReadFile("testdata/two_moons.json")
	if err != nil {
		t.Fatal(err)
	}
	var ref reference
	if err := json.Unmarshal(file, &ref); err != nil {
		t.Fatal(err)
	}
	if len(ref.Cases) != 2 {
		t.Fatalf("%d cases, want 2", len(ref.Cases))
	}
	for _, c := range ref.Cases {
		n := int(c.All.N)
		x, err := TwoMoons{Noise: c.Noise}.Sample(3, n)
		if err != nil {
			t.Fatal(err)
		}
		flat := tensors.MustCopyFlatData[float32](x)
		var points [2][2][]float64
		for i := 0; i < len(flat); i += 2 {
			label := i / 2 % 2
			points[label][0] = append(points[label][0], float64(flat[i]))
			points[label][1] = append(points[label][1], float64(flat[i+1]))
		}
		all := [2][]float64{slices.Concat(points[0][0], points[1][0]), slices.Concat(points[0][1], points[1][1])}
		for name, part := range map[string]struct {
			points [2][]float64
			want   moments
		}{"all": {all, c.All}, "upper": {points[0], c.Label0}, "lower": {points[1], c.Label1}} {
			near := func(what string, got, want, stderr float64) {
				t.Helper()
				// float32 rounding matters where a noise-free radius has no spread.
				if limit := 6*math.Sqrt2*stderr + 1e-6; math.Abs(got-want) > limit {
					t.Errorf("%s, %s: %s is %g, reference %g, allowed difference %g", c.Name, name, what, got, want, limit)
				}
			}
			for i := range 2 {
				near("mean", stat.Mean(part.points[i], nil), part.want.Mean[i], part.want.MeanError[i])
				for j := range i + 1 {
					cov := stat.Covariance(part.points[i], part.points[j], nil)
					near(fmt.Sprintf("covariance %d%d", i, j), cov, part.want.Covariance[i][j], part.want.CovarianceError[i][j])
				}
			}
			radii := make([]float64, len(part.points[0]))
			for i := range radii {
				radii[i] = math.Hypot(part.points[0][i], part.points[1][i])
			}
			slices.Sort(radii)
			for i, p := range ref.Probabilities {
				near(fmt.Sprintf("radius quantile %g", p), stat.Quantile(p, stat.LinInterp, radii, nil), part.want.RadiusQuantiles[i], part.want.RadiusQuantilesError[i])
			}
		}
	}
}

func TestTwoMoonsDependsOnTheSeedAlone(t *testing.T) {
	draw := func(seed int64, n int) []float32 {
		x, err := TwoMoons{Noise: 0.1}.Sample(seed, n)
		if err != nil {
			t.Fatal(err)
		}
		return tensors.MustCopyFlatData[float32](x)
	}
	if !slices.Equal(draw(5, 100), draw(5, 200)[:200]) {
		t.Error("100 points are not the first of 200 with the same seed")
	}
	if slices.Equal(draw(5, 100), draw(6, 100)) {
		t.Error("two seeds gave the same points")
	}
}

func TestTwoMoonsEdges(t *testing.T) {
	for _, m := range []TwoMoons{{Noise: -0.1}, {Noise: math.NaN()}, {Noise: math.Inf(1)}} {
		if _, err := m.Sample(1, 10); err == nil || !strings.Contains(err.Error(), "Noise") {
			t.Errorf("noise %g: error is %v", m.Noise, err)
		}
	}
	if _, err := (TwoMoons{}).Sample(1, -1); err == nil || !strings.Contains(err.Error(), "n is -1") {
		t.Errorf("n = -1: error is %v", err)
	}
	x, err := TwoMoons{}.Sample(1, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := x.Shape().Dimensions; !slices.Equal(got, []int{0, 2}) {
		t.Errorf("shape of no points is %v, want [0 2]", got)
	}
}

func TestDigits(t *testing.T) {
	set, err := Digits()
	if err != nil {
		t.Fatal(err)
	}
	if got := set.Images.Shape().Dimensions; !slices.Equal(got, []int{1797, 8, 8, 1}) {
		t.Fatalf("shape is %v", got)
	}
	flat := tensors.MustCopyFlatData[float32](set.Images)
	if lo, hi := slices.Min(flat), slices.Max(flat); lo != -1 || hi != 1 {
		t.Errorf("range is [%g, %g], want [-1, 1]", lo, hi)
	}
	var counts [10]int
	for _, label := range set.Labels {
		counts[label]++
	}
	// As scikit-learn's load_digits lists them.
	if want := [10]int{178, 182, 177, 183, 181, 182, 181, 179, 174, 180}; counts != want {
		t.Errorf("counts are %v, want %v", counts, want)
	}
	// The first row of the first image, a zero: 0 0 5 13 9 1 0 0.
	if want := []float32{-1, -1, -0.375, 0.625, 0.125, -0.875, -1, -1}; !slices.Equal(flat[:8], want) {
		t.Errorf("first row is %v, want %v", flat[:8], want)
	}
}

func TestDamagedDigitsAreErrors(t *testing.T) {
	good := strings.Repeat("3,", 64)
	for name, text := range map[string]string{
		"empty":          "",
		"a short row":    "1,2,3\n",
		"too dark":       strings.Repeat("17,", 64) + "3\n",
		"not a number":   strings.Repeat("NaN,", 64) + "3\n",
		"a wrong label":  good + "10\n",
		"half a label":   good + "2.5\n",
		"a nameless one": good + "x\n",
	} {
		var file bytes.Buffer
		w := gzip.NewWriter(&file)
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := readDigits(file.Bytes()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := readDigits(digitsFile[:1000]); err == nil {
		t.Error("cut short: no error")
	}
}

func ExampleTwoMoons() {
	points, err := TwoMoons{Noise: 0.05}.Sample(1, 1000)
	if err != nil {
		panic(err)
	}
	fmt.Println(points.Shape())
	// Output: (Float32)[1000, 2]
}

func ExampleDigits() {
	digits, err := Digits()
	if err != nil {
		panic(err)
	}
	fmt.Println(digits.Images.Shape(), digits.Labels[:5])
	// Output: (Float32)[1797, 8, 8, 1] [0 1 2 3 4]
}
