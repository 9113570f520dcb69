package plotting

import (
	"bytes"
	"fmt"
	"image/gif"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/janpfeifer/gonb/gonbui/protocol"
	"gonum.org/v1/plot/vg/draw"
)

func shortFilm() Animation {
	ways, times := paths(4, 30)
	return Animate(ways, times, Size(2, 2))
}

func TestGIFHasAllFrames(t *testing.T) {
	data, err := shortFilm().GIF()
	if err != nil {
		t.Fatal(err)
	}
	film, err := gif.DecodeAll(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if len(film.Image) != 4 || film.Config.Width != 288 || film.Config.Height != 288 {
		t.Errorf("%d frames of %d × %d, want 4 of 288 × 288", len(film.Image), film.Config.Width, film.Config.Height)
	}
	if fmt.Sprint(film.Delay) != "[50 50 50 200]" {
		t.Errorf("delays are %v hundredths of a second", film.Delay)
	}
}

func TestAnimatedPNGHoldsItsLastFrame(t *testing.T) {
	a := shortFilm()
	data, err := a.PNG()
	if err != nil {
		t.Fatal(err)
	}
	still, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	last, err := a.Frames[3].Resolution(animationPerInch).image()
	if err != nil {
		t.Fatal(err)
	}
	far := 0
	for y := range 288 {
		for x := range 288 {
			a, b := nrgba(still.At(x, y)), nrgba(last.At(x, y))
			if math.Abs(float64(a.R)-float64(b.R)) > 24 {
				far++
			}
		}
	}
	if far > 40 {
		t.Errorf("the still picture differs from the last frame in %d pixels", far)
	}
	for chunk, want := range map[string]int{"acTL": 1, "fcTL": 4, "fdAT": 4, "IDAT": 1, "IEND": 1} {
		if got := bytes.Count(data, []byte(chunk)); got != want {
			t.Errorf("%d chunks %s, want %d", got, chunk, want)
		}
	}
	if again, err := a.PNG(); err != nil || !bytes.Equal(data, again) {
		t.Errorf("the second rendering differs (error %v)", err)
	}
}

func TestTableInMarkdownAndHTML(t *testing.T) {
	table := Table{Title: "T", Header: []string{"sample", "W₂"}, Rows: [][]string{{"a|b", "0.1"}, {"<c>", "12"}}}
	markdown, err := table.Markdown()
	if want := "**T**\n\n| sample |  W₂ |\n|:-------|----:|\n| a\\|b   | 0.1 |\n| <c>    |  12 |\n"; err != nil || markdown != want {
		t.Errorf("Markdown is\n%s (error %v), want\n%s", markdown, err, want)
	}
	inHTML, err := table.HTML()
	if err != nil || !strings.Contains(inHTML, `<td style="text-align:left">&lt;c&gt;</td>`) {
		t.Errorf("HTML is %s (error %v)", inHTML, err)
	}
	data, err := displayData(table, "")
	if err != nil || data.Data[protocol.MIMETextHTML] != inHTML || data.Data[protocol.MIMETextPlain] != markdown {
		t.Errorf("the notebook gets %v (error %v)", data, err)
	}
}

func TestCompareTellsCloseFromFar(t *testing.T) {
	far := mapped(normals(3, 900, 2), func(i int, v float64) float64 {
		if i == 7 {
			return math.NaN()
		}
		return 1.5*v + 1
	})
	table := Compare(Sample{Name: "data", Points: normals(1, 1000, 2)}, []Sample{{Name: "close", Points: normals(2, 800, 2)}, {Name: "far", Points: far}}, 1)
	if err := table.Err(); err != nil {
		t.Fatal(err)
	}
	if table.Title != "Distance to data" || len(table.Rows) != 3 {
		t.Fatalf("table is %+v", table)
	}
	last := len(table.Header) - 1
	for column := 1; column < last-1; column++ {
		if strings.Contains(table.Rows[1][column], "*") || !strings.Contains(table.Rows[2][column], "*") && !slices.Contains([]string{"recall", "density"}, table.Header[column]) {
			t.Errorf("%s: expected %s, close %s, far %s", table.Header[column], table.Rows[0][column], table.Rows[1][column], table.Rows[2][column])
		}
	}
	if says := table.Rows[2][last]; !strings.Contains(says, "mean too large by") && !strings.Contains(says, "too large, p") {
		t.Errorf("the clearest difference is %q", says)
	}
	if table.Rows[2][last-1] != "1" || table.Rows[1][last] != "none" || table.Rows[0][0] != "expected of equal ones" {
		t.Errorf("rows are %v", table.Rows)
	}
}

func TestLiveDrawsSeldomAndAtTheEnd(t *testing.T) {
	t.Chdir(t.TempDir())
	live := NewLive("loss", time.Hour)
	calls := 0
	for i := range 100 {
		live.Update(func() Drawing {
			calls++
			return Line([]Series{{Values: []float64{1, 2, float64(i)}}}, Size(1+float64(i)/100, 1))
		})
	}
	if calls != 1 {
		t.Errorf("%d drawings were made, want 1", calls)
	}
	if err := live.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("loss.png")
	if err != nil {
		t.Fatal(err)
	}
	if c, err := png.DecodeConfig(bytes.NewReader(data)); err != nil || c.Width != 382 {
		t.Errorf("the last drawing is %d pixels wide (error %v), want 382", c.Width, err)
	}
	bad := NewLive("bad", 0)
	bad.Update(func() Drawing { return Scatter(nil) })
	if err := bad.Close(); err == nil || !strings.Contains(err.Error(), "tensor is nil") {
		t.Errorf("error is %v", err)
	}
}

func TestShowWritesEveryKind(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("NAMI_THEME", "dark")
	for _, d := range []Drawing{Bars(nil, nil, Size(1, 1)), shortFilm(), Table{Header: []string{"a"}}} {
		if err := Show(d); err != nil {
			t.Fatal(err)
		}
	}
	if found, err := filepath.Glob("*"); err != nil || fmt.Sprint(found) != "[figure-001.md figure-001.png figure-002.png]" {
		t.Errorf("files are %v (error %v)", found, err)
	}
	for _, name := range []string{"figure-001.png", "figure-002.png"} {
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(file)
		if err != nil || nrgba(img.At(0, 0)) != dark.paper {
			t.Errorf("%s isn't dark (error %v)", name, err)
		}
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	}
}

func ExampleOverlay() {
	plane := Plane{XMin: -3, XMax: 3, YMin: -3, YMax: 3}
	logp := plane.Eval(func(x, y float64) float64 { return -(x*x + y*y) / 2 })
	samples := tensors.FromValue([][]float32{{0, 1}, {1, -1}})
	f := Overlay(Density(plane, logp, Title("t = 0")), Contours(plane, logp, Masses(0.68, 0.95)), Scatter(samples, Name("samples")))
	fmt.Println(f.Err())
	// Output: <nil>
}

func ExampleCorner() {
	data := tensors.FromFlatDataAndDimensions(make([]float32, 300), 100, 3)
	f := Corner([]Sample{{Name: "data", Points: data}, {Name: "samples", Points: data}}, Labels("θ₁", "θ₂", "σ²"))
	fmt.Println(f.Err())
	// Output: <nil>
}

func ExampleCurve() {
	f := Line([]Series{
		Curve("α", func(t float64) float64 { return math.Cos(math.Pi / 2 * t) }, 0, 1),
		Curve("σ", func(t float64) float64 { return math.Sin(math.Pi / 2 * t) }, 0, 1),
	}, XLabel("t"))
	fmt.Println(f.Dark().Resolution(300).Err())
	// Output: <nil>
}

func ExampleFilmStrip() {
	paths := tensors.FromFlatDataAndDimensions(make([]float32, 3*50*2), 3, 50, 2) // as Process.Trajectory returns
	times := []float64{1, 0.5, 0}
	fmt.Println(FilmStrip(paths, times).Err(), Animate(paths, times).Err())
	// Output: <nil> <nil>
}

func ExampleRankHistogram() {
	// Posterior draws below the true value, for each of four simulations.
	fmt.Println(RankHistogram([]Series{{Name: "μ", Values: []float64{12, 99, 40, 100}}}, 99).Err())
	// Output: plotting.RankHistogram: series 0 ("μ"): metric.Ranks: rank 3 is 100: give whole numbers 0 to 99, how many of the draws are below the true value
}

func ExampleTable() {
	markdown, err := Table{Header: []string{"solver", "error"}, Rows: [][]string{{"RK4(64)", "1.5e−6"}}}.Markdown()
	fmt.Print(markdown, err)
	// Output:
	// | solver  |  error |
	// |:--------|-------:|
	// | RK4(64) | 1.5e−6 |
	// <nil>
}

// Every sign that papers of the field use can be drawn.
func TestMathematicsCanBeWritten(t *testing.T) {
	const signs = "∝∂∇∫∑∏√≤≥±×÷·→←↔⇒∞∈∉⊂∪∩∀∃ℝℕℤ𝔼⟨⟩∼≈≠≡‖∣⊥⊗⊕∘∗†−…⋯½ℓħˆ˙˜¯′″ẋ" +
		"αβγδεϵζηθϑικλμνξοπρσςτυφϕχψωΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩ" + raised + lowered
	if note := lacking(signs, "x\u0302 \u0307"); note != "" {
		t.Error(note)
	}
	style := textStyle(10, nil, draw.XLeft, draw.YBottom)
	for _, r := range style.Handler.(scripts).runs(signs, style.Font) {
		if strings.ContainsRune(r.text, blank) {
			t.Errorf("%s has a box", r.text)
		}
	}
	within(t, "width of a hat", float64(style.Width("x\u0302")), float64(style.Width("x")), 0.01)
}

func TestFiguresSayWhatFontsLack(t *testing.T) {
	line := Line([]Series{{Name: "a", Values: []float64{1, 2}}, {Values: []float64{1, 3}}})
	if got := line.describe(); got != "Figure. line" {
		t.Errorf("a line says %q", got)
	}
	for name, f := range map[string]Figure{
		"title":    Scatter(moons(1, 9), Title("字")),
		"label":    Scatter(moons(1, 9), XLabel("字")),
		"legend":   Scatter(moons(1, 9), Name("字")),
		"bar":      HeatMap(demoPlane, demoPlane.Eval(mixture), ValueLabel("字")),
		"tick":     Bars([]string{"字"}, []float64{1}),
		"row":      ImageGrid(normals(1, 1, 2, 2), RowLabels("字")),
		"titled":   line.Titled("字"),
		"strip":    FilmStrip(asPaths(moons(1, 9)), []float64{1, 0}, Title("字")),
		"overlaid": Overlay(line, Line([]Series{{Name: "字", Values: []float64{1}}})),
		"corner":   Corner([]Sample{{Name: "", Points: normals(1, 30, 2)}}, Labels("x", "字")),
	} {
		draws(t, name, f)
		if got, want := f.describe(), `no font has "\u5b57"`; !strings.Contains(got, want) {
			t.Errorf("%s says %q, want %q in it", name, got, want)
		}
	}
}

func TestTextIsInRuns(t *testing.T) {
	h := textStyle(10, nil, draw.XLeft, draw.YBottom).Handler.(scripts)
	fnt := textStyle(10, nil, draw.XLeft, draw.YBottom).Font
	got := fmt.Sprint(h.runs("x₁₂字∇σ⁻³x\u0302₀", fnt))
	if want := "[{x 0 false 0} {12 -1 false 0} {□ 0 false 0} {∇ 0 true 0} {σ 0 false 0} {−3 1 false 0} {x 0 false 0} {ˆ 0 false 120} {0 -1 false 0}]"; got != want {
		t.Errorf("runs are %s, want %s", got, want)
	}
	// A hat is above the middle of its letter, higher above a capital.
	face := h.face(fnt, run{})
	for letter, lifted := range map[rune]bool{'x': false, 'X': true, 'θ': true} {
		at := above(face, run{text: "ˆ", over: letter})
		left, right, _ := ink(face, 'ˆ')
		from, to, _ := ink(face, letter)
		within(t, "middle", float64(face.Width(string(letter))+at.X+(left+right)/2), float64(from+to)/2, 1e-6)
		if lifted != (at.Y > 0.5) {
			t.Errorf("the hat of %c is lifted by %g", letter, at.Y)
		}
	}
	small, large := h.width("x1", fnt), h.width("x₁", fnt)
	if large >= small {
		t.Errorf("an index is as wide as a figure: %g and %g", large, small)
	}
}
