package toy_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
	"github.com/nami-flow/go-nami/nami/toy"

	"github.com/gomlx/gomlx/core/tensors"
)

func sets() []toy.Set {
	parametric, err := toy.ParametricMixture{}.At(0.5)
	if err != nil {
		panic(err)
	}
	return []toy.Set{
		toy.TwoMoons{Noise: 0.1},
		toy.TwoSpirals{Noise: 0.1},
		toy.Checkerboard{},
		toy.Checkerboard{Cells: 3, Bound: 1},
		toy.Ring{},
		toy.Shell{Share: 0.4},
		toy.Shell{Radius: 0.3, Width: 0.3},
		toy.Shell{Share: 1},
		toy.SignalAndBackground(0.3), parametric,
		toy.GaussianMixture{Components: []toy.Gaussian{{Mean: []float64{1}, Covariance: [][]float64{{4}}}}},
	}
}

// A seed fixes the points and their labels, a smaller n gives the first of them, and
// Sample gives the points that SampleLabelled does.
func TestSetsDependOnTheSeedAlone(t *testing.T) {
	draw := func(s toy.Set, seed int64, n int) []float32 {
		x, err := s.Sample(seed, n)
		if err != nil {
			t.Fatal(err)
		}
		return tensors.MustCopyFlatData[float32](x)
	}
	for _, s := range sets() {
		few, many := draw(s, 5, 100), draw(s, 5, 200)
		if !slices.Equal(few, many[:len(few)]) {
			t.Errorf("%T: 100 points are not the first of 200 with the same seed", s)
		}
		if slices.Equal(few, draw(s, 6, 100)) {
			t.Errorf("%T: two seeds gave the same points", s)
		}
		if len(draw(s, 5, 0)) != 0 {
			t.Errorf("%T: there are points where none were asked for", s)
		}
		if l, ok := s.(toy.Labelled); ok {
			x, labels, err := l.SampleLabelled(5, 100)
			if err != nil || len(labels) != 100 || !slices.Equal(tensors.MustCopyFlatData[float32](x), few) {
				t.Errorf("%T: the labelled points are others (%v)", s, err)
			}
		}
		if _, err := s.Sample(5, -1); err == nil || !strings.Contains(err.Error(), "n is -1") {
			t.Errorf("%T: n = -1: error is %v", s, err)
		}
	}
}

// Densities of the plane integrate to 1 over a fine grid, within 2%: edges of squares don't
// lie on its lines.
func TestDensitiesIntegrateToOne(t *testing.T) {
	const side, cells = 20.0, 600
	flat := make([]float64, 0, 2*cells*cells)
	for i := range cells {
		for j := range cells {
			flat = append(flat, side*((float64(i)+0.5)/cells-0.5), side*((float64(j)+0.5)/cells-0.5))
		}
	}
	grid := tensors.FromFlatDataAndDimensions(flat, cells, cells, 2)
	for _, s := range sets() {
		d, ok := s.(toy.Density)
		if !ok {
			continue
		}
		logProb, err := d.LogProb(grid)
		if m, ok := s.(toy.GaussianMixture); ok && len(m.Components) == 1 {
			if err == nil || !strings.Contains(err.Error(), "[600 600 2]") && !strings.Contains(err.Error(), "1 values of one") {
				t.Errorf("points of the plane for a density on the line: error is %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := logProb.Shape().Dimensions; !slices.Equal(got, []int{cells, cells}) {
			t.Fatalf("%T: the log-density has shape %v, want that of the lead, [%d %d]", s, got, cells, cells)
		}
		total := 0.0
		for _, v := range tensors.MustCopyFlatData[float64](logProb) {
			total += math.Exp(v) * (side / cells) * (side / cells)
		}
		if math.Abs(total-1) > 0.02 {
			t.Errorf("%+v: the density integrates to %v", s, total)
		}
	}
}

// Every point that a board draws lies where its density is positive.
func TestCheckerboardDrawsOnItsSquares(t *testing.T) {
	for _, b := range []toy.Checkerboard{{}, {Cells: 5, Bound: 1}, {Cells: 1}} {
		x, err := b.Sample(1, 2000)
		if err != nil {
			t.Fatal(err)
		}
		logProb, err := b.LogProb(x)
		if err != nil {
			t.Fatal(err)
		}
		if lowest := slices.Min(tensors.MustCopyFlatData[float32](logProb)); math.IsInf(float64(lowest), -1) {
			t.Errorf("%+v: a point lies off the squares", b)
		}
	}
}

func TestSetsRefuse(t *testing.T) {
	nan := math.NaN()
	unit := [][]float64{{1, 0}, {0, 1}}
	gaussian := func(covariance [][]float64) toy.GaussianMixture {
		return toy.GaussianMixture{Components: []toy.Gaussian{{Mean: []float64{0, 0}, Covariance: covariance}}}
	}
	for want, s := range map[string]toy.Set{
		"TwoSpirals: Noise is -1":              toy.TwoSpirals{Noise: -1},
		"TwoSpirals: Turns is -2":              toy.TwoSpirals{Turns: -2},
		"Checkerboard: Cells is -1":            toy.Checkerboard{Cells: -1},
		"Checkerboard: Bound is NaN":           toy.Checkerboard{Bound: nan},
		"Ring: Modes is -3":                    toy.Ring{Modes: -3},
		"Ring: Radius is +Inf":                 toy.Ring{Radius: math.Inf(1)},
		"Ring: Std is -1":                      toy.Ring{Std: -1},
		"Shell: Width is -1":                   toy.Shell{Width: -1},
		"Shell: Share is 1.5":                  toy.Shell{Share: 1.5},
		"there are no components":              toy.GaussianMixture{},
		"weight 0 of [-0.5 1.5] is -0.5":       toy.SignalAndBackground(1.5),
		"there are 3 weights for 1 components": toy.GaussianMixture{Components: gaussian(unit).Components, Weights: []float64{1, 2, 3}},
		"sum to 0":                             toy.GaussianMixture{Components: gaussian(unit).Components, Weights: []float64{0}},
		"component 0: the mean has 2 values and the covariance 1 rows": gaussian(unit[:1]),
		"it must be symmetric":                         gaussian([][]float64{{1, 0.5}, {0, 1}}),
		"row 1 of the covariance has 1 values":         gaussian([][]float64{{1, 0}, {0}}),
		"the covariance [[1 2] [2 1]] is not positive": gaussian([][]float64{{1, 2}, {2, 1}}),
	} {
		_, err := s.Sample(1, 10)
		gomlxtest.Says(t, fmt.Sprintf("%+v", s), err, want)
	}
	for want, p := range map[string]toy.ParametricMixture{
		"Axis is 2: the signal's mean has 2 values": {Axis: 2},
		"Share is -0.5": {Share: -0.5},
	} {
		_, err := p.At(0)
		gomlxtest.Says(t, fmt.Sprintf("%+v", p), err, want)
	}
	if _, err := (toy.ParametricMixture{}).At(nan); err == nil || !strings.Contains(err.Error(), "θ is NaN") {
		t.Errorf("θ = NaN: got %v", err)
	}
	for want, points := range map[string]*tensors.Tensor{
		"toy.GaussianMixture: points is nil":                      nil,
		"(Float64)[1, 3]: their last axis must hold the 2 values": tensors.FromValue([][]float64{{1, 2, 3}}),
		"(Int32)[1, 2]: expected Float32 or Float64":              tensors.FromValue([][]int32{{1, 2}}),
		"value 1 of points, of shape (Float64)[1, 2], is NaN":     tensors.FromValue([][]float64{{1, nan}}),
	} {
		_, err := (toy.Ring{}).LogProb(points)
		gomlxtest.Says(t, want, err, want)
	}
	for _, mean := range []float64{-1, nan, math.Inf(1)} {
		if _, err := toy.Poisson(1, mean); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("the mean is %g", mean)) {
			t.Errorf("a mean of %g: got %v", mean, err)
		}
	}
}

func ExampleParametricMixture() {
	mixture, err := toy.ParametricMixture{}.At(0.7)
	if err != nil {
		panic(err)
	}
	n, err := toy.Poisson(1, 1000)
	if err != nil {
		panic(err)
	}
	points, labels, err := mixture.SampleLabelled(1, n)
	if err != nil {
		panic(err)
	}
	fmt.Println(points.Shape().Dim(0) == n, len(labels) == n)
	// Output: true true
}
