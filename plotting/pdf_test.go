package plotting

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"image/color"
	"io"
	"math"
	"regexp"
	"strings"
	"testing"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
)

// streams are what a PDF holds in packed form: its drawing first, then images and fonts.
func streams(t *testing.T, data []byte) (out []string) {
	t.Helper()
	for _, part := range regexp.MustCompile(`(?s)stream\n(.*?)\nendstream`).FindAllSubmatch(data, -1) {
		reader, err := zlib.NewReader(bytes.NewReader(part[1]))
		if err != nil {
			out = append(out, string(part[1]))
			continue
		}
		plain, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(plain))
	}
	return out
}

// drawn is what a canvas was told to draw.
func drawn(t *testing.T, p *pdf) string {
	t.Helper()
	var out bytes.Buffer
	if err := p.doc.Output(&out); err != nil {
		t.Fatal(err)
	}
	return streams(t, out.Bytes())[0]
}

// A PDF has one page of the figure's size, the fonts that it needs and no others, and the
// words as characters.
func TestPDFHasItsFonts(t *testing.T) {
	for title, fonts := range map[string]int{"loss": 1, "σ² ∈ ℝ": 2, "𝔼[x]": 1} {
		data, err := Bars([]string{"a"}, []float64{1}, Title(title), Size(5, 3)).PDF()
		if err != nil {
			t.Fatal(err)
		}
		if got := bytes.Count(data, []byte("/FontFile2")); got != fonts {
			t.Errorf("%s: %d fonts are part of the file, want %d", title, got, fonts)
		}
		if bytes.Count(data, []byte("/ToUnicode")) != fonts || !bytes.Contains(data, []byte("/MediaBox [0 0 360.00 216.00]")) {
			t.Errorf("%s: the page isn't 360 × 216 points, or its words can't be copied", title)
		}
		if len(data) > 60<<10 {
			t.Errorf("%s: %d bytes, want less than 60 kB", title, len(data))
		}
	}
	data, err := Bars([]string{"a"}, []float64{1}, Title("σ²")).PDF()
	if err != nil {
		t.Fatal(err)
	}
	if page := streams(t, data)[0]; !strings.Contains(page, "(\x03\xc3) Tj") || !strings.Contains(page, "(\x002) Tj") {
		t.Error("the page lacks σ, or the exponent 2")
	}
}

func TestPDFTransforms(t *testing.T) {
	p := newPDF(100, 50)
	p.Push()
	p.Translate(vg.Point{X: 10, Y: 20})
	p.Rotate(math.Pi / 2)
	p.Scale(2, 2)
	var path vg.Path
	path.Move(vg.Point{})
	path.Line(vg.Point{X: 5, Y: 1})
	p.SetLineDash([]vg.Length{1, 2}, 0)
	p.SetColor(color.NRGBA{255, 0, 0, 51})
	p.Stroke(path)
	p.Pop()
	p.Stroke(path)
	got := drawn(t, p)
	for _, want := range []string{"10.00 20.00 m", "8.00 30.00 l", "2.00 w", "[2.00 4.00]", "1.000 0.000 0.000 RG", "0.00 0.00 m", "5.00 1.00 l", "1.00 w", "[] 0"} {
		if !strings.Contains(got, want) {
			t.Errorf("the page lacks %q:\n%s", want, got)
		}
	}
}

// Arcs are cubic curves whose points lie on the circle.
func TestPDFArcs(t *testing.T) {
	for _, angle := range []float64{0.3, math.Pi / 2, math.Pi, -2, 5} {
		p := newPDF(100, 100)
		var path vg.Path
		path.Arc(vg.Point{X: 50, Y: 40}, 30, 0.7, angle)
		p.Stroke(path)
		page := drawn(t, p)
		var x, y float64
		begin := regexp.MustCompile(`([\d.]+) ([\d.]+) m`).FindString(page)
		if _, err := fmt.Sscanf(begin, "%f %f m", &x, &y); err != nil {
			t.Fatal(err)
		}
		curves := regexp.MustCompile(`[\d.]+ [\d.]+ [\d.]+ [\d.]+ [\d.]+ [\d.]+ c`).FindAllString(page, -1)
		for _, c := range curves {
			var ax, ay, bx, by, ex, ey float64
			if _, err := fmt.Sscanf(c, "%f %f %f %f %f %f c", &ax, &ay, &bx, &by, &ex, &ey); err != nil {
				t.Fatal(err)
			}
			for s := 0.0; s <= 1; s += 0.125 {
				r := 1 - s
				u := r*r*r*x + 3*r*r*s*ax + 3*r*s*s*bx + s*s*s*ex
				v := r*r*r*y + 3*r*r*s*ay + 3*r*s*s*by + s*s*s*ey
				within(t, fmt.Sprintf("the radius of an arc of %g", angle), math.Hypot(u-50, v-40), 30, 0.02)
			}
			x, y = ex, ey
		}
		within(t, "the end of the arc, across", x, 50+30*math.Cos(0.7+angle), 0.01)
		within(t, "the end of the arc, up", y, 40+30*math.Sin(0.7+angle), 0.01)
	}
}

// A disc is one point of a round pen, as wide.
func TestPDFDiscs(t *testing.T) {
	p := newPDF(100, 100)
	var path vg.Path
	path.Move(vg.Point{X: 35, Y: 40})
	path.Arc(vg.Point{X: 30, Y: 40}, 5, 0, 2*math.Pi)
	path.Close()
	p.Fill(path)
	if got := drawn(t, p); !strings.Contains(got, "10.00 w\n1 J\n") || !strings.Contains(got, "30.00 40.00 m\n30.00 40.00 l\nS") {
		t.Errorf("the page holds\n%s", got)
	}
}

// Text is as wide in a PDF as where it is laid out, in both fonts and with characters that
// are drawn as outlines.
func TestPDFTextIsPlaced(t *testing.T) {
	p := newPDF(300, 100)
	style := textStyle(10, color.Black, text.XLeft, text.YBottom)
	face := scripts{plot.DefaultTextHandler}.face(style.Font, run{mathematical: true})
	p.FillString(face, vg.Point{X: 20, Y: 30}, "∑𝔼∂")
	page := drawn(t, p)
	after := float64(20 + face.Width("∑𝔼"))
	for _, want := range []string{"1.00000 0.00000 0.00000 1.00000 20.00000 30.00000 cm", fmt.Sprintf("%.5f 30.00000 cm", after)} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	if !strings.Contains(page, "\nf\n") {
		t.Errorf("𝔼 has no outline:\n%s", page)
	}
}
