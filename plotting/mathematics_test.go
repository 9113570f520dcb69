package plotting

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/janpfeifer/gonb/gonbui/protocol"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

func bump(n int) surface {
	plane := Plane{XMin: -4, XMax: 4, YMin: -4, YMax: 4, Across: n, Up: n}
	log := plane.Eval(func(x, y float64) float64 { return -(x*x + y*y) / 2 })
	return surface{plane, floats(log)}
}

func TestIsolinesOfABumpAreCircles(t *testing.T) {
	lines := bump(161).isolines(-0.5)
	if len(lines) != 1 {
		t.Fatalf("%d lines, want 1", len(lines))
	}
	line := lines[0]
	if line[0] != line[len(line)-1] {
		t.Error("the circle is open")
	}
	for _, p := range line {
		within(t, "radius", math.Hypot(p[0], p[1]), 1, 1e-3)
	}
}

func TestIsolinesAtTheEdgeAreOpen(t *testing.T) {
	plane := Plane{XMax: 1, YMax: 1, Across: 3, Up: 3}
	lines := surface{plane, floats(plane.Eval(func(x, _ float64) float64 { return x }))}.isolines(0.25)
	if len(lines) != 1 || len(lines[0]) != 3 {
		t.Fatalf("lines are %v, want one of 3 points", lines)
	}
	for _, p := range lines[0] {
		within(t, "x", p[0], 0.25, 1e-12)
	}
	saddle := surface{Plane{XMax: 1, YMax: 1, Across: 2, Up: 2}, []float64{1, 0, 0, 1}}
	if lines := saddle.isolines(0.4); len(lines) != 2 {
		t.Errorf("a saddle has lines %v, want 2", lines)
	}
}

// The region of highest density of a normal distribution in the plane that holds a share m
// of it is where the density is above 1−m of its top.
func TestMassLevelsOfANormal(t *testing.T) {
	shares := []float64{0.1, 0.5, 0.9}
	for i, level := range bump(161).relative().massLevels(shares) {
		within(t, "level", level, 1-shares[i], 0.01)
	}
}

func TestStreamlinesOfARotationKeepTheirRadius(t *testing.T) {
	plane := Plane{XMin: -1, XMax: 1, YMin: -1, YMax: 1, Across: 60, Up: 60}
	f := flow{
		surface{plane, floats(plane.Eval(func(_, y float64) float64 { return -y }))},
		surface{plane, floats(plane.Eval(func(x, _ float64) float64 { return x }))},
	}
	lines := f.streamlines(plane.x(), plane.y())
	if len(lines) < 8 {
		t.Errorf("%d lines, want the plane filled", len(lines))
	}
	for _, line := range lines {
		r := math.Hypot(line[0][0], line[0][1])
		for i, p := range line {
			within(t, "radius", math.Hypot(p[0], p[1]), r, 2e-3)
			if i > 0 && line[i-1][0]*p[1]-line[i-1][1]*p[0] < 0 {
				t.Fatal("a line runs against the field")
			}
		}
	}
}

// A raster of dots is as dark as the dots drawn one by one, each as often as its weight says.
func TestSplatLooksLikeGlyphs(t *testing.T) {
	points := floats(normals(1, 500, 2))
	paint := func(draws func(s *stage, each func(func(x, y, times float64)))) float64 {
		canvas := vgimg.NewWith(vgimg.UseWH(2*vg.Inch, 2*vg.Inch), vgimg.UseDPI(192), vgimg.UseBackgroundColor(color.White))
		c := draw.New(canvas)
		s := &stage{Canvas: c, perInch: 192, look: &light, x: scale{span{-3, 3}, false, 0, 144}, y: scale{span{-3, 3}, false, 0, 144}}
		draws(s, func(dot func(x, y, times float64)) {
			for i := 0; i < len(points); i += 2 {
				dot(points[i], points[i+1], float64(1+i/2%3))
			}
		})
		dark := 0.0
		eachRun(canvas.Image().(*image.RGBA), func(rgb uint32, _, n int) { dark += float64(n) * (255 - float64(rgb>>16)) })
		return dark
	}
	c := color.NRGBA{0, 0x72, 0xB2, 128}
	glyphs := paint(func(s *stage, each func(func(x, y, times float64))) {
		style := draw.GlyphStyle{Color: c, Radius: 1.5, Shape: draw.CircleGlyph{}}
		each(func(x, y, times float64) {
			for range int(times) {
				s.DrawGlyph(style, s.at(x, y))
			}
		})
	})
	raster := paint(func(s *stage, each func(func(x, y, times float64))) { s.splat(c, 1.5, each) })
	within(t, "darkness of the raster", raster/glyphs, 1, 0.05)
}

func TestScaleAndItsInverse(t *testing.T) {
	for _, s := range []scale{{span{-2, 5}, false, 10, 90}, {span{1e-3, 1e4}, true, 10, 90}} {
		for _, share := range []float64{0, 0.3, 1} {
			at := s.from + vg.Length(share)*(s.to-s.from)
			within(t, "place", float64(s.at(s.value(at))), float64(at), 1e-9)
		}
	}
}

func TestCumulativeShares(t *testing.T) {
	got := cumulative([]float64{0.2, 0.6})
	want := [][2]float64{{0, 0}, {0.2, 0}, {0.2, 0.5}, {0.6, 0.5}, {0.6, 1}, {1, 1}}
	if !slices.Equal(got, want) {
		t.Errorf("shares are %v, want %v", got, want)
	}
}

func TestBlurKeepsTheSum(t *testing.T) {
	values := make([]float64, 32*32)
	values[16*32+16] = 5
	blurry := blurred(values, 32, 2, 3)
	sum, squares := 0.0, 0.0
	for i, v := range blurry {
		sum += v
		squares += v * float64((i/32-16)*(i/32-16))
	}
	within(t, "sum", sum, 5, 1e-12)
	within(t, "variance upward", squares/sum, 9, 0.3) // the kernel is cut at 3 widths
}

func TestQuantiserKeepsFewColours(t *testing.T) {
	img := image.NewRGBA(image.Rect(0, 0, 16, 16))
	for i := range 256 {
		img.Set(i%16, i/16, color.NRGBA{uint8(i % 16 * 17), uint8(i / 16 * 17), uint8(i), 255})
	}
	img.Set(0, 0, light.paper)
	got, square := newQuantiser([]*image.RGBA{img}, light.paper, near).convert(img)
	for i := range 256 {
		if a, b := nrgba(got.At(i%16, i/16)), nrgba(img.At(i%16, i/16)); a != b {
			t.Errorf("pixel %d is %v, want %v", i, a, b)
		}
	}
	if square != 0 {
		t.Errorf("mean square error is %g, want 0", square)
	}
}

// What is in one colour on paper takes a palette; pictures in all colours don't.
func TestPNGsArePalettedWhereThatLosesNothing(t *testing.T) {
	noise := mapped(normals(1, 4, 60, 60, 3), func(i int, v float64) float64 { return v })
	for name, c := range map[string]struct {
		figure   Figure
		paletted bool
	}{
		"scatter": {Scatter(moons(1, 3000)), true},
		"density": {Density(demoPlane, demoPlane.Eval(mixture)), true},
		"overlay": {Overlay(Scatter(moons(1, 3000)), Scatter(moons(2, 1000))), true},
		"photos":  {ImageGrid(noise), false},
	} {
		data, err := c.figure.PNG()
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if _, is := img.(*image.Paletted); is != c.paletted {
			t.Errorf("%s: paletted is %v", name, is)
		}
		want, err := c.figure.image()
		if err != nil {
			t.Fatal(err)
		}
		squares, far := 0.0, 0.0
		for i := 0; i < len(want.Pix); i += 4 {
			x, y := i/4%want.Bounds().Dx(), i/4/want.Bounds().Dx()
			got := nrgba(img.At(x, y))
			for k, v := range []uint8{got.R, got.G, got.B} {
				away := math.Abs(float64(v) - float64(want.Pix[i+k]))
				squares, far = squares+away*away, max(far, away)
			}
		}
		if rms := math.Sqrt(squares / float64(len(want.Pix)*3/4)); rms > 1.5 || far > 40 {
			t.Errorf("%s: colours are off by %.2f levels of 255, at worst %g", name, rms, far)
		}
	}
}

func TestWideFiguresAreNoWiderInlineThanShown(t *testing.T) {
	for inches, want := range map[float64]int{5: 960, 20: 2000} {
		f := Line(nil, Size(inches, 1))
		data, err := displayData(f, "")
		if err != nil {
			t.Fatal(err)
		}
		c, err := png.DecodeConfig(bytes.NewReader(data.Data[protocol.MIMEImagePNG].([]byte)))
		if err != nil || math.Abs(float64(c.Width-want)) > 20 {
			t.Errorf("%g inches are %d pixels inline (error %v), want %d", inches, c.Width, err, want)
		}
		size := data.Metadata[string(protocol.MIMEImagePNG)].(map[string]any)
		if size["width"] != int(96*inches) {
			t.Errorf("%g inches are shown %v wide, want %g", inches, size["width"], 96*inches)
		}
	}
}

func nrgba(c color.Color) color.NRGBA { return color.NRGBAModel.Convert(c).(color.NRGBA) }

func TestPlanesAreBilinear(t *testing.T) {
	plane := Plane{XMin: 1, XMax: 3, YMin: 0, YMax: 1, Across: 3, Up: 2}
	n, err := plane.readOn(tensors.FromFlatDataAndDimensions([]float64{0, 1, 2, 10, 11, 12}, 2, 3), 1)
	if err != nil {
		t.Fatal(err)
	}
	s := plane.surface(n, 0, 1)
	within(t, "corner", s.at(3, 1), 12, 1e-12)
	within(t, "between", s.at(1.5, 0.5), 5.5, 1e-12)
	if !math.IsNaN(s.at(0.9, 0)) {
		t.Error("there is a value outside the plane")
	}
}
