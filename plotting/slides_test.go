package plotting

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image/png"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/janpfeifer/gonb/gonbui/protocol"
	"golang.org/x/net/html"
)

// growing are clouds of different ranges.
func growing(n int) (figures []Figure) {
	for i := range n {
		figures = append(figures, Scatter(mapped(normals(1, 200, 2), func(_ int, v float64) float64 { return v * float64(1+i) }), Size(3, 2)))
	}
	return figures
}

func TestSlidesAreOneSelfContainedElement(t *testing.T) {
	s := Slider("<t>", []float64{1, 0.25, -3}, growing(3)...)
	text, err := s.HTML()
	if err != nil {
		t.Fatal(err)
	}
	for _, foreign := range []string{"http:", "https:", "//cdn", "import(", "fetch(", "<link", "<iframe", "id="} {
		if strings.Contains(text, foreign) {
			t.Errorf("the HTML has %q in it", foreign)
		}
	}
	root, err := html.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var tags, choices []string
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		attributes := map[string]string{}
		for _, a := range n.Attr {
			attributes[a.Key] = a.Val
		}
		switch n.Data {
		case "div":
			if attributes["data-label"] != "<t>" || attributes["data-control"] != "range" || attributes["data-width"] != "288" {
				t.Errorf("the element has %v", attributes)
			}
		case "figure":
			choices = append(choices, attributes["data-choice"])
		case "img":
			data, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(attributes["src"], "data:image/png;base64,"))
			if err != nil {
				t.Fatal(err)
			}
			c, err := png.DecodeConfig(bytes.NewReader(data))
			if err != nil || c.Width != 432 || c.Height != 288 {
				t.Errorf("a picture has %d × %d pixels (error %v), want 432 × 288", c.Width, c.Height, err)
			}
			if !strings.HasPrefix(attributes["alt"], "<t> = ") {
				t.Errorf("the text of a picture is %q", attributes["alt"])
			}
		}
		tags = append(tags, n.Data)
	}
	if got := fmt.Sprint(tags[3:]); got != "[div figure img figcaption figure img figcaption figure img figcaption script]" {
		t.Errorf("elements are %s", got)
	}
	if got := fmt.Sprint(choices); got != "[1 0.25 −3]" {
		t.Errorf("choices are %s", got)
	}
	if again, err := s.HTML(); err != nil || again != text {
		t.Errorf("the second rendering differs (error %v)", err)
	}
}

func TestSlidesInANotebook(t *testing.T) {
	data, err := displayData(Picker("data set", []string{"a", "b"}, growing(2)...), "")
	if err != nil {
		t.Fatal(err)
	}
	still, err := png.Decode(bytes.NewReader(data.Data[protocol.MIMEImagePNG].([]byte)))
	if err != nil || still.Bounds().Dx() < 900 {
		t.Errorf("the still picture is %v (error %v)", still, err)
	}
	if got := data.Data[protocol.MIMETextHTML].(string); !strings.Contains(got, `data-control="select"`) {
		t.Error("there is nothing to choose with")
	}
	if got := data.Data[protocol.MIMETextPlain]; got != "2 figures by data set: a, b. The first: Figure. scatter" {
		t.Errorf("in words it is %q", got)
	}
}

// All panels have the same places and ranges, whatever stands beside them.
func TestSlidesDoNotJump(t *testing.T) {
	noted := Scatter(mapped(normals(1, 200, 2), func(i int, v float64) float64 {
		if i == 0 {
			return math.NaN()
		}
		return 1e5 * v
	}), Size(4, 2))
	plain := Scatter(normals(1, 200, 2), Title("t"), Size(3, 3))
	for name, figures := range map[string][]Figure{
		"panels": {plain, noted},
		"grids":  {Row(plain, noted), Row(noted, plain)},
		"bars":   {HeatMap(demoPlane, demoPlane.Eval(mixture)), HeatMap(demoPlane, demoPlane.Eval(func(x, y float64) float64 { return 1e-3 * x }), Title("x"))},
	} {
		s := Picker("p", []string{"a", "b"}, figures...)
		if err := s.Err(); err != nil {
			t.Fatal(err)
		}
		roots := []node{s.figures[0].root, s.figures[1].root}
		l := arrange(s.figures[0].page(), s.figures[0].pixel(), roots...)
		for i, same := range counterparts(roots) {
			a, b := l.fits[same[0]], l.fits[same[1]]
			if a.frame != b.frame || a.x != b.x || a.y != b.y {
				t.Errorf("%s: panel %d lies at %v with %v, %v and at %v with %v, %v", name, i, a.frame, a.x, a.y, b.frame, b.x, b.y)
			}
		}
	}
	limited := Picker("p", []string{"a", "b"}, Scatter(normals(1, 9, 2), Limits(0, 1, 0, 1)), Scatter(normals(1, 9, 2)))
	for p := range limited.figures[0].root.panels() {
		if p.x.over != (span{0, 1}) {
			t.Errorf("limits have become %v", p.x.over)
		}
	}
}

func TestSlidesAreSavedAsPageAndPicture(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("NAMI_THEME", "dark")
	s := Slider("t", []float64{1, 2, 3, 4, 5, 6, 7}, growing(7)...)
	if err := s.Save("a.png"); err != nil {
		t.Fatal(err)
	}
	if err := Show(s); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("figure-001.html")
	if err != nil || !bytes.HasPrefix(page, []byte("<!doctype html>")) || !bytes.Contains(page, []byte("rgb(17 17 17)")) {
		t.Errorf("the page begins %.40q (error %v)", page, err)
	}
	if bytes.Count(page, []byte("<img ")) != 7 {
		t.Error("the page has not all pictures")
	}
	still, err := s.still()
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for range still.root.panels() {
		count++
	}
	if count != 6 {
		t.Errorf("the still picture has %d panels, want 6", count)
	}
}

func TestSlidesTeach(t *testing.T) {
	one := Line(nil)
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"none":    {Slider("t", nil).Err(), "plotting.Slider: no figures"},
		"zero":    {Slides{}.Err(), "no slides: make them with Slider or Picker"},
		"counts":  {Slider("t", []float64{1, 2}, one).Err(), "2 choices for 1 figures: give one for each"},
		"value":   {Slider("t", []float64{math.NaN()}, one).Err(), "values[0] is NaN"},
		"name":    {Picker("set", []string{"a", ""}, one, one).Err(), "names[1] is empty"},
		"label":   {Picker("", []string{"a"}, one).Err(), "empty label"},
		"figure":  {Picker("set", []string{"a", "b"}, one, Scatter(nil)).Err(), "plotting.Picker: figure 1: plotting.Scatter"},
		"panels":  {Slider("t", []float64{0, 1}, one, Row(one, one)).Err(), "figure 1 has 2 panels and the first 1"},
		"file":    {Slider("t", []float64{0}, one).Save("a.gif"), ".html or .png"},
		"HTML":    {second(Slides{}.HTML()), "no slides"},
		"picture": {second(Slides{}.PNG()), "no slides"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%s: error is %v, want %q in it", name, c.err, c.want)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func ExampleSlider() {
	plane := Plane{XMin: -3, XMax: 3, YMin: -3, YMax: 3}
	times := []float64{1, 0.5, 0.1}
	figures := []Figure{}
	for _, t := range times {
		logp := plane.Eval(func(x, y float64) float64 { return -(x*x + y*y) / (2 * t) })
		figures = append(figures, Density(plane, logp))
	}
	fmt.Println(Slider("t", times, figures...).Err())
	// Output: <nil>
}
