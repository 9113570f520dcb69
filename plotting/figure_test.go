package plotting

import (
	"bytes"
	"encoding/gob"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/janpfeifer/gonb/gonbui/protocol"
)

func everyFigure() map[string]Figure {
	points := tensors.FromValue([][]float32{{0, 1}, {2, 3}, {-1, 0.5}})
	scatter := Scatter(points, Title("a & b"))
	line := Line([]Series{{Name: "<a>", Values: []float64{3, 2, 1}}, {Name: "b", Values: []float64{1, 2, 4}}}, LogY(), Reference(2, "goal"))
	return map[string]Figure{
		"scatter":      scatter,
		"empty":        Scatter(tensors.FromFlatDataAndDimensions([]float32{}, 0, 2)),
		"one point":    Scatter(tensors.FromValue([][]float64{{5, 5}})),
		"all NaN":      Scatter(tensors.FromValue([][]float64{{math.NaN(), 1}})),
		"huge":         Scatter(tensors.FromValue([][]float64{{-1e300, 1}, {1e300, 2}})),
		"lead":         Scatter(tensors.FromFlatDataAndDimensions(make([]float32, 24), 3, 4, 2)),
		"images":       ImageGrid(tensors.FromFlatDataAndDimensions(make([]float32, 5*6), 5, 2, 3, 1), Columns(2), RowLabels("a", "b", "c"), Title("t")),
		"no images":    ImageGrid(tensors.FromFlatDataAndDimensions([]float32{}, 0, 8, 8)),
		"line":         line,
		"no line":      Line(nil, LogY()),
		"one value":    Line([]Series{{Values: []float64{1}}}),
		"close limits": Scatter(points, Limits(1e17, 1e17+32, -5e-324, 5e-324)),
		"bars":         Bars([]string{"a", "b"}, []float64{0.5, math.NaN()}, Reference(0.9, "goal")),
		"no bars":      Bars(nil, nil),
		"histogram":    Histogram([]Series{{Values: []float64{1, 2, 2, 3}}}),
		"one in bins":  Histogram([]Series{{Values: []float64{7}}}),
		"no histogram": Histogram(nil),
		"grid":         Grid(2, scatter, line, ImageGrid(tensors.FromFlatDataAndDimensions(make([]float32, 9), 1, 3, 3))),
		"shared":       Row(scatter, Scatter(points)).SharedAxes(),
	}
}

func TestEveryFigureRendersTheSameTwice(t *testing.T) {
	for name, f := range everyFigure() {
		for kind, render := range map[string]func(Figure) ([]byte, error){"PNG": Figure.PNG, "SVG": Figure.SVG, "PDF": Figure.PDF} {
			first, err := render(f)
			if err != nil {
				t.Errorf("%s as %s: %v", name, kind, err)
				continue
			}
			second, err := render(f)
			if err != nil || !bytes.Equal(first, second) {
				t.Errorf("%s as %s: the second rendering differs (error %v)", name, kind, err)
			}
			if kind == "SVG" {
				wellFormed(t, name, first)
			}
		}
	}
}

func wellFormed(t *testing.T, name string, svg []byte) {
	t.Helper()
	if bytes.Contains(svg, []byte("NaN")) {
		t.Errorf("%s: NaN in the SVG", name)
	}
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Errorf("%s: the SVG is not well formed: %v", name, err)
			return
		}
	}
}

func TestWhatIsLeftOutIsSaid(t *testing.T) {
	nan := math.NaN()
	wide := Plane{XMax: 2, YMax: 1, Across: 3, Up: 2}
	gusts := tensors.FromValue([][]float64{{nan, 0}, {3, 4}, {3, 4}, {3, 4}, {3, 4}, {3, 4}})
	for want, f := range map[string]Figure{
		"2 of 3 points not finite, left out":                    Scatter(tensors.FromValue([][]float64{{0, 0}, {nan, 1}, {1, math.Inf(1)}})),
		"1 of 3 values not finite, left out":                    Line([]Series{{Values: []float64{1, nan, 0}}}),
		"2 of 3 values not finite or not positive, left out":    Line([]Series{{Values: []float64{1, nan, 0}}}, LogY()),
		"1 of 2 values not finite, left out":                    Bars([]string{"a", "b"}, []float64{1, nan}),
		"1 of 4 values not finite, left out":                    Histogram([]Series{{Values: []float64{1, nan, 2, 3}}}),
		"no data":                                               Bars(nil, nil),
		"1 of 6 vectors not finite, left out; longest arrow: 5": VectorField(wide, gusts),
		"1 of 6 vectors not finite, left out":                   Streamlines(wide, gusts),
		"2 of 4 values not finite":                              Density(Plane{XMax: 1, YMax: 1, Across: 2, Up: 2}, tensors.FromValue([]float64{0, nan, math.Inf(1), -1})),
	} {
		if got := f.describe(); !strings.Contains(got, want) {
			t.Errorf("figure says %q, want %q in it", got, want)
		}
	}
}

func TestMisuseComesBackFromEveryRendering(t *testing.T) {
	points := tensors.FromValue([][]float32{{0, 1}})
	images := tensors.FromFlatDataAndDimensions(make([]float32, 16), 4, 2, 2)
	for name, c := range map[string]struct {
		f    Figure
		want string
	}{
		"zero":           {Figure{}, "figure is empty"},
		"nil":            {Scatter(nil), "tensor is nil"},
		"3-D":            {Scatter(tensors.FromValue([][]float32{{1, 2, 3}})), "last axis must have size 2"},
		"scalar":         {Scatter(tensors.FromValue(float32(1))), "last axis must have size 2"},
		"integers":       {Scatter(tensors.FromValue([][]int32{{1, 2}})), "convert it"},
		"two channels":   {ImageGrid(tensors.FromFlatDataAndDimensions(make([]float32, 8), 1, 2, 2, 2)), "[n, height, width, 3]"},
		"colours":        {ImageGrid(tensors.FromFlatDataAndDimensions(make([]float32, 12), 1, 2, 2, 3), Viridis()), "one channel"},
		"row labels":     {ImageGrid(images, Columns(2), RowLabels("a")), "1 row labels for 2 rows"},
		"columns":        {ImageGrid(images, Columns(0)), "option Columns: 0"},
		"value range":    {ImageGrid(images, ValueRange(1, 1)), "the smaller first"},
		"foreign option": {Scatter(points, LogY()), "option LogY has no meaning here"},
		"zero option":    {Scatter(points, Option{}), "zero Option"},
		"limits":         {Scatter(points, Limits(1, 0, 0, 1)), "the smaller first"},
		"size":           {Scatter(points, Size(math.NaN(), 1)), "inches from 0.5 to 40"},
		"log limits":     {Line(nil, LogY(), Limits(0, 1, 0, 1)), "above 0"},
		"log reference":  {Line(nil, LogY(), Reference(0, "")), "above 0"},
		"lengths":        {Line([]Series{{X: []float64{1}, Values: []float64{1, 2}}}), "1 X for 2 Values"},
		"labels":         {Bars([]string{"a"}, nil), "1 labels for 0 values"},
		"histogram X":    {Histogram([]Series{{X: []float64{1}}}), "has X: give Name, Values, Weights, Points alone"},
		"bins":           {Histogram(nil, Bins(0)), "1 to 10,000"},
		"empty row":      {Row(), "no figures"},
		"bad in row":     {Row(Scatter(points), Scatter(nil)), "figure 1: plotting.Scatter: the tensor is nil"},
		"nested":         {Grid(1, Row(Scatter(points))), ""},
		"nested row":     {Row(Row(Scatter(points), Scatter(points))), ""},
		"grid columns":   {Grid(0, Scatter(points)), "0 columns"},
		"shared images":  {Row(ImageGrid(images)).SharedAxes(), "no axes to share"},
		"shared logs":    {Row(Line(nil), Line(nil, LogY())).SharedAxes(), "LogX and LogY to all"},
	} {
		_, pngErr := c.f.PNG()
		_, svgErr := c.f.SVG()
		_, pdfErr := c.f.PDF()
		for kind, err := range map[string]error{
			"Err": c.f.Err(), "PNG": pngErr, "SVG": svgErr, "PDF": pdfErr,
		} {
			if c.want == "" {
				if err != nil {
					t.Errorf("%s: %s gave %v", name, kind, err)
				}
			} else if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %s gave %v, want %q in it", name, kind, err, c.want)
			}
		}
	}
}

func TestSave(t *testing.T) {
	dir := t.TempDir()
	f := Bars([]string{"a"}, []float64{1})
	for file, head := range map[string]string{"a.png": "\x89PNG", "b.SVG": "<?xml", "c.pdf": "%PDF-1"} {
		if err := f.Save(filepath.Join(dir, file)); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil || !strings.HasPrefix(string(data), head) {
			t.Errorf("%s begins with %q (error %v)", file, data[:min(8, len(data))], err)
		}
	}
	if err := f.Save(filepath.Join(dir, "a.eps")); err == nil || !strings.Contains(err.Error(), ".png, .svg or .pdf") {
		t.Errorf("eps: error is %v", err)
	}
	if err := f.Save(filepath.Join(dir, "none", "a.png")); err == nil {
		t.Error("a missing folder: no error")
	}
	if err := Scatter(nil).Save(filepath.Join(dir, "bad.png")); err == nil {
		t.Error("a bad figure: no error")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 {
		t.Errorf("%d files are left (error %v), want 3", len(entries), err)
	}
}

func TestShowOutsideANotebookWritesNumberedFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	f := Bars([]string{"a"}, []float64{1})
	for range 2 {
		if err := Show(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := Show(Scatter(nil)); err == nil {
		t.Error("a bad figure: no error")
	}
	for range 2 {
		if err := ShowLive("loss", f); err != nil {
			t.Fatal(err)
		}
	}
	if err := ShowLive("../loss", f); err == nil {
		t.Error("a path as id: no error")
	}
	found, err := filepath.Glob("*")
	if err != nil || fmt.Sprint(found) != "[figure-001.png figure-002.png loss.png]" {
		t.Errorf("files are %v (error %v)", found, err)
	}
}

func TestDisplayDataReachesTheKernel(t *testing.T) {
	data, err := displayData(Bars([]string{"a"}, []float64{1}, Title("accuracy"), Size(5, 3)), "live")
	if err != nil {
		t.Fatal(err)
	}
	var wire bytes.Buffer
	if err := gob.NewEncoder(&wire).Encode(data); err != nil {
		t.Fatal(err)
	}
	var got protocol.DisplayData
	if err := gob.NewDecoder(&wire).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if size := fmt.Sprint(got.Metadata["image/png"]); size != "map[height:288 width:480]" {
		t.Errorf("size is %s, want 5 × 3 inches at 96 CSS pixels", size)
	}
	if got.DisplayID != "live" || got.Data[protocol.MIMETextPlain] != "Figure. bars: accuracy" {
		t.Errorf("id %q, text %q", got.DisplayID, got.Data[protocol.MIMETextPlain])
	}
	if image, ok := got.Data[protocol.MIMEImagePNG].([]byte); !ok || !bytes.HasPrefix(image, []byte("\x89PNG")) {
		t.Error("no PNG")
	}
}

func TestTicks(t *testing.T) {
	for want, r := range map[string]span{
		"0.0 0.2 0.4 0.6 0.8 1.0":                         {0, 1},
		"−1 0 1 2":                                        {-1.2, 2.2},
		"0.0 2.5 5.0 7.5 10.0 12.5":                       {0, 13},
		"0.000 0.005 0.010 0.015":                         {0, 0.019},
		"0 5000 10000 15000":                              {0, 19000},
		"0 5×10⁵ 1×10⁶ 1.5×10⁶":                           {0, 1.9e6},
		"−1×10⁻⁹ 0 1×10⁻⁹":                                {-1.9e-9, 1.9e-9},
		"5000000 5000200 5000400 5000600 5000800 5001000": {5e6, 5e6 + 1100},
		"−0.2 −0.1 0.0 0.1 0.2 0.3":                       {-0.21, 0.31},
	} {
		var labels []string
		for _, tick := range (roundTicks{6}).Ticks(r.lo, r.hi) {
			labels = append(labels, tick.Label)
		}
		if got := strings.Join(labels, " "); got != want {
			t.Errorf("%v: ticks are %s, want %s", r, got, want)
		}
	}
	var labels []string
	for _, tick := range (decadeTicks{}).Ticks(0.001, 10) {
		if tick.Label != "" {
			labels = append(labels, tick.Label)
		}
	}
	if got := strings.Join(labels, " "); got != "10⁻³ 10⁻² 10⁻¹ 10⁰ 10¹" {
		t.Errorf("decades are %s", got)
	}
}

func TestHistogramChoosesItsBins(t *testing.T) {
	even := make([]float64, 1000)
	for i := range even {
		even[i] = float64(i)
	}
	// 2·500/10 = 100 wide; an empty series has no say.
	if got := chooseBins([]weighted{{}, {values: even}}, span{0, 999}); got != 10 {
		t.Errorf("%d bins, want 10", got)
	}
	if got := chooseBins([]weighted{{values: make([]float64, 128)}}, span{0, 2}); got != 8 {
		t.Errorf("%d bins without spread, want Sturges' 8", got)
	}
}

func TestMovingAverage(t *testing.T) {
	got := movingAverage([]float64{1, 2, math.NaN(), 4, 9}, 2)
	if want := "[1.5 1.5 NaN 6.5 6.5]"; fmt.Sprint(got) != want {
		t.Errorf("average is %v, want %s", got, want)
	}
}

func ExampleScatter() {
	threeD := tensors.FromValue([][]float32{{1, 2, 3}})
	fmt.Println(Show(Scatter(threeD)))
	// Output: plotting.Scatter: points have shape (Float32)[1, 3]: the last axis must have size 2, as [1000, 2]; draw more dimensions with Corner
}

func ExampleRow() {
	data := tensors.FromValue([][]float32{{0, 0}, {1, 1}})
	samples := tensors.FromValue([][]float32{{0, 1}, {1, 0}})
	f := Row(Scatter(data, Title("Data")), Scatter(samples, Title("Samples"))).SharedAxes()
	fmt.Println(f.Err())
	// Output: <nil>
}
