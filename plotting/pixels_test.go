package plotting

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
)

func decode(t *testing.T, f Figure) image.Image {
	t.Helper()
	data, err := f.PNG()
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// frames finds the data area: rows and columns of which most is the frame's ink.
func frames(t *testing.T, img image.Image) (left, right []int, top, bottom int) {
	t.Helper()
	size := img.Bounds().Size()
	dark := func(x, y int) bool {
		c := color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)
		return c.R < 150 && max(c.R, c.G, c.B)-min(c.R, c.G, c.B) < 20
	}
	var columns []int
	for x := range size.X {
		n := 0
		for y := range size.Y {
			if dark(x, y) {
				n++
			}
		}
		if n > size.Y/2 && (len(columns) == 0 || x > columns[len(columns)-1]+3) {
			columns = append(columns, x)
		}
	}
	top = -1
	for y := range size.Y {
		n := 0
		for x := range size.X {
			if dark(x, y) {
				n++
			}
		}
		if n > size.X/2 {
			if top < 0 {
				top = y
			}
			bottom = y
		}
	}
	if len(columns) == 0 || len(columns)%2 != 0 || top < 0 || bottom <= top {
		t.Fatalf("no frames found: columns %v, rows %d to %d", columns, top, bottom)
	}
	for i := 0; i < len(columns); i += 2 {
		left, right = append(left, columns[i]), append(right, columns[i+1])
	}
	return left, right, top, bottom
}

// coloured returns the bounds and number of the pixels near a colour within r.
func coloured(img image.Image, r image.Rectangle, want color.NRGBA) (box image.Rectangle, n int) {
	near := func(a, b uint8) bool { return math.Abs(float64(a)-float64(b)) < 50 }
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			c := color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)
			if near(c.R, want.R) && near(c.G, want.G) && near(c.B, want.B) {
				box = box.Union(image.Rect(x, y, x+1, y+1))
				n++
			}
		}
	}
	return box, n
}

// color30 is a colour at 30 % on white.
func color30(c color.NRGBA) color.NRGBA { return mixed(c, light.paper, 0.3) }

func centre(r image.Rectangle) (x, y float64) {
	return float64(r.Min.X+r.Max.X) / 2, float64(r.Min.Y+r.Max.Y) / 2
}

func within(t *testing.T, what string, got, want, allowed float64) {
	t.Helper()
	if math.Abs(got-want) > allowed {
		t.Errorf("%s is %g, want %g ± %g", what, got, want, allowed)
	}
}

func TestScatterPutsAPointWhereItBelongs(t *testing.T) {
	f := Scatter(tensors.FromValue([][]float64{{0.25, 0.75}}), Limits(0, 1, 0, 1), Size(4, 4))
	img := decode(t, f)
	left, right, top, bottom := frames(t, img)
	box, n := coloured(img, img.Bounds(), light.color(0))
	if n < 20 {
		t.Fatalf("%d blue pixels, want a dot", n)
	}
	x, y := centre(box)
	// One axis is widened about its centre to equal aspect, so use a common unit.
	unit := float64(min(right[0]-left[0], bottom-top))
	within(t, "x", x, float64(left[0]+right[0])/2-0.25*unit, 3)
	within(t, "y", y, float64(top+bottom)/2-0.25*unit, 3)
}

func TestSharedAxesPutTheSameValueAtTheSamePlace(t *testing.T) {
	one := tensors.FromValue([][]float32{{0, 0}})
	wide := tensors.FromValue([][]float32{{0, 0}, {9, 3}})
	place := func(f Figure) (first, second float64) {
		img := decode(t, f)
		left, right, top, bottom := frames(t, img)
		if len(left) != 2 {
			t.Fatalf("%d frames, want 2", len(left))
		}
		var at [2]float64
		for i := range at {
			// The left half holds the point at 0 of both.
			r := image.Rect(left[i], top, (left[i]+right[i])/2+8, bottom)
			box, n := coloured(img, r, light.color(0))
			if n == 0 {
				t.Fatalf("panel %d: no point", i)
			}
			x, _ := centre(box)
			at[i] = (x - float64(left[i])) / float64(right[i]-left[i])
		}
		return at[0], at[1]
	}
	first, second := place(Row(Scatter(one), Scatter(wide)).SharedAxes())
	within(t, "place of 0 in the second panel, shared", second, first, 0.01)
	first, second = place(Row(Scatter(one), Scatter(wide)))
	if math.Abs(first-second) < 0.2 {
		t.Errorf("places are %g and %g without shared axes, want them apart", first, second)
	}
}

func TestImageGridPixelsAreSharp(t *testing.T) {
	img := decode(t, ImageGrid(tensors.FromValue([][][]float32{{{-1, 1}, {0, 1}}}), ValueRange(-1, 1)))
	counts := map[color.NRGBA]int{}
	size := img.Bounds().Size()
	for y := range size.Y {
		for x := range size.X {
			counts[color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)]++
		}
	}
	black, half := color.NRGBA{0, 0, 0, 255}, color.NRGBA{128, 128, 128, 255}
	white := color.NRGBA{255, 255, 255, 255}
	if len(counts) != 3 || counts[black] != 2*43*43 || counts[half] != 43*43 || counts[white] == 0 {
		t.Errorf("colours are %v, want white, %d black and %d grey alone", counts, 2*43*43, 43*43)
	}
	// The grey pixel is the lower left.
	box, _ := coloured(img, img.Bounds(), half)
	if want := image.Rect(20, 63, 63, 106); box != want {
		t.Errorf("grey is at %v, want %v", box, want)
	}
}

func TestImageGridFillsRowsFirst(t *testing.T) {
	images := tensors.FromValue([][][]float32{{{0.5}}, {{1}}, {{0.75}}, {{0.25}}, {{0.5}}})
	img := decode(t, ImageGrid(images, Columns(3), ValueRange(0, 1)))
	// Images are 86 pixels wide and 43 apart, in a margin of 20.
	for i, want := range []uint8{128, 0, 64, 191, 128, 255} {
		x, y := 20+43+i%3*129, 20+43+i/3*129
		if got := color.GrayModel.Convert(img.At(x, y)).(color.Gray).Y; got != want {
			t.Errorf("cell %d is %d, want %d", i, got, want)
		}
	}
}

func TestImageGridMarksWhatIsNotFinite(t *testing.T) {
	f := ImageGrid(tensors.FromValue([][][]float64{{{math.NaN(), 1}}, {{0, 1}}}))
	if _, n := coloured(decode(t, f), decode(t, f).Bounds(), light.color(1)); n < 1800 {
		t.Errorf("%d vermilion pixels", n)
	}
	if got := f.root.(*panel).note; got != "1 of 4 pixels not finite" {
		t.Errorf("note is %q", got)
	}
}

func TestLineIsAtItsValue(t *testing.T) {
	for name, c := range map[string]struct {
		value float64
		opts  []Option
		share float64
	}{
		"linear": {3, []Option{Limits(0, 9, 0, 4)}, 0.75},
		"log":    {10, []Option{Limits(0, 9, 1, 10000), LogY()}, 0.25},
	} {
		values := make([]float64, 10)
		for i := range values {
			values[i] = c.value
		}
		img := decode(t, Line([]Series{{Values: values}}, c.opts...))
		left, right, top, bottom := frames(t, img)
		box, _ := coloured(img, img.Bounds(), light.color(0))
		_, y := centre(box)
		within(t, name+": height", (float64(bottom)-y)/float64(bottom-top), c.share, 0.01)
		within(t, name+": width", float64(box.Dx()), float64(right[0]-left[0]), 6)
	}
}

func TestBarsHaveTheirHeights(t *testing.T) {
	img := decode(t, Bars([]string{"a", "b"}, []float64{1, 0.5}, Limits(-0.5, 1.5, 0, 2)))
	left, right, top, bottom := frames(t, img)
	middle := (left[0] + right[0]) / 2
	first, _ := coloured(img, image.Rect(left[0], top, middle, bottom), light.color(0))
	second, _ := coloured(img, image.Rect(middle, top, right[0], bottom), light.color(0))
	height := float64(bottom - top)
	within(t, "first bar", float64(first.Dy())/height, 0.5, 0.01)
	within(t, "second bar", float64(second.Dy())/height, 0.25, 0.01)
	within(t, "bar width", float64(first.Dx()), 0.4*float64(right[0]-left[0]), 3)
}

func TestHistogramCounts(t *testing.T) {
	f := Histogram([]Series{{Values: []float64{0.5, 0.5, 0.5, 1.5}}}, Bins(2), Limits(0, 2, 0, 4))
	first, second := twoBins(t, f)
	within(t, "first bin", first, 0.75, 0.02)
	within(t, "second bin", second, 0.25, 0.02)
}

// twoBins are the heights of the two bins of a histogram, as shares of its frame's.
func twoBins(t *testing.T, f Figure) (first, second float64) {
	t.Helper()
	img := decode(t, f)
	left, right, top, bottom := frames(t, img)
	fill := color30(light.color(0))
	middle := (left[0] + right[0]) / 2
	share := func(from, to int) float64 {
		bin, _ := coloured(img, image.Rect(from+6, top+6, to-6, bottom), fill)
		return float64(bottom-bin.Min.Y) / float64(bottom-top)
	}
	return share(left[0], middle), share(middle, right[0])
}

func TestHistogramDensitiesHaveAreaOne(t *testing.T) {
	over := span{0, 2}
	counts := weighted{values: []float64{0, 0.5, 1.5, 2, 3}}.binned(binning{over: over, n: 2}).heights
	if counts[0] != 2 || counts[1] != 2 {
		t.Errorf("counts are %v, want 2 and 2: the upper edge belongs to the last bin, 3 to none", counts)
	}
	f := Histogram([]Series{{Values: []float64{0, 2}}, {Values: []float64{0, 0, 2, 2}}}, Bins(2))
	// Both have density 1/2 on [0, 2], whatever their number; 6% is margin.
	within(t, "top", f.root.(*panel).y.over.hi, 0.5*1.06, 1e-12)
}
