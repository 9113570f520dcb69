package plotting

import (
	"image"
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
)

// raster paints every pixel of the frame with the colour at its centre, a data value.
func (s *stage) raster(paint func(x, y float64) color.NRGBA) {
	img, box := s.pixels()
	size := img.Bounds().Size()
	dx, dy := box.Size().X/vg.Length(size.X), box.Size().Y/vg.Length(size.Y)
	xs := make([]float64, size.X)
	for i := range xs {
		xs[i] = s.x.value(box.Min.X + (vg.Length(i)+0.5)*dx)
	}
	for j := range size.Y {
		y := s.y.value(box.Max.Y - (vg.Length(j)+0.5)*dy)
		for i, x := range xs {
			img.SetNRGBA(i, j, paint(x, y))
		}
	}
	s.DrawImage(box, img)
}

// pixels returns an image of the frame at the figure's resolution, and its box.
func (s *stage) pixels() (*image.NRGBA, vg.Rectangle) {
	pixel := vg.Length(vg.Inch) / vg.Length(s.perInch)
	count := func(length vg.Length) int { return max(1, int(math.Round(float64(length/pixel)))) }
	size := s.Size()
	return image.NewNRGBA(image.Rect(0, 0, count(size.X), count(size.Y))), s.Rectangle
}

// splat draws many dots of one colour: what DrawGlyph would draw, in a time that lets
// ten million be drawn. each calls its argument with every dot, and how often it is drawn.
func (s *stage) splat(c color.NRGBA, radius vg.Length, each func(dot func(x, y, times float64))) {
	img, box := s.pixels()
	size := img.Bounds().Size()
	perPoint := s.perInch / float64(vg.Inch)
	stamps := discs(float64(radius)*perPoint, float64(c.A)/255)
	// clear is how much of the paper each pixel lets through.
	clear := make([]float32, size.X*size.Y)
	for i := range clear {
		clear[i] = 1
	}
	half := len(stamps[0][0]) / 2
	each(func(x, y, times float64) {
		at := s.at(x, y)
		if at.X < s.Min.X || at.X > s.Max.X || at.Y < s.Min.Y || at.Y > s.Max.Y {
			return
		}
		px, py := float64(at.X-box.Min.X)*perPoint, float64(box.Max.Y-at.Y)*perPoint
		ix, iy := int(px), int(py)
		stamp := stamps[int((py-float64(iy))*parts)*parts+int((px-float64(ix))*parts)]
		for j, row := range stamp {
			v := iy + j - half
			if v < 0 || v >= size.Y {
				continue
			}
			for i, passes := range row {
				if u := ix + i - half; u >= 0 && u < size.X {
					if times != 1 {
						passes = float32(math.Pow(float64(passes), times))
					}
					clear[v*size.X+u] *= passes
				}
			}
		}
	})
	for i, passes := range clear {
		if passes < 1 {
			img.SetNRGBA(i%size.X, i/size.X, color.NRGBA{c.R, c.G, c.B, uint8(math.Round(float64(255 * (1 - passes))))})
		}
	}
	s.DrawImage(box, img)
}

// parts is into how many a pixel is divided to place a dot.
const parts = 4

// discs returns for each place of a centre within a pixel, row by row, what a disc lets
// through of the pixels around it.
func discs(radius, opacity float64) [][][]float32 {
	half := int(math.Ceil(radius + 0.5))
	var out [][][]float32
	for place := range parts * parts {
		cx, cy := (float64(place%parts)+0.5)/parts, (float64(place/parts)+0.5)/parts
		stamp := make([][]float32, 2*half+1)
		for j := range stamp {
			stamp[j] = make([]float32, 2*half+1)
			for i := range stamp[j] {
				// The edge of the disc is one pixel soft.
				away := math.Hypot(float64(i-half)+0.5-cx, float64(j-half)+0.5-cy)
				stamp[j][i] = float32(1 - opacity*min(1, max(0, radius+0.5-away)))
			}
		}
		out = append(out, stamp)
	}
	return out
}
