package plotting

import (
	"image"
	"math"
	"slices"
	"testing"

	"github.com/nami-flow/go-nami/tests/property"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"pgregory.net/rapid"
)

// placed lays out a figure as rendering does.
func placed(f Figure) *layout {
	c := draw.New(vgimg.New(f.width, f.height))
	return arrange(draw.Crop(c, margin, -margin, margin, -margin).Rectangle, vg.Inch/192, f.root)
}

func TestFramesOfAGridAlign(t *testing.T) {
	property.Check(t, func(t *rapid.T) {
		kinds := []Figure{
			Line([]Series{{Values: []float64{1e-7, 3e-7}}}, YLabel("loss"), Title("a")),
			Histogram([]Series{{Values: []float64{1, 2, 3}}}, XLabel("x")),
			Line([]Series{{Values: []float64{1, math.NaN(), 1e6}}}),
			Bars([]string{"a"}, []float64{3}, Title("b")),
		}
		var figures []Figure
		for range rapid.IntRange(1, 7).Draw(t, "panels") {
			figures = append(figures, rapid.SampledFrom(kinds).Draw(t, "kind"))
		}
		columns := rapid.IntRange(1, 4).Draw(t, "columns")
		f := Grid(columns, figures...)
		if rapid.Bool().Draw(t, "nested") {
			f = Row(f, kinds[0])
		}
		l := placed(f)
		g := f.root.(*grid)
		if inner, ok := g.cells[0][0].(*grid); ok {
			beside := l.fits[g.cells[0][1].(*panel)].frame
			first := l.fits[inner.cells[0][0].(*panel)].frame
			last := l.fits[inner.cells[len(inner.cells)-1][0].(*panel)].frame
			if first.Max.Y != beside.Max.Y || last.Min.Y != beside.Min.Y {
				t.Errorf("the inner grid reaches from %g to %g, its neighbour from %g to %g", first.Max.Y, last.Min.Y, beside.Max.Y, beside.Min.Y)
			}
			g = inner
		}
		for r, row := range g.cells {
			for k, cell := range row {
				if cell == nil {
					continue
				}
				at := l.fits[cell.(*panel)]
				top, left := l.fits[g.cells[0][k].(*panel)].frame, l.fits[row[0].(*panel)].frame
				if at.frame.Min.X != top.Min.X || at.frame.Max.X != top.Max.X || at.frame.Min.Y != left.Min.Y || at.frame.Max.Y != left.Max.Y {
					t.Errorf("row %d, column %d: frame %v is not in line with %v and %v", r, k, at.frame, top, left)
				}
				if at.notes != l.fits[row[0].(*panel)].notes {
					t.Errorf("row %d: titles at unequal heights", r)
				}
				inside := at.frame.Min.X-at.insets.left >= margin-1 && at.frame.Max.X+at.insets.right <= f.width-margin+1 &&
					at.frame.Min.Y-at.insets.bottom >= margin-1 && at.frame.Max.Y+at.insets.top <= f.height-margin+1
				if !inside {
					t.Errorf("row %d, column %d: numbers leave the page", r, k)
				}
			}
		}
	})
}

func TestSharedAxesLabelTheEdgesAlone(t *testing.T) {
	line := func() Figure { return Line([]Series{{Values: []float64{1, 2}}}, YLabel("loss")) }
	f := Grid(2, line(), line(), line()).SharedAxes()
	var hidden []bool
	for p := range f.root.panels() {
		hidden = append(hidden, p.x.unlabelled, p.y.unlabelled)
	}
	// The second has nothing below it.
	if want := []bool{true, false, false, true, false, false}; !slices.Equal(hidden, want) {
		t.Errorf("unlabelled are %v, want %v", hidden, want)
	}
	if p := line().root.(*panel); p.x.unlabelled {
		t.Error("the figure that was composed has changed")
	}
}

func TestBoxedPanelsHaveEqualUnits(t *testing.T) {
	plane := Plane{XMin: 0, XMax: 3, YMin: 0, YMax: 1}
	f := Density(plane, plane.Eval(func(x, y float64) float64 { return 0 }), Size(4, 4))
	size := placed(f).fits[f.root.(*panel)].frame.Size()
	within(t, "width over height", float64(size.X/size.Y), 3, 0.02)
}

func TestOverlayGoesOnWithTheColours(t *testing.T) {
	points := normals(1, 300, 2)
	f := Overlay(Scatter(points), Scatter(mapped(points, func(i int, v float64) float64 { return v + 8*float64(1-i%2) })))
	img := decode(t, f)
	for i := range 2 {
		if _, n := coloured(img, img.Bounds(), light.color(i)); n < 100 {
			t.Errorf("%d pixels of colour %d", n, i)
		}
	}
	if over := f.root.(*panel).x.over; over.hi < 8 || over.lo > -1 {
		t.Errorf("range is %v, want both sets within", over)
	}
}

func TestDarkChangesColoursAlone(t *testing.T) {
	f := Line([]Series{{Name: "a", Values: []float64{1, 2, 4}}}, Title("dark"))
	bright, gloom := decode(t, f), decode(t, f.Dark())
	if bright.Bounds() != gloom.Bounds() {
		t.Fatalf("sizes are %v and %v", bright.Bounds(), gloom.Bounds())
	}
	if got := gloom.At(0, 0); nrgba(got) != dark.paper {
		t.Errorf("the corner is %v", got)
	}
	boxLight, _ := coloured(bright, bright.Bounds(), light.color(0))
	boxDark, _ := coloured(gloom, gloom.Bounds(), dark.color(0))
	if d := boxLight.Sub(boxDark.Min.Sub(image.Point{})).Size(); math.Abs(float64(d.X-boxDark.Dx()))+math.Abs(float64(d.Y-boxDark.Dy())) > 4 {
		t.Errorf("the line is within %v, dark within %v", boxLight, boxDark)
	}
	if Row(f.Dark(), f).look != &dark {
		t.Error("a row doesn't take the style of its first figure")
	}
}

func TestResolutionScalesThePicture(t *testing.T) {
	f := Bars([]string{"a"}, []float64{1}, Size(5, 3))
	for _, perInch := range []int{96, 192, 300} {
		if got := decode(t, f.Resolution(perInch)).Bounds().Size(); got != image.Pt(5*perInch, 3*perInch) {
			t.Errorf("%d pixels per inch gave %v", perInch, got)
		}
	}
}

func TestLegendKeepsOffTheData(t *testing.T) {
	busy := [][2]float64{{0.9, 0.9}, {0.1, 0.9}, {0.9, 0.1}}
	s := &stage{x: scale{span{0, 1}, false, 0, 100}, y: scale{span{0, 1}, false, 0, 100}}
	s.Rectangle = vg.Rectangle{Max: vg.Point{X: 100, Y: 100}}
	if got := quietPlace(s, []layer{{busy: busy}}, vg.Point{X: 20, Y: 20}, 5); got.Min != (vg.Point{X: 5, Y: 5}) {
		t.Errorf("legend is at %v, want it in the lower left corner", got)
	}
}
