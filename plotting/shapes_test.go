package plotting

import (
	"maps"
	"math"
	"regexp"
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/tests/property"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"pgregory.net/rapid"
)

// aTensor draws one of some usual dimensions, or of any up to rank 4, now and then of
// another dtype or nil.
func aTensor(t *rapid.T, name string, usual ...[]int) *tensors.Tensor {
	dims := rapid.OneOf(rapid.SampledFrom(usual), rapid.SampledFrom(usual), rapid.SliceOfN(rapid.IntRange(0, 4), 0, 4)).Draw(t, name)
	kind := rapid.SampledFrom(append(slices.Repeat([]string{"float32"}, 6), "float64", "int32", "nil")).Draw(t, "dtype")
	x := normals(1, dims...)
	switch kind {
	case "nil":
		return nil
	case "int32":
		return tensors.FromShape(shapes.Make(dtypes.Int32, dims...))
	case "float64":
		return tensors.FromFlatDataAndDimensions(floats(x), dims...)
	}
	return x
}

// shown is what an error's text names: a shape, a number, or what is missing.
var shown = regexp.MustCompile(`[0-9]|\(\)|nil|NaN|\bno\b`)

// Whatever the shapes of what a figure is made of, it can be drawn or its error teaches.
func TestAnyShapesCanBeDrawn(t *testing.T) {
	property.Check(t, func(t *rapid.T) {
		few := rapid.IntRange(-1, 4)
		plane := Plane{XMax: 1, YMax: rapid.SampledFrom([]float64{1, 1, 1, 1, 1, 0, math.NaN()}).Draw(t, "height"), Across: 3, Up: rapid.SampledFrom([]int{2, 2, 2, 2, 2, 2, 0, 1, -1}).Draw(t, "up")}
		times := rapid.SampledFrom([][]float64{{1, 0}, {1, 0}, {1, 0.5, 0}, {}, {math.Inf(1)}}).Draw(t, "times")
		x, y := aTensor(t, "x", []int{4, 2}, []int{5, 3}), aTensor(t, "y", []int{4, 2}, []int{5, 3})
		values, vectors := aTensor(t, "values", []int{2, 3}, []int{6}), aTensor(t, "vectors", []int{6, 2}, []int{2, 3, 2})
		paths, images := aTensor(t, "paths", []int{2, 4, 2}), aTensor(t, "images", []int{3, 2, 2, 1}, []int{2, 3, 3})
		numbers := rapid.SliceOfN(rapid.Float64Range(-2, 2), 0, 4)
		series := []Series{{Name: "a", X: numbers.Draw(t, "X"), Values: numbers.Draw(t, "series"), Errors: numbers.Draw(t, "errors")}}
		kinds := map[string]func() interface{ Err() error }{
			"scatter":      func() interface{ Err() error } { return Scatter(x) },
			"histogram 2D": func() interface{ Err() error } { return Histogram2D(x, Bins(few.Draw(t, "bins"))) },
			"joint":        func() interface{ Err() error } { return Joint(x) },
			"corner": func() interface{ Err() error } {
				return Corner([]Sample{{Name: "a", Points: x}, {Name: "b", Points: y}})
			},
			"overlay":        func() interface{ Err() error } { return Overlay(Scatter(x), Density(plane, values)) },
			"row":            func() interface{ Err() error } { return Row(Scatter(x), Scatter(y)).SharedAxes() },
			"grid":           func() interface{ Err() error } { return Grid(few.Draw(t, "columns"), Scatter(x), Scatter(y)) },
			"density":        func() interface{ Err() error } { return Density(plane, values) },
			"heat map":       func() interface{ Err() error } { return HeatMap(plane, values) },
			"contours":       func() interface{ Err() error } { return Contours(plane, values, Filled()) },
			"vectors":        func() interface{ Err() error } { return VectorField(plane, vectors) },
			"streamlines":    func() interface{ Err() error } { return Streamlines(plane, vectors) },
			"trajectories":   func() interface{ Err() error } { return Trajectories(paths) },
			"film":           func() interface{ Err() error } { return FilmStrip(paths, times) },
			"animation":      func() interface{ Err() error } { return Animate(paths, times) },
			"images":         func() interface{ Err() error } { return ImageGrid(images, Columns(few.Draw(t, "columns"))) },
			"quantiles":      func() interface{ Err() error } { return Quantiles(times, values) },
			"line":           func() interface{ Err() error } { return Line(series, Smooth(few.Draw(t, "smooth"))) },
			"histogram":      func() interface{ Err() error } { return Histogram(series, Bins(few.Draw(t, "bins"))) },
			"coverage":       func() interface{ Err() error } { return Coverage(series) },
			"rank histogram": func() interface{ Err() error } { return RankHistogram(series, few.Draw(t, "draws")) },
			"bars":           func() interface{ Err() error } { return Bars([]string{"a", "b"}, series[0].Values) },
			"slides":         func() interface{ Err() error } { return Slider("t", times, Scatter(x), Scatter(y)) },
			"picker":         func() interface{ Err() error } { return Picker("of", []string{"a", "b"}, Scatter(x), Scatter(y)) },
			"comparison": func() interface{ Err() error } {
				return Compare(Sample{Name: "a", Points: x}, []Sample{{Name: "b", Points: y}}, 1)
			},
		}
		names := slices.Sorted(maps.Keys(kinds))
		for range 8 {
			what := rapid.SampledFrom(names).Draw(t, "kind")
			figure := kinds[what]()
			if err := figure.Err(); err != nil {
				if !shown.MatchString(err.Error()) {
					t.Errorf("%s: the error doesn't teach: %v", what, err)
				}
			} else if f, ok := figure.(Figure); ok && rapid.SampledFrom([]int{0, 0, 0, 1}).Draw(t, "drawn") == 1 {
				draws(t, what, f)
			}
		}
	})
}
