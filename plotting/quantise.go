package plotting

import (
	"image"
	"image/color"
	"slices"
)

// quantiser maps colours to a palette of 256 by Heckbert's median cut (1982), on five
// bits of each channel. The paper's colour is in it exactly.
type quantiser struct {
	palette color.Palette
	index   [1 << 15]uint8
}

type shade struct {
	key   int
	count int
	sum   [3]int
}

func (s shade) mean(channel int) int { return s.sum[channel] / s.count }

func key(c color.RGBA) int { return int(c.R>>3)<<10 | int(c.G>>3)<<5 | int(c.B>>3) }

func newQuantiser(pictures []image.Image, paper color.NRGBA) *quantiser {
	var all [1 << 15]shade
	for _, picture := range pictures {
		eachPixel(picture, func(_ int, c color.RGBA) {
			s := &all[key(c)]
			s.count++
			s.sum[0] += int(c.R)
			s.sum[1] += int(c.G)
			s.sum[2] += int(c.B)
		})
	}
	paperKey := key(color.RGBA(paper))
	var shades []shade
	for k, s := range all {
		if s.count > 0 && k != paperKey {
			s.key = k
			shades = append(shades, s)
		}
	}
	q := &quantiser{palette: color.Palette{paper}}
	if len(shades) == 0 {
		return q
	}
	boxes := [][]shade{shades}
	for len(boxes) < 255 {
		widest, channel, width := -1, 0, 0
		for i, box := range boxes {
			c, w := spread(box)
			// A box counts for more the more of the picture it holds.
			if w > 0 && w*root(total(box)) > width {
				widest, channel, width = i, c, w*root(total(box))
			}
		}
		if widest < 0 {
			break
		}
		box := boxes[widest]
		slices.SortStableFunc(box, func(a, b shade) int { return a.mean(channel) - b.mean(channel) })
		half, cut := total(box)/2, 0
		for sum := 0; cut < len(box)-1; {
			sum += box[cut].count
			cut++
			if sum >= half {
				break
			}
		}
		boxes[widest] = box[:cut]
		boxes = append(boxes, box[cut:])
	}
	for _, box := range boxes {
		var sum [3]int
		for _, s := range box {
			q.index[s.key] = uint8(len(q.palette))
			for c := range sum {
				sum[c] += s.sum[c]
			}
		}
		n := total(box)
		q.palette = append(q.palette, color.NRGBA{uint8(sum[0] / n), uint8(sum[1] / n), uint8(sum[2] / n), 255})
	}
	return q
}

// spread is the channel in which the colours of a box differ most, and by how much.
func spread(box []shade) (channel, width int) {
	for c := range 3 {
		lo, hi := 255, 0
		for _, s := range box {
			lo, hi = min(lo, s.mean(c)), max(hi, s.mean(c))
		}
		if hi-lo > width {
			channel, width = c, hi-lo
		}
	}
	return channel, width
}

func total(box []shade) (n int) {
	for _, s := range box {
		n += s.count
	}
	return n
}

// root is about the fourth root.
func root(n int) int {
	r := 1
	for r*r*r*r < n {
		r++
	}
	return r
}

func (q *quantiser) convert(picture image.Image) *image.Paletted {
	out := image.NewPaletted(picture.Bounds(), q.palette)
	eachPixel(picture, func(i int, c color.RGBA) { out.Pix[i] = q.index[key(c)] })
	return out
}

// eachPixel calls its argument with the colours row by row. Figures are opaque.
func eachPixel(picture image.Image, pixel func(i int, c color.RGBA)) {
	r := picture.Bounds()
	i := 0
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			pixel(i, color.RGBAModel.Convert(picture.At(x, y)).(color.RGBA))
			i++
		}
	}
}
