package plotting

import (
	"fmt"
	"image/color"
	"math"

	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// mostImages is the number of images that a grid shows.
const mostImages = 1000

// ImageGrid draws images, row by row: float32 or float64 [n, height, width],
// [n, height, width, 1], or [n, height, width, 3] for red, green and blue. Of one channel,
// larger values are darker, as ink on paper; in colour they are brighter. All images share
// one range of values; every pixel is a sharp square. The last row may be incomplete. Of
// more than 1000 images the first 1000 are drawn, and the figure says so. Pixels that are
// not finite are drawn vermilion, and the figure says how many. It takes [Title], [Size],
// [Columns] (default: about square, at most 10), [ValueRange], [RowLabels] and, for one
// channel, [Viridis] or [Diverging].
func ImageGrid(images *tensors.Tensor, opts ...Option) Figure {
	s, err := settle("ImageGrid", []string{"Columns", "ValueRange", "RowLabels", "Viridis", "Diverging"}, opts)
	if err != nil {
		return Figure{err: err}
	}
	data, err := read(images)
	if err != nil {
		return failed("ImageGrid: %w", err)
	}
	dims := data.dims
	if !(len(dims) == 3 || len(dims) == 4 && (dims[3] == 1 || dims[3] == 3)) {
		return failed("ImageGrid: images have shape %s: give [n, height, width], [n, height, width, 1] or [n, height, width, 3]", images.Shape())
	}
	n, h, w := min(dims[0], mostImages), dims[1], dims[2]
	inColour := len(dims) == 4 && dims[3] == 3
	if inColour && (s.viridis || s.diverging) {
		return failed("ImageGrid: images of shape %s have colours of their own: Viridis and Diverging are for one channel", images.Shape())
	}
	if s.viridis && s.diverging {
		return failed("ImageGrid: Viridis and Diverging: give one of them")
	}
	p := s.panel("image grid", "", "")
	p.bare, p.aspect = true, boxed
	if n*h*w == 0 {
		p.empty, p.x.over, p.y.over = true, span{0, 1}, span{0, 1}
		return single(p, s, 3*vg.Inch, 1.5*vg.Inch)
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
	for i := range data.len() {
		if v := data.at(i); finite(v) {
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
		if s.diverging {
			values = values.symmetric()
		}
	}
	if bad > 0 {
		p.note = fmt.Sprintf("%d of %d pixels not finite", bad, data.len())
	}
	if n < dims[0] {
		p.note = joined(p.note, fmt.Sprintf("the first %d of %d images", n, dims[0]))
	}
	// Device pixels for one pixel of an image, so that images are about 0.45 inch wide
	// and few large images still fit a page.
	scale := max(1, min(86/max(h, w), 1600/max(columns*w, rows*h)))
	gap := max(3, scale/2)
	stepX, stepY := w*scale+gap, h*scale+gap
	sizeX, sizeY := columns*stepX-gap, rows*stepY-gap
	coloured, shades := s.viridis || s.diverging, shading{over: values, diverging: s.diverging}
	shade := func(s *stage, left, top float64) color.NRGBA {
		x, y := int(left), int(top)
		i := y/stepY*columns + x/stepX
		x, y = x%stepX/scale, y%stepY/scale
		if left < 0 || x >= w || y >= h || i >= n {
			return color.NRGBA{}
		}
		at := (i*h+y)*w + x
		if inColour {
			return rgb(data, 3*at, values, s.look.bad)
		}
		v := data.at(at)
		switch {
		case !finite(v):
			return s.look.bad
		case coloured:
			return shades.color(v)
		}
		return grey(values.share(v))
	}

	const perPixel = vg.Inch / pixelsPerInch
	labels := 0.0 // room for the labels, in device pixels
	for _, text := range s.rowLabels {
		labels = max(labels, math.Ceil(float64((textStyle(tickSize, nil, draw.XRight, draw.YCenter).Width(text)+6)/perPixel)))
	}
	p.x.over, p.y.over = span{-labels, float64(sizeX)}, span{0, float64(sizeY)}
	rowLabels := s.rowLabels
	p.layers = []layer{{marks: []mark{func(s *stage) {
		s.raster(func(x, y float64) color.NRGBA { return shade(s, x, float64(sizeY)-y) })
		style := textStyle(tickSize, s.look.ink, draw.XRight, draw.YCenter)
		for row, text := range rowLabels {
			middle := float64(sizeY) - float64(row*stepY) - float64(h*scale)/2
			s.FillText(style, vg.Point{X: s.x.at(0) - 5, Y: s.y.at(middle) + 0.5}, text)
		}
	}}}}
	width := vg.Length(labels+float64(sizeX))*perPixel + 2*margin
	height := vg.Length(sizeY)*perPixel + 2*margin
	p.words = s.rowLabels
	if note := p.said(); note != "" {
		height += noteBand + 2
		width = max(width, textStyle(noteSize, nil, draw.XCenter, draw.YBottom).Width(note)+2*margin)
	}
	if p.title != "" {
		height += titleBand
		width = max(width, textStyle(titleSize, nil, draw.XCenter, draw.YBottom).Width(p.title)+2*margin)
	}
	return single(p, s, width, height)
}

// rgb is the colour whose channels begin at i.
func rgb(data numbers, i int, values span, bad color.NRGBA) color.NRGBA {
	var c [3]uint8
	for k := range c {
		v := data.at(i + k)
		if !finite(v) {
			return bad
		}
		c[k] = uint8(math.Round(255 * values.share(v)))
	}
	return color.NRGBA{c[0], c[1], c[2], 255}
}

// grey is white at 0 and black at 1.
func grey(v float64) color.NRGBA {
	level := uint8(math.Round(255 * (1 - v)))
	return color.NRGBA{level, level, level, 255}
}
