package plotting

import (
	"cmp"
	"image"
	"image/color"
	"maps"
	"slices"
)

// quantiser maps colours to a palette of 256 by Heckbert's median cut (1982). The paper's
// colour is in it exactly.
type quantiser struct {
	palette color.Palette
	index   map[uint32]uint8
	// kept are the bits of a colour that count.
	kept uint32
}

// shade is a colour, 0xRRGGBB, and the number of pixels that have it.
type shade struct {
	rgb   uint32
	count int
}

func (s shade) channel(c int) int { return int(s.rgb >> (16 - 8*c) & 0xff) }

// mostShades is the number of colours up to which each counts; of more, only the upper five
// bits of each channel do.
const mostShades = 1 << 16

// newQuantiser finds a palette for pictures on a paper. Colours whose channels differ by no
// more than near, of 255, may become one, which saves bytes.
func newQuantiser(pictures []*image.RGBA, paper color.NRGBA, near int) *quantiser {
	q := &quantiser{palette: color.Palette{paper}, kept: 0xffffff}
	counts := q.count(pictures)
	if len(counts) > mostShades {
		q.kept = 0xf8f8f8
		counts = q.count(pictures)
	}
	paperRGB := (uint32(paper.R)<<16 | uint32(paper.G)<<8 | uint32(paper.B)) & q.kept
	q.index = map[uint32]uint8{paperRGB: 0}
	delete(counts, paperRGB)
	var shades []shade
	for _, rgb := range slices.Sorted(maps.Keys(counts)) {
		shades = append(shades, shade{rgb, counts[rgb]})
	}
	for _, box := range cuts(shades, 255, near) {
		var sum [3]int
		n := 0
		for _, s := range box {
			q.index[s.rgb] = uint8(len(q.palette))
			n += s.count
			for c := range sum {
				sum[c] += s.count * s.channel(c)
			}
		}
		mean := func(c int) uint8 { return uint8((sum[c] + n/2) / n) }
		q.palette = append(q.palette, color.NRGBA{mean(0), mean(1), mean(2), 255})
	}
	return q
}

func (q *quantiser) count(pictures []*image.RGBA) map[uint32]int {
	counts := map[uint32]int{}
	for _, picture := range pictures {
		eachRun(picture, func(rgb uint32, _, n int) { counts[rgb&q.kept] += n })
	}
	return counts
}

// cuts divides colours into boxes, most at most, each of similar ones.
func cuts(shades []shade, most, near int) (boxes []box) {
	if len(shades) == 0 {
		return nil
	}
	boxes = []box{shades}
	weights := []int{box(shades).weight(near)}
	for len(boxes) < most {
		i := 0
		for k, w := range weights {
			if w > weights[i] {
				i = k
			}
		}
		if weights[i] == 0 {
			break
		}
		a, b := boxes[i].halves()
		boxes[i], weights[i] = a, a.weight(near)
		boxes, weights = append(boxes, b), append(weights, b.weight(near))
	}
	return boxes
}

// box is a set of colours that become one.
type box []shade

// weight says how much a box needs to be cut: more the more its colours differ and, as all
// must be alike enough, a little more the more of the picture it holds.
func (b box) weight(near int) int {
	_, width := b.spread()
	if width <= near {
		return 0
	}
	return width * width * root(b.total())
}

// spread is the channel in which the colours differ most, and by how much.
func (b box) spread() (channel, width int) {
	for c := range 3 {
		lo, hi := 255, 0
		for _, s := range b {
			lo, hi = min(lo, s.channel(c)), max(hi, s.channel(c))
		}
		if hi-lo > width {
			channel, width = c, hi-lo
		}
	}
	return channel, width
}

// halves cuts a box of different colours in the middle of its spread.
func (b box) halves() (low, high box) {
	channel, _ := b.spread()
	slices.SortFunc(b, func(x, y shade) int {
		return cmp.Or(x.channel(channel)-y.channel(channel), cmp.Compare(x.rgb, y.rgb))
	})
	middle := (b[0].channel(channel) + b[len(b)-1].channel(channel) + 1) / 2
	cut := slices.IndexFunc(b, func(s shade) bool { return s.channel(channel) >= middle })
	return b[:cut], b[cut:]
}

func (b box) total() (n int) {
	for _, s := range b {
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

// convert returns the picture in the palette, and the mean square of the error of the
// colours' channels, in levels of 255, where it isn't paper.
func (q *quantiser) convert(picture *image.RGBA) (*image.Paletted, float64) {
	out := image.NewPaletted(picture.Bounds(), q.palette)
	squares, inked := 0, 0
	eachRun(picture, func(rgb uint32, start, n int) {
		k := q.index[rgb&q.kept]
		for i := range n {
			out.Pix[start+i] = k
		}
		if k == 0 {
			return
		}
		inked += n
		is, was := q.palette[k].(color.NRGBA), shade{rgb: rgb}
		for c, v := range []uint8{is.R, is.G, is.B} {
			squares += n * (int(v) - was.channel(c)) * (int(v) - was.channel(c))
		}
	})
	return out, float64(squares) / float64(max(1, 3*inked))
}

// eachRun calls its argument with runs of pixels of one colour, 0xRRGGBB, row by row: the
// first one's place and their number. Figures are opaque.
func eachRun(picture *image.RGBA, run func(rgb uint32, start, n int)) {
	size := picture.Bounds().Size()
	for y := range size.Y {
		row := picture.Pix[y*picture.Stride:]
		at := func(x int) uint32 { return uint32(row[4*x])<<16 | uint32(row[4*x+1])<<8 | uint32(row[4*x+2]) }
		for x := 0; x < size.X; {
			rgb, end := at(x), x+1
			for end < size.X && at(end) == rgb {
				end++
			}
			run(rgb, y*size.X+x, end-x)
			x = end
		}
	}
}
