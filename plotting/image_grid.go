package plotting

import (
	"fmt"
	"image"
	"image/color"
	"math"

	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// ImageGrid draws images, row by row: float32 or float64 [n, height, width] or
// [n, height, width, 1]. Larger values are darker, as ink on paper, and all images
// share one range of values; every pixel is a sharp square. The last row may be
// incomplete. Pixels that are not finite are drawn vermilion, and the figure says how
// many. It takes [Title], [Size], [Columns] (default: about square, at most 10),
// [ValueRange], [RowLabels] and [Viridis].
func ImageGrid(images *tensors.Tensor, opts ...Option) Figure {
	s, err := settle("ImageGrid", []string{"Columns", "ValueRange", "RowLabels", "Viridis"}, opts)
	if err != nil {
		return Figure{err: err}
	}
	flat, dims, err := read(images)
	if err != nil {
		return failed("ImageGrid: %w", err)
	}
	if !(len(dims) == 3 || len(dims) == 4 && dims[3] == 1) {
		return failed("ImageGrid: images have shape %s: give [n, height, width] or [n, height, width, 1]", images.Shape())
	}
	n, h, w := dims[0], dims[1], dims[2]
	p := &panel{kind: "image grid", title: s.title, bare: true, equal: true}
	if n*h*w == 0 {
		p.empty, p.x, p.y = true, span{0, 1}, span{0, 1}
		width, height := s.sized(3*vg.Inch, 1.5*vg.Inch)
		return single(p, width, height)
	}
	columns := s.columns
	if columns == 0 {
		columns = min(10, int(math.Ceil(math.Sqrt(float64(n)))))
	}
	columns = min(columns, n)
	rows := (n + columns - 1) / columns
	if s.rowLabels != nil && len(s.rowLabels) != rows {
		return failed("ImageGrid: %d row labels for %d rows (%d images in %d columns): give as many", len(s.rowLabels), rows, n, columns)
	}
	values, bad := s.values, 0
	found := nothing()
	for _, v := range flat {
		if finite(v) {
			found = found.include(v)
		} else {
			bad++
		}
	}
	if values.isEmpty() {
		values = found
		if found.isEmpty() || found.lo == found.hi {
			values = found.padded(0)
		}
	}
	if bad > 0 {
		p.note = fmt.Sprintf("%d of %d pixels not finite", bad, len(flat))
	}
	paint := grey
	if s.viridis {
		paint = viridis
	}

	// Device pixels for one pixel of an image, so that images are about 0.45 inch wide
	// and few large images still fit a page.
	scale := max(1, min(86/max(h, w), 1600/max(columns*w, rows*h)))
	gap := max(3, scale/2)
	stepX, stepY := w*scale+gap, h*scale+gap
	mosaic := image.NewRGBA(image.Rect(0, 0, columns*stepX-gap, rows*stepY-gap))
	for i := range mosaic.Pix {
		mosaic.Pix[i] = 255
	}
	for i := range n {
		left, top := i%columns*stepX, i/columns*stepY
		for y := range h * scale {
			for x := range w * scale {
				v := flat[(i*h+y/scale)*w+x/scale]
				c := color.Color(colorOf(1))
				if finite(v) {
					c = paint(min(1, max(0, (v-values.lo)/(values.hi-values.lo))))
				}
				mosaic.Set(left+x, top+y, c)
			}
		}
	}

	const perPixel = vg.Inch / pixelsPerInch
	style := textStyle(tickSize, ink, draw.XRight, draw.YCenter)
	labels := 0.0 // room for the labels, in device pixels
	for _, text := range s.rowLabels {
		labels = max(labels, math.Ceil(float64((style.Width(text)+6)/perPixel)))
	}
	size := mosaic.Bounds().Size()
	p.x, p.y = span{-labels, float64(size.X)}, span{0, float64(size.Y)}
	p.marks = []mark{func(c draw.Canvas, x, y func(float64) vg.Length) {
		c.DrawImage(vg.Rectangle{
			Min: vg.Point{X: x(0), Y: y(0)},
			Max: vg.Point{X: x(float64(size.X)), Y: y(float64(size.Y))},
		}, mosaic)
		for row, text := range s.rowLabels {
			middle := float64(size.Y) - float64(row*stepY) - float64(h*scale)/2
			c.FillText(style, vg.Point{X: x(0) - 5, Y: y(middle) + 0.5}, text)
		}
	}}
	width := vg.Length(labels+float64(size.X))*perPixel + 2*margin
	height := vg.Length(size.Y)*perPixel + 2*margin
	if p.note != "" {
		height += noteBand
		width = max(width, textStyle(noteSize, ink, draw.XCenter, draw.YBottom).Width(p.note)+2*margin)
	}
	if p.title != "" {
		height += titleBand
		width = max(width, textStyle(titleSize, ink, draw.XCenter, draw.YBottom).Width(p.title)+2*margin)
	}
	width, height = s.sized(width, height)
	return single(p, width, height)
}

// grey is white at 0 and black at 1.
func grey(v float64) color.NRGBA {
	level := uint8(math.Round(255 * (1 - v)))
	return color.NRGBA{level, level, level, 255}
}

// viridisStops are matplotlib's viridis at ninths.
var viridisStops = [10][3]float64{
	{68, 1, 84},
	{72, 40, 120},
	{62, 74, 137},
	{49, 104, 142},
	{38, 130, 142},
	{31, 158, 137},
	{53, 183, 121},
	{109, 205, 89},
	{180, 222, 44},
	{253, 231, 37},
}

// viridis is matplotlib's colour map, linear between ten of its colours.
func viridis(v float64) color.NRGBA {
	at := v * float64(len(viridisStops)-1)
	i := min(int(at), len(viridisStops)-2)
	var c [3]uint8
	for k := range c {
		c[k] = uint8(math.Round(viridisStops[i][k] + (at-float64(i))*(viridisStops[i+1][k]-viridisStops[i][k])))
	}
	return color.NRGBA{c[0], c[1], c[2], 255}
}
