package plotting

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/tests/property"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"pgregory.net/rapid"
)

// planar are the kinds of figure that take points of the plane.
var planar = map[string]func(points *tensors.Tensor) Figure{
	"scatter":      func(x *tensors.Tensor) Figure { return Scatter(x, Name("x")) },
	"histogram 2D": func(x *tensors.Tensor) Figure { return Histogram2D(x) },
	"joint":        func(x *tensors.Tensor) Figure { return Joint(x, Title("t")) },
	"corner": func(x *tensors.Tensor) Figure {
		return Corner([]Sample{{Name: "a", Points: x}, {Name: "b", Points: x}})
	},
	"overlay":      func(x *tensors.Tensor) Figure { return Overlay(Scatter(x), Scatter(x)) },
	"shared":       func(x *tensors.Tensor) Figure { return Row(Scatter(x), Scatter(x)).SharedAxes() },
	"trajectories": func(x *tensors.Tensor) Figure { return Trajectories(asPaths(x)) },
	"film":         func(x *tensors.Tensor) Figure { return FilmStrip(asPaths(x), []float64{1, 0}) },
	"animation":    func(x *tensors.Tensor) Figure { return Animate(asPaths(x), []float64{1, 0}).Frames[1] },
}

// asPaths has the points at two times.
func asPaths(x *tensors.Tensor) *tensors.Tensor {
	flat := floats(x)
	return tensors.FromFlatDataAndDimensions(append(flat, flat...), 2, len(flat)/2, 2)
}

func TestAnyPointsCanBeDrawn(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for what, c := range map[string]struct {
		points [][]float64
		says   string
	}{
		"none":       {nil, "no data"},
		"one":        {[][]float64{{3, 4}}, ""},
		"all equal":  {[][]float64{{3, 4}, {3, 4}, {3, 4}}, ""},
		"a line":     {[][]float64{{0, 4}, {1, 4}, {2, 4}}, ""},
		"not finite": {[][]float64{{nan, 4}, {1, inf}}, "no data"},
		"some":       {[][]float64{{nan, 4}, {1, 2}, {2, 1}, {-inf, inf}}, "not finite, left out"},
		"huge":       {[][]float64{{-1e300, 1}, {1e300, 2}}, ""},
		"tiny":       {[][]float64{{0, 0}, {5e-324, 5e-324}}, ""},
		"far away":   {[][]float64{{1e17, 0}, {1e17 + 16, 1}}, ""},
	} {
		var flat []float64
		for _, p := range c.points {
			flat = append(flat, p...)
		}
		for kind, of := range planar {
			f := of(tensors.FromFlatDataAndDimensions(flat, len(flat)/2, 2))
			draws(t, what+" as "+kind, f)
			if f.Err() == nil && !strings.Contains(f.describe(), c.says) {
				t.Errorf("%s as %s says %q, want %q in it", what, kind, f.describe(), c.says)
			}
		}
	}
}

// inlined are pictures within an SVG.
var inlined = regexp.MustCompile(`base64,[^"]*`)

func draws(t interface{ Errorf(string, ...any) }, what string, f Figure) {
	if _, err := f.Resolution(48).PNG(); err != nil {
		t.Errorf("%s: %v", what, err)
	}
	svg, err := f.Dark().Resolution(48).SVG()
	svg = inlined.ReplaceAll(svg, nil)
	if err != nil || bytes.Contains(svg, []byte("NaN")) || bytes.Contains(svg, []byte("Inf")) {
		t.Errorf("%s: SVG has places that are not finite, or error %v", what, err)
	}
}

func TestAnyValuesCanBeDrawn(t *testing.T) {
	property.Check(t, func(t *rapid.T) {
		odd := rapid.SampledFrom([]float64{0, -0.5, 1, 1e-12, 1e12, math.NaN(), math.Inf(1), math.Inf(-1), -1e308, 5e-324})
		some := rapid.OneOf(odd, rapid.Float64Range(-5, 5))
		plane := Plane{XMin: -1, XMax: 1, YMin: 0, YMax: rapid.Float64Range(0.1, 9).Draw(t, "height"), Across: 4, Up: 3}
		values := tensors.FromFlatDataAndDimensions(rapid.SliceOfN(some, 12, 12).Draw(t, "values"), 3, 4)
		vectors := tensors.FromFlatDataAndDimensions(rapid.SliceOfN(some, 24, 24).Draw(t, "vectors"), 12, 2)
		series := []Series{{Name: "a", Values: rapid.SliceOfN(some, 0, 6).Draw(t, "series")}, {Values: []float64{1, 2}}}
		points := tensors.FromFlatDataAndDimensions(rapid.SliceOfN(some, 12, 12).Draw(t, "points"), 6, 2)
		kinds := map[string]func() Figure{
			"density":       func() Figure { return Density(plane, values) },
			"heat map":      func() Figure { return HeatMap(plane, values) },
			"contours":      func() Figure { return Contours(plane, values, Filled()) },
			"levels":        func() Figure { return Contours(plane, values, Levels(0, 1)) },
			"vectors":       func() Figure { return VectorField(plane, vectors) },
			"streamlines":   func() Figure { return Streamlines(plane, vectors) },
			"line":          func() Figure { return Line(series, Smooth(2)) },
			"log line":      func() Figure { return Line(series, LogX(), LogY()) },
			"histogram":     func() Figure { return Histogram(series) },
			"log histogram": func() Figure { return Histogram(series, LogX()) },
			"quantiles":     func() Figure { return Quantiles([]float64{1, 2, 3}, values) },
			"log quantiles": func() Figure { return Quantiles([]float64{1, 2, 3}, values, LogX(), LogY()) },
			"scatter":       func() Figure { return Scatter(points) },
			"corner":        func() Figure { return Corner([]Sample{{Name: "a", Points: points}}) },
			"joint":         func() Figure { return Joint(points) },
			"images":        func() Figure { return ImageGrid(tensors.FromFlatDataAndDimensions(floats(values), 1, 3, 4)) },
		}
		names := slices.Sorted(maps.Keys(kinds))
		for range 3 {
			what := rapid.SampledFrom(names).Draw(t, "kind")
			draws(t, what, kinds[what]())
		}
	})
}

func TestOtherKindsTeach(t *testing.T) {
	oneD, threeD := normals(1, 5, 1), normals(1, 5, 3)
	plane := Plane{XMax: 1, YMax: 1, Across: 3, Up: 2}
	six, twelve := normals(1, 6), normals(1, 6, 2)
	line := Line(nil)
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"1-D scatter":       {Scatter(oneD).Err(), "one dimension with Histogram or Corner"},
		"3-D histogram":     {Histogram2D(threeD).Err(), "more dimensions with Corner"},
		"1-D joint":         {Joint(oneD).Err(), "last axis must have size 2"},
		"no samples":        {Corner(nil).Err(), "no samples"},
		"corner scalar":     {Corner([]Sample{{Name: "", Points: tensors.FromValue(1.0)}}).Err(), "last axis must have size 1 to 12"},
		"corner unlike":     {Corner([]Sample{{Name: "", Points: oneD}, {Name: "b", Points: threeD}}).Err(), `sample 2 ("b") has 3 dimensions, the first 1`},
		"corner labels":     {Corner([]Sample{{Name: "", Points: threeD}}, Labels("a")).Err(), "1 labels for 3 dimensions"},
		"masses":            {Corner([]Sample{{Name: "", Points: threeD}}, Masses(50)).Err(), "between 0 and 1"},
		"no masses":         {Contours(plane, six, Masses()).Err(), "no shares"},
		"levels":            {Contours(plane, six, Levels(math.NaN())).Err(), "finite values"},
		"masses and levels": {Contours(plane, six, Levels(1), Masses(0.5)).Err(), "give one"},
		"flat plane":        {Density(Plane{}, six).Err(), "plane has a range from 0 to 0"},
		"thin plane":        {Density(Plane{XMax: 1, YMax: 1, Up: 1}, six).Err(), "2 to 4096"},
		"plane values":      {Density(plane, twelve).Err(), "shape (Float32)[6, 2] for a plane of 3 × 2 points: give 6 values"},
		"plane vectors":     {VectorField(plane, six).Err(), "give 12 values, 2 for each"},
		"streamlines":       {Streamlines(plane, nil).Err(), "tensor is nil"},
		"paths":             {Trajectories(twelve).Err(), "[times, n, 2]"},
		"film":              {FilmStrip(normals(1, 3, 4, 2), []float64{1, 0}).Err(), "2 times for paths of shape (Float32)[3, 4, 2]"},
		"film times":        {Animate(normals(1, 1, 4, 2), []float64{math.Inf(1)}).Err(), "finite times"},
		"no frames":         {Animation{}.Err(), "no frames"},
		"delay":             {Animation{Frames: []Figure{line}, Delay: -1}.Err(), "0.02 to 60"},
		"frame sizes":       {Animation{Frames: []Figure{line, Line(nil, Size(1, 1))}}.Err(), "give all the same Size"},
		"resolution":        {line.Resolution(0).Err(), "48 to 1200"},
		"overlay none":      {Overlay().Err(), "no figures"},
		"overlay grid":      {Overlay(line, Row(line, line)).Err(), "several panels"},
		"overlay logs":      {Overlay(line, Line(nil, LogY())).Err(), "logarithmic"},
		"overlay images":    {Overlay(line, ImageGrid(normals(1, 1, 2, 2))).Err(), "no axes"},
		"overlay bad":       {Overlay(line, Scatter(oneD)).Err(), "figure 1: plotting.Scatter"},
		"smooth":            {Line(nil, Smooth(0)).Err(), "give 1 or more"},
		"log limits":        {Histogram(nil, LogX(), Limits(0, 1, 0, 1)).Err(), "above 0"},
		"quantiles":         {Quantiles([]float64{1}, twelve).Err(), "shape (Float32)[6, 2] for 1 x: give [1, n]"},
		"rank":              {RankHistogram([]Series{{Name: "μ", Values: []float64{1, 5}}}, 4).Err(), `series 0 ("μ"): metric.Ranks: rank 1 is 5: give whole numbers 0 to 4`},
		"half a rank":       {RankHistogram([]Series{{Values: []float64{0.5}}}, 4).Err(), "whole numbers"},
		"no draws":          {RankHistogram(nil, 0).Err(), "0 posterior draws"},
		"rank bins":         {RankHistogram(nil, 4, Bins(6)).Err(), "6 bins for 5 ranks"},
		"coverage":          {Coverage([]Series{{Values: []float64{95}}}).Err(), "probabilities from 0 to 1"},
		"table":             {Table{}.Err(), "no header"},
		"table row":         {Table{Header: []string{"a"}, Rows: [][]string{{}}}.Err(), "row 0 of the table has 0 cells for 1 columns"},
		"table file":        {Table{Header: []string{"a"}}.Save("a.csv"), ".md or .html"},
		"animation file":    {Animate(normals(1, 1, 4, 2), []float64{1}).Save("a.mp4"), ".png, .apng or .gif"},
		"compare few":       {Compare(Sample{Name: "data", Points: normals(1, 1, 2)}, []Sample{{Points: normals(1, 3, 2)}}, 1).Err(), "1 finite events"},
		"compare event":     {Compare(Sample{Name: "", Points: normals(1, 9, 2)}, []Sample{{Name: "", Points: normals(1, 9, 3)}}, 1).Err(), "axis 1 differs"},
		"compare none":      {Compare(Sample{Name: "data", Points: six}, nil, 1).Err(), "no samples"},
		"compare scalar":    {Compare(Sample{Name: "data", Points: tensors.FromScalar(1.0)}, []Sample{{Points: six}}, 1).Err(), "[n]+event"},
		"show nothing":      {Show(nil), "nothing to draw"},
		"live id":           {NewLive("a b", 0).Close(), "letters, digits"},
		"live time":         {NewLive("a", -1).Close(), "positive time"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) || !strings.Contains(c.err.Error(), "plotting") {
			t.Errorf("%s: error is %v, want %q in it", name, c.err, c.want)
		}
	}
	if got := (Plane{}).Points(dtypes.Float32).Shape().String(); got != "(Float32)[0, 2]" {
		t.Errorf("a plane that is not valid has points of shape %s", got)
	}
	if got := fmt.Sprint(floats(Plane{XMax: 1, YMax: 1, Across: 2, Up: 2}.Points(dtypes.Float64))); got != "[0 0 1 0 0 1 1 1]" {
		t.Errorf("points are %s", got)
	}
}
